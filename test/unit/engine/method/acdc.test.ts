/** ACDC: the same circuit as one edge at a time by plain loops; early ends; progress and cancelling. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acdc } from '../../../../src/engine/method/acdc.ts';
import { edgeCount, edgesOf, fullGraph } from '../../../../src/engine/method/componentGraph.ts';
import { pruneLoose } from '../../../../src/engine/method/selectEdges.ts';
import { Transformer } from '../../../../src/engine/model/transformer.ts';
import type { TokenPair } from '../../../../src/engine/task/task.ts';
import { type TinyModel, tinyModelConfig, writeTinyModel } from '../../../fixtures/tinyModel.ts';
import { plainCircuit, plainDifference, plainDivergence, tinyPairs } from './plainCircuit.ts';

const { dVocab } = tinyModelConfig;
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

/** ACDC by the book: whole circuits run anew for every edge. Answers the names of the edges that stay. */
function plainAcdc(pair: TokenPair, metric: 'kl' | 'logitDifference', threshold: number): string[] {
  const all = edgesOf(fullGraph(model.config), false);
  const kept = new Set(all.map(({ name }) => name));
  const run = () => plainCircuit(tiny, pair, (source, reader) => kept.has(`${source}->${reader}`));
  const clean = run();
  const lossOf = (logits: Float64Array) =>
    metric === 'kl' ? plainDivergence(clean, logits, dVocab) : -plainDifference(logits, dVocab, pair);
  let loss = lossOf(clean);
  const readers = [...new Set(all.map(({ name }) => name.split('->')[1]!))].reverse();
  for (const reader of readers) {
    const sources = all.filter(({ name }) => name.endsWith(`->${reader}`)).reverse();
    const node = reader.replace(/<.>$/, '');
    const isHeard = node === 'logits' || [...kept].some((name) => name.startsWith(`${node}->`));
    for (const { name } of sources) {
      kept.delete(name);
      if (!isHeard) continue;
      const next = lossOf(run());
      if (next - loss < threshold) loss = next;
      else kept.add(name);
    }
  }
  return all.filter(({ name }) => kept.has(name)).map(({ name }) => name);
}

describe('ACDC', () => {
  it.each([
    ['kl', 0.01],
    ['logitDifference', 0.01],
  ] as const)('keeps the edges that one edge at a time keeps (%s)', async (metric, threshold) => {
    const pair = tinyPairs[0]!;
    const { graph, tried } = await acdc(model, { pairs: [pair], metric, threshold });
    const byTheBook = new Set(plainAcdc(pair, metric, threshold));
    const all = fullGraph(model.config);
    const expected = pruneLoose({
      ...all,
      inGraph: inGraphOf(all, byTheBook),
    });
    const names = edgesOf(graph, true).map(({ name }) => name);
    expect(names).toEqual(edgesOf(expected, true).map(({ name }) => name));
    expect(names.length).toBeGreaterThan(3);
    expect(names.length).toBeLessThan(0.9 * edgeCount(model.config));
    expect(tried).toBeLessThanOrEqual(edgeCount(model.config));
  });

  it('removes everything when nothing matters enough', async () => {
    const { graph, tried } = await acdc(model, {
      pairs: tinyPairs,
      metric: 'logitDifference',
      threshold: 1e6,
    });
    expect(edgesOf(graph, true)).toEqual([]);
    // After the logits' own edges nothing reaches them, so no other edge is tried.
    expect(tried).toBe(1 + model.config.nLayers * (model.config.nHeads + 1));
  });

  it('ends when the budget is used up', async () => {
    const request = { pairs: tinyPairs, metric: 'kl', threshold: 0.01 } as const;
    const whole = await acdc(model, request);
    const short = await acdc(model, { ...request, budget: whole.metric / 4 });
    expect(whole.stopped).toBe(false);
    expect(short.stopped).toBe(true);
    expect(edgesOf(short.graph, true).length).toBeGreaterThan(edgesOf(whole.graph, true).length);
  });

  it('reports edges up to all of them, and stops when it is cancelled', async () => {
    const controller = new AbortController();
    const seen: number[] = [];
    const report = ({ done, total }: { done: number; total: number }) => {
      expect(total).toBe(edgeCount(model.config));
      seen.push(done);
    };
    const request = { pairs: tinyPairs, metric: 'kl', threshold: 0.01 } as const;
    await acdc(model, request, { report });
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen.at(-1)).toBe(edgeCount(model.config));
    const call = { signal: controller.signal, report: () => controller.abort() };
    await expect(acdc(model, request, call)).rejects.toThrow(/Cancelled/);
  });

  it('refuses a threshold that is none', async () => {
    const request = { pairs: tinyPairs, metric: 'kl', threshold: Number.NaN } as const;
    await expect(acdc(model, request)).rejects.toThrow(/at least 0/);
  });
});

function inGraphOf(graph: ReturnType<typeof fullGraph>, names: ReadonlySet<string>): Uint8Array {
  const inGraph = new Uint8Array(graph.inGraph.length);
  const sources = 1 + graph.shape.nLayers * (graph.shape.nHeads + 1);
  for (const { name, source, destination } of edgesOf(graph, false)) {
    if (names.has(name)) inGraph[destination * sources + source] = 1;
  }
  return inGraph;
}
