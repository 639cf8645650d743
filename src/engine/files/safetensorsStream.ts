/** Writes a `.safetensors` file piece by piece, for models that are larger than memory. */
import { endianness } from 'node:os';
import { bytesPerElement } from './safetensorsHeader.ts';
import { writeAtomically } from './writeAtomically.ts';

/** A tensor whose numbers are made while they are written. */
export interface StreamedTensor {
  readonly name: string;
  readonly dtype: 'F32' | 'F16' | 'BF16';
  readonly shape: readonly number[];
  /** All its numbers in order, row-major, in pieces of any length: little-endian bytes, or float32 as such. */
  pieces(): AsyncIterable<Float32Array | Uint8Array>;
}

/**
 * Writes `tensors` to `path` at once (temporary file, then rename). The format allows no gaps between tensors; those
 * that take no multiple of 8 bytes come last, so that all others can be mapped where they lie.
 * @throws file.unreadable when the folder cannot be written; what `pieces` throws. Nothing is left behind then.
 */
export async function writeSafetensorsStream(
  path: string,
  tensors: readonly StreamedTensor[],
  metadata: Readonly<Record<string, string>>,
): Promise<void> {
  if (endianness() !== 'LE') throw new Error('safetensors are little-endian; this machine is not');
  const uneven = (tensor: StreamedTensor) => Number(bytesOf(tensor) % 8 !== 0);
  const ordered = [...tensors].sort((a, b) => uneven(a) - uneven(b));
  await writeAtomically(path, content(ordered, metadata));
}

/** Bytes of the tensors' numbers. */
export function streamedBytes(tensors: readonly StreamedTensor[]): number {
  return tensors.reduce((total, tensor) => total + bytesOf(tensor), 0);
}

async function* content(
  tensors: readonly StreamedTensor[],
  metadata: Readonly<Record<string, string>>,
): AsyncIterable<Uint8Array> {
  yield header(tensors, metadata);
  for (const tensor of tensors) {
    let done = 0;
    for await (const piece of tensor.pieces()) {
      done += piece.byteLength;
      yield new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength);
    }
    if (done !== bytesOf(tensor)) throw new Error(`${tensor.name} is ${done} bytes, not ${bytesOf(tensor)}.`);
  }
}

function header(tensors: readonly StreamedTensor[], metadata: Readonly<Record<string, string>>): Uint8Array {
  const entries: Record<string, unknown> = Object.assign(Object.create(null), { __metadata__: metadata });
  let offset = 0;
  for (const tensor of tensors) {
    const end = offset + bytesOf(tensor);
    entries[tensor.name] = { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [offset, end] };
    offset = end;
  }
  const text = new TextEncoder().encode(JSON.stringify(entries));
  const padded = new Uint8Array(Math.ceil((8 + text.length) / 64) * 64).fill(0x20);
  new DataView(padded.buffer).setBigUint64(0, BigInt(padded.length - 8), true);
  padded.set(text, 8);
  return padded;
}

function bytesOf({ shape, dtype }: StreamedTensor): number {
  return shape.reduce((product, dim) => product * dim, bytesPerElement[dtype]);
}
