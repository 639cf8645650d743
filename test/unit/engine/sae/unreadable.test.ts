/** What cannot be read or does not fit beside SAEs that can: told at its place, and nothing else is lost. */
import { cp, mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { Engine } from '../../../../src/engine/engine.ts';
import { labelPath } from '../../../../src/engine/labels/labelFile.ts';
import { describeSae, findSaeFolders } from '../../../../src/engine/sae/catalog.ts';
import { openSae } from '../../../../src/engine/sae/formats/registry.ts';
import { checkSaeMemory, memoryForSae } from '../../../../src/engine/sae/saeMemory.ts';
import type { ModelInfo } from '../../../../src/shared/domain.ts';
import { labelSourceOf } from '../../../../src/shared/labelSource.ts';
import { topKHook, writeTinyModel } from '../../../fixtures/tinyModel.ts';
import { failure, temporaryFolder } from '../../temporaryFolder.ts';

const machine = vi.hoisted(() => ({
  /** Files and folders that the system does not let us read. */
  locked: new Set<string>(),
  /** Bytes of free memory; the system's own answer when undefined. */
  free: undefined as number | undefined,
  /** Checkpoints that were opened. */
  opened: [] as string[],
}));

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  type Call = (path: unknown, ...rest: unknown[]) => unknown;
  const guarded = (name: 'readdir' | 'readFile' | 'open'): Call => {
    return (path, ...rest) => {
      if (!machine.locked.has(String(path))) return (real[name] as Call)(path, ...rest);
      const words = `EACCES: permission denied, ${name} '${path}'`;
      return Promise.reject(Object.assign(new Error(words), { code: 'EACCES', syscall: name }));
    };
  };
  const [list, read, open] = [guarded('readdir'), guarded('readFile'), guarded('open')];
  return { ...real, readdir: list, readFile: read, open };
});
vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>();
  const openSync: typeof real.openSync = (path, ...rest) => {
    if (!machine.locked.has(String(path))) return real.openSync(path, ...rest);
    const words = `EACCES: permission denied, open '${path}'`;
    throw Object.assign(new Error(words), { code: 'EACCES', syscall: 'open' });
  };
  return { ...real, openSync };
});
vi.mock('../../../../src/engine/model/memory.ts', async (original) => {
  const real = await original<typeof import('../../../../src/engine/model/memory.ts')>();
  return { ...real, availableMemory: async () => machine.free ?? real.availableMemory() };
});
vi.mock('../../../../src/engine/files/openTensorFile.ts', async (original) => {
  const real = await original<typeof import('../../../../src/engine/files/openTensorFile.ts')>();
  const open = (path: string) => {
    machine.opened.push(path);
    return real.openTensorFile(path);
  };
  return { ...real, openTensorFile: open };
});

const fixtures = join(import.meta.dirname, '../../../fixtures/parity');
const request = { text: 'When she gave words', topFeatures: 4, topPredictions: 1, edits: [] };

beforeEach(() => {
  machine.locked.clear();
  machine.free = undefined;
  machine.opened.length = 0;
});

/** An engine with the tiny model open, gone when the test ends. */
async function openTiny() {
  const tiny = await writeTinyModel(4);
  const storage = await temporaryFolder();
  const start = () => new Engine({ threads: 1, storage });
  onTestFinished(() => tiny.remove());
  return { tiny, storage, start, sae: join(tiny.folder, 'saes', topKHook) };
}

describe('a folder that cannot be read', () => {
  it('is told, and the SAEs beside it are listed all the same', async () => {
    const { tiny, start } = await openTiny();
    const root = await temporaryFolder();
    const locked = join(root, 'locked');
    await mkdir(locked);
    await cp(join(fixtures, 'saes/standard'), join(root, 'open'), { recursive: true });
    machine.locked.add(locked);
    await expect(readdir(locked)).rejects.toThrow('EACCES');
    expect(await findSaeFolders(root)).toEqual([locked, join(root, 'open')]);
    expect(await findSaeFolders(locked)).toEqual([locked]);
    const engine = start();
    const model = await engine.openModel({ path: tiny.folder });
    const saes = await engine.listSaes({ model: model.id, folders: [root] });
    expect(saes.filter(({ problem }) => problem === undefined)).toHaveLength(2);
    expect(saes.find(({ id }) => id === locked)?.problem).toContain('permission was denied');
    await engine.closeModel({ model: model.id });
  });
});

