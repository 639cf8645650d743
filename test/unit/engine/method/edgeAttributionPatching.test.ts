/** EAP and EAP-IG: every edge's score against finite differences of a forward pass by plain loops. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  destinationAt,
  destinationName,
  edgesOf,
  nodeScores,
  sourceAt,
  sourceName,
} from '../../../../src/engine/method/componentGraph.ts';
import { attributeAllEdges } from '../../../../src/engine/method/edgeAttributionPatching.ts';
import { Transformer } from '../../../../src/engine/model/transformer.ts';
import type { TokenPair } from '../../../../src/engine/task/task.ts';
import { type TinyModel, tinyModelConfig, writeTinyModel } from '../../../fixtures/tinyModel.ts';
import { plainDifference, plainDivergence, plainEmbedding, plainFlow, tinyPairs } from './plainCircuit.ts';

const { dVocab } = tinyModelConfig;
const small = 1e-4;
let tiny: TinyModel;
let model: Transformer;

beforeAll(async () => {
  tiny = await writeTinyModel(6);
  model = await Transformer.open(tiny.folder, { threads: 1 });
});

afterAll(async () => {
  await model?.release();
  await tiny?.remove();
});

type Metric = (logits: Float64Array, pair: TokenPair, clean: Float64Array) => number;

/** The score of one edge: the slope of the metric along the source's change, at the reader alone. */
function slope(pair: TokenPair, source: string, reader: string, metric: Metric, steps: number): number {
  const [clean, corrupted] = [[...pair.clean], [...pair.corrupted]];
  const [start, other] = [plainEmbedding(tiny, clean), plainEmbedding(tiny, corrupted)];
  const [ran, otherRan] = [plainFlow(tiny, clean, start), plainFlow(tiny, corrupted, other)];
  const [before, after] = [ran.writes.get(source)!, otherRan.writes.get(source)!];
  let total = 0;
  for (let step = 1; step <= Math.max(1, steps); step++) {
    const share = steps === 0 ? 1 : step / steps;
    const at = start.map((x, i) => other[i]! + share * (x - other[i]!));
    const moved = (by: number): number => {
      const { logits } = plainFlow(tiny, clean, at, (name, stream) =>
        name === reader ? stream.map((x, i) => x + by * (after[i]! - before[i]!)) : stream,
      );
      return metric(logits, pair, ran.logits);
    };
    total += (moved(small) - moved(-small)) / (2 * small);
  }
  return total / Math.max(1, steps);
}

const difference: Metric = (logits, pair) => plainDifference(logits, dVocab, pair);
const divergence: Metric = (logits, _pair, clean) => plainDivergence(clean, logits, dVocab);

/** The same with the source on its way from clean to corrupted, at the midpoints of the steps. */
function slopeAlong(pair: TokenPair, source: string, reader: string, metric: Metric, steps: number): number {
  const [clean, corrupted] = [[...pair.clean], [...pair.corrupted]];
  const start = plainEmbedding(tiny, clean);
  const ran = plainFlow(tiny, clean, start);
  const other = plainFlow(tiny, corrupted, plainEmbedding(tiny, corrupted));
  const own = other.writes.get(source)!.map((x, i) => x - ran.writes.get(source)![i]!);
  let total = 0;
  for (let step = 0; step < steps; step++) {
    const share = (step + 0.5) / steps;
    const moved = (by: number): number => {
      const { logits } = plainFlow(tiny, clean, start, (name, stream, writes) => {
        if (!writes.has(source)) return stream;
        return stream.map((x, i) => x + (share + (name === reader ? by : 0)) * own[i]!);
      });
      return metric(logits, pair, ran.logits);
    };
    total += (moved(small) - moved(-small)) / (2 * small);
  }
  return total / steps;
}

