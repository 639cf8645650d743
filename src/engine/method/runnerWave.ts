/** Variants of a circuit's run side by side: how they differ from a state, and what that makes of the last stream. */
import { type GraphShape, graphSizes } from './componentGraph.ts';
import { type RunnerState, repeatRows } from './runnerState.ts';

/** How variants of a state differ from it, as far as they are computed. */
export interface Wave {
  readonly state: RunnerState;
  readonly rows: number;
  /** By row: the edges that pass changes on, as `ComponentGraph.inGraph`. */
  readonly masks: readonly Uint8Array[];
  /** `[source − from, row, pair · position · d_model]`. */
  readonly changes: Float32Array;
  readonly from: number;
  /** Takes up the first row as a state of its own. */
  readonly next?: { readonly inputs: Map<number, Float32Array>; readonly writes: Float32Array };
}

/** Where the last positions of a batch's pairs lie. */
export interface Ends {
  readonly shape: GraphShape;
  readonly pairs: number;
  /** Tokens of each prompt. */
  readonly length: number;
  /** Numbers in one source's writes: `pairs · length · d_model`. */
  readonly perSource: number;
}

/** Notes what sources from number `first` on wrote, `[source, rows, n]`. */
export function takeWrites(
  { changes, from, rows, state, next }: Wave,
  first: number,
  written: Float32Array,
  n: number,
): void {
  const count = written.length / (rows * n);
  for (let i = 0, to = (first - from) * rows * n, at = 0; i < count; i++) {
    for (let row = 0; row < rows; row++) {
      const before = (first + i) * n;
      for (let j = 0; j < n; j++, to++, at++) changes[to] = written[at]! - state.writes[before + j]!;
    }
  }
  next?.writes.set(written, first * n);
}

/** `[rows, pair, d_model]` before the final norm, at the last position. */
export function finalOf({ state, rows, masks, changes, from }: Wave, ends: Ends): Float32Array {
  const { sources, destinations } = graphSizes(ends.shape);
  const start = (destinations - 1) * sources;
  const result = repeatRows(state.final, state.final.length, rows);
  for (let source = from; source < sources; source++) {
    for (let row = 0; row < rows; row++) {
      if (masks[row]![start + source] === 0) continue;
      const at = ((source - from) * rows + row) * ends.perSource;
      addLast(result, row, changes.subarray(at, at + ends.perSource), 1, ends);
    }
  }
  return result;
}

/** Adds the last position of `[pair, position, d_model]` to a row of `[rows, pair, d_model]`. */
export function addLast(
  result: Float32Array,
  row: number,
  change: Float32Array,
  sign: 1 | -1,
  { shape: { dModel }, pairs, length }: Ends,
): void {
  for (let pair = 0; pair < pairs; pair++) {
    const to = (row * pairs + pair) * dModel;
    const from = ((pair + 1) * length - 1) * dModel;
    for (let d = 0; d < dModel; d++) result[to + d]! += sign * change[from + d]!;
  }
}
