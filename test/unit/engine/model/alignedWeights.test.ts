/** Weights that start at odd places are laid out anew when they are large, number for number, and left alone otherwise. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openSafetensorsFolder } from '../../../../src/engine/files/safetensorsFolder.ts';
import { alignedWeights } from '../../../../src/engine/model/alignedWeights.ts';
import type { Progress } from '../../../../src/shared/domain.ts';
import { temporaryFolder } from '../../temporaryFolder.ts';

/** A folder whose tensors start `odd` bytes behind a multiple of eight; `a` has `rows` rows of 1,024 numbers. */
async function folderOf(rows: number, odd: number): Promise<string> {
  const folder = await temporaryFolder();
  const a = Float32Array.from({ length: rows * 1024 }, (_, i) => i);
  const b = Uint16Array.of(1, 2, 3);
  const mask = Uint8Array.of(1, 0);
  const end = a.byteLength + b.byteLength;
  const header = JSON.stringify({
    a: { dtype: 'F32', shape: [rows, 1024], data_offsets: [0, a.byteLength] },
    b: { dtype: 'BF16', shape: [3], data_offsets: [a.byteLength, end] },
    mask: { dtype: 'BOOL', shape: [2], data_offsets: [end, end + 2] },
  });
  const padded = header.padEnd(Math.ceil(header.length / 8) * 8 + odd);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const bytes = [length, Buffer.from(padded), new Uint8Array(a.buffer), new Uint8Array(b.buffer), mask];
  await writeFile(join(folder, 'model.safetensors'), Buffer.concat(bytes));
  return folder;
}

async function aligned(folder: string) {
  const seen: Progress[] = [];
  const source = await openSafetensorsFolder(folder);
  const options = { storage: join(folder, 'storage'), report: (progress: Progress) => seen.push(progress) };
  return { source, found: await alignedWeights(folder, source, options), seen };
}

describe('alignedWeights', () => {
  it('copies large weights that start at an odd byte, and keeps every number', async () => {
    const folder = await folderOf(8400, 3);
    const { source, found, seen } = await aligned(folder);
    expect(source.tensors.get('a')!.offset % 8).toBe(3);
    expect([...found.tensors.keys()].sort()).toEqual(['a', 'b']);
    const numbers = async (weights: typeof source, name: string) => {
      const { file, offset, length } = weights.tensors.get(name)!;
      return (await readFile(file)).subarray(offset, offset + length);
    };
    for (const name of ['a', 'b']) {
      const { dtype, shape, offset } = found.tensors.get(name)!;
      expect({ dtype, shape }).toMatchObject({
        dtype: source.tensors.get(name)!.dtype,
        shape: source.tensors.get(name)!.shape,
      });
      expect(offset % 8).toBe(0);
      expect((await numbers(found, name)).equals(await numbers(source, name))).toBe(true);
    }
    expect(seen[0]!.what).toContain(folder);
    expect(seen.at(-1)).toMatchObject({ done: 8400 * 4096 + 6, total: 8400 * 4096 + 6 });
    expect((await aligned(folder)).seen).toEqual([]);
  });

  it('uses weights in place that start evenly, and small ones wherever they start', async () => {
    for (const folder of [await folderOf(8400, 0), await folderOf(2, 3)]) {
      const { source, found, seen } = await aligned(folder);
      expect(found).toBe(source);
      expect(seen).toEqual([]);
    }
  });
});
