/** Circuits through the engine: the graph with its names and provenance, and its evaluation from the graph alone. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import type { CircuitGraph, ModelInfo, SaeInfo } from '../../../src/shared/domain.ts';
import { miniFolder } from '../../fixtures/tinyModel.ts';

const text = 'When Mary and John went to the store, John gave a drink to';
const counterfactual = 'When Mary and John went to the store, Mary gave a drink to';
const contrast = { answer: ' Mary', wrong: ' John' };
let engine: Engine;
let model: ModelInfo;
let saes: readonly SaeInfo[];
let graph: CircuitGraph;

beforeAll(async () => {
  engine = new Engine({ threads: 1 });
  model = await engine.openModel({ path: miniFolder });
  saes = (await engine.listSaes({ model: model.id, folders: [] })).filter(({ hook }) =>
    hook.endsWith('resid_post'),
  );
  graph = await findCircuit();
});

afterAll(() => engine.closeModel({ model: model.id }));

function findCircuit(changes: object = {}): Promise<CircuitGraph> {
  const ids = saes.map(({ id }) => id);
  return engine.findCircuit({
    model: model.id,
    text,
    counterfactual,
    contrast,
    saes: ids,
    maxNodes: 40,
    ...changes,
  });
}

describe('findCircuit', () => {
  it('says what was asked, of what, and how', async () => {
    const { tokens } = (
      await engine.analyze({ model: model.id, text, saes: [], topFeatures: 0, topPredictions: 1, edits: [] })
    ).strip;
    expect(graph).toMatchObject({ version: 1, prompt: text, counterfactual, tokens, nLayers: 4 });
    expect(graph.method).toMatchObject({ parameters: { maxNodes: 40, baseline: 'counterfactual' } });
    expect(graph.metric.name).toBe('" Mary" − " John"');
    expect(graph.provenance.saes.map(({ hook }) => hook)).toEqual(saes.map(({ hook }) => hook));
    expect(graph.provenance.model.hash).toBe(model.hash);
  });

  it('has the contrast of the clean and the other prompt', async () => {
    for (const [prompt, value] of [
      [text, graph.metric.clean],
      [counterfactual, graph.metric.baseline],
    ] as const) {
      const { contrast: found } = await engine.analyze({
        model: model.id,
        text: prompt,
        saes: [],
        topFeatures: 0,
        topPredictions: 1,
        edits: [],
        contrast,
      });
      expect(value).toBeCloseTo(found!, 3);
    }
    const zero = await findCircuit({ counterfactual: undefined, saes: [] });
    expect(zero.metric).toMatchObject({ baseline: 0 });
    expect(zero.method.parameters.baseline).toBe('zero');
  });

  it('names features by their labels, and says where these come from', async () => {
    const features = graph.nodes.filter(({ kind }) => kind === 'feature');
    expect(features.length).toBeGreaterThan(0);
    const infos = await engine.featureInfo({
      features: features.map(({ feature }) => feature!),
      logits: false,
    });
    features.forEach(({ label, labelSource, feature }, i) => {
      expect(label).toContain(String(feature!.index));
      expect(labelSource).toBe(infos[i]!.labelSource);
    });
  });

  it('survives JSON, as files of circuits need', () => {
    expect(JSON.parse(JSON.stringify(graph))).toEqual(graph);
    expect(new Set(graph.nodes.map(({ id }) => id)).size).toBe(graph.nodes.length);
    expect(graph.nodes.every(({ effect }) => Number.isFinite(effect))).toBe(true);
  });

  it('finds the same circuit again', async () => {
    expect(await findCircuit()).toEqual(graph);
  });
});

describe('evaluateCircuit', () => {
  it('explains everything with every component, nothing with none', async () => {
    const all = await findCircuit({ maxNodes: 100_000, saes: [] });
    const evaluate = (kept: readonly string[]) =>
      engine.evaluateCircuit({ graph: all, model: model.id, contrast, kept });
    const whole = await evaluate(all.nodes.map(({ id }) => id));
    expect(whole.full).toBeCloseTo(all.metric.clean, 3);
    expect(whole.circuit).toBeCloseTo(whole.full, 2);
    expect(whole.complement).toBeCloseTo(whole.empty, 2);
    const none = await evaluate(['head9.9@9', 'unknown']);
    expect(none.circuit).toBeCloseTo(none.empty, 2);
    expect(none.complement).toBeCloseTo(none.full, 2);
  });

  it('needs nothing but the graph, as after it was read from a file', async () => {
    const kept = graph.nodes.map(({ id }) => id);
    const request = { model: model.id, contrast, kept };
    const read = JSON.parse(JSON.stringify(graph)) as CircuitGraph;
    expect(await engine.evaluateCircuit({ ...request, graph: read })).toEqual(
      await engine.evaluateCircuit({ ...request, graph }),
    );
  });
});
