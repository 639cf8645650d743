/** A cheap sample of a weights file, for hashes that tell models and SAEs apart. */

import { readSync } from 'node:fs';
import { malformed } from './fileErrors.ts';
import { readBytesNow, realFile, withFileNow } from './regularFile.ts';
import { maxHeaderBytes } from './safetensorsHeader.ts';

/** Blocks of the file that are read, evenly spread from its first byte to its last; 1 MiB in all. */
const blockCount = 64;
const blockBytes = 16_384;

/** Holds one block at a time; whoever takes a block is done with it before the next one is read. */
const block = new Uint8Array(blockBytes);

/**
 * Hands `take`, piece by piece, the file's size, of a safetensors file the header, and 64 blocks of 16 KiB spread
 * evenly over the whole file: a change of a tensor shows when one of them meets it, and retraining changes all of them.
 * Small files are read whole. A piece is valid only until `take` returns.
 * @throws file.missing, file.unreadable, file.malformed for a folder or device.
 */
export async function sampleWeights(path: string, take: (piece: Uint8Array) => void): Promise<void> {
  const real = await realFile(path);
  withFileNow(real, (file, size) => {
    take(Buffer.from(String(size)));
    const start = readBytesNow(real, file, 0, Math.min(size, 9));
    if (size > 9 && start[8] === 0x7b) {
      const length = Number(new DataView(start.buffer).getBigUint64(0, true));
      if (length <= Math.min(maxHeaderBytes, size - 8)) take(readBytesNow(real, file, 8, length));
    }
    // At most 1 MiB: waiting for each block by itself takes ten times the processor time of reading it.
    for (const [offset, length] of spreadBlocks(size)) {
      if (readSync(file, block, 0, length, offset) < length)
        throw malformed(real, 'file size', `${size} bytes`, 'less');
      take(block.subarray(0, length));
    }
  });
}

/** Offset and length of each block of a file of `size` bytes; all of a small one. */
function* spreadBlocks(size: number): Iterable<readonly [offset: number, length: number]> {
  if (size <= blockCount * blockBytes) {
    for (let offset = 0; offset < size; offset += blockBytes)
      yield [offset, Math.min(blockBytes, size - offset)];
    return;
  }
  for (let i = 0; i < blockCount; i++)
    yield [Math.floor(((size - blockBytes) * i) / (blockCount - 1)), blockBytes];
}
