/** Reads the numbers of a GGUF file's tensors as float32 in Hugging Face's layout, in pieces of bounded size. */
import { throwIfCancelled } from '../../../shared/errors.ts';
import type { Gguf } from '../../files/gguf.ts';
import { dequantize } from '../../files/ggufDequantize.ts';
import { readBytes, withFile } from '../../files/regularFile.ts';
import type { NamedTensor } from './ggufTensors.ts';

/** Numbers that are read and widened at a time. */
const pieceSize = 2 ** 20;

/**
 * The numbers of `tensor`, row-major.
 * @throws file.changed when the file is not the one that was opened; cancelled.
 */
export async function* ggufNumbers(
  gguf: Gguf,
  tensor: NamedTensor,
  signal?: AbortSignal,
): AsyncGenerator<Float32Array> {
  const { source, rows } = tensor;
  const [stored, ...rest] = source.shape as [number, ...number[]];
  const width = rest.reduce((product, dim) => product * dim, 1);
  // A vector is one row of the file, which may be cut between blocks only.
  const isVector = rest.length === 0;
  if (tensor.transposed || (rows && isVector)) {
    const whole = await readRows(gguf, tensor, 0, 1, true);
    yield tensor.transposed ? transposed(whole, stored, width) : pick(whole, rows!);
    return;
  }
  const count = rows?.length ?? stored;
  const step = isVector ? count : Math.max(1, Math.floor(pieceSize / width));
  for (let from = 0; from < count; from += step) {
    throwIfCancelled(signal);
    const to = Math.min(count, from + step);
    const piece = rows
      ? await readPicked(gguf, tensor, rows.subarray(from, to), width)
      : await readRows(gguf, tensor, from, to, isVector);
    if (tensor.plusOne) for (let i = 0; i < piece.length; i++) piece[i]! -= 1;
    yield piece;
  }
}

/** Stored rows `from` to `to`, or everything when `whole`. */
async function readRows(
  gguf: Gguf,
  { source }: NamedTensor,
  from: number,
  to: number,
  whole: boolean,
): Promise<Float32Array> {
  const bytesPerRow = whole ? source.length : source.length / source.shape[0]!;
  const [start, length] = whole ? [0, source.length] : [from * bytesPerRow, (to - from) * bytesPerRow];
  const bytes = await withFile(
    gguf.path,
    (file) => readBytes(gguf.path, file, source.offset + start, length),
    gguf.stamp,
  );
  return dequantize(source.type, bytes);
}

/** Stored rows in the order `rows`. Those that lie near each other are read at once. */
async function readPicked(
  gguf: Gguf,
  tensor: NamedTensor,
  rows: Int32Array,
  width: number,
): Promise<Float32Array> {
  const first = rows.reduce((least, row) => Math.min(least, row));
  const last = rows.reduce((most, row) => Math.max(most, row));
  const result = new Float32Array(rows.length * width);
  if (last - first >= 2 * rows.length) {
    const half = rows.length >> 1;
    result.set(await readPicked(gguf, tensor, rows.subarray(0, half), width));
    result.set(await readPicked(gguf, tensor, rows.subarray(half), width), half * width);
    return result;
  }
  const range = await readRows(gguf, tensor, first, last + 1, false);
  for (const [i, row] of rows.entries()) {
    const at = (row - first) * width;
    result.set(range.subarray(at, at + width), i * width);
  }
  return result;
}

function pick(numbers: Float32Array, order: Int32Array): Float32Array {
  return Float32Array.from(order, (from) => numbers[from]!);
}

/** From `[rows, width]` to `[width, rows]`. */
function transposed(numbers: Float32Array, rows: number, width: number): Float32Array {
  const result = new Float32Array(numbers.length);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < width; i++) result[i * rows + row] = numbers[row * width + i]!;
  }
  return result;
}
