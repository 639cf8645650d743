/**
 * An attribution graph of 16 tokens on GPT-2 small's shapes with a transcoder of 24,576 features at every MLP, about 50 of
 * them active for each token: seconds of every stage, and the memory it takes. FOVEA_BENCH_FEATURES chooses how many
 * features are traced.
 */

import { existsSync } from 'node:fs';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { attributionGraphDefaults } from '../src/engine/attributionGraphs.ts';
import { explainedLogits, graphMemory } from '../src/engine/method/attributionGraph/attributionGraph.ts';
import { freezeRun } from '../src/engine/method/attributionGraph/frozenRun.ts';
import { codePrompt, graphSources, sourceHooks } from '../src/engine/method/attributionGraph/graphSources.ts';
import { graphScores } from '../src/engine/method/attributionGraph/influence.ts';
import { pruneGraph } from '../src/engine/method/attributionGraph/pruneGraph.ts';
import { traceGraph } from '../src/engine/method/attributionGraph/traceGraph.ts';
import { placeTranscoders, type TranscoderSet } from '../src/engine/method/attributionGraph/transcoderSet.ts';
import { blockHookName } from '../src/engine/model/hooks.ts';
import { Transformer } from '../src/engine/model/transformer.ts';
import { seededRandom } from '../src/engine/random.ts';
import { openSaeLens, writeSaeLens } from '../src/engine/sae/formats/saelens.ts';
import { SparseAutoencoder } from '../src/engine/sae/sparseAutoencoder.ts';
import { type Figure, finish, ownCpuTime, timed } from './figure.ts';
import { draw, gpt2Small, randomModelFolder } from './randomModel.ts';

const configFile = 'cfg.json';
const weightsFile = 'sae_weights.safetensors';
const positions = 16;
const dSae = 24576;
const mostFeatures = Number(process.env.FOVEA_BENCH_FEATURES ?? 1000);
/** As many targets side by side as the engine takes for prompts of this length. */
const batch = 64;
/** Inputs are normalised, so that pre-activations have about this deviation. */
const encoderWidth = 0.06;
const deviation = encoderWidth * Math.sqrt(gpt2Small.dModel / 3);
/** So many deviations below zero, 0.2 % of features are active. */
const threshold = 2.88 * deviation;

/** Folders of one transcoder for each layer. Their weights are one file: how long it takes does not depend on them. */
async function randomTranscoders(folder: string): Promise<string[]> {
  const { dModel, nLayers } = gpt2Small;
  const folders = Array.from({ length: nLayers }, (_, layer) => join(folder, `layer ${layer}`));
  const done = join(folder, 'done');
  if (existsSync(done)) return folders;
  await rm(folder, { recursive: true, force: true });
  const random = seededRandom('transcoders');
  const [first, ...others] = folders;
  await mkdir(first!, { recursive: true });
  await writeSaeLens(first!, firstConfig(), {
    W_enc: draw(random.fork('W_enc'), [dModel, dSae], encoderWidth),
    b_enc: draw(random.fork('b_enc'), [dSae], 0.06, -threshold),
    W_dec: draw(random.fork('W_dec'), [dSae, dModel], 0.06),
    b_dec: draw(random.fork('b_dec'), [dModel], 0.06),
  });
  const config = await readFile(join(first!, configFile), 'utf8');
  for (const [i, own] of others.entries()) {
    await mkdir(own, { recursive: true });
    await link(join(first!, weightsFile), join(own, weightsFile));
    await writeFile(join(own, configFile), config.replaceAll('blocks.0.', `blocks.${i + 1}.`));
  }
  await writeFile(done, '');
  return folders;
}

function firstConfig(): Parameters<typeof writeSaeLens>[1] {
  const { dModel } = gpt2Small;
  return {
    architecture: 'standard',
    dIn: dModel,
    dSae,
    rescaleByDecoderNorm: false,
    applyBDecToInput: false,
    normalizeActivations: 'none',
    reshapeActivations: 'none',
    finetuningScalingFactor: false,
    dtype: 'float32',
    hookName: blockHookName(0, 'mlp.hook_in'),
    target: { kind: 'transcoder', hooks: [blockHookName(0, 'hook_mlp_out')], width: dModel },
    metadata: {},
    extra: {},
  };
}

interface Stage {
  readonly what: string;
  readonly wall: number;
  readonly cpu: number;
}

async function graphOnce(model: Transformer, set: TranscoderSet, ids: Int32Array) {
  const stages: Stage[] = [];
  const stage = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    let result: T | undefined;
    const time = await timed(async () => {
      result = await work();
    });
    stages.push({ what, ...time });
    return result as T;
  };
  const settings = { ...attributionGraphDefaults, leaveFirst: false };
  const thresholds = { node: settings.nodeThreshold, edge: settings.edgeThreshold };
  const frozen = await stage('the run', () => freezeRun(model, ids, sourceHooks(set)));
  const coded = await stage('encoding', () => codePrompt(frozen, set, settings.leaveFirst, () => {}));
  const sources = await stage('vectors', () => graphSources(frozen, set, coded));
  const logits = explainedLogits(frozen, { ...settings, thresholds, maxFeatures: mostFeatures, batch });
  const request = { frozen, set, sources, logits, mostFeatures, batch };
  const traced = await stage('tracing', () => traceGraph(request, {}));
  const pruned = await stage('pruning', async () => {
    graphScores(traced.rows, traced.ranges, traced.start);
    return pruneGraph(traced.rows, traced.ranges, traced.start, thresholds);
  });
  const rows = logits.length + traced.features.length;
  return { stages, coded, rows, traced, pruned, memory: graphMemory(coded.size, rows) };
}

async function main(): Promise<void> {
  const model = await Transformer.open(await randomModelFolder(join('.cache', 'bench', 'gpt2-small-random')));
  const folders = await randomTranscoders(join('.cache', 'bench', 'gpt2-small-transcoders'));
  const found = [];
  for (const id of folders) found.push({ id, sae: new SparseAutoencoder(await openSaeLens(id)) });
  const set = placeTranscoders(found, gpt2Small.nLayers, () => ({}));
  const random = seededRandom('graph');
  const ids = Int32Array.from({ length: positions }, () => random.int(gpt2Small.dVocab));
  const before = process.memoryUsage.rss();
  // The first one compiles programs and reads weights.
  const first = await timed(() => graphOnce(model, set, ids));
  const used = ownCpuTime();
  const { stages, coded, rows, traced, pruned, memory } = await graphOnce(model, set, ids);
  const cpu = ownCpuTime() - used;
  const total = stages.reduce((sum, { wall }) => sum + wall, 0);
  const resident = process.memoryUsage.rss() - before;
  const tracing = stages.find(({ what }) => what === 'tracing')!.wall;
  const parts = stages.map(({ what, wall }) => `${what} ${wall.toFixed(0)} ms`).join(', ');
  const active = `${coded.size.features} active features (${(coded.size.features / positions / gpt2Small.nLayers).toFixed(0)} for each token and layer)`;
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
  const figures: readonly Figure[] = [
    {
      what: `attribution graph of ${positions} tokens, ${traced.features.length} features traced`,
      value: total,
      unit: 'ms',
      detail: `${parts}; CPU ${cpu.toFixed(0)} ms; ${first.wall.toFixed(0)} ms the first time; ${active}, ${pruned.nodes.length} nodes stay`,
    },
    {
      what: 'each target of it',
      value: tracing / rows,
      unit: 'ms',
      detail: `its rows and vectors take ${megabytes(memory)}; the process grew by ${megabytes(resident)}, programs and mapped weights included`,
    },
  ];
  finish(figures);
}

void main();
