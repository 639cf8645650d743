/** Experiments run on the tiny model: their numbers are those of the engine's own methods, and every method has its refusal. */
import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../../../src/engine/engine.ts';
import type { SaeInfo } from '../../../../src/shared/domain.ts';
import { checkExperiment } from '../../../../src/shared/experiment/checkExperiment.ts';
import { estimateExperiment } from '../../../../src/shared/experiment/estimateExperiment.ts';
import type { Experiment, ExperimentMethod } from '../../../../src/shared/experiment/experiment.ts';
import { exportScript } from '../../../../src/shared/experiment/exportScript.ts';
import { resultFiles } from '../../../../src/shared/experiment/resultFiles.ts';
import {
  type ExperimentPlaces,
  resultsJson,
  runExperiment,
} from '../../../../src/shared/experiment/runExperiment.ts';
import { type TinyModel, topKHook, writeTinyModel } from '../../../fixtures/tinyModel.ts';

let engine: Engine;
let tiny: TinyModel;
let folder: string;
let places: ExperimentPlaces;

const pairs = {
  kind: 'pair',
  clean: 'When she gave words letter',
  corrupted: 'When she gave letter letter',
  answers: [' words'],
  wrongAnswers: [' letter'],
} as const;

beforeAll(async () => {
  engine = new Engine({ threads: 1 });
  tiny = await writeTinyModel(7);
  folder = await realpath(await mkdtemp(join(tmpdir(), 'fovea-experiment-')));
  places = {
    engine,
    embedded: tiny.folder,
    path: (relative) => realpath(resolve(folder, relative)),
    readText: (path) => readFile(path, 'utf8'),
  };
  const { kind: _, ...pair } = pairs;
  const lines = [
    pair,
    { ...pair, clean: pair.corrupted, corrupted: pair.clean, template: 'turned' },
    { clean: 1 },
  ];
  await writeFile(join(folder, 'a.task.jsonl'), lines.map((line) => JSON.stringify(line)).join('\n'));
});
afterAll(async () => {
  await tiny?.remove();
  await rm(folder, { recursive: true, force: true });
});

/** As much of a method's numbers as is looked at here. */
interface Numbers {
  readonly pairs: number;
  readonly total: number;
  readonly axes: readonly { readonly labels: readonly string[] }[];
  readonly values: readonly (readonly number[])[];
  readonly components: readonly { readonly value: number }[];
}

interface Results {
  readonly provenance: {
    readonly model: { readonly hash: string };
    readonly saes: readonly { readonly hook: string }[];
  };
  readonly results: readonly Numbers[];
}

const experiment = (method: Experiment['method'], more: Partial<Experiment> = {}): Experiment => ({
  pairs,
  method,
  ...more,
});

async function numbersOf(method: ExperimentMethod, more: Partial<Experiment> = {}) {
  const { methods } = await runExperiment(experiment(method, more), places);
  return methods[0]!.numbers as unknown as Numbers;
}

