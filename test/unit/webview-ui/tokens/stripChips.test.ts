/** From the panel's state to chips, and the rows of the tabs. */

import { describe, expect, it } from 'vitest';
import type { Token } from '../../../../src/shared/domain.ts';
import type { TokensState } from '../../../../src/shared/viewApi.ts';
import type { Palette } from '../../../../webview-ui/lib/color.ts';
import { attributionRows } from '../../../../webview-ui/tokens/attributionTab.tsx';
import { changeRows } from '../../../../webview-ui/tokens/nextTokenTab.tsx';
import { stripChips } from '../../../../webview-ui/tokens/stripChips.ts';

const palette: Palette = {
  background: [0, 0, 0],
  foreground: [255, 255, 255],
  heat: [200, 100, 0],
  positive: [0, 0, 255],
  negative: [255, 0, 0],
};

function strip(texts: readonly string[]): NonNullable<TokensState['strip']> {
  const tokens = texts.map((text, id): Token => ({ id, text, start: id, end: id + 1 }));
  return { tokens, used: { start: 0, end: texts.length }, truncated: false, exact: true };
}

function state(texts: readonly string[], rest: Partial<TokensState> = {}): TokensState {
  return {
    computing: false,
    title: 'a.prompt.txt',
    saes: [],
    selected: 0,
    pinned: [],
    features: [],
    predictions: [],
    interventions: 0,
    strip: strip(texts),
    ...rest,
  };
}

const heat: TokensState['heat'] = {
  kind: 'strongest',
  title: 'Strongest',
  values: Float32Array.from([0, 2.25, 4.5]),
  max: 4.5,
};

describe('stripChips', () => {
  const shown = state([' When', ' Paris', '\n'], {
    heat,
    probabilities: Float32Array.from([Number.NaN, 0.12, 0.5]),
  });

  it('say token, position, activation and probability to a screen reader', () => {
    const labels = stripChips(shown, palette, []).map((chip) => chip.label);
    expect(labels[0]).toBe("token ' When', position 0, activation 0");
    expect(labels[1]).toBe("token ' Paris', position 1, activation 2.25, probability 12 %");
  });

  it('color by the share of the largest activation', () => {
    const fills = stripChips(shown, palette, []).map((chip) => chip.fill.background);
    expect(fills).toEqual(['rgb(0 0 0)', 'rgb(100 50 0)', 'rgb(200 100 0)']);
  });

  it('break the line after a newline token', () => {
    expect(stripChips(shown, palette, []).map((chip) => chip.endsLine)).toEqual([false, false, true]);
  });

  it('set tokens that are no text apart, and say so', () => {
    const marked = state(['<s>', ' a', '<|end|>']);
    const tokens = marked.strip!.tokens.map((token, i) => ({
      ...token,
      ...(i === 0 && { start: 0, end: 0, special: true as const }),
      ...(i === 2 && { marker: true as const }),
    }));
    const chips = stripChips({ ...marked, strip: { ...marked.strip!, tokens } }, palette, []);
    expect(chips.map(({ special }) => special)).toEqual([true, false, true]);
    expect(chips.map(({ label }) => label)).toEqual([
      "token '<s>', position 0, put before the text by the model’s tokenizer",
      "token ' a', position 1",
      "token '<|end|>', position 2, a special token",
    ]);
  });

  it('lend chips that did not change, so that they are not drawn again', () => {
    const before = stripChips(shown, palette, []);
    const hotter = { ...heat, values: Float32Array.from([0, 3, 4.5]) };
    const after = stripChips({ ...structuredClone(shown), heat: hotter }, palette, before);
    expect(after.map((chip, i) => chip === before[i])).toEqual([true, false, true]);
  });

  it('put direction overrides and control characters into words', () => {
    const label = stripChips(state(['\u202Eabc\u0000']), palette, [])[0]?.label;
    expect(label).toContain('‹202E›abc‹0000›');
  });

  it('set the other prompt beside, with what only it has at the token before', () => {
    const comparison = {
      clean: strip([' a', ' b', ' c']),
      corrupted: strip([' a', ' x', ' y']),
      equalLength: true,
      pairs: [
        { clean: 0, corrupted: 0, same: true },
        { clean: 1, corrupted: 1, same: false },
        { clean: -1, corrupted: 2, same: false },
        { clean: 2, corrupted: -1, same: false },
      ],
    };
    const chips = stripChips(state([' a', ' b', ' c'], { comparison }), palette, []);
    expect(chips.map(({ other, differs }) => [other, differs])).toEqual([
      [' a', false],
      [' x y', true],
      ['', true],
    ]);
  });
});

describe('attributionRows', () => {
  const values = [0.1, -3, 2, 0.2, -0.4];
  const components = values.map((value, head) => ({ component: `h${head}`, layer: 1, head, value }));

  it('show the largest by size, and rows that still add up to the whole', () => {
    const rows = attributionRows(components, 2);
    expect(rows.map((row) => row.name)).toEqual(['Head 1.1', 'Head 1.2', '3 smaller components']);
    const total = rows.reduce((sum, row) => sum + row.value, 0);
    expect(total).toBeCloseTo(values.reduce((sum, value) => sum + value, 0));
  });

  it('have no row for the rest when there is none', () => {
    expect(attributionRows(components, 5)).toHaveLength(5);
  });
});

describe('changeRows', () => {
  it('join both lists by token, and bound what fell out of one', () => {
    const prediction = (id: number, probability: number): TokensState['predictions'][number] => {
      return { id, text: ` t${id}`, probability, logit: 0 };
    };
    const rows = changeRows({
      kl: 0.5,
      before: [prediction(1, 0.6), prediction(2, 0.2)],
      after: [prediction(2, 0.8), prediction(3, 0.1)],
    });
    expect(rows.map(({ key, beforeValue, value }) => [key, beforeValue, value])).toEqual([
      ['2', '20 %', '80 %'],
      ['1', '60 %', '< 10 %'],
      ['3', '< 20 %', '10 %'],
    ]);
    expect(rows[0]?.share).toBe(1);
    expect(rows[1]?.before).toBeCloseTo(0.75);
  });
});
