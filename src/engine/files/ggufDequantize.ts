/**
 * Turns blocks of quantised numbers as GGUF files hold them into float32, with the roundings of the reference
 * implementation (ggml's `dequantize_row_*`, and `gguf.quants` in Python): every result is the same to the bit.
 */

import { ggufTypes, type ReadableGgufType } from './ggufTypes.ts';
import { bfloat16ToFloat32, float16ToFloat32 } from './halfFloat.ts';

/** Reads one block that starts at byte `at` and writes its numbers from `to` on. */
type BlockReader = (bytes: Uint8Array, at: number, out: Float32Array, to: number) => void;

const sizes = new Map([...ggufTypes.values()].map((type) => [type.name, type]));

/**
 * The numbers of `bytes`, which hold whole blocks of `type`, as float32. Scales are 16-bit floats; those that are no
 * finite numbers give numbers that are not finite either.
 */
export function dequantize(type: ReadableGgufType, bytes: Uint8Array): Float32Array {
  if (type === 'F32') return new Float32Array(aligned(bytes));
  if (type === 'F16') return float16ToFloat32(new Uint16Array(aligned(bytes)));
  if (type === 'BF16') return bfloat16ToFloat32(new Uint16Array(aligned(bytes)));
  const { block, bytes: blockBytes } = sizes.get(type)!;
  const count = bytes.length / blockBytes;
  if (!Number.isInteger(count)) throw new Error(`${bytes.length} bytes are no whole blocks of ${type}.`);
  const read = readers[type];
  const out = new Float32Array(count * block);
  for (let i = 0; i < count; i++) read(bytes, i * blockBytes, out, i * block);
  return out;
}

const readers: { readonly [T in Exclude<ReadableGgufType, 'F32' | 'F16' | 'BF16'>]: BlockReader } = {
  Q8_0: (bytes, at, out, to) => {
    const scale = half(bytes, at);
    for (let i = 0; i < 32; i++) out[to + i] = signed(bytes[at + 2 + i]!) * scale;
  },
  Q4_0: (bytes, at, out, to) => {
    const scale = half(bytes, at);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 2 + i]!;
      out[to + i] = scale * ((pair & 15) - 8);
      out[to + 16 + i] = scale * ((pair >> 4) - 8);
    }
  },
  Q4_1: (bytes, at, out, to) => {
    const [scale, least] = [half(bytes, at), half(bytes, at + 2)];
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 4 + i]!;
      out[to + i] = round(scale * (pair & 15)) + least;
      out[to + 16 + i] = round(scale * (pair >> 4)) + least;
    }
  },
  Q5_0: (bytes, at, out, to) => {
    const scale = half(bytes, at);
    for (let i = 0; i < 32; i++) out[to + i] = scale * (fiveBits(bytes, at + 2, i) - 16);
  },
  Q5_1: (bytes, at, out, to) => {
    const [scale, least] = [half(bytes, at), half(bytes, at + 2)];
    for (let i = 0; i < 32; i++) out[to + i] = round(scale * fiveBits(bytes, at + 4, i)) + least;
  },
  Q4_K: (bytes, at, out, to) => {
    const [scale, leastScale] = [half(bytes, at), half(bytes, at + 2)];
    for (let part = 0; part < 8; part++) {
      const factor = round(scale * scaleOf(bytes, at + 4, part));
      const least = round(leastScale * leastOf(bytes, at + 4, part));
      const [from, shift] = [at + 16 + (part >> 1) * 32, (part & 1) * 4];
      for (let i = 0; i < 32; i++) {
        out[to + part * 32 + i] = round(factor * ((bytes[from + i]! >> shift) & 15)) - least;
      }
    }
  },
  Q5_K: (bytes, at, out, to) => {
    const [scale, leastScale] = [half(bytes, at), half(bytes, at + 2)];
    for (let part = 0; part < 8; part++) {
      const factor = round(scale * scaleOf(bytes, at + 4, part));
      const least = round(leastScale * leastOf(bytes, at + 4, part));
      const [from, shift] = [at + 48 + (part >> 1) * 32, (part & 1) * 4];
      for (let i = 0; i < 32; i++) {
        const fifth = (bytes[at + 16 + i]! >> part) & 1;
        const number = ((bytes[from + i]! >> shift) & 15) | (fifth << 4);
        out[to + part * 32 + i] = round(factor * number) - least;
      }
    }
  },
  Q6_K: (bytes, at, out, to) => {
    const scale = half(bytes, at + 208);
    for (let part = 0; part < 16; part++) {
      const factor = round(scale * signed(bytes[at + 192 + part]!));
      const row = part >> 1;
      // Two halves of 128 numbers: four rows of 32 whose lower bits share 64 bytes and whose upper bits share 32.
      const low = at + (row >> 2) * 64 + (row & 1) * 32 + (part & 1) * 16;
      const high = at + 128 + (row >> 2) * 32 + (part & 1) * 16;
      const [lowShift, highShift] = [((row >> 1) & 1) * 4, (row & 3) * 2];
      for (let i = 0; i < 16; i++) {
        const number = ((bytes[low + i]! >> lowShift) & 15) | (((bytes[high + i]! >> highShift) & 3) << 4);
        out[to + part * 16 + i] = factor * (number - 32);
      }
    }
  },
};

/** Number `i` of 32 whose fifth bits are the four bytes at `at`, and whose lower bits follow as in Q4_0. */
function fiveBits(bytes: Uint8Array, at: number, i: number): number {
  const fifth = (bytes[at + (i >> 3)]! >> (i & 7)) & 1;
  const pair = bytes[at + 4 + (i & 15)]!;
  return (i < 16 ? pair & 15 : pair >> 4) | (fifth << 4);
}

/**
 * Scale `part` of the eight 6-bit scales of a K-block, whose twelve bytes at `at` are: four scales and four minima, each
 * with two bits more for one of the others in front; then the lower four bits of the other four scales and minima.
 */
function scaleOf(bytes: Uint8Array, at: number, part: number): number {
  if (part < 4) return bytes[at + part]! & 63;
  return (bytes[at + 4 + part]! & 15) | ((bytes[at + part - 4]! >> 2) & 48);
}

/** Minimum `part`, beside `scaleOf`. */
function leastOf(bytes: Uint8Array, at: number, part: number): number {
  if (part < 4) return bytes[at + 4 + part]! & 63;
  return (bytes[at + 4 + part]! >> 4) | ((bytes[at + part]! >> 2) & 48);
}

function signed(byte: number): number {
  return (byte << 24) >> 24;
}

const round = Math.fround;

let halves: Float32Array | undefined;

/** The 16-bit float at byte `at`. */
function half(bytes: Uint8Array, at: number): number {
  halves ??= float16ToFloat32(Uint16Array.from({ length: 65536 }, (_, bits) => bits));
  return halves[bytes[at]! | (bytes[at + 1]! << 8)]!;
}

/** A copy that starts where arrays of wider numbers may start. */
function aligned(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}
