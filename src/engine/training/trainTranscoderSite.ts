/** Trains a transcoder on stored activations of two hooks and writes it as a SAELens folder. */
import type { HookName } from '../../shared/domain.ts';
import type { CallOptions } from '../../shared/engineApi.ts';
import { seededRandom } from '../random.ts';
import type { SaeConfig } from '../sae/format.ts';
import { writeSaeLens } from '../sae/formats/saelens.ts';
import type { ActivationStore } from './activationStore.ts';
import { type StepMetrics, train } from './trainer.ts';
import {
  deadAfterSteps,
  dictionaryOptimizer,
  sampleRows,
  type TopKRecipe,
  type TopKSite,
} from './trainTopK.ts';
import { type TranscoderRows, trainTranscoder } from './transcoder.ts';

/** Where the transcoder belongs: it reads `hook` and imitates `hookOut`. */
export interface TranscoderSite extends TopKSite {
  readonly hookOut: HookName;
}

/** Activations of the same tokens at both hooks. */
export interface TranscoderStores {
  readonly input: ActivationStore;
  readonly output: ActivationStore;
}

/** Trains and saves. `recipe.k` is the mean number of active features per token. Returns the last step's numbers. */
export async function trainTranscoderSite(
  site: TranscoderSite,
  { input, output }: TranscoderStores,
  recipe: TopKRecipe,
  call: CallOptions = {},
): Promise<StepMetrics> {
  const { dSae, k, batch, steps, learningRate } = recipe;
  const seed = `${recipe.seed}/${site.hook} to ${site.hookOut}`;
  // Both stores draw the same tokens, since they hold as many and the seed is one.
  const rows = (count: number, label: string, step: number): TranscoderRows => ({
    x: input.batch(count, label, step),
    y: output.batch(count, label, step),
  });
  const training = trainTranscoder({
    dIn: input.width,
    dOut: output.width,
    dSae,
    k,
    deadAfterSteps,
    rows: batch,
    batch: (step) => rows(batch, seed, step),
    sample: rows(Math.min(sampleRows, input.count), `${seed}/sample`, 0),
    random: seededRandom(seed),
  });
  const { parameters, state, metrics } = await train(training.task, {
    steps,
    optimizer: dictionaryOptimizer(learningRate, steps),
    what: `Training the transcoder at ${site.hook}`,
    signal: call.signal,
    report: call.report,
  });
  const config = transcoderConfig(site, { dIn: input.width, dOut: output.width }, recipe);
  await writeSaeLens(site.folder, config, training.finish({ parameters, state }));
  return metrics;
}

function transcoderConfig(
  site: TranscoderSite,
  { dIn, dOut }: { readonly dIn: number; readonly dOut: number },
  { dSae, steps, batch }: TopKRecipe,
): SaeConfig {
  return {
    architecture: 'jumprelu',
    dIn,
    dSae,
    rescaleByDecoderNorm: false,
    applyBDecToInput: false,
    normalizeActivations: 'none',
    reshapeActivations: 'none',
    finetuningScalingFactor: false,
    dtype: 'float32',
    hookName: site.hook,
    target: { kind: 'transcoder', hooks: [site.hookOut], width: dOut },
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
