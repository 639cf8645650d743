// Attribution graphs as the engine answers them: what is listed, what comes back, what is refused.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import { floatValue } from '../../../src/engine/graph/value.ts';
import { seededRandom } from '../../../src/engine/random.ts';
import type { SaeConfig } from '../../../src/engine/sae/format.ts';
import { writeSaeLens } from '../../../src/engine/sae/formats/saelens.ts';
import { writeCircuit } from '../../../src/shared/circuitDocument.ts';
import type { ModelInfo, Progress, SaeInfo } from '../../../src/shared/domain.ts';
import { readPublicGraph } from '../../../src/shared/publicGraphReader.ts';
import { writePublicGraph } from '../../../src/shared/publicGraphWriter.ts';
import { readCircuit } from '../../../src/shared/readCircuit.ts';
import { type TinyModel, writeTinyModel } from '../../fixtures/tinyModel.ts';

const text = 'When Mary and John went';
const dSae = 16;

let tiny: TinyModel;
let engine: Engine;
let model: ModelInfo;
let saes: readonly SaeInfo[];
let transcoders: readonly string[];

beforeAll(async () => {
  tiny = await writeTinyModel(4);
  for (let layer = 0; layer < tiny.config.nLayers; layer++) await writeTranscoder(layer, {});
  engine = new Engine();
  model = await engine.openModel({ path: tiny.folder });
  saes = await engine.listSaes({ model: model.id, folders: [] });
  transcoders = saes.filter(({ kind }) => kind === 'transcoder').map(({ id }) => id);
});

afterAll(async () => {
  await engine?.closeModel({ model: model.id });
  await tiny?.remove();
});

async function writeTranscoder(
  layer: number,
  changes: Partial<SaeConfig>,
  place = 'transcoders',
): Promise<string> {
  const { dModel } = tiny.config;
  const random = seededRandom(`${layer}`);
  const draw = (dims: readonly number[], spread: number) =>
    floatValue(
      Float32Array.from({ length: dims.reduce((a, b) => a * b) }, () => spread * random.normal()),
      dims,
    );
  const path = join(tiny.folder, place, `layer ${layer}`);
  await mkdir(path, { recursive: true });
  await writeSaeLens(
    path,
    {
      architecture: 'jumprelu',
      dIn: dModel,
      dSae,
      rescaleByDecoderNorm: false,
      applyBDecToInput: false,
      normalizeActivations: 'none',
      reshapeActivations: 'none',
      finetuningScalingFactor: false,
      dtype: 'float32',
      hookName: `blocks.${layer}.mlp.hook_in`,
      target: { kind: 'transcoder', hooks: [`blocks.${layer}.hook_mlp_out`], width: dModel },
      modelName: 'tiny',
      prependBos: false,
      metadata: {},
      extra: {},
      ...changes,
    },
    {
      W_enc: draw([dModel, dSae], 0.3),
      b_enc: draw([dSae], 0.2),
      W_dec: draw([dSae, dModel], 0.3),
      b_dec: draw([dModel], 0.2),
      threshold: floatValue(new Float32Array(dSae).fill(0.1)),
    },
  );
  return path;
}

describe('transcoders beside a model', () => {
  it('are listed as transcoders, with what they read and write', () => {
    const listed = saes.filter(({ kind }) => kind === 'transcoder');
    expect(listed.map(({ hook, hookOut, problem }) => ({ hook, hookOut, problem }))).toEqual([
      { hook: 'blocks.0.mlp.hook_in', hookOut: 'blocks.0.hook_mlp_out', problem: undefined },
      { hook: 'blocks.1.mlp.hook_in', hookOut: 'blocks.1.hook_mlp_out', problem: undefined },
    ]);
    expect(saes).toHaveLength(listed.length + tiny.saes.size);
  });
});

