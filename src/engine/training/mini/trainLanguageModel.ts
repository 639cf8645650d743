/** Second step of the embedded model: the language model, written as a Hugging Face GPT-2 folder. */

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CallOptions } from '../../../shared/engineApi.ts';
import { writeJson } from '../../files/json.ts';
import { writeSafetensors } from '../../files/safetensors.ts';
import type { FloatValue } from '../../graph/value.ts';
import { referencePath } from '../../model/parity.ts';
import type { Tokenizer } from '../../model/tokenizer.ts';
import { seededRandom } from '../../random.ts';
import { corpus } from '../../task/corpus.ts';
import { type LanguageModelShape, languageModelTask } from '../languageModel.ts';
import { drawRows, encodeDocuments } from '../tokenRows.ts';
import { type StepMetrics, train } from '../trainer.ts';
import type { MiniRecipe } from './recipe.ts';

/** Trains the language model (continuing from the checkpoints in `work` when there are some) and writes it into `folder`. */
export async function trainMiniLanguageModel(
  folder: string,
  work: string,
  tokenizer: Tokenizer,
  recipe: MiniRecipe,
  call: CallOptions & { readonly log?: (stage: number, step: number, metrics: StepMetrics) => void },
): Promise<void> {
  const { seed, stages } = recipe;
  const shape: LanguageModelShape = { ...recipe.shape, dVocab: tokenizer.vocabSize };
  const stream = await encodeDocuments(corpus({ seed: `${seed}/text` }), tokenizer, {
    length: recipe.corpusTokens,
    separator: tokenizer.bosId ?? 0,
    ...call,
  });
  let parameters: Readonly<Record<string, FloatValue>> | undefined;
  for (const [index, { rows, rowLength, steps, optimizer }] of stages.entries()) {
    const task = languageModelTask({
      shape,
      rows,
      rowLength,
      random: seededRandom(`${seed}/weights`),
      initial: parameters,
      tokens: (step) => drawRows(stream, { rows, length: rowLength + 1 }, `${seed}/rows/${index}`, step),
    });
    const trained = await train(task, {
      steps,
      optimizer,
      checkpoint: { path: join(work, `stage${index}.safetensors`), everySteps: 100 },
      what: `Training the language model (${index + 1} of ${stages.length})`,
      signal: call.signal,
      report: call.report,
      onStep: (step, metrics) => call.log?.(index, step, metrics),
    });
    parameters = trained.parameters;
  }
  if (!parameters) throw new Error('The recipe has no stages.');
  await writeLanguageModel(folder, shape, parameters);
}

/** Writes config.json, generation_config.json and model.safetensors as `transformers` expects them. */
export async function writeLanguageModel(
  folder: string,
  shape: LanguageModelShape,
  parameters: Readonly<Record<string, FloatValue>>,
): Promise<void> {
  const special = { bos_token_id: 0, eos_token_id: 0 };
  // What was recorded for the weights before.
  await rm(referencePath(folder), { force: true });
  await writeJson(join(folder, 'config.json'), {
    architectures: ['GPT2LMHeadModel'],
    model_type: 'gpt2',
    vocab_size: shape.dVocab,
    n_positions: shape.nContext,
    n_ctx: shape.nContext,
    n_embd: shape.dModel,
    n_layer: shape.nLayers,
    n_head: shape.nHeads,
    n_inner: shape.dMlp,
    activation_function: 'gelu_new',
    layer_norm_epsilon: shape.layerNormEps,
    resid_pdrop: 0,
    embd_pdrop: 0,
    attn_pdrop: 0,
    initializer_range: 0.02,
    scale_attn_weights: true,
    tie_word_embeddings: true,
    torch_dtype: 'float32',
    ...special,
  });
  await writeJson(join(folder, 'generation_config.json'), special);
  await writeSafetensors(join(folder, 'model.safetensors'), parameters, { format: 'pt' });
}