/** Compares every `stride`th edge with the mean of its slopes over the pairs. */
async function compareEdges(
  pairs: readonly TokenPair[],
  metric: 'logitDifference' | 'kl',
  steps: number,
  stride: number,
  along: 'inputs' | 'activations' = 'inputs',
): Promise<void> {
  const graph = await attributeAllEdges(model, { pairs, metric, steps, along });
  const edges = edgesOf(graph, false);
  const plain = metric === 'kl' ? divergence : difference;
  let largest = 0;
  for (let i = 0; i < edges.length; i += stride) {
    const { source, destination, score } = edges[i]!;
    const [from, to] = [sourceAt(graph.shape, source), destinationAt(graph.shape, destination)];
    const [u, d] = [sourceName(from), destinationName(graph.shape, to)];
    const slopeOf = along === 'inputs' ? slope : slopeAlong;
    const expected = pairs.reduce((sum, pair) => sum + slopeOf(pair, u, d, plain, steps), 0) / pairs.length;
    expect(Math.abs(score - expected), `${u}->${d}: ${score}, expected ${expected}`).toBeLessThan(2e-4);
    largest = Math.max(largest, Math.abs(expected));
  }
  expect(largest).toBeGreaterThan(0.01);
}

describe('edge attribution patching', () => {
  it('gives every edge the slope of the metric along it, on one pair', () =>
    compareEdges(tinyPairs.slice(0, 1), 'logitDifference', 0, 1));

  it('takes the mean over pairs of several lengths', () => compareEdges(tinyPairs, 'logitDifference', 0, 7));

  it('integrates the gradient over the input embeddings', () =>
    compareEdges(tinyPairs.slice(0, 2), 'logitDifference', 3, 7));

  it('integrates the gradient over what each source writes', () =>
    compareEdges(tinyPairs.slice(0, 2), 'logitDifference', 2, 17, 'activations'));

  it('integrates the divergence over what each source writes', () =>
    compareEdges(tinyPairs.slice(0, 1), 'kl', 1, 23, 'activations'));

  it('integrates the divergence from the clean run', () => compareEdges(tinyPairs.slice(0, 1), 'kl', 3, 5));

  it('refuses the divergence where its gradient is zero, and metrics without one', async () => {
    const ask = (metric: 'kl' | 'accuracy') =>
      attributeAllEdges(model, { pairs: tinyPairs, metric, steps: 0 });
    await expect(ask('kl')).rejects.toThrow(/zero on the clean prompt/);
    await expect(ask('accuracy')).rejects.toThrow(/no gradient/);
  });

  it('stops when it is cancelled', async () => {
    const controller = new AbortController();
    const request = { pairs: tinyPairs, metric: 'logitDifference', steps: 50 } as const;
    const report = () => controller.abort();
    await expect(attributeAllEdges(model, request, { signal: controller.signal, report })).rejects.toThrow(
      /Cancelled/,
    );
  });
});

describe('edges out of a node', () => {
  it('add up to the slope of the metric along what the whole node writes', async () => {
    const pair = tinyPairs[0]!;
    const graph = await attributeAllEdges(model, { pairs: [pair], metric: 'logitDifference', steps: 0 });
    const found = nodeScores(graph);
    const [clean, corrupted] = [[...pair.clean], [...pair.corrupted]];
    const start = plainEmbedding(tiny, clean);
    const other = plainFlow(tiny, corrupted, plainEmbedding(tiny, corrupted));
    const ran = plainFlow(tiny, clean, start);
    for (const [source, write] of ran.writes) {
      const change = other.writes.get(source)!.map((x, i) => x - write[i]!);
      const moved = (by: number): number => {
        // All that read the stream after the source see it moved.
        const { logits } = plainFlow(tiny, clean, start, (_name, stream, writes) =>
          writes.has(source) ? stream.map((x, i) => x + by * change[i]!) : stream,
        );
        return plainDifference(logits, dVocab, pair);
      };
      const expected = (moved(small) - moved(-small)) / (2 * small);
      const index = [...ran.writes.keys()].indexOf(source);
      expect(found[index], source).toBeCloseTo(expected, 3);
    }
  });
});
