/**
 * Integrated gradients of edges along activations: what one source writes goes from its clean value to the corrupted one, all
 * else staying clean before it, and the gradients at all that read it later are averaged on the way,
 *
 *   score(u → d) = Σ_position (u' − u) · 1/m Σ_k ∂m/∂(input of d) where the source writes u + (k − ½)/m (u' − u),  k = 1…m
 *
 * (Marks et al. 2024, eq. 3, with the gradients of Hanna et al. 2024 at the readers). One run forward and backward for each
 * source. Heads go one by one: patched together, the heads of a layer hide what each of them does.
 */
import { throwIfCancelled } from '../../shared/errors.ts';
import { floatsOf, floatValue, type Value } from '../graph/value.ts';
import { gradientsAt } from '../model/gradients.ts';
import type { Transformer } from '../model/transformer.ts';
import { metricSeed } from '../task/metric.ts';
import { nodeSites } from './attributionPatching.ts';
import { readable } from './componentGraph.ts';
import { recordWrites } from './componentWrites.ts';
import { addScores, type EdgeAttributionRequest, readingHooks, type Scoring } from './edgeScoring.ts';
import type { PairBatch } from './pairBatches.ts';
import { between } from './pathGradient.ts';
import { repeatRows } from './rowValues.ts';

/** Adds the scores of a batch to the graph. @throws cancelled */
export async function scoreAlongActivations(
  model: Transformer,
  { metric, pairs, steps, sources: wanted }: EdgeAttributionRequest,
  batch: PairBatch,
  { graph, contract, report, signal }: Scoring,
): Promise<void> {
  report(0);
  const clean = await recordWrites(model, { tokens: batch.clean }, signal);
  const corrupted = await recordWrites(model, { tokens: batch.corrupted }, signal);
  const change = corrupted.writes.map((x, i) => x - clean.writes[i]!);
  const capture = nodeSites(model).map(({ hook }) => hook);
  const sources = nodeSites(model).flatMap((site) =>
    Array.from({ length: site.count }, (_, part) => ({ ...site, part })),
  );
  const [from, to] = [
    await model.run({ tokens: batch.clean, capture, logits: 'none', signal }),
    await model.run({ tokens: batch.corrupted, capture, logits: 'none', signal }),
  ];
  const shares = Array.from({ length: steps }, (_, k) => (k + 0.5) / steps);
  const repeated = shares.flatMap(() => batch.pairs);
  const reference = repeatRows(clean.logits, steps);
  for (const [source, { hook, layer, part, count }] of sources.entries()) {
    throwIfCancelled(signal);
    if (wanted && !wanted.includes(source)) continue;
    const own = from.hooks.get(hook)!;
    const edits = [
      { hook, keep: 0, add: between(own, exchanged(own, to.hooks.get(hook)!, part, count), shares) },
    ];
    const start = { layer, residual: repeatRows(clean.residuals[layer]!, steps) };
    const run = await model.run({ from: start, edits, logits: 'last', signal });
    const readers = readingHooks(model).filter((reader) => readable(graph.shape, reader.first) > source);
    const gradients = await gradientsAt(model, {
      residuals: run.residuals,
      edits,
      seed: metricSeed(metric, batch.length - 1, run.logits!, repeated, reference),
      hooks: readers.map((reader) => reader.hook),
      signal,
    });
    for (const reader of readers) {
      await addScores(graph, contract, {
        change,
        gradient: meanOverSteps(gradients.get(reader.hook)!, steps),
        first: reader.first,
        weight: 1 / pairs.length,
        from: { first: source, count: 1 },
      });
    }
    report((source + 1) / sources.length);
  }
}

/** `a` with one of the `count` heads of `[row, position, head, …]` taken from `b`; all of `b` where there are no heads. */
function exchanged(a: Value, b: Value, head: number, count: number): Value {
  if (count === 1) return b;
  const [x, y] = [floatsOf(a).slice(), floatsOf(b)];
  const width = a.dims.at(-1)!;
  for (let at = head * width; at < x.length; at += count * width) x.set(y.subarray(at, at + width), at);
  return floatValue(x, a.dims);
}

/** `[step · row, …]` as its mean over the steps. */
function meanOverSteps(value: Value, steps: number): Value {
  const all = floatsOf(value);
  const mean = new Float32Array(all.length / steps);
  for (let i = 0; i < all.length; i++) mean[i % mean.length]! += all[i]! / steps;
  return floatValue(mean, [value.dims[0]! / steps, ...value.dims.slice(1)]);
}
