/** Makes the embedded model from nothing: tokenizer, language model, SAEs, measurements, model card. */

import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CallOptions } from '../../../shared/engineApi.ts';
import { writeJson } from '../../files/json.ts';
import { LoadedModel } from '../../loadedModel.ts';
import { loadTokenizer } from '../../model/tokenizer.ts';
import { evaluationSets } from '../../task/evaluationSets.ts';
import { measureTask, type TaskScore } from '../../task/measure.ts';
import { type MiniReport, modelCard } from './modelCard.ts';
import type { MiniRecipe } from './recipe.ts';
import { trainMiniLanguageModel } from './trainLanguageModel.ts';
import { trainMiniSaes } from './trainSaes.ts';
import { trainMiniTokenizer } from './trainTokenizer.ts';

export interface TrainMiniOptions extends CallOptions {
  /** Folder of the model. What is there already is kept, so an interrupted training goes on where it was. */
  readonly folder: string;
  /** Folder for the optimizer's checkpoints. */
  readonly work: string;
  /** Is told in words what has been reached. */
  readonly log: (line: string) => void;
}

const logEvery = 50;

/** Runs every step that is not done yet. Returns what the model card reports. */
export async function trainMini(recipe: MiniRecipe, options: TrainMiniOptions): Promise<MiniReport> {
  const { folder, work, log } = options;
  await mkdir(folder, { recursive: true });
  await mkdir(work, { recursive: true });
  if (!existsSync(join(folder, 'tokenizer.json'))) await trainMiniTokenizer(folder, recipe, options);
  const trainedFile = join(folder, 'training.json');
  if (!existsSync(trainedFile)) {
    const started = performance.now();
    const tokenizer = await loadTokenizer(folder);
    const trained = await trainMiniLanguageModel(folder, work, tokenizer, recipe, {
      ...options,
      log: (stage, step, metrics) => {
        if (step % logEvery === 0)
          log(`stage ${stage + 1}, step ${step}: loss ${(metrics.loss ?? Number.NaN).toFixed(3)}`);
      },
    });
    await writeJson(trainedFile, {
      ...recipe,
      ...trained,
      seconds: Math.round((performance.now() - started) / 1000),
    });
  }
  const model = await LoadedModel.open(folder);
  try {
    const tasks = new Map<string, TaskScore>();
    for (const { name, pairs } of evaluationSets(recipe.seed)) {
      const score = await measureTask(model.transformer, model.tokenizer, pairs, options);
      tasks.set(name, score);
      log(
        `${name}: accuracy ${score.accuracy.toFixed(3)}, logit difference ${score.logitDifference.toFixed(2)}`,
      );
    }
    const saes = await trainMiniSaes(model, recipe, {
      ...options,
      log: (hook, m) =>
        log(
          `${hook}: L0 ${m.l0.toFixed(1)}, explained ${m.explainedVariance.toFixed(3)}, ` +
            `CE recovered ${m.ceRecovered.toFixed(3)}, dead ${(100 * m.deadFraction).toFixed(1)} %`,
        ),
    });
    const report: MiniReport = { recipe, model: model.info, tasks, saes };
    await writeFile(join(folder, 'README.md'), modelCard(report));
    return report;
  } finally {
    await model.release();
  }
}
