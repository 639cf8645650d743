/**
 * Patching sweeps over one pair of 16 tokens on GPT-2 small's shapes, beside TransformerLens and plain PyTorch
 * (bench/reference/patching.py). Rounds alternate between the programs, so that whatever else the machine does falls on all
 * of them. Set FOVEA_BENCH_PYTHON to a Python that has TransformerLens; without it only this engine is measured.
 * FOVEA_BENCH_ROUNDS, _EVERY and _THREADS choose how long and how wide to measure.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { matMul } from '../src/engine/graph/ops/layer.ts';
import { program } from '../src/engine/graph/program.ts';
import { compile } from '../src/engine/graph/session.ts';
import { input } from '../src/engine/graph/sources.ts';
import { zerosValue } from '../src/engine/graph/value.ts';
import { patchActivations } from '../src/engine/method/activationPatching.ts';
import { attributeAllNodes } from '../src/engine/method/attributionPatching.ts';
import { sweepCells } from '../src/engine/method/patchCells.ts';
import { patchPaths } from '../src/engine/method/pathPatching.ts';
import { Transformer } from '../src/engine/model/transformer.ts';
import { seededRandom } from '../src/engine/random.ts';
import type { TokenTask } from '../src/engine/task/task.ts';
import { type Figure, finish, median, timed } from './figure.ts';
import { gpt2Small, randomModelFolder } from './randomModel.ts';

const rounds = Number(process.env.FOVEA_BENCH_ROUNDS ?? 3);
/** The others run every so manieth cell, and their time is extrapolated; 1 runs them all. */
const every = Number(process.env.FOVEA_BENCH_EVERY ?? 4);
/** Threads of every program; as many as each takes by itself when left out. One is fairer on a busy machine. */
const threads = Number(process.env.FOVEA_BENCH_THREADS ?? 0) || undefined;
const positions = 16;
/** The counterfactual differs from here on: early, so that little is saved by leaving out what is the same. */
const differing = [1, 5, 11];

type Work = 'head_out' | 'resid_pre' | 'paths' | 'attribution';

const works: readonly { name: Work; what: string; runs: number }[] = [
  { name: 'head_out', what: 'head-output sweep, 12 layers × 12 heads', runs: 144 },
  { name: 'resid_pre', what: 'resid_pre sweep, 12 layers × 16 positions', runs: 192 },
  { name: 'paths', what: 'path patching of 144 heads to the logits, MLPs recomputed', runs: 144 },
  { name: 'attribution', what: 'attribution patching of all 157 nodes', runs: 157 },
];

/** Milliseconds by program and kind of clock, a number for every round. */
type Times = Map<string, number[]>;

async function main(): Promise<void> {
  const folder = await randomModelFolder(join('.cache', 'bench', 'gpt2-small-random'));
  const model = await Transformer.open(folder, { threads });
  const task = randomTask();
  const reference = startReference(folder, task);
  const times: Times = new Map();
  // What the first round measures is thrown away: it warms everything up.
  for (const { name } of works) await measure(new Map(), name, { model, task, reference, step: 48 });
  for (let round = 0; round < rounds; round++) {
    for (const { name } of works) await measure(times, name, { model, task, reference, step: every });
  }
  const peak = await gemmPeak();
  reference?.process.kill();
  finish(works.flatMap((work) => figuresOf(work, times, peak)));
}

interface Setting {
  readonly model: Transformer;
  readonly task: TokenTask;
  readonly reference: Reference | undefined;
  /** The others run every so manieth cell. */
  readonly step: number;
}

/** Runs one work with every program, holds their values against each other, and notes the times. */
async function measure(times: Times, name: Work, { model, task, reference, step }: Setting): Promise<void> {
  const add = (key: string, time: number) => times.set(key, [...(times.get(key) ?? []), time]);
  let values = new Float32Array();
  // The others run a cell beforehand, which for attribution is all of it: it is timed warm everywhere.
  if (name === 'attribution') await ours(model, task, name);
  const { wall, cpu } = await timed(async () => {
    values = new Float32Array(await ours(model, task, name));
  });
  add(`${name} fovea`, wall);
  add(`${name} fovea cpu`, cpu);
  // Attribution is no matter of cells: it is run as a whole.
  const theirs = await reference?.ask(name, name === 'attribution' ? 1 : step);
  if (!theirs) return;
  requireEqual(values, theirs, name);
  for (const [other, time] of Object.entries(theirs.times)) add(`${name} ${other}`, time);
  for (const [other, time] of Object.entries(theirs.cpu)) add(`${name} ${other} cpu`, time);
}

async function ours(model: Transformer, task: TokenTask, name: Work): Promise<Float32Array> {
  const common = { model, task, metric: 'logitDifference' } as const;
  if (name === 'paths') {
    const senders = Array.from({ length: 144 }, (_, i) => ({ layer: Math.floor(i / 12), head: i % 12 }));
    return (await patchPaths({ ...common, senders, receivers: [], positions: [positions - 1] })).effects;
  }
  if (name === 'attribution') {
    const integrate = { along: 'none' } as const;
    const { effects } = await attributeAllNodes(model, {
      pairs: task.pairs,
      metric: 'logitDifference',
      integrate,
    });
    return Float32Array.from(effects);
  }
  const sweep = name === 'head_out' ? 'attn_head_out_all_pos' : 'resid_pre';
  const grid = sweepCells(sweep, model.config, task.pairs);
  return (await patchActivations({ ...common, direction: 'denoising', grid })).values;
}