describe('the runner', () => {
  it('gives a sweep in rows, as the engine has it, to five decimals', async () => {
    const numbers = await numbersOf({ kind: 'patch', sweep: 'resid_pre' });
    const { id } = await engine.openModel({ path: tiny.folder });
    const target = { kind: 'sweep', name: 'resid_pre' } as const;
    const grid = await engine.patchSweep({ model: id, pairs, target });
    const width = grid.axes[1]!.labels.length;
    expect(numbers.axes).toEqual(grid.axes);
    expect(numbers.values).toHaveLength(grid.axes[0]!.labels.length);
    numbers.values.forEach((row, layer) => {
      expect(row).toHaveLength(width);
      row.forEach((value, i) => {
        expect(Math.abs(value - grid.values[layer * width + i]!)).toBeLessThanOrEqual(5.1e-6);
      });
    });
  });

  it('runs several methods in their order, and tells where the numbers came from', async () => {
    const methods: readonly ExperimentMethod[] = [
      { kind: 'ablate', sweep: 'attn_head_out_all_pos', value: 'zero' },
      { kind: 'patchPaths', receivers: ['v:1.0'], mlps: true },
      { kind: 'patchFeatures', sae: topKHook, features: { strongest: 2 }, error: true },
    ];
    const outcome = await runExperiment(experiment(methods, { seed: 9 }), places);
    expect(outcome.methods.map(({ method }) => method)).toEqual(methods);
    const results = resultsJson(outcome, new Map()) as unknown as Results;
    expect(results.provenance).toMatchObject({ bos: 'none', precision: 'float32', seed: 9 });
    expect(results.provenance.model.hash).toMatch(/^[\da-f]{16}$/);
    expect(results.provenance.saes.map(({ hook }) => hook)).toEqual([topKHook]);
    expect(results.results[2]!.axes[0]!.labels).toHaveLength(3);
    expect(JSON.stringify(results)).not.toContain(tiny.folder);
  });

  it('gives the same text each time', async () => {
    const asked = experiment(
      [
        { kind: 'logitLens', top: 2 },
        { kind: 'ablate', sweep: 'mlp_out_all_pos', value: 'resample', reference: 'clean' },
      ],
      { pairs: { kind: 'file', path: 'a.task.jsonl' } },
    );
    const sole = experiment({ kind: 'logitLens', top: 2 });
    const texts = async (it: Experiment) =>
      resultFiles(await runExperiment(it, places), join(folder, 'x.fovea.json'), async () => undefined);
    expect(await texts(sole)).toEqual(await texts(sole));
    await expect(texts(asked)).rejects.toThrow(/logitLens cannot be used: it looks at one pair/);
  });

  it('attributes logits so that the components add up to the logit difference, over all pairs of a task', async () => {
    const numbers = await numbersOf(
      { kind: 'directLogitAttribution' },
      { pairs: { kind: 'file', path: 'a.task.jsonl' } },
    );
    expect(numbers.pairs).toBe(2);
    const sum = numbers.components.reduce((total, { value }) => total + value, 0);
    expect(sum).toBeCloseTo(numbers.total, 4);
    const { id } = await engine.openModel({ path: tiny.folder });
    const check = await engine.checkTask({ model: id, file: { path: join(folder, 'a.task.jsonl') } });
    expect(numbers.total).toBeCloseTo(check.behaviour!.logitDifference, 4);
  });

  it('puts circuits into files of their own, named by the experiment, without paths of this machine', async () => {
    const edges = { kind: 'attributeEdges', gradients: 'eap', keep: { top: 10 } } as const;
    const task = { pairs: { kind: 'file', path: 'a.task.jsonl' } } as const;
    const nothing = async () => undefined;
    const one = await resultFiles(
      await runExperiment(experiment(edges, task), places),
      join(folder, 'x.fovea.json'),
      nothing,
    );
    expect(one.map(({ name }) => name)).toEqual(['x.results.circuit.json', 'x.results.json']);
    const circuit = JSON.parse(one[0]!.text);
    expect(circuit.version).toBe(1);
    expect(one[0]!.text).not.toContain(folder);
    expect(one[0]!.text).not.toContain(tiny.folder);
    expect(JSON.parse(one[1]!.text).results[0].circuitFile).toBe('x.results.circuit.json');
    const gradient = { kind: 'gradientCircuit', maxNodes: 12 } as const;
    const two = await resultFiles(
      await runExperiment(experiment([edges, gradient]), places),
      join(folder, 'x.fovea.json'),
      nothing,
    );
    expect(two.map(({ name }) => name)).toEqual([
      'x.results.1.circuit.json',
      'x.results.2.circuit.json',
      'x.results.json',
    ]);
  });

  it('keeps what a person added to the circuit of an earlier run, and a file that is no circuit', async () => {
    const edges = { kind: 'attributeEdges', gradients: 'eap', keep: { top: 10 } } as const;
    const outcome = await runExperiment(experiment(edges), places);
    const file = join(folder, 'x.fovea.json');
    const [plain] = await resultFiles(outcome, file, async () => undefined);
    const circuit = JSON.parse(plain!.text);
    const [first, second] = circuit.nodes.map(({ id }: { id: string }) => id);
    const annotations = {
      title: 'Mine',
      keep: 0.5,
      pinned: [first, 'gone'],
      labels: { [second]: 'mover', gone: 'x' },
      supernodes: [{ id: 's1', label: 'both', nodes: [first, second, 'gone'] }],
    };
    const gone = { ...circuit.nodes[0], id: 'gone' };
    const annotated = JSON.stringify({ ...circuit, nodes: [...circuit.nodes, gone], annotations });
    const asked: string[] = [];
    const again = await resultFiles(outcome, file, async (name) => {
      asked.push(name);
      return annotated;
    });
    expect(asked).toEqual(['x.results.circuit.json']);
    expect(JSON.parse(again[0]!.text)).toEqual({
      ...circuit,
      annotations: {
        title: 'Mine',
        keep: 0.5,
        pinned: [first],
        labels: { [second]: 'mover' },
        supernodes: [{ id: 's1', label: 'both', nodes: [first, second] }],
      },
    });
    const broken = await resultFiles(outcome, file, async () => '<<<<<<< mine');
    expect(broken.slice(0, 2)).toEqual([{ name: 'x.results.circuit.json.old', text: '<<<<<<< mine' }, plain]);
  });

  it('says what is missing: models, SAEs, prompts, transcoders', async () => {
    const lens = { kind: 'logitLens' } as const;
    const fails = (it: Experiment) => expect(runExperiment(it, places)).rejects;
    await fails(experiment(lens, { model: 'nobody/nothing' })).toThrow(/nobody\/nothing.* not in the cache/);
    await fails(experiment(lens, { model: 'a b c' })).toThrow(/a model is `embedded`, a path/);
    await fails({ method: lens }).toThrow(/needs prompts; give the experiment "pairs"/);
    const features = { kind: 'patchFeatures', sae: 'blocks.9.hook_x', features: [1] } as const;
    await fails(experiment(features)).toThrow(
      /"blocks.9.hook_x" cannot be used: there is none .* Beside the model there are/,
    );
    await fails(experiment({ kind: 'attributionGraph' })).toThrow(/needs transcoders/);
    await fails(experiment({ kind: 'indirectObjectStudy' })).toThrow(/needs a whole task/);
    await fails(experiment({ kind: 'directLogitAttribution' }, { metric: 'kl' })).toThrow(
      /use logitDifference/,
    );
  });
});

