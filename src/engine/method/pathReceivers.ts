/** Step D of path patching: receivers get what reached them, and everything behind them follows. */
import { throwIfCancelled } from '../../shared/errors.ts';
import type { PathReceiver } from '../../shared/patchingApi.ts';
import { type FloatValue, floatsOf, floatValue } from '../graph/value.ts';
import type { HookEdit } from '../model/edits.ts';
import { names } from '../model/families/family.ts';
import { blockHookName, type StageHook } from '../model/hooks.ts';
import { advanceRows, lastPosition, runBlock } from './patchWave.ts';
import type { PathBatch } from './pathSenders.ts';
import { cutAxis, repeatRows } from './rowValues.ts';

/**
 * Final streams `[sender·pair, d_model]` of the last position. `sent` has the streams that enter the receivers' layers at
 * the batch's positions.
 */
export async function receivedRows(
  batch: PathBatch,
  receivers: readonly PathReceiver[],
  sent: ReadonlyMap<number, FloatValue>,
  signal?: AbortSignal,
): Promise<FloatValue> {
  const { orig, positions } = batch;
  const { nLayers } = orig.model.config;
  const first = Math.min(...positions.flat());
  const start = Math.min(...receivers.map(({ layer }) => layer));
  const copies = sent.get(start)!.dims[0]! / orig.rows;
  let rows = repeatRows(cutAxis(orig.residual(start), 1, first), copies);
  for (let layer = start; layer < nLayers; layer++) {
    throwIfCancelled(signal);
    const here = receivers.filter((receiver) => receiver.layer === layer);
    if (here.length === 0) {
      rows = await advanceRows(orig, layer, rows, first);
      continue;
    }
    const edits = await receiverEdits(batch, layer, here, sent.get(layer)!, first);
    rows = await runBlock(orig, layer, rows, orig.feeds(layer, first, copies), edits);
  }
  const last = lastPosition(rows);
  return floatValue(last.data, [last.dims[0]!, last.dims[2]!]);
}

/** Overwrites what the receivers of one layer read by what `stream` `[row, place, d_model]` makes of it. */
async function receiverEdits(
  batch: PathBatch,
  layer: number,
  receivers: readonly PathReceiver[],
  stream: FloatValue,
  first: number,
): Promise<Map<StageHook, HookEdit>> {
  const { orig } = batch;
  const hooks = [...new Set(receivers.map(({ input }) => `attn.hook_${input}` as const))];
  const feeds = { [names.residual]: stream };
  const values = await orig.model.stages.part({ layer, feeds, outputs: hooks });
  const edits = new Map<StageHook, HookEdit>();
  for (const hook of hooks) {
    const heads = receivers.filter(({ input }) => hook.endsWith(input)).map(({ head }) => head);
    const { keep, add } = overwriting(batch, values[hook] as FloatValue, heads, first);
    edits.set(hook, { hook: blockHookName(layer, hook), keep, add });
  }
  return edits;
}

/** keep 0 and add the value where a receiver reads, keep 1 elsewhere; `values` are `[row, place, head, d_head]`. */
function overwriting(
  { orig, positions }: PathBatch,
  values: FloatValue,
  heads: readonly number[],
  first: number,
): { keep: FloatValue; add: FloatValue } {
  const [rows = 0, places = 0, nHeads = 0, dHead = 0] = values.dims;
  const length = orig.positions - first;
  const keep = new Float32Array(rows * length * nHeads).fill(1);
  const add = new Float32Array(rows * length * nHeads * dHead);
  const data = floatsOf(values);
  for (let row = 0; row < rows; row++) {
    positions[row % positions.length]!.forEach((position, place) => {
      for (const head of heads) {
        const to = (row * length + position - first) * nHeads + head;
        const from = ((row * places + place) * nHeads + head) * dHead;
        keep[to] = 0;
        add.set(data.subarray(from, from + dHead), to * dHead);
      }
    });
  }
  return {
    keep: floatValue(keep, [rows, length, nHeads, 1]),
    add: floatValue(add, [rows, length, nHeads, dHead]),
  };
}
