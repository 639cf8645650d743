/** Colors: parsing, mixing, and text that stays readable on every fill. */

import { describe, expect, it } from 'vitest';
import {
  contrastRatio,
  heatFill,
  mix,
  type Palette,
  parseColor,
  type Rgb,
  signedFill,
} from '../../../../webview-ui/lib/color.ts';

const palettes: Readonly<Record<string, Palette>> = {
  dark: {
    background: [31, 31, 31],
    foreground: [204, 204, 204],
    heat: [209, 134, 22],
    positive: [55, 148, 255],
    negative: [241, 76, 76],
  },
  light: {
    background: [255, 255, 255],
    foreground: [59, 59, 59],
    heat: [209, 134, 22],
    positive: [26, 133, 255],
    negative: [229, 20, 0],
  },
  'high contrast': {
    background: [0, 0, 0],
    foreground: [255, 255, 255],
    heat: [209, 134, 22],
    positive: [89, 164, 249],
    negative: [244, 135, 113],
  },
};

describe('parseColor', () => {
  it('reads the notations that browsers compute', () => {
    expect(parseColor('rgb(1, 2, 3)')).toEqual([1, 2, 3]);
    expect(parseColor('rgb(1 2 3)')).toEqual([1, 2, 3]);
    expect(parseColor('#ff8000')).toEqual([255, 128, 0]);
    expect(parseColor('color(srgb 1 0.5 0)')).toEqual([255, 127.5, 0]);
  });

  it('lays a transparent color over what is under it', () => {
    expect(parseColor('rgba(255, 255, 255, 0.5)', [0, 0, 0])).toEqual([127.5, 127.5, 127.5]);
    expect(parseColor('color(srgb 1 1 1 / 0.25)', [0, 0, 0])).toEqual([63.75, 63.75, 63.75]);
  });

  it('is undefined for what is no color', () => {
    for (const text of ['', 'transparentish', 'rgb()', 'var(--x)']) expect(parseColor(text)).toBeUndefined();
  });
});

describe('contrastRatio', () => {
  it('is 21 for black on white and 1 for a color on itself', () => {
    expect(contrastRatio([0, 0, 0], [255, 255, 255])).toBeCloseTo(21, 6);
    expect(contrastRatio([12, 34, 56], [12, 34, 56])).toBe(1);
  });

  it('is what the WCAG contrast tables say for mid gray on white', () => {
    expect(contrastRatio([118, 118, 118], [255, 255, 255])).toBeCloseTo(4.54, 2);
  });
});

describe('fills', () => {
  for (const [name, palette] of Object.entries(palettes)) {
    it(`keep text readable at every step of the ${name} scale`, () => {
      for (let step = -20; step <= 20; step++) {
        const fill = signedFill(step / 20, palette);
        const background = parseColor(fill.background) as Rgb;
        const text = parseColor(fill.text) as Rgb;
        expect(contrastRatio(background, text), `share ${step / 20}`).toBeGreaterThanOrEqual(4.4);
      }
    });
  }

  it('run from the background to the full color, and to the negative color below zero', () => {
    const { dark } = palettes as { dark: Palette };
    expect(heatFill(0, dark).background).toBe('rgb(31 31 31)');
    expect(heatFill(1, dark).background).toBe('rgb(209 134 22)');
    expect(heatFill(7, dark).background).toBe('rgb(209 134 22)');
    expect(heatFill(-1, dark).background).toBe('rgb(241 76 76)');
    expect(signedFill(1, dark).background).toBe('rgb(55 148 255)');
    expect(heatFill(Number.NaN, dark).background).toBe('rgb(31 31 31)');
  });

  it('mix channel by channel', () => {
    expect(mix([0, 100, 200], [100, 0, 200], 0.25)).toEqual([25, 75, 200]);
  });
});
