/** What the engine answers about sparse feature circuits, and how saved ones are tested again. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CircuitGraph } from '../../../src/shared/domain.ts';
import type { SparseCircuit, SparseCircuitRequest } from '../../../src/shared/sparseCircuitApi.ts';
import type { PromptPairs } from '../../../src/shared/task.ts';
import { reluHook, topKHook } from '../../fixtures/tinyModel.ts';
import { failure, temporaryFolder } from '../temporaryFolder.ts';
import { contrast, openTinyEngine, type TinyEngine } from './tinyEngine.ts';

let tiny: TinyEngine;

beforeAll(async () => {
  tiny = await openTinyEngine(6);
});

afterAll(() => tiny?.close());

const pair: PromptPairs = {
  kind: 'pair',
  clean: 'When she gave',
  corrupted: 'When she words',
  answers: [contrast.answer],
  wrongAnswers: [contrast.wrong],
};

function requestOf(changes: Partial<SparseCircuitRequest> = {}): SparseCircuitRequest {
  return {
    model: tiny.model.id,
    pairs: pair,
    basis: 'features',
    saes: [tiny.saeId(topKHook), tiny.saeId(reluHook)],
    method: 'ig',
    steps: 3,
    aggregation: 'sum',
    nodeThreshold: 0.01,
    edgeThreshold: 0.001,
    ...changes,
  };
}

const find = (changes?: Partial<SparseCircuitRequest>): Promise<SparseCircuit> =>
  tiny.engine.findSparseCircuit(requestOf(changes));

/** What a graph is after it was written to a file and read. */
const saved = (graph: CircuitGraph): CircuitGraph => JSON.parse(JSON.stringify(graph));

