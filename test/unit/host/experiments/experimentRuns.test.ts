/** Experiments in the window: the same files as from the command line, older results until a run is done, and the window's model left as it was. */
import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../../../src/engine/engine.ts';
import { ExperimentRuns } from '../../../../src/host/experiments/experimentRuns.ts';
import type { ModelInfo } from '../../../../src/shared/domain.ts';
import type { FoundSweep } from '../../../../src/shared/experiment/runMethods.ts';
import { type Bundle, bundle } from '../../../fixtures/bundle.ts';
import { type TinyModel, tinyModelConfig, writeTinyModel } from '../../../fixtures/tinyModel.ts';
import { runProgram } from '../../cli/program.ts';

let engine: Engine;
let tiny: TinyModel;
let folder: string;
let program: Bundle;

beforeAll(async () => {
  engine = new Engine();
  [program, tiny] = await Promise.all([bundle('src/cli/main.ts'), writeTinyModel(7)]);
  folder = await realpath(await mkdtemp(join(tmpdir(), 'fovea-runs-')));
});
afterAll(async () => {
  await Promise.all([program?.remove(), tiny?.remove()]);
  await rm(folder, { recursive: true, force: true });
});

const log = { debug() {}, info() {}, warn() {}, error() {} };

function runsFor(model?: ModelInfo): {
  readonly runs: ExperimentRuns;
  /** File, model, and of each sweep its method and the number of cells. */
  readonly sweeps: string[];
} {
  const sweeps: string[] = [];
  const keepSweeps = (file: string, { name }: ModelInfo, found: readonly FoundSweep[]): void => {
    const words = found.map(({ question, grid }) => `${question.method} ${grid.values.length}`);
    sweeps.push([file.split('/').at(-1), name, ...words].join(' '));
  };
  return {
    runs: new ExperimentRuns({ engine, models: { model }, embedded: tiny.folder, log, keepSweeps }),
    sweeps,
  };
}

function textOf(more: object = {}): string {
  const pairs = {
    kind: 'pair',
    clean: 'When she gave words letter',
    corrupted: 'When she gave letter letter',
    answers: [' words'],
    wrongAnswers: [' letter'],
  };
  const method = [
    { kind: 'patch', sweep: 'resid_pre' },
    { kind: 'ablate', sweep: 'attn_head_out_all_pos', value: 'zero' },
    { kind: 'attributeEdges', gradients: 'eap-ig', keep: { top: 12 } },
  ];
  return JSON.stringify({ model: tiny.folder, pairs, method, ...more });
}

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
    const experiment = { bos: 'always', method: { kind: 'logitLens' } } as const;
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
  it('opens no model for a look but the embedded one and the window’s', async () => {
    const { runs } = runsFor();
    const other = await writeTinyModel(8);
    const experiment = { model: other.folder, method: { kind: 'logitLens' } } as const;
    expect(await runs.check(join(folder, 'x.fovea.json'), experiment, {})).toBeUndefined();
    await other.remove();
    const embedded = await runs.check(join(folder, 'x.fovea.json'), { method: { kind: 'logitLens' } }, {});
    expect(embedded!.map(({ path }) => path)).toEqual([['method', 'kind']]);
  });
});

describe('the command line', () => {
  it('tells what is wrong with an experiment, and ends with code 1', async () => {
    const file = join(folder, 'check.fovea.json');
    await writeFile(file, textOf({ saes: ['blocks.7.hook_x'] }));
    const check = await runProgram(program.file, ['run', file, '--check']);
    expect(check.code).toBe(1);
    expect(check.out).toMatch(/^error: saes\[0\]: The SAE "blocks\.7\.hook_x"/);
    await writeFile(file, '{"method": {"kind": "none"}}');
    const broken = await runProgram(program.file, ['run', file]);
    expect(broken.code).toBe(1);
    expect(broken.err).toContain('method.kind should be one of patch');
    const model = await runProgram(program.file, ['run', file, '--model', 'x']);
    expect(model.code).toBe(2);
    expect(model.err).toContain('The experiment itself says "model"');
  });

  it('exports a script, and refuses what has no equivalent', async () => {
    const file = join(folder, 'export.fovea.json');
    await writeFile(file, textOf());
    const script = await runProgram(program.file, ['export', file, '--transformer-lens']);
    expect(script.code).toBe(0);
    expect(script.out).toContain('TransformerBridge.boot_transformers(MODEL');
    await writeFile(file, textOf({ method: { kind: 'acdc', threshold: 1 } }));
    const refused = await runProgram(program.file, ['export', file, '--transformer-lens']);
    expect(refused.code).toBe(1);
    expect(refused.err).toContain('it cannot say ACDC (acdc)');
    expect((await runProgram(program.file, ['export', file])).code).toBe(2);
  });
});
