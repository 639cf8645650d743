/** A random model with SAEs, prompts and a contrast for tests of circuits, with GPT-2 by plain loops beside it. */
import { join } from 'node:path';
import type { CircuitInputs, CircuitSae } from '../../../../src/engine/method/circuitInputs.ts';
import { Transformer } from '../../../../src/engine/model/transformer.ts';
import type { SaeConfig } from '../../../../src/engine/sae/format.ts';
import { openSaeLens } from '../../../../src/engine/sae/formats/saelens.ts';
import { SparseAutoencoder } from '../../../../src/engine/sae/sparseAutoencoder.ts';
import { type PlainHook, plainGpt2 } from '../../../fixtures/plainGpt2.ts';
import {
  reluHook,
  type TinyModel,
  tinyDSae,
  tinyModelConfig,
  topKHook,
  writeTinyModel,
} from '../../../fixtures/tinyModel.ts';
import { type PlainRow, plainDirection, plainEncode, randomSae, saeConfig } from '../sae/plainSae.ts';

export const cleanIds = [3, 117, 58, 201, 22, 9];
export const otherIds = [3, 44, 58, 310, 22, 77];
export const answers = { answer: 5, wrong: 19 };

export interface TinyCircuit {
  readonly tiny: TinyModel;
  readonly model: Transformer;
  readonly saes: readonly CircuitSae[];
  inputs(changes?: Partial<CircuitInputs>): CircuitInputs;
  /** The metric by plain loops, in float64. */
  metric(ids: readonly number[], hook?: PlainHook, position?: number): number;
  /** A hook's value by plain loops. */
  value(name: string, ids: readonly number[], hook?: PlainHook): Float64Array;
  close(): Promise<void>;
}

/** Opens everything. The caller closes it. */
export async function openTinyCircuit(seed: number): Promise<TinyCircuit> {
  const tiny = await writeTinyModel(seed);
  const model = await Transformer.open(tiny.folder, { threads: 1 });
  const saes: CircuitSae[] = [];
  for (const [layer, hook] of [topKHook, reluHook].entries()) {
    const sae = new SparseAutoencoder(await openSaeLens(join(tiny.folder, 'saes', hook)));
    saes.push({ id: hook, sae, hook, layer });
  }
  const { dVocab } = tinyModelConfig;
  const run = (ids: readonly number[], hook?: PlainHook) => plainGpt2(tiny.config, tiny.weights, ids, hook);
  return {
    tiny,
    model,
    saes,
    inputs: (changes = {}) => ({
      model,
      ids: Int32Array.from(cleanIds),
      tokens: cleanIds.map((id, i) => ({ id, text: `t${id}`, start: i, end: i + 1 })),
      counterfactual: Int32Array.from(otherIds),
      contrast: { position: cleanIds.length - 1, ...answers },
      metric: 'answer − wrong',
      saes: [],
      labelOf: () => ({}),
      ...changes,
    }),
    metric: (ids, hook, position = ids.length - 1) => {
      const logits = run(ids, hook);
      return logits[position * dVocab + answers.answer]! - logits[position * dVocab + answers.wrong]!;
    },
    value: (name, ids, hook = () => {}) => {
      let found: Float64Array | undefined;
      run(ids, (at, value) => {
        hook(at, value);
        if (at === name) found = value.data.slice();
      });
      return found!;
    },
    close: async () => {
      for (const { sae } of saes) await sae.release();
      await model.release();
      await tiny.remove();
    },
  };
}

/** A site with a random SAE of a config of its own, and features and writes of it by plain loops. */
export interface ExtraSae {
  readonly site: CircuitSae;
  encode(row: ArrayLike<number>): PlainRow;
  /** What one unit of feature `f` adds to `row`. */
  unitWrite(f: number, row: ArrayLike<number>): number[];
}

/** The caller releases the SAE. */
export async function openExtraSae(layer: number, changes: Partial<SaeConfig>): Promise<ExtraSae> {
  const config = saeConfig({ dIn: tinyModelConfig.dModel, dSae: tinyDSae, ...changes });
  const { folder, weights } = await randomSae(config, `extra/${config.hookName}`);
  const site = { id: config.hookName, sae: new SparseAutoencoder(folder), hook: config.hookName, layer };
  const encode = (row: ArrayLike<number>) => plainEncode(row, config, weights);
  const unitWrite = (f: number, row: ArrayLike<number>) => {
    const { scale } = encode(row);
    return plainDirection(f, config, weights).map((x) => scale * x);
  };
  return { site, encode, unitWrite };
}

/** Adds `delta` to a hook's data from index `start` on. */
export function adding(name: string, start: number, delta: ArrayLike<number>): PlainHook {
  return (at, { data }) => {
    if (at !== name) return;
    for (let i = 0; i < delta.length; i++) data[start + i]! += delta[i]!;
  };
}
