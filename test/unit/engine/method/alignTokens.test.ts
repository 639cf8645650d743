/** Two prompts side by side: by position when they are equally long, by common tokens when not. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { comparePrompts } from '../../../../src/engine/method/alignTokens.ts';
import type { TokenStrip } from '../../../../src/shared/domain.ts';

function strip(ids: readonly number[]): TokenStrip {
  const tokens = ids.map((id, i) => ({ id, text: String(id), start: i, end: i + 1 }));
  return { tokens, used: { start: 0, end: ids.length }, truncated: false, exact: true };
}

/** Pairs as `clean|corrupted`, with `=` where they are the same and `-` where there is no counterpart. */
function aligned(clean: string, corrupted: string): string {
  const ids = (text: string) => Array.from(text, (letter) => letter.charCodeAt(0));
  const { pairs } = comparePrompts(strip(ids(clean)), strip(ids(corrupted)));
  return pairs
    .map((pair) => `${clean[pair.clean] ?? '-'}${pair.same ? '=' : '|'}${corrupted[pair.corrupted] ?? '-'}`)
    .join(' ');
}

/** Length of the longest common subsequence by trying every subsequence. */
function longestCommon(a: readonly number[], b: readonly number[]): number {
  let longest = 0;
  for (let mask = 0; mask < 2 ** a.length; mask++) {
    const chosen = a.filter((_, i) => (mask >> i) & 1);
    let found = 0;
    for (const id of b) if (id === chosen[found]) found++;
    if (found === chosen.length) longest = Math.max(longest, chosen.length);
  }
  return longest;
}

describe('comparePrompts', () => {
  it('aligns prompts of equal length by position, even when shifting would match more', () => {
    expect(aligned('abcd', 'bcda')).toBe('a|b b|c c|d d|a');
    expect(aligned('abcd', 'abxd')).toBe('a=a b=b c|x d=d');
    expect(comparePrompts(strip([1]), strip([1])).equalLength).toBe(true);
  });

  it('leaves a gap for inserted and removed tokens', () => {
    expect(aligned('acd', 'abcd')).toBe('a=a -|b c=c d=d');
    expect(aligned('abcd', 'acd')).toBe('a=a b|- c=c d=d');
    expect(aligned('', 'ab')).toBe('-|a -|b');
  });

  it('puts replaced tokens opposite each other', () => {
    expect(aligned('aXe', 'aYZe')).toBe('a=a X|Y -|Z e=e');
    expect(aligned('aXYZe', 'aVe')).toBe('a=a X|V Y|- Z|- e=e');
    expect(comparePrompts(strip([1, 2]), strip([1])).equalLength).toBe(false);
  });

  it('lists every token of both once, in order, with as many matches as there can be', () => {
    const ids = fc.array(fc.nat(3), { maxLength: 8 });
    fc.assert(
      fc.property(ids, ids, (a, b) => {
        const { pairs } = comparePrompts(strip(a), strip(b));
        const side = (name: 'clean' | 'corrupted') => pairs.map((pair) => pair[name]).filter((i) => i >= 0);
        expect(side('clean')).toEqual(a.map((_, i) => i));
        expect(side('corrupted')).toEqual(b.map((_, i) => i));
        expect(pairs.every(({ clean, corrupted }) => clean >= 0 || corrupted >= 0)).toBe(true);
        for (const { clean, corrupted, same } of pairs) if (same) expect(a[clean]).toBe(b[corrupted]);
        const matches = pairs.filter(({ same }) => same).length;
        const byPosition = a.filter((id, i) => id === b[i]).length;
        expect(matches).toBe(a.length === b.length ? byPosition : longestCommon(a, b));
      }),
      { seed: 11, numRuns: 200 },
    );
  });

  it('aligns very long prompts of different length by position', () => {
    const long = Array.from({ length: 2100 }, (_, i) => i);
    const { pairs } = comparePrompts(strip(long), strip(long.slice(1)));
    expect(pairs).toHaveLength(2100);
    expect(pairs.slice(0, 2)).toEqual([
      { clean: 0, corrupted: 0, same: false },
      { clean: 1, corrupted: 1, same: false },
    ]);
    expect(pairs.at(-1)).toEqual({ clean: 2099, corrupted: -1, same: false });
  });
});
