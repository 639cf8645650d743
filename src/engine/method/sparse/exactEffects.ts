/** Exact effects of nodes: each is given its value of the corrupted prompt by itself, and the model runs on from there. */
import type { CallOptions } from '../../../shared/callOptions.ts';
import { throwIfCancelled } from '../../../shared/errors.ts';
import type { TaskMetric } from '../../../shared/task.ts';
import { type FloatValue, floatsOf, floatValue } from '../../graph/value.ts';
import type { Transformer } from '../../model/transformer.ts';
import { metricValue } from '../../task/metric.ts';
import type { TokenPair } from '../../task/task.ts';
import { BaseRun } from '../baseRun.ts';
import { rowsBehind } from '../cellRows.ts';
import { carryRows, readRows } from '../patchWave.ts';
import { concatRows, cutAxis, repeatRows } from '../rowValues.ts';
import type { EffectTable } from './effectTable.ts';
import { type BatchRun, type SiteValues, visitRow } from './siteValues.ts';

/** Positions of all rows of a wave together, at most. */
const waveTokens = 4096;

/** One node at one position of one pair: what its move to the corrupted value adds to the site's row. */
interface Move {
  readonly site: number;
  readonly unit: number;
  addTo(target: Float32Array, start: number): void;
}

interface Target {
  readonly table: EffectTable;
  readonly request: { readonly pairs: readonly TokenPair[]; readonly metric: TaskMetric };
  /** Pairs that are done already, for the progress. */
  readonly before: number;
}

/** Adds the effects on a batch to the table; every active node at every position takes a run of its own. */
export async function addExactEffects(
  model: Transformer,
  run: BatchRun,
  { table, request, before }: Target,
  { signal, report }: CallOptions,
): Promise<void> {
  const { pairs, length } = run.batch;
  const { dVocab } = model.config;
  const logits = floatsOf(run.logits);
  const total = request.pairs.length;
  for (const [i, pair] of pairs.entries()) {
    const base = await BaseRun.of(model, [pair.clean], signal);
    const reference = logits.subarray(i * dVocab, (i + 1) * dVocab);
    const metricOf = (row: Float32Array) => metricValue(request.metric, row, pair, reference);
    const clean = metricOf(floatsOf(base.logits));
    for (let position = 0; position < length; position++) {
      report?.({ done: before + i + position / length, total, what: 'Patching single nodes' });
      const moves = movesAt(run.sites, i * length + position);
      const open = moves.filter(({ isStill }) => !isStill);
      const size = Math.max(1, Math.floor(waveTokens / (length - position)));
      for (let start = 0; start < open.length; start += size) {
        const wave = open.slice(start, start + size);
        const values = await runMoves(base, run.sites, { wave, position, metricOf }, signal);
        wave.forEach(({ site, unit }, at) => {
          table.add(site, unit, position, (values[at]! - clean) / request.pairs.length);
        });
      }
    }
  }
}

/** Runs that exact effects of a batch take: nodes at a position of a pair that move at all. */
export function countMoves({ sites, batch }: BatchRun): number {
  let count = 0;
  for (let row = 0; row < batch.pairs.length * batch.length; row++) {
    for (const { isStill } of movesAt(sites, row)) if (!isStill) count++;
  }
  return count;
}

/** The nodes of one row, site by site; `isStill` where nothing moves, as before the prompts differ. */
function movesAt(sites: readonly SiteValues[], row: number): (Move & { isStill: boolean })[] {
  const moves: (Move & { isStill: boolean })[] = [];
  for (const [index, { site, active, directions, scales, errorChange }] of sites.entries()) {
    visitRow(active, row, (entry, feature) => {
      const by = scales[row]! * active.change[entry]!;
      const addTo: Move['addTo'] = (target, start) => directions.addTo(feature, by, target, start);
      moves.push({ site: index, unit: feature, addTo, isStill: by === 0 });
    });
    if (!errorChange) continue;
    const width = errorChange.length / scales.length;
    const change = errorChange.subarray(row * width, (row + 1) * width);
    const addTo: Move['addTo'] = (target, start) => {
      for (let d = 0; d < width; d++) target[start + d]! += change[d]!;
    };
    moves.push({ site: index, unit: site.dictionary.width, addTo, isStill: change.every((x) => x === 0) });
  }
  return moves;
}

/** The metric with each move made by itself. */
async function runMoves(
  base: BaseRun,
  sites: readonly SiteValues[],
  work: {
    readonly wave: readonly Move[];
    readonly position: number;
    metricOf(logits: Float32Array): number;
  },
  signal?: AbortSignal,
): Promise<Float64Array> {
  const { wave, position, metricOf } = work;
  throwIfCancelled(signal);
  const groups = [...new Set(wave.map(({ site }) => site))].map((site) => {
    const own = wave.filter((move) => move.site === site);
    const { layer, place: hook } = sites[site]!.site;
    const enter = async () =>
      rowsBehind(
        base,
        { layer, hook },
        moved(cutAxis(await base.hook(layer, hook), 1, position), own),
        position,
      );
    return { layer, enter };
  });
  const streams = await carryRows(base, groups, { first: position, signal });
  const values = new Float64Array(wave.length);
  const see = (logits: Float32Array, row: number): void => {
    values[row] = metricOf(logits);
  };
  await readRows(base, concatRows(streams), see, signal);
  return values;
}

/** The value `[1, position, d_model]` once for each move, which is made at the first position. */
function moved(value: FloatValue, moves: readonly Move[]): FloatValue {
  const rows = repeatRows(value, moves.length);
  const data = moves.length === 1 ? rows.data.slice() : rows.data;
  const size = value.data.length;
  for (const [i, move] of moves.entries()) move.addTo(data, i * size);
  return floatValue(data, rows.dims);
}