describe('a check', () => {
  const check = async (it: Experiment) =>
    (await checkExperiment(it, places)).map(
      ({ path, severity, message }) => `${severity} ${path.join('.')}: ${message}`,
    );

  it('has nothing to say of what can be run', async () => {
    expect(await check(experiment({ kind: 'patch', sweep: 'resid_pre' }, { saes: [topKHook] }))).toEqual([]);
  });

  it('finds answers of several tokens, names that are not there, and layers that the model lacks', async () => {
    const found = await check({
      saes: ['nowhere'],
      pairs: { ...pairs, answers: [' antidisestablishment'] },
      method: [
        { kind: 'patch', sweep: 'resid_pre', layers: [0, 77] },
        { kind: 'patchPaths', senders: ['0.99'], receivers: ['q:1.0', 'k:5.0'] },
      ],
    });
    expect(found.join('\n')).toMatch(/error saes\.0: .*nowhere/);
    expect(found.join('\n')).toMatch(/error pairs\.answers\.0: .*is not one token/);
    expect(found.join('\n')).toMatch(/error method\.0\.layers\.1: .*layers 0 to/);
    expect(found.join('\n')).toMatch(/error method\.1\.senders\.0:/);
    expect(found.join('\n')).toMatch(/error method\.1\.receivers\.1:/);
    expect(found).toHaveLength(5);
  });

  it('warns of tasks some of whose pairs cannot be used, and refuses those that are not there', async () => {
    const lens = { kind: 'ablate', sweep: 'mlp_out', value: 'zero' } as const;
    const task = (path: string) => experiment(lens, { pairs: { kind: 'file', path } });
    expect((await check(task('a.task.jsonl'))).join()).toMatch(
      /^warning pairs\.path: 1 of 3 pairs cannot be used/,
    );
    const missing = checkExperiment(task('b.task.jsonl'), places);
    await expect(missing).rejects.toThrow();
    const single = await check({
      pairs: { kind: 'generator', name: 'ioi', count: 2 },
      method: { kind: 'logitLens' },
    });
    expect(single.join()).toContain('error method.kind: This method looks at one pair');
  });
});

describe('an estimate', () => {
  it('tells runs and seconds of sweeps, and says nothing of what is not known', async () => {
    const estimates = await estimateExperiment(
      experiment([
        { kind: 'patch', sweep: 'attn_head_out_all_pos' },
        { kind: 'patchPaths' },
        { kind: 'acdc', threshold: 0.1 },
      ]),
      places,
    );
    expect(estimates.map(({ kind }) => kind)).toEqual(['patch', 'patchPaths', 'acdc']);
    expect(estimates[0]!.runs).toBeGreaterThan(0);
    expect(estimates[1]!.seconds).toBeGreaterThanOrEqual(0);
    expect(estimates[2]!.runs).toBeGreaterThan(0);
    expect(estimates[2]!.seconds).toBeGreaterThan(0);
  });
});

