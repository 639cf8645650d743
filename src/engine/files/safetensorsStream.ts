/** Writes a `.safetensors` file of float32 tensors piece by piece, for models that are larger than memory. */
import { endianness } from 'node:os';
import { writeAtomically } from './writeAtomically.ts';

/** A tensor whose numbers are made while they are written. */
export interface StreamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** All its numbers in order, row-major, in pieces of any length. */
  pieces(): AsyncIterable<Float32Array>;
}

/**
 * Writes `tensors` to `path` at once (temporary file, then rename). The format allows no gaps between tensors; those
 * with an odd number of elements come last, so that all others can be mapped where they lie.
 * @throws file.unreadable when the folder cannot be written; what `pieces` throws. Nothing is left behind then.
 */
export async function writeSafetensorsStream(
  path: string,
  tensors: readonly StreamedTensor[],
  metadata: Readonly<Record<string, string>>,
): Promise<void> {
  if (endianness() !== 'LE') throw new Error('safetensors are little-endian; this machine is not');
  const ordered = [...tensors].sort((a, b) => (elements(a) % 2) - (elements(b) % 2));
  await writeAtomically(path, content(ordered, metadata));
}

/** Bytes of the tensors' numbers. */
export function streamedBytes(tensors: readonly StreamedTensor[]): number {
  return tensors.reduce((total, tensor) => total + 4 * elements(tensor), 0);
}

async function* content(
  tensors: readonly StreamedTensor[],
  metadata: Readonly<Record<string, string>>,
): AsyncIterable<Uint8Array> {
  yield header(tensors, metadata);
  for (const tensor of tensors) {
    let count = 0;
    for await (const piece of tensor.pieces()) {
      count += piece.length;
      yield new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength);
    }
    if (count !== elements(tensor))
      throw new Error(`${tensor.name} has ${count} numbers, not ${elements(tensor)}.`);
  }
}

function header(tensors: readonly StreamedTensor[], metadata: Readonly<Record<string, string>>): Uint8Array {
  const entries: Record<string, unknown> = Object.assign(Object.create(null), { __metadata__: metadata });
  let offset = 0;
  for (const tensor of tensors) {
    const end = offset + 4 * elements(tensor);
    entries[tensor.name] = { dtype: 'F32', shape: tensor.shape, data_offsets: [offset, end] };
    offset = end;
  }
  const text = new TextEncoder().encode(JSON.stringify(entries));
  const padded = new Uint8Array(Math.ceil((8 + text.length) / 64) * 64).fill(0x20);
  new DataView(padded.buffer).setBigUint64(0, BigInt(padded.length - 8), true);
  padded.set(text, 8);
  return padded;
}

function elements({ shape }: StreamedTensor): number {
  return shape.reduce((product, dim) => product * dim, 1);
}
