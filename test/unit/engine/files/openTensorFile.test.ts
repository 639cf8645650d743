/** Arrays and tensors of other libraries come out of their files as those libraries say. */
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { openTensorFile } from '../../../../src/engine/files/openTensorFile.ts';
import { openSafetensors, type Safetensors } from '../../../../src/engine/files/safetensors.ts';
import { isInPlace, type TensorFile } from '../../../../src/engine/files/tensorFile.ts';
import { failure, temporaryFolder } from '../../temporaryFolder.ts';

const folder = join(import.meta.dirname, '../../../fixtures/parity/files');

/** Every tensor of the other files, as Python holds it. */
let recorded: Safetensors;
beforeAll(async () => {
  recorded = await openSafetensors(join(folder, 'recorded.safetensors'));
});

async function expectAsRecorded(file: TensorFile, source: string): Promise<void> {
  const expected = [...recorded.tensors.keys()].filter((key) => key.startsWith(`${source}/`));
  expect(expected.length).toBeGreaterThan(10);
  expect([...file.tensors.keys()].map((key) => `${source}/${key}`).sort()).toEqual(expected.sort());
  for (const key of expected) {
    const name = key.slice(source.length + 1);
    expect(await file.read(name), key).toEqual(await recorded.read(key));
    const { dtype, shape } = recorded.tensors.get(key)!;
    expect(file.tensors.get(name)).toMatchObject({ dtype, shape });
  }
}

/** Places in the file must hold the very bytes that reading gives; returns the names of tensors with a place. */
async function expectPlaces(file: TensorFile): Promise<string[]> {
  const bytes = await readFile(file.path);
  const placed = [...file.tensors].filter(([, { offset }]) => offset !== undefined);
  for (const [name, { offset, length }] of placed) {
    const { data } = await file.read(name);
    const there = bytes.subarray(offset!, offset! + length);
    expect(there.equals(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)), name).toBe(true);
  }
  return placed.map(([name]) => name);
}

