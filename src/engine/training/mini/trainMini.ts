/** Makes the embedded model from nothing: tokenizer, language model, SAEs, transcoders, measurements, model card. */

import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CallOptions, SaeMetrics } from '../../../shared/engineApi.ts';
import { writeJson } from '../../files/json.ts';
import { LoadedModel } from '../../loadedModel.ts';
import { loadTokenizer } from '../../model/tokenizer.ts';
import { meanLoss } from '../../sae/metrics.ts';
import { evaluationSets } from '../../task/evaluationSets.ts';
import { measureTask, type TaskScore } from '../../task/measure.ts';
import { type MiniReport, modelCard } from './modelCard.ts';
import type { MiniRecipe } from './recipe.ts';
import { trainMiniLanguageModel } from './trainLanguageModel.ts';
import { miniRows, trainMiniSaes } from './trainSaes.ts';
import { trainMiniTokenizer } from './trainTokenizer.ts';
import { trainMiniTranscoders } from './trainTranscoders.ts';

export interface TrainMiniOptions extends CallOptions {
  /** Folder of the model. What is there already is kept, so an interrupted training goes on where it was. */
  readonly folder: string;
  /** Folder for the optimizer's checkpoints. */
  readonly work: string;
  /** Is told in words what has been reached. */
  readonly log: (line: string) => void;
}

const logEvery = 50;

/** Rows that run at once when the loss is measured. */
const lossBatch = 16;

/** Runs every step that is not done yet. Returns what the model card reports. */
export async function trainMini(recipe: MiniRecipe, options: TrainMiniOptions): Promise<MiniReport> {
  const { folder, work, log } = options;
  await mkdir(folder, { recursive: true });
  await mkdir(work, { recursive: true });
  if (!existsSync(join(folder, 'tokenizer.json'))) await trainMiniTokenizer(folder, recipe, options);
  // Written last, so it tells that the model is whole.
  const trainedFile = join(folder, 'training.json');
  if (!existsSync(trainedFile)) {
    await trainMiniLanguageModel(folder, work, await loadTokenizer(folder), recipe, {
      ...options,
      log: (stage, step, metrics) => {
        if (step % logEvery !== 0) return;
        log(`stage ${stage + 1}, step ${step}: loss ${(metrics.loss ?? Number.NaN).toFixed(3)}`);
      },
    });
    await writeJson(trainedFile, recipe);
  }
  const model = await LoadedModel.open(folder);
  try {
    const tasks = new Map<string, TaskScore>();
    for (const { name, pairs } of evaluationSets(recipe.seed)) {
      const score = await measureTask(model.transformer, model.tokenizer, pairs, {
        ...options,
        bos: model.bos,
      });
      tasks.set(name, score);
      log(
        `${name}: accuracy ${score.accuracy.toFixed(3)}, logit difference ${score.logitDifference.toFixed(2)}`,
      );
    }
    const loss = await heldOutLoss(model, recipe, options);
    log(`held-out cross-entropy ${loss.toFixed(3)}`);
    const logged = {
      ...options,
      log: (hook: string, m: SaeMetrics) =>
        log(
          `${hook}: L0 ${m.l0.toFixed(1)}, explained ${m.explainedVariance.toFixed(3)}, ` +
            `CE recovered ${m.ceRecovered.toFixed(3)}, dead ${(100 * m.deadFraction).toFixed(1)} %`,
        ),
    };
    const saes = await trainMiniSaes(model, recipe, logged);
    const transcoders = await trainMiniTranscoders(model, recipe, logged);
    const report: MiniReport = { recipe, model: model.info, loss, tasks, saes, transcoders };
    await writeFile(join(folder, 'README.md'), modelCard(report));
    return report;
  } finally {
    await model.release();
  }
}

/** Mean cross-entropy in nats per token on text of the held-out split. */
async function heldOutLoss(model: LoadedModel, recipe: MiniRecipe, call: CallOptions): Promise<number> {
  const rows = await miniRows(
    model,
    recipe,
    recipe.sae.evaluationTokens,
    'language model evaluation',
    'heldOut',
    call,
  );
  let sum = 0;
  for (let start = 0; start < rows.length; start += lossBatch) {
    const tokens = rows.slice(start, start + lossBatch);
    const { logits } = await model.transformer.run({ tokens, signal: call.signal });
    sum += meanLoss(logits!, tokens) * tokens.length;
  }
  return sum / rows.length;
}
