/** The tiny model opened in an engine, looked at, and GPT-2 by plain loops beside it. */
import { mkdir } from 'node:fs/promises';
import { expect } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import type { SaeConfig } from '../../../src/engine/sae/format.ts';
import { writeSaeLens } from '../../../src/engine/sae/formats/saelens.ts';
import type { Analysis } from '../../../src/shared/analysis.ts';
import type { Edit, EditAction, EditTarget, ModelInfo } from '../../../src/shared/domain.ts';
import { type PlainHook, plainGpt2 } from '../../fixtures/plainGpt2.ts';
import {
  plainActivations,
  randomSae,
  reluHook,
  type TinyModel,
  tinyDSae,
  tinySaeConfig,
  topKHook,
  valuesOf,
  writeTinyModel,
} from '../../fixtures/tinyModel.ts';

export const prompt = 'When she gave words';
export const contrast = { answer: ' words', wrong: ' letter' };
export const [dVocab, dModel, nHeads, dHead] = [400, 12, 3, 4];

export interface TinyEngine {
  readonly tiny: TinyModel;
  readonly engine: Engine;
  readonly model: ModelInfo;
  /** Id of the tiny model's SAE at a hook. */
  saeId(hook: string): string;
  /** Looks at a text with all features of both SAEs. */
  analyze(edits?: readonly Edit[], text?: string, topPredictions?: number): Promise<Analysis>;
  /** Values of all hooks in a plain run of the tokens of `analysis`, by name; `hook` may change them on the way. */
  plainHooks(analysis: Analysis, hook?: PlainHook): Map<string, Float64Array>;
  /** The weight of this name. */
  weight(name: string): Float32Array;
  close(): Promise<void>;
}

/** Opens everything. The caller closes it. */
export async function openTinyEngine(seed: number): Promise<TinyEngine> {
  const tiny = await writeTinyModel(seed);
  const engine = new Engine({ threads: 1 });
  const model = await engine.openModel({ path: tiny.folder });
  const saeId = (hook: string) => `${model.path}/saes/${hook}`;
  const saes = [saeId(topKHook), saeId(reluHook)];
  return {
    tiny,
    engine,
    model,
    saeId,
    analyze: (edits = [], text = prompt, topPredictions = dVocab) =>
      engine.analyze({ model: model.id, text, saes, topFeatures: tinyDSae, topPredictions, edits }),
    plainHooks: ({ strip }, hook = () => {}) => {
      const found = new Map<string, Float64Array>();
      const ids = strip.tokens.map(({ id }) => id);
      plainGpt2(tiny.config, tiny.weights, ids, (name, value) => {
        hook(name, value);
        found.set(name, value.data.slice());
      });
      return found;
    },
    weight: (name) => tiny.weights.get(name)!.data,
    close: async () => {
      await engine.closeModel({ model: model.id });
      await tiny.remove();
    },
  };
}

/** Writes an SAE with random weights beside the tiny model's own ones; what comes back is its id. */
export async function writeSae(
  { model }: TinyEngine,
  changes: Partial<SaeConfig>,
  sae = extraSae,
): Promise<string> {
  const config = { ...tinySaeConfig(reluHook), ...changes };
  const path = `${model.path}/saes/extra/${config.hookName}.${config.normalizeActivations}`;
  await mkdir(path, { recursive: true });
  await writeSaeLens(path, config, valuesOf(sae, config.dIn));
  return path;
}

/** What `writeSae` writes. */
export const extraSae = randomSae('extra', dModel);

/** An intervention at full strength that is on, unless `changes` say otherwise. */
export function edit(target: EditTarget, action: EditAction, changes: Partial<Edit> = {}): Edit {
  return { id: 'edit', target, action, strength: 1, enabled: true, ...changes };
}

/** Row `position` of `[position, d_model]`. */
export function rowAt(data: Float64Array, position: number): Float64Array {
  return data.slice(position * dModel, (position + 1) * dModel);
}

/** Changes rows of the stream at `name`: `change(row, position)` writes into the row. */
export function atRows(name: string, change: (row: Float64Array, position: number) => void): PlainHook {
  return (hook, { data }) => {
    if (hook !== name) return;
    for (let p = 0; p < data.length / dModel; p++) change(data.subarray(p * dModel, (p + 1) * dModel), p);
  };
}

/** Activations of the tiny model's SAE at `hook` by plain loops. */
export function activationsAt({ tiny }: TinyEngine, hook: string, row: ArrayLike<number>): number[] {
  return plainActivations(tiny.saes.get(hook)!, row, hook === topKHook ? 4 : tinyDSae);
}

/** Logits `[position][d_vocab]` that an analysis with all predictions tells. */
export function logitsOf({ predictions }: Analysis): number[][] {
  return predictions.map((row) => {
    const logits: number[] = [];
    for (const { id, logit } of row) logits[id] = logit;
    return logits;
  });
}

/** Logits `[position][d_vocab]` of the plain run. */
export async function plainLogits(look: TinyEngine, hook?: PlainHook, text = prompt): Promise<number[][]> {
  const analysis = await look.analyze([], text, 1);
  const flat = look.plainHooks(analysis, hook).get('unembed.hook_out')!;
  return analysis.strip.tokens.map((_, p) => [...flat.subarray(p * dVocab, (p + 1) * dVocab)]);
}

/** The value of one hook in the clean plain run of a text. */
export async function plainValue(look: TinyEngine, name: string, text = prompt): Promise<Float64Array> {
  return look.plainHooks(await look.analyze([], text, 1)).get(name)!;
}

/** Fails unless all logits agree to float32 rounding. */
export function expectLogits(found: readonly number[][], expected: readonly number[][]): void {
  expect(found.length).toBe(expected.length);
  found.forEach((row, p) => {
    row.forEach((logit, id) => {
      expect(Math.abs(logit - expected[p]![id]!)).toBeLessThan(2e-4);
    });
  });
}
