/** Experiments in the window: the same files as from the command line, older results until a run is done, and the window's model left as it was. */
import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../../../src/engine/engine.ts';
import { ExperimentRuns } from '../../../../src/host/experiments/experimentRuns.ts';
import { KeptRuns } from '../../../../src/host/experiments/keptRuns.ts';
import type { ModelInfo, Progress } from '../../../../src/shared/domain.ts';
import type { FoundSweep } from '../../../../src/shared/experiment/runMethods.ts';
import { type Bundle, bundle } from '../../../fixtures/bundle.ts';
import { type TinyModel, tinyModelConfig, writeTinyModel } from '../../../fixtures/tinyModel.ts';
import { threeMethods } from '../../../fixtures/wordExperiments.ts';
import { runProgram } from '../../cli/program.ts';

let engine: Engine;
let tiny: TinyModel;
let folder: string;
/** Of the window. */
let keptFolder: string;
let program: Bundle;

beforeAll(async () => {
  engine = new Engine();
  [program, tiny] = await Promise.all([bundle('src/cli/main.ts'), writeTinyModel(7)]);
  folder = await realpath(await mkdtemp(join(tmpdir(), 'fovea-runs-')));
  keptFolder = await realpath(await mkdtemp(join(tmpdir(), 'fovea-kept-runs-')));
});
afterAll(async () => {
  await Promise.all([program?.remove(), tiny?.remove()]);
  for (const path of [folder, keptFolder]) await rm(path, { recursive: true, force: true });
});

const log = { debug() {}, info() {}, warn() {}, error() {} };

function runsFor(model?: ModelInfo): {
  readonly runs: ExperimentRuns;
  /** File, model, and of each sweep its method and the number of cells. */
  readonly sweeps: string[];
} {
  const sweeps: string[] = [];
  const kept = new KeptRuns(keptFolder, log);
  const keepSweeps = (file: string, { name }: ModelInfo, found: readonly FoundSweep[]): void => {
    const words = found.map(({ question, grid }) => `${question.method} ${grid.values.length}`);
    sweeps.push([file.split('/').at(-1), name, ...words].join(' '));
  };
  return {
    runs: new ExperimentRuns({ engine, models: { model }, embedded: tiny.folder, log, kept, keepSweeps }),
    sweeps,
  };
}

const textOf = (more: object = {}): string => threeMethods(tiny.folder, more);

