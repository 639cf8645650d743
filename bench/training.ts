/** Tokens that the trainer learns from in a second, in the shape of the embedded model. */

import { seededRandom } from '../src/engine/random.ts';
import { languageModelTask } from '../src/engine/training/languageModel.ts';
import { miniRecipe } from '../src/engine/training/mini/recipe.ts';
import { train } from '../src/engine/training/trainer.ts';
import { type Figure, finish, median, quantile } from './figure.ts';

const steps = 30;
const warmUp = 3;

async function measure({ rows, rowLength, optimizer }: (typeof miniRecipe.stages)[number]): Promise<Figure> {
  const shape = { ...miniRecipe.shape, dVocab: miniRecipe.vocabSize };
  const random = seededRandom('training');
  const ids = Int32Array.from({ length: rows * (rowLength + 1) }, () => random.int(shape.dVocab));
  const task = languageModelTask({ shape, rows, rowLength, random, tokens: () => ids });
  const wall: number[] = [];
  const cpu: number[] = [];
  let [before, used] = [performance.now(), process.cpuUsage()];
  await train(task, {
    steps: steps + warmUp,
    optimizer,
    onStep: (step) => {
      const { user, system } = process.cpuUsage(used);
      if (step > warmUp) {
        wall.push(performance.now() - before);
        cpu.push((user + system) / 1000);
      }
      [before, used] = [performance.now(), process.cpuUsage()];
    },
  });
  const tokens = rows * rowLength;
  return {
    what: `training the embedded model, ${rows} rows of ${rowLength} tokens`,
    value: (1000 * tokens) / median(wall),
    unit: 'tokens/s',
    detail: `step ${median(wall).toFixed(0)} ms, p95 ${quantile(wall, 0.95).toFixed(0)} ms, CPU ${median(cpu).toFixed(0)} ms, ${wall.length} steps`,
  };
}

async function main(): Promise<void> {
  const figures: Figure[] = [];
  for (const stage of miniRecipe.stages) figures.push(await measure(stage));
  finish(figures);
}

void main();
