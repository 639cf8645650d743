/** Cells for the features and the error of one SAE, as a sweep's grid. */
import { EngineError } from '../../shared/errors.ts';
import type { SweepTarget } from '../../shared/patchingApi.ts';
import { floatsOf } from '../graph/value.ts';
import type { ModelConfig } from '../model/config.ts';
import { type BlockHook, isPerPosition } from '../model/hooks.ts';
import { locateModelHook } from '../model/modelHooks.ts';
import { batchesByLength } from '../model/tokenBatches.ts';
import type { Transformer } from '../model/transformer.ts';
import { kindOf } from '../sae/format.ts';
import type { SparseAutoencoder } from '../sae/sparseAutoencoder.ts';
import type { TokenTask } from '../task/task.ts';
import { BaseRun } from './baseRun.ts';
import { type CellGrid, commonLength, type PatchCell } from './patchCells.ts';
import { pairsPerBatch } from './patchSweep.ts';
import type { FeatureSite } from './replacement.ts';

type FeatureTarget = Extract<SweepTarget, { kind: 'features' }>;

/** The place of an SAE. @throws request.invalid for transcoders, and hooks outside blocks. */
export function featureSite(
  config: ModelConfig,
  sae: SparseAutoencoder,
): FeatureSite & { readonly hook: BlockHook } {
  const { hookName } = sae.config;
  const { stage, layer, hook } = locateModelHook(config, hookName);
  if (kindOf(sae.config) === 'sae' && stage === 'block' && isPerPosition(hook)) {
    return { layer, hook: hook as BlockHook, sae };
  }
  throw new EngineError('request.invalid', {
    what: `The features at ${hookName}`,
    reason: 'patching takes SAEs at a hook of a block, whose output stands for their input',
  });
}

/**
 * One cell for each feature, and one for the error when asked for; with a position axis before it when they go by position.
 * The strongest features are those whose activation differs most between the clean and corrupted prompts of a first batch.
 */
export async function featureGrid(
  model: Transformer,
  task: TokenTask,
  site: FeatureSite & { readonly hook: BlockHook },
  { features: asked, error, by }: FeatureTarget,
  signal?: AbortSignal,
): Promise<CellGrid> {
  const features = 'strongest' in asked ? await strongest(model, task, site, asked.strongest, signal) : asked;
  const { dSae } = site.sae.config;
  const wrong = features.find((feature) => !(Number.isInteger(feature) && feature >= 0 && feature < dSae));
  if (wrong !== undefined) {
    throw new EngineError('request.invalid', {
      what: `Feature ${wrong}`,
      reason: `the SAE has ${dSae}, counted from 0`,
    });
  }
  const parts: readonly (number | 'error')[] = error ? [...features, 'error'] : features;
  const axis = { name: 'feature', labels: parts.map(String) };
  const { layer, hook } = site;
  const cell = (index: number, feature: number | 'error', position?: number): PatchCell => ({
    index,
    layer,
    hook,
    part: { site: 0, feature },
    ...(position !== undefined && { position }),
  });
  if (by === 'all') return { axes: [axis], cells: parts.map((part, i) => cell(i, part)) };
  const length = commonLength(task.pairs);
  const positions = Array.from({ length }, (_, i) => i);
  return {
    axes: [{ name: 'pos', labels: positions.map(String) }, axis],
    cells: positions.flatMap((position) =>
      parts.map((part, i) => cell(position * parts.length + i, part, position)),
    ),
  };
}

async function strongest(
  model: Transformer,
  task: TokenTask,
  { layer, hook, sae }: FeatureSite,
  count: number,
  signal?: AbortSignal,
): Promise<number[]> {
  const [batch] = batchesByLength(
    task.pairs.map(({ clean }) => clean),
    pairsPerBatch,
  );
  const pairs = (batch?.places ?? []).map((place) => task.pairs[place]!);
  const { dSae } = sae.config;
  const differences = new Float64Array(dSae);
  const activations: Float32Array[] = [];
  for (const side of ['clean', 'corrupted'] as const) {
    const tokens = pairs.map((pair) => pair[side]);
    const run = await BaseRun.of(model, tokens, signal);
    activations.push(floatsOf(await sae.activations(await run.hook(layer, hook))));
  }
  const [clean, corrupted] = activations;
  clean?.forEach((activation, i) => {
    const difference = Math.abs(activation - corrupted![i]!);
    if (difference > differences[i % dSae]!) differences[i % dSae] = difference;
  });
  const order = Array.from(differences.keys()).sort((a, b) => differences[b]! - differences[a]!);
  return order.slice(0, count).filter((feature) => differences[feature]! > 0);
}