describe('openTensorFile', () => {
  it.each(['stored.npz', 'deflated.npz'])(
    'reads every array of %s as NumPy does, Fortran order and big-endian numbers included',
    async (name) => {
      const file = await openTensorFile(join(folder, name));
      expect(file.format).toBe('npz');
      await expectAsRecorded(file, name);
    },
  );

  it.each(['checkpoint.pt', 'protocol4.pt', 'protocol5.pt', 'legacy.pt', 'deflated.pt'])(
    'reads every tensor of %s as PyTorch does: views, tied ones, parameters, modules',
    async (name) => {
      const file = await openTensorFile(join(folder, name));
      expect(file.format).toBe('torch');
      await expectAsRecorded(file, 'checkpoint.pt');
    },
  );

  it('reads tensors of a dtype that has no storage of its own', async () => {
    const file = await openTensorFile(join(folder, 'untyped.pt'));
    expect(file.tensors.get('wide')).toMatchObject({ dtype: 'U16', shape: [3], length: 6 });
    expect(await failure(file.read('wide'))).toMatchObject({ data: { field: 'wide.dtype', found: '"U16"' } });
    expect([...(await file.readFloat32('alone'))]).toEqual([1, 1]);
  });

  it.each(['checkpoint.pt', 'legacy.pt', 'deflated.pt'])('tells the plain values of %s', async (name) => {
    const { values } = await openTensorFile(join(folder, name));
    expect(Object.fromEntries(values)).toEqual({
      step: 12,
      large: 2n ** 70n,
      negative: -(2 ** 40),
      rate: 1e-3,
      name: 'ünïcode 🙂',
      flag: true,
      nothing: null,
      dtype: 'torch.bfloat16',
      device: 'cuda:1',
      'size.0': 2,
      'size.1': 3,
      'pair.0': 1,
      'pair.1': 'two',
      'list.0': 1.5,
      'list.1.0': 2,
      'list.1.1': 3,
      'ordered.a': 1,
      'set.0': 7,
    });
  });

  it('places what lies in the file as it is used, and nothing else', async () => {
    const npz = await openTensorFile(join(folder, 'stored.npz'));
    const arrays = [...npz.tensors.keys()].filter((name) => !['W_fortran', 'big_endian'].includes(name));
    expect((await expectPlaces(npz)).sort()).toEqual(arrays.sort());
    const views = ['transposed', 'column', 'permuted', 'expanded'];
    for (const name of ['checkpoint.pt', 'legacy.pt']) {
      const torch = await openTensorFile(join(folder, name));
      const plain = [...torch.tensors.keys()].filter((tensor) => !views.includes(tensor));
      expect((await expectPlaces(torch)).sort()).toEqual(plain.sort());
    }
    for (const name of ['deflated.npz', 'deflated.pt']) {
      expect(await expectPlaces(await openTensorFile(join(folder, name)))).toEqual([]);
    }
  });

  it('counts only places at multiples of eight bytes as usable without a copy', async () => {
    const { tensors } = await openTensorFile(join(folder, 'checkpoint.pt'));
    expect(isInPlace(tensors.get('base')!)).toBe(true);
    expect(isInPlace(tensors.get('transposed')!)).toBe(false);
    expect(isInPlace({ dtype: 'F32', shape: [1], offset: 12, length: 4 })).toBe(false);
  });

  it('goes by the content, not by the name', async () => {
    const scratch = await temporaryFolder();
    for (const [name, format] of [
      ['stored.npz', 'npz'],
      ['legacy.pt', 'torch'],
      ['checkpoint.pt', 'torch'],
      ['recorded.safetensors', 'safetensors'],
    ] as const) {
      const path = join(scratch, 'weights.bin');
      await copyFile(join(folder, name), path);
      expect((await openTensorFile(path)).format).toBe(format);
    }
  });

  it.each([
    ['nothing', '', 'an empty file'],
    ['a GGUF header', 'GGUF\x03\0\0\0', 'a GGUF file'],
    ['a plain pickle', '\x80\x04}.', 'a Python pickle without tensors'],
    ['a pointer of Git LFS', 'version https://git-lfs.github.com/spec/v1\n', 'the pointer of Git LFS'],
    ['text', 'hello, world, hello', 'something else'],
  ])('names a file that holds %s', async (_, content, found) => {
    const path = join(await temporaryFolder(), 'a.pt');
    await writeFile(path, content, 'latin1');
    const error = await failure(openTensorFile(path));
    expect(error).toMatchObject({ code: 'file.malformed', data: { path, field: 'format' } });
    expect(error.message).toContain(found);
  });

  it('names a zip archive that holds neither arrays nor a checkpoint', async () => {
    const path = join(await temporaryFolder(), 'a.npz');
    await writeFile(path, Buffer.from('PK\x05\x06'.padEnd(22, '\0'), 'latin1'));
    expect((await failure(openTensorFile(path))).code).toBe('file.malformed');
  });

  it('runs nothing of a pickled module, and names it', async () => {
    const path = join(folder, 'module.pt');
    const error = await failure(openTensorFile(path));
    expect(error).toMatchObject({
      code: 'file.malformed',
      data: { path, found: '"torch.nn.modules.linear.Linear"' },
    });
    const scalar = await failure(openTensorFile(join(folder, 'numpy_scalar.pt')));
    expect(scalar.message).toContain('numpy._core.multiarray.scalar');
  });

  it('refuses to read a file that was replaced since it was opened', async () => {
    for (const name of ['stored.npz', 'deflated.npz', 'checkpoint.pt', 'legacy.pt', 'recorded.safetensors']) {
      const path = join(await temporaryFolder(), name);
      await copyFile(join(folder, name), path);
      const file = await openTensorFile(path);
      await writeFile(path, Buffer.concat([await readFile(path), Buffer.of(0)]));
      for (const tensor of file.tensors.keys()) {
        expect(await failure(file.read(tensor))).toMatchObject({ code: 'file.changed', data: { path } });
      }
    }
  });

  it('names a tensor that is asked for but absent, and one that holds no floats', async () => {
    for (const name of ['stored.npz', 'checkpoint.pt']) {
      const file = await openTensorFile(join(folder, name));
      expect((await failure(file.read('gone'))).message).toContain('gone should be a tensor in the file');
      expect(await failure(file.readFloat32('ids'))).toMatchObject({ data: { field: 'ids.dtype' } });
    }
  });
});
