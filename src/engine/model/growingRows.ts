/** Rows that grow at the end, one per position, shared between a prompt's successive states without copying. */
import { type FloatValue, floatValue } from '../graph/value.ts';

interface Buffer {
  data: Float32Array;
  /** Rows that some state has written; a state may append in place only where its own rows end. */
  used: number;
}

/** Immutable: `extended` returns a new state, and what earlier states see never changes. */
export class GrowingRows {
  readonly length: number;
  readonly #buffer: Buffer;
  /** Dimensions of one row, such as `[head, d_head]`. */
  readonly #rowDims: readonly number[];
  readonly #width: number;

  private constructor(buffer: Buffer, length: number, rowDims: readonly number[]) {
    this.#buffer = buffer;
    this.length = length;
    this.#rowDims = rowDims;
    this.#width = rowDims.reduce((product, dim) => product * dim, 1);
  }

  /** No rows yet. */
  static empty(rowDims: readonly number[]): GrowingRows {
    return new GrowingRows({ data: new Float32Array(0), used: 0 }, 0, rowDims);
  }

  /** The first `keep` rows followed by `rows` (row-major). Typing at the end writes in place; other changes copy. */
  extended(keep: number, rows: Float32Array): GrowingRows {
    const width = this.#width;
    const length = keep + rows.length / width;
    const isInPlace = keep === this.#buffer.used && length * width <= this.#buffer.data.length;
    const buffer = isInPlace ? this.#buffer : this.#copied(keep, length);
    buffer.data.set(rows, keep * width);
    buffer.used = length;
    return new GrowingRows(buffer, length, this.#rowDims);
  }

  /** The first `keep` rows. */
  shortened(keep: number): GrowingRows {
    return new GrowingRows(this.#buffer, keep, this.#rowDims);
  }

  /** `[1, row, …]`; a view, not a copy. */
  value(length = this.length): FloatValue {
    return floatValue(this.#buffer.data.subarray(0, length * this.#width), [1, length, ...this.#rowDims]);
  }

  #copied(keep: number, length: number): Buffer {
    // Room for as many rows again, so that typing copies rarely.
    const data = new Float32Array((2 * length + 16) * this.#width);
    data.set(this.#buffer.data.subarray(0, keep * this.#width));
    return { data, used: keep };
  }
}
