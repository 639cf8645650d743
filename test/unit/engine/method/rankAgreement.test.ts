/** Attribution against exact patching on the embedded model and indirect objects: how far they agree in rank. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { floatsOf, floatValue } from '../../../../src/engine/graph/value.ts';
import { LoadedModel } from '../../../../src/engine/loadedModel.ts';
import { acdc } from '../../../../src/engine/method/acdc.ts';
import { attributeAllNodes, nodeSites } from '../../../../src/engine/method/attributionPatching.ts';
import { evaluateGraph, exactEdgeEffects } from '../../../../src/engine/method/circuitMetric.ts';
import { edgesOf, fullGraph, graphSizes, nodeScores } from '../../../../src/engine/method/componentGraph.ts';
import { attributeAllEdges } from '../../../../src/engine/method/edgeAttributionPatching.ts';
import { rankCorrelation } from '../../../../src/engine/method/rankCorrelation.ts';
import { selectEdges } from '../../../../src/engine/method/selectEdges.ts';
import type { Transformer } from '../../../../src/engine/model/transformer.ts';
import { loadTask } from '../../../../src/engine/task/loadTask.ts';
import { metricValues } from '../../../../src/engine/task/metric.ts';
import type { TokenPair } from '../../../../src/engine/task/task.ts';
import { miniFolder } from '../../../fixtures/tinyModel.ts';

const metric = 'logitDifference';
/** Prompts whose counterfactual names the other person as the giver, so that the other answer becomes right. */
const source = {
  kind: 'generator',
  name: 'ioi',
  count: 30,
  seed: 1,
  options: { counterfactual: 'swapped' },
} as const;

let loaded: LoadedModel;
let model: Transformer;
let pairs: readonly TokenPair[];

beforeAll(async () => {
  loaded = await LoadedModel.open(miniFolder);
  model = loaded.transformer;
  const tokenized = { tokenizer: loaded.tokenizer, bos: loaded.bos, nContext: loaded.info.nContext };
  const { task } = await loadTask(source, tokenized);
  // Four of one length run together.
  const lengths = task.pairs.map(({ clean }) => clean.length);
  const length = lengths.find((n) => lengths.filter((other) => other === n).length >= 4);
  pairs = task.pairs.filter(({ clean }) => clean.length === length).slice(0, 4);
});

afterAll(() => loaded?.release());

const sizes = (values: ArrayLike<number>) => Array.from(values, Math.abs);

/** Metric with one node patched in at all positions, minus the clean metric, for every node. */
async function exactNodes(): Promise<number[]> {
  const tokens = pairs.map(({ clean }) => clean);
  const capture = nodeSites(model).map(({ hook }) => hook);
  const clean = await model.run({ tokens, logits: 'last' });
  const other = await model.run({ tokens: pairs.map(({ corrupted }) => corrupted), capture, logits: 'none' });
  const mean = (values: Float64Array) => values.reduce((sum, x) => sum + x, 0) / values.length;
  const before = mean(metricValues(metric, clean.logits!, pairs));
  const effects: number[] = [];
  for (const { hook, count } of nodeSites(model)) {
    const value = other.hooks.get(hook)!;
    const width = value.dims.at(-1)!;
    const isHeads = value.dims.length === 4;
    for (let node = 0; node < count; node++) {
      const keep = floatValue(
        Array.from({ length: count }, (_, i) => (i === node ? 0 : 1)),
        isHeads ? [1, 1, count, 1] : [1, 1, 1],
      );
      const add = floatsOf(value).map((x, i) => (Math.floor(i / width) % count === node ? x : 0));
      const edits = [{ hook, keep, add: floatValue(add, value.dims) }];
      const run = await model.run({ tokens, edits, logits: 'last' });
      effects.push(mean(metricValues(metric, run.logits!, pairs)) - before);
    }
  }
  return effects;
}

describe('on indirect objects, attribution of the embedded model', () => {
  it('ranks nodes as exact patching does', async () => {
    const exact = await exactNodes();
    const found = async (integrate: Parameters<typeof attributeAllNodes>[1]['integrate']) =>
      rankCorrelation((await attributeAllNodes(model, { pairs, metric, integrate })).effects, exact);
    const [plain, inputs, activations] = [
      await found({ along: 'none' }),
      await found({ along: 'inputs', steps: 5 }),
      await found({ along: 'activations', steps: 5 }),
    ];
    expect(plain).toBeGreaterThan(0.8);
    expect(inputs).toBeGreaterThan(0.8);
    expect(activations).toBeGreaterThan(0.8);
  });

  it('ranks edges as exact patching does: by effect without, by size with integrated gradients', async () => {
    const { sources } = graphSizes(model.config);
    const asked = edgesOf(fullGraph(model.config), false)
      .filter((_, i) => i % 5 === 0)
      .map(({ source, destination }) => destination * sources + source);
    const exact = await exactEdgeEffects(model, { pairs, metric }, asked);
    const scores = async (steps: number, along: 'inputs' | 'activations' = 'inputs') => {
      const graph = await attributeAllEdges(model, { pairs, metric, steps, along });
      return asked.map((at) => graph.scores[at]!);
    };
    const [eap, integrated] = [await scores(0), await scores(5)];
    const ofSources = await scores(2, 'activations');
    expect(rankCorrelation(ofSources, exact)).toBeGreaterThan(0.8);
    expect(rankCorrelation(sizes(ofSources), sizes(exact))).toBeGreaterThan(0.9);
    expect(rankCorrelation(eap, exact)).toBeGreaterThan(0.8);
    expect(rankCorrelation(sizes(eap), sizes(exact))).toBeGreaterThan(0.8);
    // Averaged along the way to the corrupted prompt, small effects change their sign: the size is what agrees.
    expect(rankCorrelation(sizes(integrated), sizes(exact))).toBeGreaterThan(0.8);
    expect(rankCorrelation(integrated, exact)).toBeGreaterThan(0.5);
  });

  it('ranks nodes as exact patching does, by the sums of their edges along activations', async () => {
    const graph = await attributeAllEdges(model, { pairs, metric, steps: 3, along: 'activations' });
    expect(rankCorrelation(nodeScores(graph), await exactNodes())).toBeGreaterThan(0.95);
  });

  it('lets ACDC keep the strongest edges, and ranks those that it tried by size as exact patching does', async () => {
    const { graph } = await acdc(model, { pairs, metric: 'kl', threshold: 0.001 });
    const tried = Array.from(graph.scores.keys()).filter((at) => graph.scores[at] !== 0);
    const exact = await exactEdgeEffects(model, { pairs, metric: 'kl' }, tried);
    const rises = tried.map((at) => graph.scores[at]!);
    expect(rankCorrelation(sizes(rises), sizes(exact))).toBeGreaterThan(0.8);
    const bySize = [...tried.keys()].sort((a, b) => exact[b]! - exact[a]!);
    const kept = bySize.map((i) => graph.inGraph[tried[i]!] === 1);
    const count = kept.filter(Boolean).length;
    expect(count).toBeGreaterThan(3);
    expect(kept.slice(0, 3 * count).filter(Boolean)).toHaveLength(count);
  });

  it('keeps a circuit of 50 of 1519 edges that does the task', async () => {
    const scored = await attributeAllEdges(model, { pairs, metric, steps: 5 });
    const graph = selectEdges(scored, { kind: 'top', count: 50 });
    const { faithfulness } = await evaluateGraph(model, graph, { pairs, metric });
    expect(edgesOf(graph, false)).toHaveLength(1519);
    expect(faithfulness).toBeGreaterThan(0.8);
    expect(faithfulness).toBeLessThan(1.2);
  });
});