describe('damaged files beside an SAE', () => {
  it('are told, and the SAE shows its features without them', async () => {
    const { tiny, storage, start, sae } = await openTiny();
    const first = start();
    const { id } = await first.openModel({ path: tiny.folder });
    const before = await first.listSaes({ model: id, folders: [] });
    const info = before.find((one) => one.id === sae)!;
    expect(info).not.toHaveProperty('faults');
    await first.closeModel({ model: id });
    await writeFile(join(sae, 'features.json'), '{"version": 1');
    const labels = labelPath(join(storage, 'labels'), labelSourceOf(info));
    await mkdir(dirname(labels), { recursive: true });
    await writeFile(labels, '{}');
    machine.locked.add(labels);
    const engine = start();
    const model = await engine.openModel({ path: tiny.folder });
    const listed = await engine.listSaes({ model: model.id, folders: [] });
    expect(listed).toHaveLength(before.length);
    expect(listed.find((one) => one.id === sae)).toMatchObject({
      problem: undefined,
      faults: [expect.stringContaining('features.json'), expect.stringContaining('labels')],
    });
    const analysis = await engine.analyze({ ...request, model: model.id, saes: [sae] });
    expect(analysis.features[0]!.indices.some((index) => index >= 0)).toBe(true);
    await engine.closeModel({ model: model.id });
  });
});

describe('an SAE that is larger than the free memory', () => {
  it('is refused before it is opened', async () => {
    const { tiny, start, sae } = await openTiny();
    const engine = start();
    const model = await engine.openModel({ path: tiny.folder });
    machine.free = 100;
    const refused = await failure(engine.analyze({ ...request, model: model.id, saes: [sae] }));
    expect(refused).toMatchObject({ code: 'sae.tooLarge', data: { path: sae, needed: '0.0 GB' } });
    machine.free = 1e9;
    expect((await engine.analyze({ ...request, model: model.id, saes: [sae] })).features).toHaveLength(1);
    await engine.closeModel({ model: model.id });
  });

  it('takes its weights once, or twice where they have to be widened', async () => {
    const folder = await openSae(join(fixtures, 'saes/standard'));
    const numbers = 32 * 64 + 64 + 64 * 32 + 32;
    expect(memoryForSae(folder)).toBeCloseTo(1.3 * 4 * numbers);
    const narrow = new Map(
      [...folder.tensors].map(
        ([name, tensor]) => [name, { ...tensor, place: { ...tensor.place!, dtype: 'BF16' } }] as const,
      ),
    ) as typeof folder.tensors;
    expect(memoryForSae({ tensors: narrow })).toBeCloseTo(2.6 * 4 * numbers);
    const huge = { ...folder.tensors.get('W_enc')!, shape: [16_384, 1_048_576] };
    const large = { id: '/large', tensors: new Map([['W_enc', huge]] as const) };
    expect(() => checkSaeMemory(large, 32e9)).toThrow(
      '/large needs about 89.3 GB of memory, and 32.0 GB is free',
    );
    expect(() => checkSaeMemory(large, 90e9)).not.toThrow();
  });
});

describe('a folder of many checkpoints', () => {
  it('is listed by opening each a few times, not once for every other', async () => {
    const folder = await temporaryFolder();
    const from = join(
      fixtures,
      'sae_formats/Llama-3.1-8B-Instruct-SAE-l19/Llama-3.1-8B-Instruct-SAE-l19.pth',
    );
    const count = 12;
    for (let layer = 0; layer < count; layer++) await cp(from, join(folder, `M-SAE-l${layer}.pth`));
    const model = {
      name: 'm',
      nLayers: 30,
      nHeads: 4,
      dModel: 12,
      dHead: 3,
      dMlp: 48,
      dVocab: 9,
    } as ModelInfo;
    const ids = await findSaeFolders(folder);
    expect(ids).toHaveLength(count);
    for (const id of ids) expect((await describeSae(id, model)).problem).toBeUndefined();
    expect(machine.opened.length).toBeLessThanOrEqual(6 * count);
  });
});
