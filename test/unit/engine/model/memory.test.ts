/** What is free, read from made-up system files, and models that would not fit. */
import { mkdir, writeFile } from 'node:fs/promises';
import { freemem } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { availableMemory, checkMemory, programsPerStage } from '../../../../src/engine/model/memory.ts';
import { Transformer } from '../../../../src/engine/model/transformer.ts';
import { EngineError } from '../../../../src/shared/errors.ts';
import { tinyConfig, tinyWeights, writeTinyGpt2 } from '../../../fixtures/tinyGpt2.ts';
import { failure, temporaryFolder } from '../../temporaryFolder.ts';

const gigabyte = 1e9;

async function system(files: Readonly<Record<string, string>>): Promise<string> {
  const root = await temporaryFolder();
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }
  return root;
}

const meminfo = 'MemTotal:       16000000 kB\nMemFree:          100000 kB\nMemAvailable:    8000000 kB\n';

describe('availableMemory', () => {
  it('counts what the system keeps only as a cache', async () => {
    expect(await availableMemory(await system({ 'proc/meminfo': meminfo }))).toBe(8_000_000 * 1024);
  });

  it('keeps to the limit of the control group, whose own cache of files counts as free', async () => {
    const group = 'sys/fs/cgroup/user.slice/app';
    const root = await system({
      'proc/meminfo': meminfo,
      'proc/self/cgroup': '0::/user.slice/app\n',
      [`${group}/memory.max`]: '3000000000\n',
      [`${group}/memory.current`]: '2500000000\n',
      [`${group}/memory.stat`]: 'anon 900000000\ninactive_file 600000000\nactive_file 400000000\n',
    });
    expect(await availableMemory(root)).toBe(1_500_000_000);
  });

  it('keeps to the limit of an older control group', async () => {
    const group = 'sys/fs/cgroup/memory/docker/abc';
    const root = await system({
      'proc/meminfo': meminfo,
      'proc/self/cgroup': '11:cpu,memory:/docker/abc\n1:name=systemd:/\n',
      [`${group}/memory.limit_in_bytes`]: '2000000000\n',
      [`${group}/memory.usage_in_bytes`]: '500000000\n',
      [`${group}/memory.stat`]: 'total_inactive_file 100000000\n',
    });
    expect(await availableMemory(root)).toBe(1_600_000_000);
  });

  it('ignores a control group without a limit, and asks Node.js where there are no such files', async () => {
    const unlimited = await system({ 'proc/meminfo': meminfo, 'sys/fs/cgroup/memory.max': 'max\n' });
    expect(await availableMemory(unlimited)).toBe(8_000_000 * 1024);
    const elsewhere = await availableMemory(await system({}));
    expect(elsewhere).toBeGreaterThan(0);
    expect(Math.abs(elsewhere - freemem()) / freemem()).toBeLessThan(0.5);
  });
});

describe('checkMemory', () => {
  it('lets a model through that fits with room for its runs', () => {
    expect(() =>
      checkMemory({ path: '/m', float32Bytes: gigabyte, widenedBytes: 0 }, 1.31 * gigabyte),
    ).not.toThrow();
  });

  it('says how much a model needs that does not fit', () => {
    const check = () =>
      checkMemory({ path: '/m', float32Bytes: 2 * gigabyte, widenedBytes: 0 }, 2.5 * gigabyte);
    expect(check).toThrow(EngineError);
    expect(check).toThrow('/m needs about 2.6 GB of memory, and 2.5 GB is free. Choose a smaller model.');
  });

  it('counts weights used in 16 bits for every kind of program, and keeps fewer programs of them', () => {
    const half = { path: '/m', float32Bytes: gigabyte, widenedBytes: gigabyte };
    expect(() => checkMemory(half, 3.5 * gigabyte)).toThrow('/m needs about 3.6 GB of memory');
    expect(() => checkMemory(half, 3.7 * gigabyte)).not.toThrow();
    expect(programsPerStage(half)).toBeLessThan(programsPerStage({ ...half, widenedBytes: 0 }));
  });

  it('stands before anything is loaded', async () => {
    const folder = await writeTinyGpt2(tinyConfig, tinyWeights(tinyConfig, 1));
    expect(await failure(Transformer.open(folder, { memory: 1000 }))).toMatchObject({
      code: 'model.tooLarge',
    });
    const opened = await Transformer.open(folder, { memory: gigabyte });
    await opened.release();
  });
});
