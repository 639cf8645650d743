/** Edits that put values of some heads at one position of each row in the place of what a run computes there. */
import { type FloatValue, floatsOf, floatValue, type Value } from '../../graph/value.ts';
import type { HookEdit } from '../../model/edits.ts';
import { blockHookName } from '../../model/hooks.ts';

export interface HeadOverwrite {
  readonly layer: number;
  readonly hook: 'attn.hook_q' | 'attn.hook_z';
  readonly heads: readonly number[];
  /** `[row]`: the position that is overwritten. */
  readonly positions: readonly number[];
  /** Positions of the run. */
  readonly length: number;
  /** `[row, 1, head, d_head]`: of all heads, what stands at that position. */
  readonly values: Value;
}

/** keep 0 and add the value where it is overwritten, keep 1 elsewhere. */
export function overwriteHeads({ layer, hook, heads, positions, length, values }: HeadOverwrite): HookEdit {
  const [rows = 0, , nHeads = 0, dHead = 0] = values.dims;
  const keep = new Float32Array(rows * length * nHeads).fill(1);
  const add = new Float32Array(rows * length * nHeads * dHead);
  const data = floatsOf(values);
  for (let row = 0; row < rows; row++) {
    for (const head of heads) {
      const to = (row * length + positions[row % positions.length]!) * nHeads + head;
      const from = (row * nHeads + head) * dHead;
      keep[to] = 0;
      add.set(data.subarray(from, from + dHead), to * dHead);
    }
  }
  const keepValue: FloatValue = floatValue(keep, [rows, length, nHeads, 1]);
  return {
    hook: blockHookName(layer, hook),
    keep: keepValue,
    add: floatValue(add, [rows, length, nHeads, dHead]),
  };
}
