/** Lays the tokens of two prompts side by side. */

import type { PromptComparison, TokenPair } from '../../shared/analysis.ts';
import type { Token, TokenStrip } from '../../shared/domain.ts';

/** Above this many table cells, prompts of different length are aligned by position only. */
const maxCells = 4_000_000;

/**
 * Aligns two prompts. Prompts of equal length are aligned by position, as patching needs it; others by
 * the longest common subsequence of their tokens.
 */
export function comparePrompts(clean: TokenStrip, corrupted: TokenStrip): PromptComparison {
  const equalLength = clean.tokens.length === corrupted.tokens.length;
  const [a, b] = [clean.tokens, corrupted.tokens];
  const byPosition = equalLength || a.length * b.length > maxCells;
  const pairs = byPosition ? alignByPosition(a, b) : alignByContent(a, b);
  return { clean, corrupted, pairs, equalLength };
}

function alignByPosition(a: readonly Token[], b: readonly Token[]): TokenPair[] {
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => ({
    clean: i < a.length ? i : -1,
    corrupted: i < b.length ? i : -1,
    same: a[i]?.id === b[i]?.id,
  }));
}

function alignByContent(a: readonly Token[], b: readonly Token[]): TokenPair[] {
  const lengths = commonLengths(a, b);
  const width = b.length + 1;
  const pairs: TokenPair[] = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    if (a[i]!.id === b[j]!.id) pairs.push({ clean: i++, corrupted: j++, same: true });
    else if (lengths[(i + 1) * width + j]! >= lengths[i * width + j + 1]!) {
      pairs.push({ clean: i++, corrupted: -1, same: false });
    } else pairs.push({ clean: -1, corrupted: j++, same: false });
  }
  while (i < a.length) pairs.push({ clean: i++, corrupted: -1, same: false });
  while (j < b.length) pairs.push({ clean: -1, corrupted: j++, same: false });
  return joinReplacements(pairs);
}

/** `[a + 1, b + 1]`: length of the longest common subsequence of the suffixes from (i, j). */
function commonLengths(a: readonly Token[], b: readonly Token[]): Uint32Array {
  const width = b.length + 1;
  const lengths = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      lengths[i * width + j] =
        a[i]!.id === b[j]!.id
          ? lengths[(i + 1) * width + j + 1]! + 1
          : Math.max(lengths[(i + 1) * width + j]!, lengths[i * width + j + 1]!);
    }
  }
  return lengths;
}

/** Inside each stretch of differences, puts the tokens of the two prompts opposite each other. */
function joinReplacements(pairs: readonly TokenPair[]): TokenPair[] {
  const out: TokenPair[] = [];
  let left: number[] = [];
  let right: number[] = [];
  const flush = (): void => {
    for (let i = 0; i < Math.max(left.length, right.length); i++) {
      out.push({ clean: left[i] ?? -1, corrupted: right[i] ?? -1, same: false });
    }
    [left, right] = [[], []];
  };
  for (const pair of pairs) {
    if (pair.same) {
      flush();
      out.push(pair);
      continue;
    }
    if (pair.clean >= 0) left.push(pair.clean);
    if (pair.corrupted >= 0) right.push(pair.corrupted);
  }
  flush();
  return out;
}
