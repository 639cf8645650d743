/** Pairs of prompts in the tiny model's tokens, and patched runs of them by plain loops, one full run for every cell. */
import { locateHook } from '../../../../src/engine/model/hooks.ts';
import type { TokenPair, TokenTask } from '../../../../src/engine/task/task.ts';
import type { PlainHook } from '../../../fixtures/plainGpt2.ts';
import { answers, type TinyCircuit } from './tinyCircuit.ts';

export const [nLayers, nHeads, dHead, dModel] = [2, 3, 4, 12];

/** Pairs that differ from position 1 on, two lengths, two templates. */
export const pairTexts: readonly { clean: number[]; corrupted: number[]; template: string }[] = [
  { clean: [3, 117, 58, 201, 22, 9], corrupted: [3, 44, 58, 310, 22, 77], template: 'a' },
  { clean: [8, 21, 350, 7, 61], corrupted: [8, 90, 350, 7, 13], template: 'b' },
  { clean: [99, 2, 41, 250, 33, 6], corrupted: [99, 2, 17, 5, 33, 6], template: 'a' },
  { clean: [12, 64, 250, 3, 180, 4], corrupted: [12, 65, 251, 3, 181, 4], template: 'c' },
];

export function tokenTask(texts = pairTexts): TokenTask {
  const pairs = texts.map(
    ({ clean, corrupted, template }): TokenPair => ({
      clean: Int32Array.from(clean),
      corrupted: Int32Array.from(corrupted),
      answers: [answers.answer],
      wrongAnswers: [answers.wrong],
      roles: { MID: 2, END: clean.length - 1 },
      template,
    }),
  );
  return { name: 'tiny', pairs };
}

export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Where a head, or everything, of some positions lies in a hook's value of a prompt of `length` tokens. */
export function placesOf(
  hook: string,
  length: number,
  { head, positions, source }: { head?: number; positions?: readonly number[]; source?: number } = {},
): number[] {
  const chosen = positions ?? Array.from({ length }, (_, i) => i);
  const heads = head === undefined ? Array.from({ length: nHeads }, (_, i) => i) : [head];
  const range = (start: number, size: number) => Array.from({ length: size }, (_, i) => start + i);
  if (/pattern|scores/.test(hook)) {
    return heads.flatMap((h) =>
      chosen.flatMap((p) => {
        const row = (h * length + p) * length;
        return source === undefined ? range(row, length) : [row + source];
      }),
    );
  }
  if (/attn\.hook_[qkvz]$/.test(hook))
    return chosen.flatMap((p) => heads.flatMap((h) => range((p * nHeads + h) * dHead, dHead)));
  return chosen.flatMap((p) => range(p * dModel, dModel));
}

/** Takes the places of a hook from another value. */
export function overwriting(name: string, places: readonly number[], other: ArrayLike<number>): PlainHook {
  locateHook(name, nLayers);
  return (at, { data }) => {
    if (at !== name) return;
    for (const place of places) data[place] = other[place]!;
  };
}

/** The mean metric over all pairs, each run with a hook of its own. */
export function meanMetric(
  circuit: TinyCircuit,
  task: TokenTask,
  side: 'clean' | 'corrupted',
  hookOf: (pair: TokenPair) => PlainHook = () => () => {},
): number {
  return meanOf(task.pairs.map((pair) => circuit.metric([...pair[side]], hookOf(pair))));
}

/** A hook's value by plain loops, computed once for each prompt. */
export function rememberedValues(
  circuit: TinyCircuit,
): (name: string, ids: ArrayLike<number>) => Float64Array {
  const known = new Map<string, Float64Array>();
  return (name, ids) => {
    const key = `${name} ${Array.from(ids).join()}`;
    const value = known.get(key) ?? circuit.value(name, Array.from(ids));
    known.set(key, value);
    return value;
  };
}
