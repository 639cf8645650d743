/** Experiments run on the tiny model: their numbers are those of the engine's own methods, and every method has its refusal. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { estimateExperiment } from '../../../../src/shared/experiment/estimateExperiment.ts';
import type { Experiment, ExperimentMethod } from '../../../../src/shared/experiment/experiment.ts';
import { resultFiles } from '../../../../src/shared/experiment/resultFiles.ts';
import { resultsJson, runExperiment } from '../../../../src/shared/experiment/runExperiment.ts';
import type { ErrorTreatment } from '../../../../src/shared/sparseCircuitApi.ts';
import { topKHook } from '../../../fixtures/tinyModel.ts';
import { wordPair as pairs } from '../../../fixtures/wordExperiments.ts';
import { experimentOf as experiment, tinyExperiments } from './tinyExperiments.ts';

const at = tinyExperiments();

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

async function numbersOf(method: ExperimentMethod, more: Partial<Experiment> = {}) {
  const { methods } = await runExperiment(experiment(method, more), at.places);
  return methods[0]!.numbers as unknown as Numbers;
}

describe('the runner', () => {
  it('gives a sweep in rows, as the at.engine has it, to five decimals', async () => {
    const numbers = await numbersOf({ kind: 'patch', sweep: 'resid_pre' });
    const { id } = await at.engine.openModel({ path: at.tiny.folder });
    const target = { kind: 'sweep', name: 'resid_pre' } as const;
    const grid = await at.engine.patchSweep({ model: id, pairs, target });
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
    const outcome = await runExperiment(experiment(methods, { seed: 9 }), at.places);
    expect(outcome.methods.map(({ method }) => method)).toEqual(methods);
    const results = resultsJson(outcome, new Map()) as unknown as Results;
    expect(results.provenance).toMatchObject({ bos: 'none', precision: 'float32', seed: 9 });
    expect(results.provenance.model.hash).toMatch(/^[\da-f]{16}$/);
    expect(results.provenance.saes.map(({ hook }) => hook)).toEqual([topKHook]);
    expect(results.results[2]!.axes[0]!.labels).toHaveLength(3);
    expect(JSON.stringify(results)).not.toContain(at.tiny.folder);
  });

  it('tells pairs that are left out, and means that rest on one prompt', async () => {
    const method = { kind: 'ablate', sweep: 'attn_out_all_pos', value: 'meanByTemplate' } as const;
    const outcome = await runExperiment({ pairs: { kind: 'file', path: 'a.task.jsonl' }, method }, at.places);
    const found = resultsJson(outcome, new Map()) as unknown as {
      leftOut: object;
      results: readonly object[];
    };
    expect(found.leftOut).toMatchObject({ leftOut: 1, of: 3, reasons: [{ line: 3 }] });
    expect(found.results[0]).toMatchObject({
      referencePrompts: 1,
      warning: expect.stringContaining('one prompt'),
    });
    const plain = await runExperiment(
      { pairs, method: { kind: 'patch', sweep: 'attn_out_all_pos' } },
      at.places,
    );
    expect(resultsJson(plain, new Map())).not.toHaveProperty('leftOut');
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
      resultFiles(await runExperiment(it, at.places), join(at.folder, 'x.fovea.json'), async () => undefined);
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
    const { id } = await at.engine.openModel({ path: at.tiny.folder });
    const check = await at.engine.checkTask({ model: id, file: { path: join(at.folder, 'a.task.jsonl') } });
    expect(numbers.total).toBeCloseTo(check.behaviour!.logitDifference, 4);
  });

  it('puts circuits into files of their own, named by the experiment, without paths of this machine', async () => {
    const edges = { kind: 'attributeEdges', gradients: 'eap', keep: { top: 10 } } as const;
    const task = { pairs: { kind: 'file', path: 'a.task.jsonl' } } as const;
    const nothing = async () => undefined;
    const one = await resultFiles(
      await runExperiment(experiment(edges, task), at.places),
      join(at.folder, 'x.fovea.json'),
      nothing,
    );
    expect(one.map(({ name }) => name)).toEqual(['x.results.circuit.json', 'x.results.json']);
    const circuit = JSON.parse(one[0]!.text);
    expect(circuit.version).toBe(1);
    expect(one[0]!.text).not.toContain(at.folder);
    expect(one[0]!.text).not.toContain(at.tiny.folder);
    expect(JSON.parse(one[1]!.text).results[0].circuitFile).toBe('x.results.circuit.json');
    const gradient = { kind: 'gradientCircuit', maxNodes: 12 } as const;
    const two = await resultFiles(
      await runExperiment(experiment([edges, gradient]), at.places),
      join(at.folder, 'x.fovea.json'),
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
    const outcome = await runExperiment(experiment(edges), at.places);
    const file = join(at.folder, 'x.fovea.json');
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

  it('tests sparse feature circuits with errors as nodes, or as it is told', async () => {
    const found = async (errors?: ErrorTreatment) => {
      const method = { kind: 'sparseFeatureCircuit', effects: 'atp', edges: false, errors } as const;
      const { methods } = await runExperiment(experiment(method), at.places);
      const { numbers, circuit } = methods[0]!;
      const { evaluation } = numbers as unknown as { evaluation: object };
      return { evaluation, errors: circuit?.method.parameters.errors };
    };
    const usual = await found();
    expect(usual.errors).toBe('circuit');
    expect(usual.evaluation).not.toHaveProperty('ceiling');
    expect(await found('keep')).toMatchObject({ errors: 'keep' });
    expect(await found('remove')).toMatchObject({
      errors: 'remove',
      evaluation: { ceiling: expect.any(Number) },
    });
  });

  it('says what is missing: models, SAEs, prompts, transcoders', async () => {
    const lens = { kind: 'logitLens' } as const;
    const fails = (it: Experiment) => expect(runExperiment(it, at.places)).rejects;
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

describe('an estimate', () => {
  it('tells runs and seconds of sweeps, and says nothing of what is not known', async () => {
    const estimates = await estimateExperiment(
      experiment([
        { kind: 'patch', sweep: 'attn_head_out_all_pos' },
        { kind: 'patchPaths' },
        { kind: 'acdc', threshold: 0.1 },
      ]),
      at.places,
    );
    expect(estimates.map(({ kind }) => kind)).toEqual(['patch', 'patchPaths', 'acdc']);
    expect(estimates[0]!.runs).toBeGreaterThan(0);
    expect(estimates[1]!.seconds).toBeGreaterThanOrEqual(0);
    expect(estimates[2]!.runs).toBeGreaterThan(0);
    expect(estimates[2]!.seconds).toBeGreaterThan(0);
  });

  it('adds up both halves of SHIFT, with what features are ablated to', async () => {
    const [trainCount, testCount] = [12, 8];
    const counts = { trainCount, testCount, maxFeatures: 4 };
    const both = [
      { kind: 'shift', ...counts },
      { kind: 'shift', ...counts, ablateTo: 'zero' },
    ] as const;
    const reads = { hook: topKHook } as const;
    const estimates = await estimateExperiment(
      experiment(
        both.map((method) => ({ ...method, ...reads })),
        { saes: [topKHook] },
      ),
      at.places,
    );
    // The classifier reads the stream of the SAE: no steps, so that each text on which effects are taken runs once.
    const [finding, references] = [3 * trainCount + testCount + trainCount, 3 * trainCount];
    const [train, draws] = [trainCount, 5];
    const ablating = train + (3 + draws) * testCount + references;
    expect(estimates.map(({ runs }) => runs)).toEqual([finding + ablating + trainCount, finding + ablating]);
    for (const { seconds, memory } of estimates) {
      expect(seconds).toBeGreaterThan(0);
      expect(memory).toBeGreaterThan(0);
    }
  });
});
