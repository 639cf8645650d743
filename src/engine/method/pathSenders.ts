/** Step C of path patching: what a sender's change makes of the stream while all other heads stay as they were. */
import { throwIfCancelled } from '../../shared/errors.ts';
import type { PathSender } from '../../shared/patchingApi.ts';
import { elementCount, type FloatValue, floatsOf, floatValue, type Value } from '../graph/value.ts';
import { names } from '../model/families/family.ts';
import type { TokenPair } from '../task/task.ts';
import type { BaseRun } from './baseRun.ts';
import { concatRows, repeatRows } from './rowValues.ts';

/** Pairs of equal length with their two runs, and the positions at which paths begin and end in each. */
export interface PathBatch {
  readonly pairs: readonly TokenPair[];
  readonly orig: BaseRun;
  /** The run of x_new. */
  readonly fresh: BaseRun;
  /** By pair; as many for each. */
  readonly positions: readonly (readonly number[])[];
}

export interface SendOptions {
  /** Layers whose entering streams are wanted; the number of layers stands for the final stream. */
  readonly stops: readonly number[];
  readonly freezeMlps: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Streams `[sender·pair, place, d_model]` entering every layer of `stops`, a place for each of the pair's positions.
 * Senders at or behind a stop leave the stream there as it was.
 */
export async function sendRows(
  batch: PathBatch,
  senders: readonly PathSender[],
  { stops, freezeMlps, signal }: SendOptions,
): Promise<ReadonlyMap<number, FloatValue>> {
  const { pairs, orig } = batch;
  const end = Math.max(...stops);
  const order: number[] = [];
  const result = new Map<number, FloatValue>();
  let rows: FloatValue | undefined;
  for (let layer = Math.min(...senders.map((sender) => sender.layer), ...stops); layer <= end; layer++) {
    if (stops.includes(layer)) {
      const before = gatherPositions(orig.residual(layer), batch.positions);
      result.set(layer, inSenderOrder(rows, order, { count: senders.length, pairs: pairs.length, before }));
    }
    if (layer === end) break;
    throwIfCancelled(signal);
    if (rows) rows = await follow(batch, layer, rows, freezeMlps);
    const joining = await sendFrom(batch, layer, senders, freezeMlps);
    if (joining.senders.length === 0) continue;
    rows = concatRows(rows ? [rows, ...joining.rows] : joining.rows);
    order.push(...joining.senders);
  }
  return result;
}

/** The streams behind a layer that its senders leave, and the senders in the order of their rows. */
async function sendFrom(
  batch: PathBatch,
  layer: number,
  senders: readonly PathSender[],
  freezeMlps: boolean,
): Promise<{ readonly senders: readonly number[]; readonly rows: readonly FloatValue[] }> {
  const here = [...senders.entries()].filter(([, sender]) => sender.layer === layer);
  const heads = here.flatMap(([i, { head }]) => (head === undefined ? [] : [{ i, head }]));
  const mlps = here.flatMap(([i, { head }]) => (head === undefined ? [i] : []));
  const rows: FloatValue[] = [];
  if (heads.length > 0) {
    rows.push(
      await sendHeads(
        batch,
        layer,
        heads.map(({ head }) => head),
        freezeMlps,
      ),
    );
  }
  if (mlps.length > 0) rows.push(repeatRows(await sendMlp(batch, layer), mlps.length));
  return { senders: [...heads.map(({ i }) => i), ...mlps], rows };
}

/** The stream behind `layer` when heads write what they do on x_new, each by itself: `[head·pair, place, d_model]`. */
async function sendHeads(
  { orig, fresh, positions }: PathBatch,
  layer: number,
  heads: readonly number[],
  freezeMlps: boolean,
): Promise<FloatValue> {
  const [z, other] = [
    gatherPositions(await orig.hook(layer, 'attn.hook_z'), positions),
    gatherPositions(await fresh.hook(layer, 'attn.hook_z'), positions),
  ];
  const [pairs = 0, places = 0, nHeads = 0, dHead = 0] = z.dims;
  const fed = repeatRows(z, heads.length);
  const data = heads.length === 1 ? fed.data.slice() : fed.data;
  const size = pairs * places;
  heads.forEach((head, i) => {
    for (let row = 0; row < size; row++) {
      const from = (row * nHeads + head) * dHead;
      data.set(other.data.subarray(from, from + dHead), (i * size * nHeads + row * nHeads + head) * dHead);
    }
  });
  const residual = repeatRows(gatherPositions(orig.residual(layer), positions), heads.length);
  const results = await orig.model.stages.part({
    layer,
    feeds: { [names.residual]: residual },
    fed: new Map([['attn.hook_z', floatValue(data, fed.dims)]]),
    outputs: [freezeMlps ? 'hook_attn_out' : 'nextResidual'],
  });
  if (!freezeMlps) return results.nextResidual as FloatValue;
  const before = gatherPositions(await orig.hook(layer, 'hook_attn_out'), positions);
  const after = gatherPositions(orig.residual(layer + 1), positions);
  return shifted(after, results.hook_attn_out!, before);
}

/** The stream behind `layer` when its MLP writes what it does on x_new: `[pair, place, d_model]`. */
async function sendMlp({ orig, fresh, positions }: PathBatch, layer: number): Promise<FloatValue> {
  const written = async (run: BaseRun) => gatherPositions(await run.hook(layer, 'hook_mlp_out'), positions);
  const after = gatherPositions(orig.residual(layer + 1), positions);
  return shifted(after, await written(fresh), await written(orig));
}

/** Rows through a block whose attention writes what it did before. */
async function follow(
  { orig, positions }: PathBatch,
  layer: number,
  rows: FloatValue,
  freezeMlps: boolean,
): Promise<FloatValue> {
  const copies = rows.dims[0]! / orig.rows;
  if (freezeMlps) {
    const [before, after] = [orig.residual(layer), orig.residual(layer + 1)];
    return shifted(gatherPositions(after, positions), rows, gatherPositions(before, positions));
  }
  const attention = gatherPositions(await orig.hook(layer, 'hook_attn_out'), positions);
  const results = await orig.model.stages.part({
    layer,
    feeds: { [names.residual]: rows },
    fed: new Map([['hook_attn_out', repeatRows(attention, copies)]]),
    outputs: ['nextResidual'],
  });
  return results.nextResidual as FloatValue;
}

/** `stream + (changed − before)`; `stream` and `before` are repeated along the rows of `changed`. */
function shifted(stream: FloatValue, changed: Value, before: FloatValue): FloatValue {
  const size = stream.data.length;
  return floatValue(
    floatsOf(changed).map((x, i) => stream.data[i % size]! + (x - before.data[i % size]!)),
    changed.dims,
  );
}

/** Rows of `order` put in the senders' own; those that have not been sent yet have `before`. */
function inSenderOrder(
  rows: FloatValue | undefined,
  order: readonly number[],
  { count, pairs, before }: { count: number; pairs: number; before: FloatValue },
): FloatValue {
  const size = before.data.length;
  const result = new Float32Array(count * size);
  for (let sender = 0; sender < count; sender++) {
    const place = order.indexOf(sender);
    const from = place < 0 ? before.data : rows!.data.subarray(place * size, (place + 1) * size);
    result.set(from, sender * size);
  }
  return floatValue(result, [count * pairs, ...before.dims.slice(1)]);
}

/** Each pair's own positions of `[pair, position, …]`: `[pair, place, …]`. */
export function gatherPositions(value: Value, positions: readonly (readonly number[])[]): FloatValue {
  const [pairs = 0, length = 0, ...rest] = value.dims;
  const places = positions[0]!.length;
  const width = elementCount(rest);
  const data = floatsOf(value);
  const result = new Float32Array(pairs * places * width);
  for (let pair = 0; pair < pairs; pair++) {
    positions[pair]!.forEach((position, place) => {
      const from = (pair * length + position) * width;
      result.set(data.subarray(from, from + width), (pair * places + place) * width);
    });
  }
  return floatValue(result, [pairs, places, ...rest]);
}
