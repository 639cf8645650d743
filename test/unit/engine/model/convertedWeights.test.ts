/** Converted weights: made once, reported, kept while nothing changed, made anew otherwise, and never left half done. */
import {
  appendFile,
  copyFile,
  mkdir,
  readdir,
  readFile,
  stat,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openSafetensors } from '../../../../src/engine/files/safetensors.ts';
import { conversionFolder } from '../../../../src/engine/model/convertedWeights.ts';
import { openModelFiles } from '../../../../src/engine/model/modelFiles.ts';
import type { Progress } from '../../../../src/shared/domain.ts';
import { failure, temporaryFolder } from '../../temporaryFolder.ts';

const recorded = join(import.meta.dirname, '../../../fixtures/parity/gguf/models');

async function place() {
  const folder = await temporaryFolder();
  const path = join(folder, 'model.gguf');
  await copyFile(join(recorded, 'llama-q8_0.gguf'), path);
  const storage = join(folder, 'storage');
  const converted = join(conversionFolder(storage, { kind: 'gguf', path }), 'model.safetensors');
  return { path, storage, converted };
}

describe('converted weights', () => {
  it('are reported with their size, written once, and used again', async () => {
    const { path, storage, converted } = await place();
    const seen: Progress[] = [];
    const { weights } = await openModelFiles(path, { storage, report: (progress) => seen.push(progress) });
    const { size } = await stat(converted);
    expect(weights.precision).toBe('Q8_0');
    expect(weights.path).toBe(path);
    expect(seen[0]).toMatchObject({ done: 0, what: expect.stringContaining(path) });
    expect(seen.at(-1)!.done).toBe(seen.at(-1)!.total);
    expect(seen.at(-1)!.total).toBe(weights.float32Bytes);
    expect(size).toBeGreaterThan(weights.float32Bytes);
    const { tensors } = await openSafetensors(converted);
    expect([...tensors.values()].every(({ dtype, offset }) => dtype === 'F32' && offset % 8 === 0)).toBe(
      true,
    );

    const before = await stat(converted);
    const again: Progress[] = [];
    await openModelFiles(path, { storage, report: (progress) => again.push(progress) });
    expect(again).toEqual([]);
    expect((await stat(converted)).ino).toBe(before.ino);
  });

  it.each<[string, (converted: string, path: string) => Promise<unknown>]>([
    ['the source was touched', (_, path) => utimes(path, 1, 1)],
    ['they were cut off', (converted) => truncate(converted, 1000)],
    ['they were written over', (converted) => appendFile(converted, 'x')],
    ['a number of theirs was changed', (converted) => changeLastByte(converted)],
    ['the record was damaged', (converted) => writeFile(join(converted, '../conversion.json'), '{')],
    ['the record is of another version', (converted) => setVersion(converted, 0)],
  ])('are made anew when %s', async (_, damage) => {
    const { path, storage, converted } = await place();
    await openModelFiles(path, { storage });
    const whole = await readFile(converted);
    await damage(converted, path);
    const seen: Progress[] = [];
    await openModelFiles(path, { storage, report: (progress) => seen.push(progress) });
    expect(seen.length).toBeGreaterThan(0);
    expect(await readFile(converted)).toEqual(whole);
  });

  it('are not left half done when the conversion is cancelled', async () => {
    const { path, storage, converted } = await place();
    const controller = new AbortController();
    const report = ({ done }: Progress) => {
      if (done > 0) controller.abort();
    };
    const error = await failure(openModelFiles(path, { storage, signal: controller.signal, report }));
    expect(error.code).toBe('cancelled');
    expect(await readdir(join(converted, '..'))).toEqual([]);
  });

  it('are refused where they cannot be written', async () => {
    const { path, storage } = await place();
    await writeFile(storage, 'a file, not a folder');
    expect((await failure(openModelFiles(path, { storage }))).code).toMatch(/file\.(unreadable|missing)/);
  });

  it('are not begun when the disk has no room for them', async () => {
    const { path, storage, converted } = await place();
    const error = await failure(openModelFiles(path, { storage, freeBytes: async () => 10_000 }));
    expect(error).toMatchObject({ code: 'disk.full', data: { path, available: '10 kB' } });
    expect(error.message).toContain(join(converted, '..'));
    expect(await readdir(join(converted, '..'))).toEqual([]);
  });

  it('take the place of what a crash left behind, but not of what another process is writing', async () => {
    const { path, storage, converted } = await place();
    const folder = join(converted, '..');
    await mkdir(folder, { recursive: true });
    const [old, fresh] = [join(folder, 'model.safetensors.1.tmp'), join(folder, 'model.safetensors.2.tmp')];
    await writeFile(old, 'x');
    await writeFile(fresh, 'x');
    await utimes(old, 1, 1);
    await openModelFiles(path, { storage });
    expect((await readdir(folder)).sort()).toEqual([
      'conversion.json',
      'model.safetensors',
      'model.safetensors.2.tmp',
    ]);
  });
});

async function changeLastByte(path: string): Promise<void> {
  const bytes = await readFile(path);
  bytes[bytes.length - 1]! ^= 1;
  await writeFile(path, bytes);
}

async function setVersion(converted: string, format: number): Promise<void> {
  const path = join(converted, '../conversion.json');
  await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')), format }));
}
