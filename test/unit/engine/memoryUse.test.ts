/** Memory of an open model, in a process of its own, as the system counts it: bounded by its weights, and given back. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { bundle } from '../../fixtures/bundle.ts';
import { type TinyConfig, tinyConfig, tinyWeights, writeTinyGpt2 } from '../../fixtures/tinyGpt2.ts';

const config: TinyConfig = {
  ...tinyConfig,
  nLayers: 6,
  nHeads: 6,
  dModel: 384,
  dMlp: 1536,
  dVocab: 2000,
  nContext: 64,
};
const rounds = 6;
/** Native threads, compiled programs and what the allocator keeps at hand, whatever the model's size. */
const slack = 4e6;

interface Seen {
  readonly opened: readonly number[];
  readonly closed: readonly number[];
}

async function measure(small: string, large: string): Promise<Seen> {
  const child = await bundle('test/fixtures/memoryChild.ts');
  try {
    const args = ['--expose-gc', child.file, small, large, String(rounds)];
    // As the extension starts the engine: see `engineProcess`.
    const env = { ...process.env, MALLOC_MMAP_THRESHOLD_: '262144' };
    const { stdout } = await promisify(execFile)(process.execPath, args, { env });
    return JSON.parse(stdout);
  } finally {
    await child.remove();
  }
}

// Only Linux tells a process's memory as a file.
it.runIf(existsSync('/proc/self/status'))(
  'an open model takes at most 1.3 times its weights, and leaves nothing behind round after round',
  async () => {
    const tiny = { ...tinyConfig, nContext: 64, dVocab: 64 };
    const small = await writeTinyGpt2(tiny, tinyWeights(tiny, 1));
    const large = await writeTinyGpt2(config, tinyWeights(config, 2));
    try {
      const { size } = await stat(join(large, 'model.safetensors'));
      expect(size).toBeGreaterThan(40e6);
      const { opened, closed } = await measure(small, large);
      expect(opened).toHaveLength(rounds);
      expect(Math.max(...opened)).toBeLessThan(1.3 * size + slack);
      // Far more than nothing: the weights are in memory indeed.
      expect(Math.min(...opened)).toBeGreaterThan(0.8 * size);
      expect(Math.max(...closed)).toBeLessThan(0.1 * size + slack);
      expect(closed.at(-1)! - closed[1]!).toBeLessThan(0.05 * size);
    } finally {
      await Promise.all([small, large].map((folder) => rm(folder, { recursive: true, force: true })));
    }
  },
  60_000,
);
