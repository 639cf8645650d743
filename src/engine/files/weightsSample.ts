/** A cheap sample of a weights file, for hashes that tell models and SAEs apart. */

import { open } from 'node:fs/promises';

const sampleBytes = 65536;

/** The header of a safetensors file that was opened before, and the first 64 KiB of its data. */
export async function readWeightsSample(path: string): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const length = new BigUint64Array(1);
    await file.read(length, 0, 8, 0);
    const bytes = new Uint8Array(Number(length[0]) + sampleBytes);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 8);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
