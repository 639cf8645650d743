/** Trains a TopK SAE on stored activations of one hook and writes it as a SAELens folder. */

import type { HookName } from '../../shared/domain.ts';
import type { CallOptions } from '../../shared/engineApi.ts';
import { seededRandom } from '../random.ts';
import type { SaeConfig } from '../sae/format.ts';
import { writeSaeLens } from '../sae/formats/saelens.ts';
import type { ActivationStore } from './activationStore.ts';
import type { AdamWOptions } from './optimizer.ts';
import { trainSparseAutoencoder } from './sparseAutoencoder.ts';
import { type StepMetrics, train } from './trainer.ts';

/** Activations that centre and scale are estimated from. */
export const sampleRows = 4096;

/** A feature that has not fired for this many steps counts as dead and is trained on what is left over. */
export const deadAfterSteps = 20;

export interface TopKRecipe {
  readonly dSae: number;
  readonly k: number;
  readonly batch: number;
  readonly steps: number;
  readonly learningRate: number;
  readonly seed: number | string;
}

/** Where the SAE belongs. */
export interface TopKSite {
  readonly folder: string;
  readonly hook: HookName;
  /** Goes into the metadata. */
  readonly modelName: string;
  /** Whether every row begins with a beginning-of-sequence token. */
  readonly prependBos?: boolean;
  /** Length of the token rows that the activations come from. */
  readonly contextSize: number;
  /** What the text was, for the metadata. */
  readonly dataset: string;
}

/** Trains and saves. Returns the last step's numbers. */
export async function trainTopK(
  site: TopKSite,
  store: ActivationStore,
  recipe: TopKRecipe,
  call: CallOptions = {},
): Promise<StepMetrics> {
  const { dSae, k, batch, steps, learningRate, seed } = recipe;
  const random = seededRandom(`${seed}/${site.hook}`);
  const training = trainSparseAutoencoder({
    dIn: store.width,
    dSae,
    rows: batch,
    architecture: { kind: 'topk', k, deadAfterSteps },
    activations: (step) => store.batch(batch, `${seed}/${site.hook}`, step),
    sample: store.batch(Math.min(sampleRows, store.count), `${seed}/${site.hook}/sample`, 0),
    random,
  });
  const { parameters, metrics } = await train(training.task, {
    steps,
    optimizer: dictionaryOptimizer(learningRate, steps),
    what: `Training the SAE at ${site.hook}`,
    signal: call.signal,
    report: call.report,
  });
  await writeSaeLens(site.folder, topKConfig(site, store.width, recipe), training.finish(parameters));
  return metrics;
}

/** The learning rate rises for a twentieth of the steps, holds until three fifths, and falls. */
export function dictionaryOptimizer(peak: number, steps: number): AdamWOptions {
  const warmup = Math.ceil(steps / 20);
  return {
    learningRate: { kind: 'linear', peak, warmup, hold: Math.ceil(steps * 0.6), total: steps },
    clipNorm: 1,
  };
}

function topKConfig(site: TopKSite, dIn: number, { dSae, k, steps, batch }: TopKRecipe): SaeConfig {
  return {
    architecture: 'topk',
    dIn,
    dSae,
    k,
    rescaleByDecoderNorm: false,
    applyBDecToInput: true,
    normalizeActivations: 'none',
    reshapeActivations: site.hook.endsWith('.hook_z') ? 'hook_z' : 'none',
    finetuningScalingFactor: false,
    dtype: 'float32',
    hookName: site.hook,
    modelName: site.modelName,
    prependBos: site.prependBos === true,
    metadata: {
      context_size: site.contextSize,
      dataset_path: site.dataset,
      training_tokens: steps * batch,
      model_class_name: 'HookedTransformer',
    },
    extra: {},
  };
}
