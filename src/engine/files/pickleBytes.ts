/** Takes numbers and texts from the bytes of a pickle, and never more than there are. */
import { malformed } from './fileErrors.ts';

/** The bytes at hand end before the pickle does: damage, unless more of the file can be read. */
export class PickleTruncated extends Error {}

/** Whole numbers longer than this are no numbers of a checkpoint. */
const maxLongBytes = 256;

const maxLine = 1000;

export class PickleBytes {
  position = 0;
  readonly #view: DataView;

  constructor(
    readonly path: string,
    readonly field: string,
    readonly bytes: Uint8Array,
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  uint8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  uint16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  int32(): number {
    return this.#view.getInt32(this.#advance(4), true);
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  /** A length: beyond 2^53 it is as wrong like every other that leads behind the end. */
  uint64(): number {
    return Number(this.#view.getBigUint64(this.#advance(8), true));
  }

  float64(): number {
    return this.#view.getFloat64(this.#advance(8), false);
  }

  /** A copy of the next `length` bytes. */
  take(length: number): Uint8Array {
    const start = this.#advance(length);
    return this.bytes.slice(start, start + length);
  }

  text(length: number): string {
    const start = this.#advance(length);
    return new TextDecoder().decode(this.bytes.subarray(start, start + length));
  }

  /** A little-endian whole number in two's complement; a bigint only when a number cannot hold it. */
  long(length: number): number | bigint {
    if (length > maxLongBytes) throw this.#fault(`a whole number of at most ${maxLongBytes} bytes`, length);
    const start = this.#advance(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes[start + i]!);
    const signed = BigInt.asIntN(8 * length, value);
    return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
  }

  /** A line of text without its newline. */
  line(): string {
    const end = this.bytes.indexOf(0x0a, this.position);
    if (end < 0 && this.bytes.length - this.position <= maxLine) throw new PickleTruncated();
    if (end < 0 || end - this.position > maxLine) throw this.#fault('a short line', 'a long one');
    const text = this.text(end - this.position);
    this.position = end + 1;
    return text;
  }

  /** Passes the header of a frame, whose bytes must be there. */
  frame(): void {
    const length = this.uint64();
    if (length > this.bytes.length - this.position) throw new PickleTruncated();
  }

  #advance(length: number): number {
    const start = this.position;
    if (length > this.bytes.length - start) throw new PickleTruncated();
    this.position = start + length;
    return start;
  }

  #fault(expected: string, found: unknown): Error {
    return malformed(this.path, `${this.field} at byte ${this.position}`, expected, found);
  }
}
