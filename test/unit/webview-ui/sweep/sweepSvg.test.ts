/** The saved picture: every known cell with its number, unknown ones empty, and no markup out of tokens. */
import { describe, expect, it } from 'vitest';
import { cellLabel, type WordedSweep } from '../../../../webview-ui/sweep/cellWords.ts';
import { layOutGrid } from '../../../../webview-ui/sweep/gridLayout.ts';
import { sweepSvg } from '../../../../webview-ui/sweep/sweepSvg.ts';

const sweep: WordedSweep = {
  question: {
    method: 'patch',
    pairs: { kind: 'pair', clean: 'a', corrupted: 'b', answers: [' x'], wrongAnswers: [' y'] },
    target: { kind: 'sweep', name: 'resid_pre' },
    direction: 'denoising',
  },
  outline: {
    axes: [
      { name: 'layer', labels: ['0', '1'] },
      { name: 'pos', labels: ['0', '1'] },
    ],
    pairCount: 2,
    metric: 'logitDifference',
    clean: 2,
    corrupted: -2,
    tokens: { clean: ['<script>', ' b\u202e'], corrupted: ['<script>', ' c'] },
    provenance: {
      version: '1',
      model: { name: 'm', hash: 'h' },
      saes: [],
      bos: 'none',
      precision: 'float32',
    },
  },
  values: Float32Array.of(0.5, -0.25, Number.NaN, 1),
  raw: Float32Array.of(0, -3, Number.NaN, 2),
  pairs: Int32Array.of(2, 1, 0, 2),
};
const palette = {
  background: [0, 0, 0],
  foreground: [255, 255, 255],
  heat: [255, 128, 0],
  positive: [0, 0, 255],
  negative: [255, 0, 0],
} as const;

describe('sweepSvg', () => {
  const svg = sweepSvg(sweep, layOutGrid(sweep.outline.axes), '<b>resid_pre', 1, palette);

  it('draws known cells with their numbers and colors, and unknown ones dashed', () => {
    expect([...svg.matchAll(/font-size="10" [^>]*>([^<]+)</g)].map(([, text]) => text)).toEqual([
      '1.0',
      '.50',
      '−.25',
    ]);
    expect(svg.match(/stroke-dasharray="2 2"/g)).toHaveLength(1);
    expect(svg).toContain('fill="rgb(64 0 0)"');
    expect(svg).toContain('fill="rgb(0 0 128)"');
    // Hatched cells; the ramp below is hatched too.
    expect(svg.match(/url\(#negative\)" color/g)).toHaveLength(1);
    expect(svg).toContain('Normalized logit difference: 0 corrupted prompt, 1 clean prompt');
  });

  it('takes no markup and no direction change from tokens or titles', () => {
    expect(svg).not.toMatch(/<script|<b>|\u202e/);
    expect(svg).toContain('&lt;script&gt;');
  });
});

describe('cellLabel', () => {
  it('says component, token, effect, and how many pairs are behind it', () => {
    expect(cellLabel(sweep, 0)).toBe("resid_pre 0 at '<script>', position 0, +0.5");
    expect(cellLabel(sweep, 1)).toMatch(/^resid_pre 0 at ' b‹202E›', position 1, −0\.25, 1 of 2 pairs$/);
    expect(cellLabel(sweep, 2)).toBe("resid_pre 1 at '<script>', position 0, not known yet");
  });
});
