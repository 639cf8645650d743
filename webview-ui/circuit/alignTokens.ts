/** Two prompts' tokens under common columns, so that circuits of prompts of different length stand over each other. Pure. */

import type { Token } from '../../src/shared/domain.ts';

/** Tokens compared at most; the rest of longer prompts are matched by place. */
const mostAligned = 400;

/** Common columns, and the column of each position of both prompts. */
export interface MergedPositions {
  readonly here: readonly number[];
  readonly there: readonly number[];
  /** What stands in each column: the token, or both where they differ. */
  readonly columns: readonly Token[];
}

/**
 * Prompts of the same length are matched place by place, since pairs are written so. Else equal tokens are matched by their
 * longest common subsequence, and what stands between two matches is matched place by place when it is as long in both.
 */
export function mergePositions(here: readonly Token[], there: readonly Token[]): MergedPositions {
  const pairs = here.length === there.length ? here.map((_, i) => [i, i] as const) : align(here, there);
  const columns: Token[] = [];
  const out = { here: [] as number[], there: [] as number[] };
  let a = 0;
  let b = 0;
  const single = (token: Token, side: number[]): void => {
    side.push(columns.length);
    columns.push(token);
  };
  for (const [toA, toB] of [...pairs, [here.length, there.length] as const]) {
    while (a < toA) single(here[a++]!, out.here);
    while (b < toB) single(there[b++]!, out.there);
    if (toA === here.length) break;
    out.here.push(columns.length);
    out.there.push(columns.length);
    columns.push(both(here[a++]!, there[b++]!));
  }
  return { ...out, columns };
}

function both(a: Token, b: Token): Token {
  return a.text === b.text ? a : { ...a, text: `${a.text.slice(0, 40)}⁄${b.text.slice(0, 40).trimStart()}` };
}

function align(here: readonly Token[], there: readonly Token[]): readonly (readonly [number, number])[] {
  if (here.length > mostAligned || there.length > mostAligned) {
    return Array.from({ length: Math.min(here.length, there.length) }, (_, i) => [i, i] as const);
  }
  const common = commonSubsequence(here, there);
  const pairs: (readonly [number, number])[] = [];
  let a = 0;
  let b = 0;
  for (const [toA, toB] of [...common, [here.length, there.length] as const]) {
    if (toA - a === toB - b) while (a < toA) pairs.push([a++, b++]);
    if (toA < here.length) pairs.push([toA, toB]);
    a = toA + 1;
    b = toB + 1;
  }
  return pairs;
}

function commonSubsequence(
  here: readonly Token[],
  there: readonly Token[],
): readonly (readonly [number, number])[] {
  const width = there.length + 1;
  const length = new Uint16Array((here.length + 1) * width);
  for (let i = here.length - 1; i >= 0; i--) {
    for (let j = there.length - 1; j >= 0; j--) {
      const equal = here[i]!.text === there[j]!.text;
      length[i * width + j] = equal
        ? length[(i + 1) * width + j + 1]! + 1
        : Math.max(length[(i + 1) * width + j]!, length[i * width + j + 1]!);
    }
  }
  const pairs: (readonly [number, number])[] = [];
  for (let i = 0, j = 0; i < here.length && j < there.length; ) {
    if (here[i]!.text === there[j]!.text) pairs.push([i++, j++]);
    else if (length[(i + 1) * width + j]! >= length[i * width + j + 1]!) i++;
    else j++;
  }
  return pairs;
}
