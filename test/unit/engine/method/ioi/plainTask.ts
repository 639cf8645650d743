/** A tiny random model with a task of random tokens, and plain-loop runs of it that detectors are held against. */
import { Transformer } from '../../../../../src/engine/model/transformer.ts';
import { seededRandom } from '../../../../../src/engine/random.ts';
import type { TokenPair } from '../../../../../src/engine/task/task.ts';
import { type PlainHook, plainGpt2 } from '../../../../fixtures/plainGpt2.ts';
import { tinyConfig, tinyWeights, writeTinyGpt2 } from '../../../../fixtures/tinyGpt2.ts';

export const config = { ...tinyConfig, nLayers: 3 };
export const dHead = config.dModel / config.nHeads;
export const weights = tinyWeights(config, 7);

export async function openPlainModel(): Promise<{ readonly model: Transformer; readonly folder: string }> {
  const folder = await writeTinyGpt2(config, weights);
  return { model: await Transformer.open(folder), folder };
}

/** Six pairs of two templates that differ in length; the names are the same tokens wherever they stand. */
export const plainPairs: readonly TokenPair[] = (() => {
  const random = seededRandom('pairs');
  return Array.from({ length: 6 }, (_, i): TokenPair => {
    const length = i % 2 === 0 ? 9 : 11;
    const draw = () => Int32Array.from({ length }, () => 10 + random.int(config.dVocab - 10));
    const [io, s] = random.shuffle([0, 1, 2, 3, 4, 5, 6, 7]) as [number, number];
    const roles = { IO: 1, S1: 3, 'S1+1': 4, S2: 6, END: length - 1 };
    const clean = draw();
    clean[roles.IO] = io;
    clean[roles.S1] = s;
    clean[roles.S2] = s;
    return { clean, corrupted: draw(), answers: [io], wrongAnswers: [s], roles, template: `of ${length}` };
  });
})();

/** Values of hooks in a plain run, and the logit difference behind the last position. */
export function plainRun(
  pair: TokenPair,
  tokens: Int32Array,
  change: PlainHook = () => {},
): { readonly hooks: ReadonlyMap<string, Float64Array>; readonly difference: number } {
  const hooks = new Map<string, Float64Array>();
  const logits = plainGpt2(config, weights, [...tokens], (name, value) => {
    change(name, value);
    hooks.set(name, value.data.slice());
  });
  const last = (tokens.length - 1) * config.dVocab;
  return { hooks, difference: logits[last + pair.answers[0]!]! - logits[last + pair.wrongAnswers[0]!]! };
}

/** A[query, key] of a head in a plain run. */
export function plainAttention(
  hooks: ReadonlyMap<string, Float64Array>,
  { layer, head }: { readonly layer: number; readonly head: number },
  [length, query, key]: readonly [length: number, query: number, key: number],
): number {
  return hooks.get(`blocks.${layer}.attn.hook_pattern`)![(head * length + query) * length + key]!;
}

/** Puts `values[from …]` into one head at one position of `[position, head, d_head]`. */
export function putHead(
  data: Float64Array,
  { head, position }: { readonly head: number; readonly position: number },
  values: ArrayLike<number>,
): void {
  const start = (position * config.nHeads + head) * dHead;
  for (let i = 0; i < dHead; i++) data[start + i] = values[start + i]!;
}

/** Mean z of a layer over the corrupted prompts of a template, `[position, head, d_head]`. */
export function plainMean(template: string, layer: number): Float64Array {
  const group = plainPairs.filter((pair) => pair.template === template);
  const all = group.map((pair) => plainRun(pair, pair.corrupted).hooks.get(`blocks.${layer}.attn.hook_z`)!);
  return all[0]!.map((_, i) => all.reduce((sum, z) => sum + z[i]!, 0) / all.length);
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
