/**
 * Direct edges between nodes of a sparse feature circuit (Marks et al. 2024, §3.2 and appendix A.1): with g the gradient of the
 * metric at a target's activation (what its own effect was estimated with), the edge from u to d is
 * `g · (∂f_d/∂u)(u' − u)`, the derivative taken on the clean run along direct paths alone. Sites in between are held: stops are
 * `[…]` in attention → stream, MLP → stream, attention → MLP, stream before → MLP [attention], → attention,
 * → stream [attention, MLP]. Where attention and MLP work side by side there is no edge between them.
 */
import type { CallOptions } from '../../../shared/callOptions.ts';
import { throwIfCancelled } from '../../../shared/errors.ts';
import { floatsOf, floatValue } from '../../graph/value.ts';
import { blockGradient } from '../../model/gradients.ts';
import type { BlockHook } from '../../model/hooks.ts';
import type { Transformer } from '../../model/transformer.ts';
import type { SparseNode } from './effectTable.ts';
import type { GradientRun } from './nodeEffects.ts';
import { type SiteValues, visitRow } from './siteValues.ts';
import type { SparseSite } from './sparseSites.ts';

/** An edge between nodes, by their places in the list of nodes. */
export interface SparseEdge {
  readonly source: number;
  readonly target: number;
  readonly weight: number;
}

export interface EdgeRequest {
  readonly sites: readonly SparseSite[];
  readonly nodes: readonly SparseNode[];
  /** Pairs of all batches together. */
  readonly pairs: number;
  /** False when nodes stand for all positions. */
  readonly byPosition: boolean;
}

/** Tokens whose gradients are computed side by side. */
const gradientTokens = 4096;

/** Readings that are computed side by side. */
const readingsAtOnce = 2048;

/** Sums up edges among nodes batch by batch; weights are means over pairs. */
export class EdgeSums {
  private readonly sites: readonly SparseSite[];
  private readonly nodes: readonly SparseNode[];
  private readonly pairs: number;
  private readonly byPosition: boolean;
  private readonly weights: Float64Array;
  /** Of batches that were added, for the progress. */
  private pairsDone = 0;
  /** By site: numbers of its nodes by `[place, unit]`. */
  private readonly numbers: readonly ReadonlyMap<number, number>[];

  constructor(
    private readonly model: Transformer,
    { sites, nodes, pairs, byPosition }: EdgeRequest,
  ) {
    this.sites = sites;
    this.nodes = nodes;
    this.pairs = pairs;
    this.byPosition = byPosition;
    this.weights = new Float64Array(nodes.length ** 2);
    this.numbers = sites.map((_, site) => {
      const own = nodes.flatMap((node, number) =>
        node.site === site ? [[this.key(node.unit, node.place), number] as const] : [],
      );
      return new Map(own);
    });
  }

  /** Edges whose |weight| is above `threshold`. */
  edges(threshold: number): SparseEdge[] {
    const count = this.nodes.length;
    const found: SparseEdge[] = [];
    this.weights.forEach((weight, at) => {
      if (Math.abs(weight) <= threshold) return;
      found.push({ source: Math.floor(at / count), target: at % count, weight });
    });
    return found;
  }

  /** Adds what one batch tells. */
  async add(run: GradientRun, { signal, report }: CallOptions = {}): Promise<void> {
    for (const [index, values] of run.sites.entries()) {
      throwIfCancelled(signal);
      const done = this.pairsDone + (run.batch.pairs.length * index) / run.sites.length;
      report?.({ done, total: this.pairs, what: 'Edges' });
      if (this.numbers[index]!.size === 0) continue;
      const readings = await this.readings(index, values, run);
      const { kind } = values.site;
      if (kind === 'embedding' || readings.length === 0) continue;
      if (kind === 'residual') this.addLocal(index, readings, run);
      else await this.addThroughBlock(index, readings, run, signal);
    }
    this.pairsDone += run.batch.pairs.length;
    report?.({ done: this.pairsDone, total: this.pairs, what: 'Edges' });
  }

  private key(unit: number, place: number): number {
    return place * 2 ** 31 + unit;
  }

  /** The node's number, when a unit at a position belongs to one. */
  private numberOf(site: number, unit: number, position: number): number | undefined {
    return this.numbers[site]!.get(this.key(unit, this.byPosition ? position : 0));
  }

  /** The gradient with respect to the site's own value of what each node there contributes, row by row. */
  private async readings(index: number, values: SiteValues, run: GradientRun): Promise<Reading[]> {
    const { site, value, active, directions, scales } = values;
    const { length } = run.batch;
    const gradient = run.gradients[index]!;
    const width = gradient.length / scales.length;
    const readings: Reading[] = [];
    const asked: { row: number; feature: number; target: number; slope: number }[] = [];
    for (let row = 0; row < scales.length; row++) {
      visitRow(active, row, (entry, feature) => {
        const target = this.numberOf(index, feature, row % length);
        if (target === undefined || active.clean[entry] === 0) return;
        const slope = scales[row]! * directions.dot(feature, gradient, row * width);
        asked.push({ row, feature, target, slope });
      });
    }
    for (let start = 0; start < asked.length; start += readingsAtOnce) {
      const part = asked.slice(start, start + readingsAtOnce);
      const rows = await site.dictionary.readings(value, part);
      part.forEach(({ row, target, slope }, i) => {
        readings.push({ target, row, field: rows.slice(i * width, (i + 1) * width).map((x) => slope * x) });
      });
    }
    return [...readings, ...(await this.errorReadings(index, values, run))];
  }

