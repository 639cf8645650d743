/**
 * From a keystroke at the end of a 64-token prompt to new features and predictions, on GPT-2 small's shapes: through
 * the engine in this process, and through the forked engine as the extension uses it.
 */

import { join } from 'node:path';
import { Engine } from '../src/engine/engine.ts';
import type { ModelId, SaeId } from '../src/shared/domain.ts';
import type { EngineApi } from '../src/shared/engineApi.ts';
import { forkEngine } from './engineFork.ts';
import { type Figure, finish, median, ownCpuTime, spread, timed } from './figure.ts';
import { randomModelFolder } from './randomModel.ts';

const rounds = 20;
const warmUp = 3;
const prompt = 'When Mary and John went to the store, John gave a drink to the g'
  .padEnd(64, '.')
  .slice(0, 64);

type Stroke = 'append' | 'replace' | 'delete';
const strokes: readonly Stroke[] = ['append', 'replace', 'delete'];

interface Opened {
  /** CPU time of the engine's process so far. */
  readonly cpuTime: () => number;
  readonly api: EngineApi;
  readonly model: ModelId;
  readonly saes: readonly SaeId[];
}

type Times = Readonly<Record<Stroke, { wall: number[]; cpu: number[] }>>;

async function open(api: EngineApi, cpuTime: () => number, folder: string): Promise<Opened> {
  const model = await api.openModel({ path: folder });
  const saes = await api.listSaes({ model: model.id, folders: [] });
  return { api, cpuTime, model: model.id, saes: saes.map(({ id }) => id) };
}

async function type({ api, model, saes }: Opened, text: string): Promise<void> {
  const analysis = await api.analyze({ model, text, saes, topFeatures: 10, topPredictions: 10, edits: [] });
  if (analysis.strip.tokens.length !== text.length)
    throw new Error('The tokenizer does not give one token per character.');
}

/** Types a character, replaces it by another, and deletes it again, round after round. */
async function measure(opened: Opened): Promise<Times> {
  const times: Times = { append: noTimes(), replace: noTimes(), delete: noTimes() };
  await type(opened, prompt);
  for (let round = -warmUp; round < rounds; round++) {
    const letter = (offset: number) => String.fromCharCode(97 + ((round + warmUp + offset) % 26));
    const texts: Record<Stroke, string> = {
      append: prompt + letter(0),
      replace: prompt + letter(7),
      delete: prompt,
    };
    for (const stroke of strokes) {
      const { wall, cpu } = await timed(() => type(opened, texts[stroke]), opened.cpuTime);
      if (round < 0) continue;
      times[stroke].wall.push(wall);
      times[stroke].cpu.push(cpu);
    }
  }
  return times;
}

function noTimes(): { wall: number[]; cpu: number[] } {
  return { wall: [], cpu: [] };
}

/** Only a typed or replaced character has new features to compute. */
function headline(where: string, times: Times): Figure {
  const [wall, cpu] = (['wall', 'cpu'] as const).map((part) => [
    ...times.append[part],
    ...times.replace[part],
  ]);
  const parts = strokes.map((stroke) => `${stroke} ${median(times[stroke].wall).toFixed(0)} ms`).join(', ');
  const detail = `${spread({ wall: wall!, cpu: cpu! })}; ${parts}`;
  const what = `keystroke at the end of 64 tokens, ${where}`;
  return { what, value: median(wall!), unit: 'ms', target: 60, detail };
}

async function main(): Promise<void> {
  const folder = await randomModelFolder(join('.cache', 'bench', 'gpt2-small-random'));
  const here = await open(new Engine(), ownCpuTime, folder);
  const figures = [headline('engine alone', await measure(here))];
  await here.api.closeModel({ model: here.model });
  const { api, cpuTime, close } = forkEngine();
  try {
    figures.push(headline('over the process border', await measure(await open(api, cpuTime, folder))));
  } finally {
    await close();
  }
  finish(figures);
}

void main();