describe('a TransformerLens script', () => {
  const script = (method: Experiment['method'], more: Partial<Experiment> = {}) =>
    exportScript(experiment(method, more), places);

  it('has the prompts of the task as texts, and leaves out pairs that cannot be used', async () => {
    const text = await script(
      { kind: 'ablate', sweep: 'attn_head_out_all_pos', value: 'meanByTemplate' },
      { pairs: { kind: 'file', path: 'a.task.jsonl' }, metric: 'kl' },
    );
    expect(text).toContain(
      '("When she gave words letter", "When she gave letter letter", [" words"], [" letter"], ""),',
    );
    expect(text).toContain('[" words"], [" letter"], "turned"),');
    expect(text.match(/^ {4}\("/gm)).toHaveLength(2);
    expect(text).toContain('PREPEND_BOS = False');
    expect(text).toContain('clean_logits.softmax(0)');
    expect(text).toContain('value="meanByTemplate", reference="corrupted"');
  });

  it('is the same program whatever its texts say', async () => {
    const hostile = '"""\nimport os\nos.system("x") #\\';
    const method = { kind: 'patch', sweep: 'resid_pre' } as const;
    const plain = await script(method, { name: 'name' });
    const nasty = await script(method, { name: hostile });
    const differing = nasty.split('\n').filter((line, i) => line !== plain.split('\n')[i]);
    expect(differing).toEqual(['EXPERIMENT = "\\"\\"\\"\\nimport os\\nos.system(\\"x\\") #\\\\"']);
  });

  it.each([
    [{ kind: 'acdc', threshold: 0.1 }, 'ACDC (acdc)'],
    [{ kind: 'gradientCircuit' }, 'gradientCircuit'],
    [{ kind: 'sparseFeatureCircuit' }, 'sparseFeatureCircuit'],
    [{ kind: 'attributionGraph' }, 'attributionGraph'],
    [{ kind: 'indirectObjectStudy' }, 'indirectObjectStudy'],
    [{ kind: 'shift' }, 'shift'],
    [{ kind: 'attributeEdges', gradients: 'eap-ig-activations' }, 'along activations'],
  ] as const satisfies readonly (readonly [ExperimentMethod, string])[])(
    'refuses %j, and says so',
    async (method, word) => {
      await expect(script(method)).rejects.toThrow(`cannot say`);
      await expect(script(method)).rejects.toThrow(word);
    },
  );

  it('names the strongest features by number, and the folder of their SAE', async () => {
    const method = { kind: 'patchFeatures', sae: topKHook, features: { strongest: 2 }, error: true } as const;
    const numbers = await numbersOf(method);
    const text = await script(method);
    const labels = numbers.axes[0]!.labels.map((label) => (label === 'error' ? '"error"' : label));
    expect(text).toContain(`patch_features("${topKHook}", "${tiny.folder}/saes/`);
    expect(text).toContain(`, [${labels.join(', ')}], by="all", direction="denoising")`);
    expect(text).toContain('from safetensors.torch import load_file');
  });

  it('writes where roles are, and a pair of the same length for every one that is resampled', async () => {
    const task = { kind: 'generator', name: 'ioi', count: 12 } as const;
    const mini = { model: await realpath('models/mini'), pairs: task };
    const text = await script({ kind: 'ablate', sweep: 'resid_pre', roles: ['S2'], value: 'resample' }, mini);
    const rows = text.match(/^ {4}\(".*\),$/gm)!;
    expect(rows).toHaveLength(12);
    const placed = rows.map((row) => /"S2": (\d+), "END": (\d+)\}, (\d+)\),$/.exec(row)!.map(Number));
    const ends = placed.map(([, , end]) => end);
    // The prompts end with the role END, so those of one length have it at one place.
    placed.forEach(([, s2, end, partner], i) => {
      expect(s2).toBeLessThan(end!);
      expect(ends[partner!]).toBe(end);
      if (ends.filter((other) => other === end).length > 1) expect(partner).not.toBe(i);
    });
    expect(new Set(ends).size).toBeGreaterThan(1);
  });

  it('refuses SAEs that it could not read', async () => {
    const method = { kind: 'patchFeatures', sae: topKHook, features: [1] } as const;
    const exportWith = (change: Partial<SaeInfo>) => {
      const listSaes: Engine['listSaes'] = async (request, call) =>
        (await engine.listSaes(request, call)).map((sae) => ({ ...sae, ...change }));
      const other = new Proxy(engine, {
        get: (target, name) => (name === 'listSaes' ? listSaes : Reflect.get(target, name)),
      });
      return exportScript(experiment(method), { ...places, engine: other });
    };
    expect(await exportWith({})).toContain('patch_features(');
    for (const change of [
      { architecture: 'gated' },
      { format: 'Gemma Scope' },
      { convention: { inputScale: 2 } },
    ] as const) {
      await expect(exportWith(change)).rejects.toThrow(/cannot say the SAE .* it reads folders of SAELens/);
    }
  });

  it('refuses pairs that the model cannot run', async () => {
    const unequal = { ...pairs, corrupted: 'When she' };
    await expect(script({ kind: 'patch', sweep: 'resid_pre' }, { pairs: unequal })).rejects.toThrow(/tokens/);
  });
});