describe('a sparse feature circuit', () => {
  it('has nodes above the threshold, edges among them, and all that its test needs', async () => {
    const { circuit, evaluation, pairCount } = await find();
    expect(pairCount).toBe(1);
    expect(circuit).toMatchObject({
      isAggregated: true,
      pairs: pair,
      taskMetric: 'logitDifference',
      counterfactual: 'When she words',
      method: { name: 'sparse feature circuit', parameters: { effects: 'ig', steps: 3, basis: 'features' } },
    });
    expect(circuit.provenance.saes.map(({ hook }) => hook)).toEqual([topKHook, reluHook]);
    const nodes = circuit.nodes.filter(({ kind }) => kind !== 'logit');
    expect(nodes).toHaveLength(evaluation.nodes);
    expect(new Set(nodes.map(({ id }) => id)).size).toBe(nodes.length);
    expect(new Set(nodes.map(({ kind }) => kind))).toEqual(new Set(['token', 'feature', 'error']));
    for (const { effect } of nodes) expect(Math.abs(effect)).toBeGreaterThan(0.01);
    const ids = new Set(circuit.nodes.map(({ id }) => id));
    for (const { source, target } of circuit.edges) expect(ids.has(source) && ids.has(target)).toBe(true);
    const intoMetric = circuit.edges.filter(({ target }) => target === 'y');
    const last = nodes.filter(({ hook }) => hook === 'blocks.1.hook_resid_post');
    expect(intoMetric.map(({ source, weight }) => [source, weight])).toEqual(
      last.map(({ id, effect }) => [id, effect]),
    );
  });

  it('is tested again from what a file holds, with the same outcome', async () => {
    const { circuit, evaluation } = await find();
    const kept = circuit.nodes.map(({ id }) => id);
    const again = await tiny.engine.evaluateCircuit({ graph: saved(circuit), model: tiny.model.id, kept });
    expect(again.faithfulness).toBe(evaluation.faithfulness);
    expect(again.completeness).toBe(evaluation.completeness);
    expect(again.full).toBeCloseTo(circuit.metric.clean, 4);
    const none = await tiny.engine.evaluateCircuit({ graph: saved(circuit), model: tiny.model.id, kept: [] });
    expect(none.faithfulness).toBeCloseTo(0, 5);
    expect(none.circuit).not.toBeCloseTo(again.circuit, 3);
  });

  it('runs its prompts once for many tests', async () => {
    const { circuit } = await find({ pairs: { ...pair, corrupted: 'When she letter' } as PromptPairs });
    const seen: string[] = [];
    const call = { report: ({ what }: { what: string }) => void seen.push(what) };
    const ids = circuit.nodes.map(({ id }) => id);
    for (const kept of [ids, ids.slice(1)])
      await tiny.engine.evaluateCircuit({ graph: circuit, model: tiny.model.id, kept }, call);
    expect(seen).toContain('Testing circuits');
    expect(seen).not.toContain('Taking means');
  });

  it('finds the SAE of a hook none of whose features it has', async () => {
    const { circuit } = await find();
    const graph = {
      ...circuit,
      nodes: circuit.nodes.filter(({ feature }) => feature === undefined),
      edges: [],
    };
    const kept = graph.nodes.map(({ id }) => id);
    const found = await tiny.engine.evaluateCircuit({ graph, model: tiny.model.id, kept });
    const whole = await tiny.engine.evaluateCircuit({ graph: circuit, model: tiny.model.id, kept });
    expect(found).toEqual(whole);
    const saes = circuit.provenance.saes.map((sae) => ({ ...sae, hash: 'another' }));
    const other = { ...graph, provenance: { ...graph.provenance, saes } };
    const error = await failure(tiny.engine.evaluateCircuit({ graph: other, model: tiny.model.id, kept }));
    expect(error.message).toMatch(/hook_resid_post that it was found with is not there/);
  });

  it('tells positions apart when asked to', async () => {
    const { circuit } = await find({ aggregation: 'position', method: 'atp' });
    expect(circuit.isAggregated).toBeUndefined();
    const tokens = circuit.nodes.filter(({ kind }) => kind === 'token');
    const last = circuit.tokens.length - 1;
    // The prompts differ in their last token alone.
    expect(tokens.map(({ position }) => position)).toEqual([last]);
    expect(tokens[0]).toMatchObject({ layer: -1, label: `"${circuit.tokens[last]!.text}"` });
    const kept = circuit.nodes.map(({ id }) => id);
    const found = await tiny.engine.evaluateCircuit({ graph: saved(circuit), model: tiny.model.id, kept });
    expect(Number.isFinite(found.faithfulness)).toBe(true);
  });

  it('may be of neurons, and without edges', async () => {
    const { circuit, evaluation } = await find({ basis: 'neurons', saes: [], edges: false });
    expect(new Set(circuit.nodes.map(({ kind }) => kind))).toEqual(new Set(['neuron', 'logit']));
    expect(circuit.edges.every(({ target }) => target === 'y')).toBe(true);
    const kept = circuit.nodes.map(({ id }) => id);
    const again = await tiny.engine.evaluateCircuit({ graph: saved(circuit), model: tiny.model.id, kept });
    expect(again.faithfulness).toBe(evaluation.faithfulness);
  });

  it('has thresholds that go with the metric when none are given', async () => {
    const { circuit } = await find({ nodeThreshold: undefined, edgeThreshold: undefined });
    const { clean, baseline } = circuit.metric;
    expect(circuit.method.parameters.nodeThreshold).toBeCloseTo(0.002 * Math.abs(clean - baseline), 10);
  });

  it('is refused for impossible thresholds, and ends when it is cancelled', async () => {
    expect((await failure(find({ nodeThreshold: -1 }))).message).toMatch(/at least 0/);
    expect((await failure(find({ edgeThreshold: Number.NaN }))).message).toMatch(/at least 0/);
    const controller = new AbortController();
    const call = { signal: controller.signal, report: () => controller.abort() };
    expect(await failure(tiny.engine.findSparseCircuit(requestOf(), call))).toMatchObject({
      code: 'cancelled',
    });
  });
});