describe('Engine.attributionGraph', () => {
  it('gives a circuit whose edges join its nodes, from tokens to logits', async () => {
    const found = await engine.attributionGraph({ model: model.id, text, transcoders, maxLogits: 2 });
    const { circuit } = found;
    const byId = new Map(circuit.nodes.map((node) => [node.id, node]));
    expect(byId.size).toBe(circuit.nodes.length);
    expect(circuit.nodes.filter(({ kind }) => kind === 'token')).toHaveLength(circuit.tokens.length);
    const logits = circuit.nodes.filter(({ kind }) => kind === 'logit');
    expect(logits).toHaveLength(2);
    expect(circuit.metric.clean).toBeCloseTo(
      logits.reduce((sum, { probability = 0 }) => sum + probability, 0),
      9,
    );
    for (const { source, target, weight } of circuit.edges) {
      expect(byId.get(source)!.layer).toBeLessThan(byId.get(target)!.layer);
      expect(byId.get(source)!.position).toBeLessThanOrEqual(byId.get(target)!.position);
      expect(weight).not.toBe(0);
    }
    for (const { kind, feature, activation } of circuit.nodes) {
      if (kind !== 'feature') continue;
      expect(transcoders).toContain(feature?.sae);
      expect(activation).toBeGreaterThan(0.1);
    }
    expect(found.allNodes).toBeGreaterThan(circuit.nodes.length);
    expect(circuit.method).toMatchObject({
      name: 'attribution graph',
      parameters: { nodeThreshold: 0.8, firstPosition: 'kept', replacementScore: found.replacementScore },
    });
    expect(circuit.provenance.saes).toHaveLength(2);
  });

  it('is estimated with a pass back for every logit and every feature that is traced', async () => {
    const request = { model: model.id, text, transcoders, maxLogits: 2 };
    let features = 0;
    const report = ({ total, what }: Progress): void => {
      if (what === 'features traced') features = total;
    };
    await engine.attributionGraph(request, { report });
    expect(features).toBeGreaterThan(3);
    const found = await engine.estimateAttributionGraph(request);
    expect(found).toMatchObject({ forward: 1, backward: 2 + features });
    expect(found.seconds).toBeGreaterThan(0);
    expect(found.memory).toBeGreaterThan(0);
    expect(await engine.estimateAttributionGraph({ ...request, maxFeatureNodes: 3 })).toMatchObject({
      backward: 5,
    });
  });

  it('has the scores of the whole graph when nothing is pruned, as evaluating all its nodes finds them', async () => {
    const all = { nodeThreshold: 1, edgeThreshold: 1 };
    const found = await engine.attributionGraph({ model: model.id, text, transcoders, ...all });
    const kept = found.circuit.nodes.map(({ id }) => id);
    const evaluated = await engine.evaluateCircuit({ model: model.id, graph: found.circuit, kept });
    expect(evaluated.faithfulness).toBeCloseTo(found.replacementScore, 5);
    expect(evaluated.completeness).toBeCloseTo(found.completenessScore, 5);
    const none = await engine.evaluateCircuit({ model: model.id, graph: found.circuit, kept: [] });
    expect(none.faithfulness).toBe(evaluated.empty);
    expect(none.faithfulness).toBeLessThan(evaluated.faithfulness);
  });

  it('never scores better when pruned, whatever is kept', async () => {
    const ask = (nodeThreshold: number, edgeThreshold: number) =>
      engine.attributionGraph({ model: model.id, text, transcoders, nodeThreshold, edgeThreshold });
    const [whole, pruned] = [await ask(1, 1), await ask(0.6, 0.8)];
    expect(pruned.circuit.edges.length).toBeLessThan(whole.circuit.edges.length);
    const evaluate = (circuit: typeof whole.circuit, kept: readonly string[]) =>
      engine.evaluateCircuit({ model: model.id, graph: circuit, kept });
    const kept = pruned.circuit.nodes.map(({ id }) => id);
    const found = await evaluate(pruned.circuit, kept);
    expect(found.faithfulness).toBeGreaterThan(0);
    expect(found.faithfulness).toBeLessThan(pruned.replacementScore);
    expect(found.completeness).toBeLessThan(pruned.completenessScore);
    // With nothing kept: the tokens' direct effects as shares of all that enters the logits before pruning.
    const tokensToLogits = ({ nodes, edges }: typeof whole.circuit): number => {
      let [sum, all] = [0, 0];
      for (const { id, kind, probability = 0 } of whole.circuit.nodes) {
        if (kind !== 'logit') continue;
        const into = whole.circuit.edges.filter(({ target }) => target === id);
        const total = into.reduce((size, { weight }) => size + Math.abs(weight), 0);
        const tokens = new Set(nodes.flatMap((one) => (one.kind === 'token' ? [one.id] : [])));
        for (const { source, target, weight } of edges)
          if (target === id && tokens.has(source)) sum += (probability * Math.abs(weight)) / total;
        all += probability;
      }
      return sum / all;
    };
    expect((await evaluate(whole.circuit, [])).faithfulness).toBeCloseTo(tokensToLogits(whole.circuit), 5);
    expect((await evaluate(pruned.circuit, [])).faithfulness).toBeCloseTo(tokensToLogits(pruned.circuit), 5);
    // The file holds what it takes.
    const read = readCircuit('graph.circuit.json', writeCircuit(pruned.circuit));
    expect((await evaluate(read, kept)).faithfulness).toBeCloseTo(found.faithfulness, 4);
    // And so does the public schema's, with the effects as they were.
    const again = readPublicGraph('graph.json', writePublicGraph(pruned.circuit).text).document;
    const effects = (graph: typeof whole.circuit) =>
      graph.nodes.map(({ effect }) => effect).sort((a, b) => a - b);
    expect(effects(again)).toEqual(effects(pruned.circuit));
    const all = again.nodes.map(({ id }) => id);
    expect((await evaluate(again, all)).faithfulness).toBeCloseTo(found.faithfulness, 6);
  });

  it('explains the answers that are asked for', async () => {
    const answers = ['M', 'e'];
    const { circuit } = await engine.attributionGraph({ model: model.id, text, transcoders, answers });
    expect(circuit.nodes.filter(({ kind }) => kind === 'logit').map(({ label }) => label)).toEqual([
      'M',
      'e',
    ]);
  });

  it('leaves the first position out where it is a beginning-of-sequence token, or when told to', async () => {
    const told = await engine.attributionGraph({ model: model.id, text, transcoders, leaveFirst: true });
    const atFirst = told.circuit.nodes.filter(
      ({ kind, position }) => position === 0 && (kind === 'feature' || kind === 'error'),
    );
    expect(atFirst).toEqual([]);
    expect(told.circuit.method.parameters.firstPosition).toBe('left out');
  });

  it.each([
    ['no transcoders', { transcoders: [] }, /needs transcoders/],
    ['a share above 1', { nodeThreshold: 1.2 }, /from 0 to 1/],
    ['no features', { maxFeatureNodes: 0 }, /at least 1/],
    ['an empty list of answers', { answers: [] }, /empty/],
    ['one answer twice', { answers: ['M', 'M'] }, /same token/],
  ])('refuses %s', async (_, change, message) => {
    const attempt = engine.attributionGraph({ model: model.id, text, transcoders, ...change });
    await expect(attempt).rejects.toMatchObject({
      code: 'request.invalid',
      message: expect.stringMatching(message),
    });
  });

  it('refuses SAEs, two transcoders of one layer, and transcoders of other places', async () => {
    const sae = saes.find(({ kind }) => kind === 'sae')!.id;
    const twin = await writeTranscoder(1, {}, 'others');
    const { dModel } = tiny.config;
    const elsewhere = await writeTranscoder(
      0,
      { target: { kind: 'transcoder', hooks: ['blocks.1.hook_attn_out'], width: dModel } },
      'odd',
    );
    const normalizing = await writeTranscoder(0, { normalizeActivations: 'layer_norm' }, 'normalizing');
    for (const [chosen, message] of [
      [[sae], /take transcoders/],
      [[...transcoders, twin], /one for each layer/],
      [[elsewhere], /read its layer's MLP/],
      [[normalizing], /not linear/],
    ] as const) {
      const attempt = engine.attributionGraph({ model: model.id, text, transcoders: chosen });
      await expect(attempt).rejects.toMatchObject({
        code: 'request.invalid',
        message: expect.stringMatching(message),
      });
    }
  });
});
