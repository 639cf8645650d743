/** Experiments in the window: the same files as from the command line, older results until a run is done, and the window's model left as it was. */
import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../../../src/engine/engine.ts';
import { ExperimentRuns } from '../../../../src/host/experiments/experimentRuns.ts';
import type { ModelInfo } from '../../../../src/shared/domain.ts';
import { type Bundle, bundle } from '../../../fixtures/bundle.ts';
import { type TinyModel, writeTinyModel } from '../../../fixtures/tinyModel.ts';
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

function runsFor(model?: ModelInfo): { readonly runs: ExperimentRuns; readonly told: string[] } {
  const told: string[] = [];
  const models = { model, path: model?.path ?? '/nowhere', applyBos: async () => void told.push('bos') };
  return { runs: new ExperimentRuns({ engine, models, embedded: tiny.folder, log }), told };
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
    const { runs } = runsFor();
    const written = await runs.run(file, textOf());
    expect(written).toEqual(['same.circuit.json', 'same.results.json'].map((name) => join(folder, name)));
    const out = join(folder, 'out');
    const { code, err } = await runProgram(program.file, ['run', file, '--out', out, '--json']);
    expect([code, err]).toEqual([0, '']);
    for (const name of ['same.circuit.json', 'same.results.json']) {
      expect(await readFile(join(folder, name), 'utf8')).toBe(await readFile(join(out, name), 'utf8'));
    }
    expect((await readdir(folder)).sort()).toEqual([
      'out',
      'same.circuit.json',
      'same.fovea.json',
      'same.results.json',
    ]);
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

  it('closes a model that the window does not use, and gives the window’s its own reading back', async () => {
    const file = join(folder, 'models.fovea.json');
    await writeFile(file, '');
    const open = await engine.openModel({ path: tiny.folder, bos: 'never' });
    const own = runsFor(open);
    await own.runs.run(file, textOf({ bos: 'always', method: { kind: 'logitLens' } }));
    expect(own.told).toEqual(['bos']);
    await engine.analyze({
      model: open.id,
      text: 'x',
      saes: [],
      topFeatures: 0,
      topPredictions: 1,
      edits: [],
    });
    await runsFor().runs.run(file, textOf({ method: { kind: 'logitLens' } }));
    const again = engine.analyze({
      ...{ model: open.id, text: 'x', saes: [], topFeatures: 0, topPredictions: 1, edits: [] },
    });
    await expect(again).rejects.toThrow('is not loaded');
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