describe('curves and comparisons', () => {
  it('give fewer nodes for higher thresholds, and all of the metric for none', async () => {
    const found = await tiny.engine.sparseCircuitCurve({ ...requestOf(), thresholds: [0, 0.01, 0.1, 1e9] });
    expect(found.map(({ nodes }) => nodes)).toEqual(
      [...found.map(({ nodes }) => nodes)].sort((a, b) => b - a),
    );
    expect(found.at(-1)).toMatchObject({ nodes: 0, threshold: 1e9 });
    expect(found.at(-1)!.faithfulness).toBeCloseTo(0, 5);
    expect(
      (await tiny.engine.sparseCircuitCurve(requestOf())).map(({ threshold }) => threshold),
    ).toHaveLength(15);
  });

  it('compare estimates with exact effects, which agree with themselves', async () => {
    const found = await tiny.engine.compareNodeEffects({ ...requestOf(), methods: ['atp', 'ig', 'exact'] });
    expect(found.map(({ method }) => method)).toEqual(['atp', 'ig', 'exact']);
    expect(found[2]).toMatchObject({ correlation: 1, rankCorrelation: 1 });
    for (const { nodes, correlation } of found) {
      expect(nodes).toBe(found[0]!.nodes);
      expect(correlation).toBeGreaterThan(0.5);
    }
    expect(found[0]!.correlation).not.toBe(1);
    expect(found[0]!.sites.map(({ hook }) => hook)).toContain(topKHook);
  });
});

describe('tests of circuits by the method that found them', () => {
  it('run the edges between kept nodes of edge attribution patching', async () => {
    const { engine, model } = tiny;
    const edges = { kind: 'top', count: 40 } as const;
    const request = { model: model.id, pairs: pair, method: 'eap', edges } as const;
    const { circuit, faithfulness, clean, corrupted } = await engine.attributeEdges(request);
    const kept = circuit.nodes.map(({ id }) => id);
    const whole = await engine.evaluateCircuit({ graph: saved(circuit), model: model.id, kept });
    expect(whole.faithfulness).toBeCloseTo(faithfulness, 5);
    expect(whole.full).toBeCloseTo(clean, 5);
    const none = await engine.evaluateCircuit({ graph: saved(circuit), model: model.id, kept: [] });
    expect(none.empty).toBeCloseTo(corrupted, 5);
    expect(none.circuit).not.toBeCloseTo(whole.circuit, 3);
  });

  it('say what a graph lacks', async () => {
    const { engine, model } = tiny;
    const { circuit } = await find();
    const evaluate = (graph: CircuitGraph) =>
      failure(engine.evaluateCircuit({ graph, model: model.id, kept: [] }));
    expect((await evaluate({ ...circuit, pairs: undefined })).message).toMatch(
      /which prompts it was found on/,
    );
    const unknown = { ...circuit, method: { name: 'tea leaves', parameters: {} } };
    expect((await evaluate(unknown)).message).toMatch(/"tea leaves"/);
    const gradients = { ...circuit, method: { name: 'gradient attribution', parameters: {} } };
    expect((await evaluate(gradients)).message).toMatch(/which answers it tells apart/);
  });

  it('hold out a quarter of a task', async () => {
    const words = ['gave', 'words', 'letter', 'she', 'he', 'the', 'When'];
    const lines = words.flatMap((word) =>
      words
        .filter((other) => other !== word)
        .map((other) => ({
          clean: `When she ${word}`,
          corrupted: `When she ${other}`,
          answer: contrast.answer,
          wrongAnswer: contrast.wrong,
        })),
    );
    const path = join(await temporaryFolder(), 'many.task.jsonl');
    await writeFile(path, lines.map((line) => JSON.stringify(line)).join('\n'));
    const task = { kind: 'task', task: { kind: 'file', path } } as const;
    const { pairCount, circuit } = await find({ pairs: task, method: 'atp' });
    const { pairs, heldOut } = circuit.method.parameters;
    expect(pairs).toBe(pairCount);
    expect(Number(heldOut)).toBe(Math.floor((pairCount + Number(heldOut)) / 4));
    expect(pairCount).toBeGreaterThan(5);
  });
});
