/** From starting the engine process to the first features of the embedded model on the sample prompt. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { forkEngine } from './engineFork.ts';
import { type Figure, finish, median, spread } from './figure.ts';

const processes = 9;

/** Milliseconds since the start of the process at which each step was done. */
interface Start {
  readonly alive: number;
  readonly opened: number;
  readonly listed: number;
  readonly features: number;
  /** CPU time of the engine up to then. */
  readonly cpu: number;
}

async function start(text: string): Promise<Start> {
  const started = performance.now();
  const since = () => performance.now() - started;
  const { api, cpuTime, close } = forkEngine();
  try {
    await api.ping({});
    const alive = since();
    const model = await api.openModel({ path: join('models', 'mini') });
    const opened = since();
    const saes = await api.listSaes({ model: model.id, folders: [] });
    const listed = since();
    // The extension begins with the residual stream in the middle of the model.
    const middle = `blocks.${Math.floor(model.nLayers / 2)}.hook_resid`;
    const sae = saes.find(({ hook }) => hook.startsWith(middle)) ?? saes[0];
    if (!sae) throw new Error('The embedded model has no SAE.');
    const request = { model: model.id, text, saes: [sae.id], topFeatures: 10, topPredictions: 10, edits: [] };
    const { features } = await api.analyze(request);
    if (features.length !== 1) throw new Error('The engine gave no features.');
    return { alive, opened, listed, features: since(), cpu: cpuTime() };
  } finally {
    await close();
  }
}

async function main(): Promise<void> {
  const text = await readFile(join('examples', 'indirectObject.prompt.txt'), 'utf8');
  // The first one reads the files from the disk.
  await start(text);
  const starts: Start[] = [];
  while (starts.length < processes) starts.push(await start(text));
  const at = (step: keyof Start) => median(starts.map((one) => one[step]));
  const steps = `process ${at('alive').toFixed(0)} ms, model ${at('opened').toFixed(0)} ms, SAEs ${at('listed').toFixed(0)} ms`;
  const wall = starts.map(({ features }) => features);
  const cpu = starts.map((one) => one.cpu);
  const figure: Figure = {
    what: 'first features of the embedded model, cold engine',
    value: median(wall),
    unit: 'ms',
    target: 1500,
    detail: `${spread({ wall, cpu })}; done after: ${steps}`,
  };
  finish([figure]);
}

void main();
