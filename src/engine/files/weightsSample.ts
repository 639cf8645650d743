/** A cheap sample of a weights file, for hashes that tell models and SAEs apart. */

import type { FileHandle } from 'node:fs/promises';
import { malformed } from './fileErrors.ts';
import { readBytes, realFile, withFile } from './regularFile.ts';
import { maxHeaderBytes } from './safetensorsHeader.ts';

/** Blocks of the file that are read, evenly spread from its first byte to its last; 1 MiB in all. */
const blockCount = 64;
const blockBytes = 16_384;

/**
 * The file's size, of a safetensors file the header, and 64 blocks of 16 KiB spread evenly over the whole file: a
 * change of a tensor shows when one of them meets it, and retraining changes all of them. Small files are read whole.
 * @throws file.missing, file.unreadable, file.malformed for a folder or device.
 */
export async function readWeightsSample(path: string): Promise<Uint8Array> {
  const real = await realFile(path);
  return withFile(real, async (file, size) => {
    const parts: Uint8Array[] = [Buffer.from(String(size))];
    const start = await readBytes(real, file, 0, Math.min(size, 9));
    if (size > 9 && start[8] === 0x7b) {
      const length = Number(new DataView(start.buffer).getBigUint64(0, true));
      if (length <= Math.min(maxHeaderBytes, size - 8)) parts.push(await readBytes(real, file, 8, length));
    }
    parts.push(...(await spreadBlocks(real, file, size)));
    return Buffer.concat(parts);
  });
}

async function spreadBlocks(real: string, file: FileHandle, size: number): Promise<Uint8Array[]> {
  if (size <= blockCount * blockBytes) return [await readBytes(real, file, 0, size)];
  // One piece, which the allocator gives back; many small ones would stay with the process.
  const blocks = new Uint8Array(blockCount * blockBytes);
  for (let block = 0; block < blockCount; block++) {
    const offset = Math.floor(((size - blockBytes) * block) / (blockCount - 1));
    const { bytesRead } = await file.read(blocks, block * blockBytes, blockBytes, offset);
    if (bytesRead < blockBytes) throw malformed(real, 'file size', `${size} bytes`, 'less');
  }
  return [blocks];
}
