/** Memory that an open model takes, as a multiple of its weights, and what rounds of opening and closing it leave. */

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { forkEngine } from './engineFork.ts';
import { type Figure, finish } from './figure.ts';
import { randomModelFolder } from './randomModel.ts';

const rounds = 10;
/** As many tokens: the model's tokenizer has one for each byte. */
const text = 'memory '.repeat(9).trim();

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;

async function main(): Promise<void> {
  const path = await randomModelFolder(join('.cache', 'bench', 'gpt2-small-random'));
  const { size } = await stat(join(path, 'model.safetensors'));
  const { api, resident, close } = forkEngine();
  const look = async (model: string, count: number) => {
    const request = { model, saes: [], topFeatures: 0, topPredictions: 10, edits: [] };
    for (let i = 0; i < count; i++) await api.analyze({ ...request, text: `${text}${'!'.repeat(i)}` });
  };
  // The embedded model brings in the runtime, which stays.
  const small = await api.openModel({ path: join('models', 'mini') });
  await look(small.id, 1);
  await api.closeModel({ model: small.id });
  const before = resident();
  const used: number[] = [];
  const left: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const model = await api.openModel({ path });
    await look(model.id, 3);
    used.push(resident() - before);
    await api.closeModel({ model: model.id });
    left.push(resident() - before);
  }
  await close();
  const [second, last] = [left[1] ?? Number.NaN, left.at(-1) ?? Number.NaN];
  const figures: readonly Figure[] = [
    {
      what: `GPT-2 small (${megabytes(size)}) opened and run on 64 tokens: memory per byte of weights`,
      value: Math.max(...used) / size,
      unit: '×',
      target: 1.3,
      detail: `${megabytes(used[0] ?? Number.NaN)} at first, ${megabytes(Math.max(...used))} at most`,
    },
    {
      what: `added by rounds 3 to ${rounds} of opening, running and closing it, per byte of weights`,
      value: Math.max(0, last - second) / size,
      unit: '×',
      target: 0.1,
      detail: `held after closing it: ${megabytes(second)} in round 2, ${megabytes(last)} in round ${rounds}`,
    },
  ];
  finish(figures);
}

void main();
