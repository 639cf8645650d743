/** A cheap sample of a weights file, for hashes that tell models and SAEs apart. */

import { readBytes, realFile, withFile } from './regularFile.ts';
import { maxHeaderBytes } from './safetensorsHeader.ts';

const sampleBytes = 65536;

/**
 * Of a safetensors file the header and the first 64 KiB of its data; of any other file its size, start and end (where zip
 * archives keep their checksums).
 * @throws file.missing, file.unreadable, file.malformed for a folder or device.
 */
export async function readWeightsSample(path: string): Promise<Uint8Array> {
  const real = await realFile(path);
  return withFile(real, async (file, size) => {
    const start = await readBytes(real, file, 0, Math.min(size, 9));
    if (size > 9 && start[8] === 0x7b) {
      const length = Number(new DataView(start.buffer).getBigUint64(0, true));
      if (length <= Math.min(maxHeaderBytes, size - 8)) {
        return readBytes(real, file, 8, Math.min(length + sampleBytes, size - 8));
      }
    }
    const first = await readBytes(real, file, 0, Math.min(size, sampleBytes));
    const last = await readBytes(real, file, size - first.length, first.length);
    return Buffer.concat([Buffer.from(String(size)), first, last]);
  });
}