  private async errorReadings(index: number, values: SiteValues, run: GradientRun): Promise<Reading[]> {
    const { dictionary } = values.site;
    if (!dictionary.hasError) return [];
    const rows = values.scales.length;
    const targets = Array.from({ length: rows }, (_, row) =>
      this.numberOf(index, dictionary.width, row % run.batch.length),
    );
    if (targets.every((target) => target === undefined)) return [];
    const all = await dictionary.errorReading(values.value, run.gradients[index]!);
    const width = all.length / rows;
    return targets.flatMap((target, row) =>
      target === undefined ? [] : [{ target, row, field: all.slice(row * width, (row + 1) * width) }],
    );
  }

  /** The stream is a sum: its gradient is that of each summand. */
  private addLocal(index: number, readings: readonly Reading[], run: GradientRun): void {
    const sources = sourcesOf(this.sites, index, this.model.config.parallel);
    for (const { target, row, field } of readings) {
      for (const source of sources) this.addRow(source, target, { row, field, start: 0 }, run);
    }
  }

  /** Attention and MLP: one backward pass through the sublayer for each target and pair. */
  private async addThroughBlock(
    index: number,
    readings: readonly Reading[],
    run: GradientRun,
    signal?: AbortSignal,
  ): Promise<void> {
    const { length } = run.batch;
    const site = this.sites[index]!;
    const sources = sourcesOf(this.sites, index, this.model.config.parallel);
    const seeds = [...groupByPair(readings, length).values()];
    const size = Math.max(1, Math.floor(gradientTokens / length));
    for (let start = 0; start < seeds.length; start += size) {
      throwIfCancelled(signal);
      const part = seeds.slice(start, start + size);
      const fields = await this.fieldsBefore(site, part, run);
      const width = fields.length / (part.length * length);
      part.forEach(({ target, pair }, i) => {
        for (let position = 0; position < length; position++) {
          const at = { row: pair * length + position, field: fields, start: (i * length + position) * width };
          for (const source of sources) this.addRow(source, target, at, run);
        }
      });
    }
  }

  /** Gradients at what the sublayer reads, `[seed, position, d_model]`. */
  private async fieldsBefore(
    { layer, place, kind }: SparseSite,
    seeds: readonly PairSeed[],
    run: GradientRun,
  ): Promise<Float32Array> {
    const { length } = run.batch;
    const residual = run.residuals[layer]!;
    const dModel = residual.dims[2]!;
    const size = length * dModel;
    const [streams, gradients] = [
      new Float32Array(seeds.length * size),
      new Float32Array(seeds.length * size),
    ];
    seeds.forEach(({ pair, readings }, i) => {
      streams.set(floatsOf(residual).subarray(pair * size, (pair + 1) * size), i * size);
      for (const { row, field } of readings) gradients.set(field, i * size + (row % length) * dModel);
    });
    const dims = [seeds.length, length, dModel];
    const read: BlockHook = kind === 'mlp' ? 'hook_mlp_in' : 'hook_resid_pre';
    const results = await blockGradient(this.model, {
      layer,
      residual: floatValue(streams, dims),
      seeds: new Map([[place, floatValue(gradients, dims)]]),
      hooks: [read],
    });
    return floatsOf(results[read]!);
  }

  /** Adds what nodes of `source` write at a row, read along a field. */
  private addRow(
    source: number,
    target: number,
    { row, field, start }: { readonly row: number; readonly field: Float32Array; readonly start: number },
    run: GradientRun,
  ): void {
    if (this.numbers[source]!.size === 0) return;
    const { site, active, directions, scales, errorChange } = run.sites[source]!;
    const position = row % run.batch.length;
    const add = (unit: number, effect: () => number): void => {
      const number = this.numberOf(source, unit, position);
      if (number === undefined) return;
      this.weights[number * this.nodes.length + target]! += effect() / this.pairs;
    };
    visitRow(active, row, (entry, feature) => {
      add(feature, () => scales[row]! * active.change[entry]! * directions.dot(feature, field, start));
    });
    if (!errorChange) return;
    const width = errorChange.length / scales.length;
    add(site.dictionary.width, () => {
      let sum = 0;
      for (let d = 0; d < width; d++) sum += errorChange[row * width + d]! * field[start + d]!;
      return sum;
    });
  }
}

/** How a node at one row reads the site's value: `[d_model]`. */
interface Reading {
  readonly target: number;
  readonly row: number;
  readonly field: Float32Array;
}

/** All readings of one node in one pair. */
interface PairSeed {
  readonly target: number;
  readonly pair: number;
  readonly readings: Reading[];
}

function groupByPair(readings: readonly Reading[], length: number): Map<string, PairSeed> {
  const seeds = new Map<string, PairSeed>();
  for (const reading of readings) {
    const { target, row } = reading;
    const pair = Math.floor(row / length);
    const key = `${target} ${pair}`;
    const seed = seeds.get(key) ?? { target, pair, readings: [] };
    seeds.set(key, seed);
    seed.readings.push(reading);
  }
  return seeds;
}

/** The sites that a site reads directly. */
export function sourcesOf(sites: readonly SparseSite[], target: number, parallel: boolean): number[] {
  const { kind, layer } = sites[target]!;
  const find = (wanted: SparseSite['kind'], at: number): number =>
    sites.findIndex((site) => site.kind === wanted && site.layer === at);
  const before = layer === 0 ? find('embedding', 0) : find('residual', layer - 1);
  const attention = find('attention', layer);
  if (kind === 'embedding') return [];
  if (kind === 'attention') return [before];
  if (kind === 'mlp') return parallel ? [before] : [before, attention];
  return [before, attention, find('mlp', layer)];
}
