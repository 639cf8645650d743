/** Rows that grow at the end, one per position, shared between a prompt's successive states without copying. */
import { type FloatValue, floatValue } from '../graph/value.ts';

interface Buffer {
  data: Float32Array;
  /** Rows that some state has written; a state may append in place only where its own rows end. */
  used: number;
}

/**
 * Immutable: `extended` returns a new state, and what earlier states see never changes. Rows that cannot be written
 * behind the ones they follow wait beside them until somebody reads across: while the last word of a prompt is typed
 * over and over, only its unchanged beginning is read, and nothing is copied.
 */
export class GrowingRows {
  readonly length: number;
  #buffer: Buffer;
  /** How many rows the buffer gives; the others wait in `#tail`. */
  #inBuffer: number;
  #tail: Float32Array | undefined;
  /** Dimensions of one row, such as `[head, d_head]`. */
  readonly #rowDims: readonly number[];
  readonly #width: number;

  private constructor(buffer: Buffer, inBuffer: number, rowDims: readonly number[], tail?: Float32Array) {
    this.#buffer = buffer;
    this.#inBuffer = inBuffer;
    this.#tail = tail;
    this.#rowDims = rowDims;
    this.#width = rowDims.reduce((product, dim) => product * dim, 1);
    this.length = inBuffer + (tail?.length ?? 0) / this.#width;
  }

  /** No rows yet. */
  static empty(rowDims: readonly number[]): GrowingRows {
    return new GrowingRows({ data: new Float32Array(0), used: 0 }, 0, rowDims);
  }

  /** The first `keep` rows followed by `rows` (row-major), which must not change any more. */
  extended(keep: number, rows: Float32Array): GrowingRows {
    this.#join(keep);
    const width = this.#width;
    const buffer = this.#buffer;
    const length = keep + rows.length / width;
    if (keep !== buffer.used || length * width > buffer.data.length) {
      return new GrowingRows(buffer, keep, this.#rowDims, rows);
    }
    buffer.data.set(rows, keep * width);
    buffer.used = length;
    return new GrowingRows(buffer, length, this.#rowDims);
  }

  /** The first `keep` rows. */
  shortened(keep: number): GrowingRows {
    this.#join(keep);
    return new GrowingRows(this.#buffer, keep, this.#rowDims);
  }

  /** `[1, row, …]`; a view, not a copy. */
  value(length = this.length): FloatValue {
    this.#join(length);
    return floatValue(this.#buffer.data.subarray(0, length * this.#width), [1, length, ...this.#rowDims]);
  }

  /** Makes the buffer give the first `count` rows, at least. */
  #join(count: number): void {
    const tail = this.#tail;
    if (!tail || count <= this.#inBuffer) return;
    const kept = this.#inBuffer * this.#width;
    // Some room, so that typing on copies rarely.
    const data = new Float32Array((this.length + (this.length >> 2) + 16) * this.#width);
    data.set(this.#buffer.data.subarray(0, kept));
    data.set(tail, kept);
    this.#buffer = { data, used: this.length };
    this.#inBuffer = this.length;
    this.#tail = undefined;
  }
}
