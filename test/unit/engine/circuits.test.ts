/** Circuits through the engine: the graph with its names and provenance, and its evaluation from the graph alone. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import type { CircuitGraph } from '../../../src/shared/circuit.ts';
import type { ModelInfo, SaeInfo } from '../../../src/shared/domain.ts';
import { miniFolder } from '../../fixtures/tinyModel.ts';
import { failure } from '../temporaryFolder.ts';
import { openTinyEngine, prompt, type TinyEngine, contrast as tinyContrast, writeSae } from './tinyEngine.ts';

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

describe('SAEs in circuits', () => {
  let look: TinyEngine;

  beforeAll(async () => {
    look = await openTinyEngine(3);
  });

  afterAll(() => look?.close());

  const find = (sae: string) =>
    look.engine.findCircuit({
      model: look.model.id,
      text: prompt,
      contrast: tinyContrast,
      saes: [sae],
      maxNodes: 400,
    });

  it('may read the stream before a block: later than the block below, earlier than the heads', async () => {
    const sae = await writeSae(look, { hookName: 'blocks.1.hook_resid_pre', prependBos: true });
    const found = await find(sae);
    const features = found.nodes.filter(({ kind }) => kind === 'feature');
    expect(features.length).toBeGreaterThan(3);
    expect(features.every(({ layer, id }) => layer === 1 && id.startsWith('feature1.resid_pre.'))).toBe(true);
    const layers = (isFeature: 'source' | 'target') => {
      const other = isFeature === 'source' ? 'target' : 'source';
      const ids = new Set(features.map(({ id }) => id));
      const met = found.edges.filter((edge) => ids.has(edge[isFeature])).map((edge) => edge[other]);
      return new Set(
        found.nodes.filter(({ id }) => met.includes(id)).map(({ kind, layer }) => `${kind}${layer}`),
      );
    };
    expect([...layers('source')]).toContain('head1');
    expect([...layers('target')]).toContain('mlp0');
    expect([...layers('target')]).not.toContain('head1');
    expect(found.provenance.saes).toEqual([
      { hook: 'blocks.1.hook_resid_pre', hash: expect.any(String), prependBos: true },
    ]);
  });

  it('are refused at hooks that are no node of a circuit', async () => {
    const sae = await writeSae(look, { hookName: 'blocks.1.hook_resid_mid' });
    expect(await failure(find(sae))).toMatchObject({
      code: 'request.invalid',
      message: expect.stringContaining('hook_resid_pre, hook_resid_post'),
    });
  });
});

describe('evaluateCircuit', () => {
  it('explains everything with every component, nothing with none', async () => {
    const all = await findCircuit({ maxNodes: 2000, saes: [] });
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
