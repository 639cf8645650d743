/** What the engine answers about sparse feature circuits, and how saved ones are tested again. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CircuitGraph, CircuitNode } from '../../../src/shared/circuit.ts';
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
  it('is tested without errors when asked to, beside all features without them', async () => {
    const [plain, bare] = [await find(), await find({ errors: 'remove' })];
    const curve = { ...requestOf(), thresholds: [0.01], errors: 'remove' } as const;
    const [same] = await tiny.engine.sparseCircuitCurve(curve, {});
    expect(bare.circuit.nodes).toEqual(plain.circuit.nodes);
    expect(bare.evaluation).toEqual(same);
    expect(plain.evaluation).not.toHaveProperty('ceiling');
    expect(bare.evaluation.ceiling).toBeTypeOf('number');
    expect(bare.evaluation.faithfulness).not.toBeCloseTo(plain.evaluation.faithfulness, 4);
    // Errors above the threshold are in the graph still, but no longer part of what is tested.
    const { startLayer } = bare.evaluation;
    const errors = plain.circuit.nodes.filter(
      ({ kind, hook, layer }) =>
        kind === 'error' && layer >= startLayer && (hook === topKHook || hook === reluHook),
    );
    expect(plain.evaluation.nodes - bare.evaluation.nodes).toBe(errors.length);
  });

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
    // The embeddings are found, but never ablated, and so not counted.
    expect(nodes.filter(({ kind }) => kind !== 'token')).toHaveLength(evaluation.nodes);
    expect(evaluation).toMatchObject({ startLayer: 0, pairs: 1, reference: 1 });
    expect(circuit.method.parameters.startLayer).toBe(0);
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

  it('leaves layers below its start as they are, also when a file is tested', async () => {
    const { circuit, evaluation } = await find({ startLayer: 1 });
    expect(evaluation.startLayer).toBe(1);
    const above = circuit.nodes.filter(({ kind, layer }) => kind !== 'logit' && layer >= 1);
    expect(above).toHaveLength(evaluation.nodes);
    expect(circuit.nodes.some(({ kind, layer }) => kind === 'feature' && layer === 0)).toBe(true);
    const evaluate = (graph: CircuitGraph, nodes: readonly { readonly id: string }[]) =>
      tiny.engine.evaluateCircuit({ graph, model: tiny.model.id, kept: nodes.map(({ id }) => id) });
    const whole = await evaluate(saved(circuit), circuit.nodes);
    expect(whole.faithfulness).toBe(evaluation.faithfulness);
    expect(await evaluate(saved(circuit), above)).toEqual(whole);
    const { startLayer: _, ...rest } = circuit.method.parameters;
    const other = { ...circuit, method: { ...circuit.method, parameters: rest } };
    expect((await evaluate(other, above)).circuit).not.toBeCloseTo(whole.circuit, 4);
    for (const startLayer of [-1, 0.5, 2]) {
      expect((await failure(find({ startLayer }))).message).toMatch(/from 0 to 1/);
    }
  });

  it('is tested again with errors treated as at first', async () => {
    const isError = ({ kind, hook }: CircuitNode) =>
      kind === 'error' && (hook === topKHook || hook === reluHook);
    const values = async (graph: CircuitGraph, nodes: readonly CircuitNode[]) => {
      const kept = nodes.map(({ id }) => id);
      return tiny.engine.evaluateCircuit({ graph: saved(graph), model: tiny.model.id, kept });
    };
    const outcomes = [];
    for (const errors of ['circuit', 'keep', 'remove'] as const) {
      const { circuit, evaluation } = await find({ errors });
      expect(circuit.method.parameters.errors).toBe(errors);
      const again = await values(circuit, circuit.nodes);
      expect(again.faithfulness).toBe(evaluation.faithfulness);
      expect(again.completeness).toBe(evaluation.completeness);
      const without = await values(
        circuit,
        circuit.nodes.filter((node) => !isError(node)),
      );
      outcomes.push([again.circuit, without.circuit]);
    }
    const [[whole, without] = [], kept, removed] = outcomes;
    expect(without).not.toBeCloseTo(whole!, 4);
    expect(kept).toEqual([whole, whole]);
    expect(removed).toEqual([without, without]);
  });

  it('is tested with errors as nodes when its file says nothing of them, and refused for what is not known', async () => {
    const [plain, { circuit }] = [await find(), await find({ errors: 'remove' })];
    const evaluate = ({ errors: _, ...rest }: CircuitGraph['method']['parameters'], more: object) => {
      const graph = { ...circuit, method: { ...circuit.method, parameters: { ...rest, ...more } } };
      const kept = circuit.nodes.map(({ id }) => id);
      return tiny.engine.evaluateCircuit({ graph, model: tiny.model.id, kept });
    };
    const { parameters } = circuit.method;
    expect((await evaluate(parameters, {})).faithfulness).toBe(plain.evaluation.faithfulness);
    expect((await failure(evaluate(parameters, { errors: 'toString' }))).message).toMatch(
      /"toString" of SAE errors, where one of circuit, keep, remove/,
    );
  });

  it('is refused in another model, with other SAEs, prompts or answers, and with nodes of nowhere', async () => {
    const { circuit } = await find();
    const { provenance, nodes, method } = circuit;
    const refused = async (changes: Partial<CircuitGraph>) => {
      const graph = { ...saved(circuit), ...changes };
      const kept = graph.nodes.map(({ id }) => id);
      return (await failure(tiny.engine.evaluateCircuit({ graph, model: tiny.model.id, kept }))).message;
    };
    const model = { ...provenance.model, hash: 'another' };
    expect(await refused({ provenance: { ...provenance, model } })).toMatch(/another model/);
    const saes = provenance.saes.map((sae) => ({ ...sae, hash: 'another' }));
    expect(await refused({ provenance: { ...provenance, saes } })).toMatch(/SAE at .* is another one/);
    expect(await refused({ pairs: { ...pair, corrupted: 'When she letter' } as PromptPairs })).toMatch(
      /prompts or answers of its task have changed since/,
    );
    const at = (changes: object) => [...nodes, { ...nodes[1]!, id: 'lost', ...changes }];
    expect(await refused({ nodes: at({ hook: 'blocks.9.hook_mlp_out', feature: undefined }) })).toMatch(
      /lost.*blocks\.9\.hook_mlp_out/,
    );
    expect(await refused({ nodes: at({ neuron: 1e6, feature: undefined }) })).toMatch(/lost.*number/);
    const pairsHash = 'another';
    const parameters = { ...method.parameters, pairsHash };
    expect(await refused({ method: { ...method, parameters } })).toMatch(/changed since/);
  });

  it('of positions is refused for prompts of other lengths, and for positions beyond them', async () => {
    const path = join(await temporaryFolder(), 'lengths.task.jsonl');
    const line = (clean: string, corrupted: string) =>
      JSON.stringify({ clean, corrupted, answer: contrast.answer, wrongAnswer: contrast.wrong });
    const lines = [
      line('When she gave', 'When she words'),
      line('When she gave the letter', 'When she gave the words'),
    ];
    await writeFile(path, lines.join('\n'));
    const { circuit } = await find({ aggregation: 'position', method: 'atp' });
    const evaluate = async (graph: CircuitGraph) => {
      const kept = graph.nodes.map(({ id }) => id);
      return (await failure(tiny.engine.evaluateCircuit({ graph, model: tiny.model.id, kept }))).message;
    };
    const pairs: PromptPairs = { kind: 'task', task: { kind: 'file', path } };
    expect(await evaluate({ ...circuit, pairs })).toMatch(/differ in length/);
    const nodes = circuit.nodes.map((node) => (node.kind === 'logit' ? node : { ...node, position: 7 }));
    expect(await evaluate({ ...circuit, nodes })).toMatch(/no position 7/);
  });

  it('has edges of exact effects only under a metric with a gradient on the clean prompt', async () => {
    for (const metric of ['accuracy', 'kl'] as const) {
      const seen: string[] = [];
      const call = { report: ({ what }: { what: string }) => void seen.push(what) };
      const request = requestOf({ method: 'exact', metric });
      const message = /leave edges out \(--no-edges\)/;
      expect((await failure(tiny.engine.findSparseCircuit(request, call))).message).toMatch(message);
      expect((await failure(tiny.engine.estimateSparseCircuit(request))).message).toMatch(message);
      expect(seen).toEqual([]);
    }
    const { circuit } = await find({ method: 'exact', metric: 'kl', edges: false });
    expect(circuit.nodes.length).toBeGreaterThan(1);
  });

  it('tells how far its edges are, over all batches', async () => {
    const path = join(await temporaryFolder(), 'batches.task.jsonl');
    const line = (clean: string, corrupted: string) =>
      JSON.stringify({ clean, corrupted, answer: contrast.answer, wrongAnswer: contrast.wrong });
    const lines = [
      line('When she gave', 'When she words'),
      line('When she gave the letter', 'When she gave the words'),
    ];
    await writeFile(path, lines.join('\n'));
    const seen: number[] = [];
    const call = {
      report: ({ what, done, total }: { what: string; done: number; total: number }) => {
        if (what === 'Edges') seen.push(done / total);
      },
    };
    const pairs: PromptPairs = { kind: 'task', task: { kind: 'file', path } };
    await tiny.engine.findSparseCircuit(requestOf({ pairs, method: 'atp' }), call);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect([seen[0], seen.at(-1)]).toEqual([0, 1]);
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
    const neuron = circuit.nodes.find(({ hook }) => hook === 'blocks.0.hook_mlp_out')!;
    expect(neuron.label).toBe(`mlp_out coordinate ${neuron.neuron}`);
    expect(circuit.edges).toEqual([]);
    const kept = circuit.nodes.map(({ id }) => id);
    const again = await tiny.engine.evaluateCircuit({ graph: saved(circuit), model: tiny.model.id, kept });
    expect(again.faithfulness).toBe(evaluation.faithfulness);
  });

  it('of features without an SAE is refused, with advice; sites without one are named so', async () => {
    const error = await failure(find({ saes: [] }));
    expect(error.code).toBe('request.invalid');
    expect(error.message).toMatch(/no SAE to take them from.*--basis neurons/);
    const { circuit } = await find({ nodeThreshold: 0, edges: false });
    const whole = circuit.nodes.filter(
      ({ kind, hook }) => kind === 'error' && hook !== topKHook && hook !== reluHook,
    );
    expect(whole.length).toBeGreaterThan(0);
    for (const { label } of whole) expect(label).toMatch(/ \d, whole site, no SAE$/);
    const errors = circuit.nodes.filter(({ kind, hook }) => kind === 'error' && hook === topKHook);
    for (const { label } of errors) expect(label).toMatch(/^SAE error, /);
  });

  it('has thresholds that go with the metric when none are given', async () => {
    const { circuit } = await find({ nodeThreshold: undefined, edgeThreshold: undefined });
    const { clean, baseline } = circuit.metric;
    expect(circuit.method.parameters.nodeThreshold).toBeCloseTo(0.0025 * Math.abs(clean - baseline), 10);
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
    const { circuit } = await find();
    const span = Math.abs(circuit.metric.clean - circuit.metric.baseline);
    const usual = await tiny.engine.sparseCircuitCurve(requestOf());
    expect(usual).toHaveLength(15);
    expect([usual[0]!.threshold / span, usual.at(-1)!.threshold / span]).toEqual([
      expect.closeTo(1e-4, 10),
      expect.closeTo(0.1, 8),
    ]);
    for (const { threshold, share } of [...usual, ...found]) expect(share).toBeCloseTo(threshold / span, 6);
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