describe('a run', () => {
  it('writes the very files that the command line writes, and leaves nothing else behind', async () => {
    const file = join(folder, 'same.fovea.json');
    await writeFile(file, textOf());
    const { runs, sweeps } = runsFor();
    const written = await runs.run(file, textOf());
    expect(written).toEqual(
      ['same.results.circuit.json', 'same.results.json'].map((name) => join(folder, name)),
    );
    const { nLayers, nHeads } = tinyModelConfig;
    // Six tokens at every layer, and every head.
    const cells = [`patch ${nLayers * 6}`, `ablate ${nLayers * nHeads}`];
    expect(sweeps).toEqual([`same.fovea.json ${tiny.folder.split('/').at(-1)} ${cells.join(' ')}`]);
    const out = join(folder, 'out');
    const { code, err } = await runProgram(program.file, ['run', file, '--out', out, '--json']);
    expect([code, err]).toEqual([0, '']);
    for (const name of ['same.results.circuit.json', 'same.results.json']) {
      expect(await readFile(join(folder, name), 'utf8')).toBe(await readFile(join(out, name), 'utf8'));
    }
    expect((await readdir(folder)).sort()).toEqual([
      'out',
      'same.fovea.json',
      'same.results.circuit.json',
      'same.results.json',
    ]);
  });

  it('writes what the command line writes for circuits of every kind, readings and SHIFT', async () => {
    const file = join(folder, 'kinds.fovea.json');
    const clean = 'When Mary and John went to the store, John gave a drink to';
    const pairs = {
      clean,
      corrupted: clean.replace(', John', ', Mary'),
      answers: [' Mary'],
      wrongAnswers: [' John'],
    };
    const features = { sae: 'blocks.1.hook_resid_post', features: { strongest: 2 } };
    const method = [
      { kind: 'logitLens', top: 2 },
      { kind: 'directLogitAttribution' },
      { kind: 'patchFeatures', ...features },
      { kind: 'ablateFeatures', ...features, value: 'zero', error: true },
      { kind: 'patchPaths', receivers: ['q:2.5'], senders: ['0.1', 'mlp 1'] },
      { kind: 'acdc', threshold: 1, budget: 50 },
      { kind: 'gradientCircuit', maxNodes: 12 },
      { kind: 'sparseFeatureCircuit', effects: 'atp', nodeThreshold: 0.5, edgeThreshold: 0.5 },
      { kind: 'attributionGraph', maxFeatureNodes: 20, maxLogits: 2 },
      { kind: 'shift', trainCount: 40, testCount: 40, maxFeatures: 3 },
    ];
    const model = await realpath('models/mini');
    await writeFile(file, textOf({ model, pairs: { kind: 'pair', ...pairs }, method }));
    const { runs } = runsFor();
    const written = await runs.run(file, await readFile(file, 'utf8'));
    const circuits = [6, 7, 8, 9].map((number) => `kinds.results.${number}.circuit.json`);
    const names = [...circuits, 'kinds.results.json'];
    expect(written).toEqual(names.map((name) => join(folder, name)));
    const out = join(folder, 'kinds');
    const { code, err } = await runProgram(program.file, ['run', file, '--out', out]);
    expect([code, err]).toEqual([0, '']);
    for (const name of names) {
      expect(await readFile(join(folder, name), 'utf8')).toBe(await readFile(join(out, name), 'utf8'));
    }
  }, 300_000);

  it('names the task from where the circuit is written, wherever that is', async () => {
    const row = { answers: [' words'], wrongAnswers: [' letter'] };
    const clean = 'When she gave words letter';
    const lines = [JSON.stringify({ clean, corrupted: 'When she gave letter letter', ...row })];
    await writeFile(join(folder, 'a.task.jsonl'), lines.join('\n'));
    const file = join(folder, 'task.fovea.json');
    const pairs = { kind: 'file', path: 'a.task.jsonl' };
    const method = { kind: 'attributeEdges', gradients: 'eap', keep: { top: 5 } };
    await writeFile(file, textOf({ pairs, method }));
    const out = join(folder, 'deep', 'er');
    const { code, err } = await runProgram(program.file, ['run', file, '--out', out]);
    expect([code, err]).toEqual([0, '']);
    const circuit = JSON.parse(await readFile(join(out, 'task.results.circuit.json'), 'utf8'));
    expect(circuit.pairs.task.path).toBe('../../a.task.jsonl');
    for (const name of ['deep', 'a.task.jsonl', 'task.fovea.json'])
      await rm(join(folder, name), { recursive: true });
  });

  it('keeps older results when it is cancelled, and says so while it runs', async () => {
    const file = join(folder, 'cancelled.fovea.json');
    const older = join(folder, 'cancelled.results.json');
    await writeFile(older, 'older');
    const { runs } = runsFor();
    const seen: unknown[] = [];
    runs.onDidChange((changed) => seen.push(runs.progressOf(changed)));
    const running = runs.run(file, textOf(), { report: () => runs.cancel(file) });
    await expect(runs.run(file, textOf())).rejects.toThrow('it is running already');
    await expect(running).rejects.toThrow('Cancelled');
    expect(await readFile(older, 'utf8')).toBe('older');
    expect(seen[0]).toBe('starting');
    expect(seen.at(-1)).toBeUndefined();
  });

  it('reads prompts as it says, whatever the window and another run say, and closes what it opened', async () => {
    const open = await engine.openModel({ path: tiny.folder, bos: 'never' });
    const begins = async (): Promise<string> => {
      const nothing = { saes: [], topFeatures: 0, topPredictions: 1, edits: [] };
      return (await engine.analyze({ model: open.id, text: 'x', ...nothing })).provenance.bos;
    };
    const { runs } = runsFor(open);
    const during: Promise<string>[] = [];
    const run = async (bos: string) => {
      const file = join(folder, `${bos}.fovea.json`);
      await writeFile(file, '');
      const method = [{ kind: 'logitLens' }, { kind: 'patch', sweep: 'resid_pre' }, { kind: 'logitLens' }];
      await runs.run(file, textOf({ bos, method }), { report: () => void during.push(begins()) });
      const { provenance, results } = JSON.parse(await readFile(join(folder, `${bos}.results.json`), 'utf8'));
      return [provenance.bos, results[1].tokens.clean.length];
    };
    const experiment = JSON.stringify({ bos: 'always', method: { kind: 'logitLens' } });
    const [always, never] = await Promise.all([
      run('always'),
      run('never'),
      runs.check(join(folder, 'x.fovea.json'), experiment, {}),
    ]);
    expect([always, never]).toEqual([
      ['prepended', 7],
      ['none', 6],
    ]);
    expect(new Set(await Promise.all(during))).toEqual(new Set(['none']));
    expect(await begins()).toBe('none');
    await engine.closeModel({ model: open.id });
    const left = engine.listSaes({ model: `${open.id}#bos=always`, folders: [] });
    await expect(left).rejects.toThrow('is not loaded');
  });

  it('goes on after a reload with what a cancelled run has found, until it ends or begins anew', async () => {
    const file = join(folder, 'reloaded.fovea.json');
    // What other runs have left.
    const others = await readdir(keptFolder);
    await writeFile(file, textOf());
    const { runs } = runsFor();
    const stop = { report: ({ what }: Progress) => void (what.startsWith('3/3') && runs.cancel(file)) };
    await expect(runs.run(file, textOf(), stop)).rejects.toThrow('Cancelled');
    expect(runs.keptOf(file, textOf())).toEqual({ done: 2, total: 3, isUnderWay: false });
    expect(runs.keptOf(file, textOf({ seed: 2 }))).toBeUndefined();
    expect(runs.keptOf(file, 'no experiment')).toBeUndefined();
    const { runs: reloaded } = runsFor();
    expect(reloaded.keptOf(file, textOf())).toEqual({ done: 2, total: 3, isUnderWay: false });
    const said: string[] = [];
    await reloaded.run(file, textOf(), { report: ({ what }) => void said.push(what) });
    expect(said.filter((what) => !what.startsWith('3/3'))).toEqual([]);
    expect(await readdir(keptFolder)).toEqual(others);
    const gone = await readFile(join(folder, 'reloaded.results.json'), 'utf8');
    await reloaded.run(file, textOf());
    expect(await readFile(join(folder, 'reloaded.results.json'), 'utf8')).toBe(gone);
    await expect(runs.run(file, textOf(), stop)).rejects.toThrow('Cancelled');
    runs.forget(file);
    expect(runs.keptOf(file, textOf())).toBeUndefined();
    expect(await readdir(keptFolder)).toEqual(others);
  });

  it('names the file and the field when it is no experiment', async () => {
    const { runs } = runsFor();
    const file = join(folder, 'bad.fovea.json');
    await expect(runs.run(file, '{"method": {"kind": "patch"}}')).rejects.toThrow(
      /bad.fovea.json.*method.sweep/,
    );
    expect(runs.progressOf(file)).toBeUndefined();
  });
});

describe('a check', () => {
  it('opens no model for a look but the embedded one and the window’s, and tells what shows without it', async () => {
    const { runs } = runsFor();
    const other = await writeTinyModel(8);
    const file = join(folder, 'x.fovea.json');
    const method = [{ kind: 'logitLens' }, { kind: 'patch', sweep: 'resid_pre', layers: [77] }];
    const pairs = { kind: 'file', path: 'gone.task.jsonl' };
    const found = async (more: object) => {
      const text = JSON.stringify({ method, pairs, ...more });
      return (await runs.check(file, text, {})).map(({ path }) => path.join('.'));
    };
    const lens = 'method.0.kind';
    expect(await found({ model: other.folder })).toEqual(['pairs.path', lens]);
    await other.remove();
    expect(await found({ model: other.folder })).toEqual(['model', 'pairs.path', lens]);
    expect(await found({})).toEqual(['pairs.path', lens, 'method.1.layers.0']);
    await expect(runs.check(file, '{', {})).rejects.toThrow('should be JSON');
  });
});