function randomTask(): TokenTask {
  const random = seededRandom('patching');
  const clean = Int32Array.from({ length: positions }, () => random.int(gpt2Small.dVocab));
  const corrupted = clean.slice();
  for (const position of differing) corrupted[position] = random.int(gpt2Small.dVocab);
  const pair = { clean, corrupted, answers: [500], wrongAnswers: [501], roles: {}, template: '' };
  return { name: 'random', pairs: [pair] };
}

interface Answer {
  /** Milliseconds by program. */
  readonly times: Readonly<Record<string, number>>;
  /** CPU time, likewise. */
  readonly cpu: Readonly<Record<string, number>>;
  /** Of every so manieth cell. */
  readonly values: readonly number[];
  readonly every: number;
}

interface Reference {
  readonly process: ChildProcess;
  ask(work: Work, every: number): Promise<Answer>;
}

function startReference(folder: string, task: TokenTask): Reference | undefined {
  const python = process.env.FOVEA_BENCH_PYTHON;
  if (!python) return undefined;
  const [pair] = task.pairs;
  const child = spawn(python, [resolve('bench/reference/patching.py'), resolve(folder)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const setup = {
    clean: [...pair!.clean],
    corrupted: [...pair!.corrupted],
    answer: 500,
    wrong: 501,
    threads,
  };
  child.stdin.write(`${JSON.stringify(setup)}\n`);
  return {
    process: child,
    ask: async (work, every) => {
      child.stdin.write(`${JSON.stringify({ work, every })}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error('bench/reference/patching.py has ended early.');
      return JSON.parse(value) as Answer;
    },
  };
}

function requireEqual(all: Float32Array, { values: theirs, every: step }: Answer, name: string): void {
  const ours = all.filter((_, i) => i % step === 0);
  const range = Math.max(...theirs) - Math.min(...theirs);
  const gap = Math.max(...theirs.map((x, i) => Math.abs(x - ours[i]!)));
  if (!(gap <= 1e-3 * range)) throw new Error(`${name} differs from the reference by ${gap} of ${range}.`);
}

/** Floating-point operations of the fastest large matrix product that the runtime reaches here, per millisecond. */
async function gemmPeak(): Promise<number> {
  const [rows, inner, columns] = [1024, 1024, 3072];
  const multiply = await compile(
    program({ y: matMul(input('a', 'float32', [rows, inner]), input('b', 'float32', [inner, columns])) }),
    { threads },
  );
  const feeds = { a: zerosValue('float32', [rows, inner]), b: zerosValue('float32', [inner, columns]) };
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 12; run++) least = Math.min(least, (await timed(() => multiply.run(feeds))).wall);
  await multiply.release();
  return (2 * rows * inner * columns) / least;
}

/**
 * The least work of a sweep when nothing is computed that the changed place cannot influence, in floating-point operations:
 * products with weights only.
 */
function floor(name: Work): number {
  const { nLayers, nHeads, dModel: d, dVocab } = gpt2Small;
  const readout = 2 * d * dVocab;
  const perBlock = 2 * 12 * d * d;
  const mlp = 2 * 8 * d * d;
  const [first] = differing;
  // Both prompts forward, and one of them backward to the activations alone.
  if (name === 'attribution') return 3 * (nLayers * positions * perBlock + readout);
  const after = (layers: number, width: number): number =>
    // Of the last block only keys and values are needed everywhere.
    layers === 0 ? 0 : (layers - 1) * width * perBlock + (width - 1) * 2 * 2 * d * d + perBlock;
  let sum = 0;
  for (let layer = 0; layer < nLayers; layer++) {
    const behind = nLayers - 1 - layer;
    if (name === 'paths') sum += nHeads * (2 * d * d + mlp + behind * mlp + readout);
    else if (name === 'head_out') {
      const width = positions - first!;
      sum += nHeads * ((behind === 0 ? 1 : width) * (2 * d * d + mlp) + after(behind, width) + readout);
    } else {
      for (let position = first!; position < positions; position++)
        sum += after(behind + 1, positions - position) + readout;
    }
  }
  return sum;
}

function figuresOf(
  { name, what, runs }: (typeof works)[number],
  times: ReadonlyMap<string, readonly number[]>,
  peak: number,
): Figure[] {
  const mine = times.get(`${name} fovea`)!;
  const [time, least] = [median(mine), Math.min(...mine)];
  const work = floor(name);
  const share = work / peak / least;
  const own: Figure = {
    what,
    value: time,
    unit: 'ms',
    detail:
      `least ${least.toFixed(0)} ms; floor ${(work / 1e9).toFixed(0)} GFLOP, ` +
      `${(100 * share).toFixed(0)} % of the ${(peak / 1e6).toFixed(0)} GFLOP/s of a large product; ${runs} interventions`,
  };
  const others = ['transformerLens', 'pytorch'].flatMap((other): Figure[] => {
    const theirs = times.get(`${name} ${other}`);
    if (!theirs) return [];
    const ratio = median(theirs.map((one, i) => one / mine[i]!));
    const [used, ours] = [times.get(`${name} ${other} cpu`)!, times.get(`${name} fovea cpu`)!];
    const byCpu = median(used.map((one, i) => one / ours[i]!));
    const title = other === 'pytorch' ? 'plain PyTorch' : 'TransformerLens';
    return [
      {
        what: `${what}: ${title} takes as many times as long`,
        value: ratio,
        unit: '×',
        detail: detailOf(byCpu, theirs, name),
      },
    ];
  });
  return [own, ...others];
}

function detailOf(byCpu: number, theirs: readonly number[], name: Work): string {
  const part = every === 1 || name === 'attribution' ? '' : `, from every ${every}th of its runs`;
  return `${byCpu.toFixed(1)} × by CPU time; ${median(theirs).toFixed(0)} ms${part}; ${theirs.length} pairs`;
}

void main();
