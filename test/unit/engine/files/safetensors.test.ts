/** Safetensors: what is written comes back, what others wrote is located, what is damaged is named. */
import { readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openSafetensors, writeSafetensors } from '../../../../src/engine/files/safetensors.ts';
import type { Value } from '../../../../src/engine/graph/value.ts';
import { EngineError } from '../../../../src/shared/errors.ts';
import { failure, temporaryFolder } from '../../temporaryFolder.ts';

const recordedModel = join(import.meta.dirname, '../../../fixtures/parity/gpt2/model.safetensors');

const tensors: Record<string, Value> = {
  odd: { dtype: 'float32', dims: [3], data: Float32Array.of(1.5, -0, Number.NaN) },
  matrix: { dtype: 'float32', dims: [4, 8], data: Float32Array.from({ length: 32 }, (_, i) => i / 7) },
  scalar: { dtype: 'int64', dims: [], data: BigInt64Array.of(-(2n ** 60n)) },
  empty: { dtype: 'float64', dims: [0, 5], data: new Float64Array() },
  double: { dtype: 'float64', dims: [2], data: Float64Array.of(Math.PI, 1e300) },
  ids: { dtype: 'int32', dims: [2, 1], data: Int32Array.of(-5, 7) },
  bytes: { dtype: 'uint8', dims: [3], data: Uint8Array.of(0, 128, 255) },
  mask: { dtype: 'bool', dims: [2], data: Uint8Array.of(1, 0) },
  half: { dtype: 'float16', dims: [1], data: Uint16Array.of(0x3c00) },
};

/** A file with this header (text or object) and this many bytes of data. */
function fileOf(header: unknown, dataBytes: number, length?: bigint): Uint8Array {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(length ?? BigInt(text.length));
  return Buffer.concat([start, text, Buffer.alloc(dataBytes)]);
}

describe('writeSafetensors and openSafetensors', () => {
  it('give back every dtype, shape and metadata', async () => {
    const path = join(await temporaryFolder(), 'new/folder/a.safetensors');
    await writeSafetensors(path, tensors, { format: 'pt', 'key with ü': '"quoted"' });
    const file = await openSafetensors(path);
    expect(file.metadata).toEqual({ format: 'pt', 'key with ü': '"quoted"' });
    expect([...file.tensors.keys()].sort()).toEqual(Object.keys(tensors).sort());
    for (const [name, tensor] of Object.entries(tensors)) expect(await file.read(name)).toEqual(tensor);
  });

  it('place tensors of even length at multiples of 64 and 8 bytes, without gaps', async () => {
    const path = join(await temporaryFolder(), 'a.safetensors');
    await writeSafetensors(path, tensors);
    const { tensors: located } = await openSafetensors(path);
    expect(located.get('matrix')!.offset % 64).toBe(0);
    for (const name of ['scalar', 'double', 'ids']) expect(located.get(name)!.offset % 8).toBe(0);
    const bytes = await readFile(path);
    const total = [...located.values()].reduce((sum, { length }) => sum + length, 0);
    expect(8 + Number(bytes.readBigUInt64LE()) + total).toBe(bytes.length);
  });

  it('replace a file whole and leave nothing else behind', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'a.safetensors');
    await writeSafetensors(path, { x: tensors.odd! });
    await writeSafetensors(path, { x: tensors.ids! });
    expect((await (await openSafetensors(path)).read('x')).dtype).toBe('int32');
    expect(await readdir(folder)).toEqual(['a.safetensors']);
  });

  it('refuse to write a tensor whose numbers do not fill its shape', async () => {
    const path = join(await temporaryFolder(), 'a.safetensors');
    const wrong: Value = { dtype: 'float32', dims: [2, 2], data: new Float32Array(3) };
    await expect(writeSafetensors(path, { wrong })).rejects.toThrow('[2, 2]');
  });

  it('locate tensors that Hugging Face wrote where the file holds them', async () => {
    const file = await openSafetensors(recordedModel);
    const bytes = await readFile(recordedModel);
    const headerLength = Number(bytes.readBigUInt64LE());
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerLength));
    const [begin] = header['transformer.wte.weight'].data_offsets;
    const located = file.tensors.get('transformer.wte.weight')!;
    expect(located).toMatchObject({
      dtype: 'F32',
      shape: [101, 32],
      offset: 8 + headerLength + begin,
      length: 101 * 32 * 4,
    });
    const numbers = await file.readFloat32('transformer.wte.weight');
    expect(numbers.length).toBe(101 * 32);
    for (const i of [0, 1, 500, 3231]) expect(numbers[i]).toBe(bytes.readFloatLE(located.offset + 4 * i));
  });

  it('widen 16-bit floats exactly and round doubles', async () => {
    const path = join(await temporaryFolder(), 'a.safetensors');
    await writeSafetensors(path, {
      half: {
        dtype: 'float16',
        dims: [8],
        data: Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x03ff, 0x7bff, 0xfc00, 0x7e00, 0x8000),
      },
      brain: { dtype: 'bfloat16', dims: [4], data: Uint16Array.of(0x3f80, 0xc040, 0x7f80, 0x0001) },
      double: { dtype: 'float64', dims: [1], data: Float64Array.of(0.1) },
    });
    const file = await openSafetensors(path);
    const half = [1, -2, 2 ** -24, 1023 * 2 ** -24, 65504, Number.NEGATIVE_INFINITY, Number.NaN, -0];
    expect([...(await file.readFloat32('half'))]).toEqual(half);
    expect([...(await file.readFloat32('brain'))]).toEqual([1, -3, Number.POSITIVE_INFINITY, 2 ** -133]);
    expect((await file.readFloat32('double'))[0]).toBe(Math.fround(0.1));
  });

  it('resolve symbolic links, as external data needs the real file', async () => {
    const folder = await temporaryFolder();
    await writeSafetensors(join(folder, 'blob'), { x: tensors.odd! });
    await symlink(join(folder, 'blob'), join(folder, 'link.safetensors'));
    expect((await openSafetensors(join(folder, 'link.safetensors'))).path).toBe(join(folder, 'blob'));
  });
});

describe('a file that cannot be used', () => {
  it('is missing when it never existed or disappears after opening', async () => {
    const path = join(await temporaryFolder(), 'a.safetensors');
    expect((await failure(openSafetensors(path))).code).toBe('file.missing');
    await writeSafetensors(path, { x: tensors.odd! });
    const file = await openSafetensors(path);
    await rm(path);
    expect(await failure(file.read('x'))).toMatchObject({ code: 'file.missing', data: { path } });
  });

  it('is named when it is a folder', async () => {
    const folder = await temporaryFolder();
    expect(await failure(openSafetensors(folder))).toMatchObject({
      code: 'file.malformed',
      data: { path: folder },
    });
  });

  it('has changed when it shrinks after opening', async () => {
    const path = join(await temporaryFolder(), 'a.safetensors');
    await writeSafetensors(path, { x: tensors.matrix! });
    const file = await openSafetensors(path);
    await truncate(path, file.tensors.get('x')!.offset + 5);
    expect(await failure(file.read('x'))).toMatchObject({ code: 'file.changed', data: { path } });
  });

  it('names a tensor that is asked for but absent, and one that holds no floats', async () => {
    const path = join(await temporaryFolder(), 'a.safetensors');
    await writeSafetensors(path, { ids: tensors.ids! });
    const file = await openSafetensors(path);
    expect(await failure(file.read('weight'))).toMatchObject({ data: { field: 'weight', found: 'missing' } });
    expect(await failure(file.readFloat32('ids'))).toMatchObject({
      data: { field: 'ids.dtype', found: '"int32"' },
    });
  });

  const f32 = (begin: number, end: number, shape: unknown = [(end - begin) / 4], dtype: unknown = 'F32') => ({
    dtype,
    shape,
    data_offsets: [begin, end],
  });
  const cases: readonly [string, Uint8Array, string][] = [
    ['an empty file', new Uint8Array(), 'file size'],
    ['a file of nine bytes', new Uint8Array(9), 'file size'],
    ['a header length of zero', fileOf('{}', 4, 0n), 'header length'],
    ['a header longer than the file', fileOf('{}', 4, 1000n), 'header length'],
    ['a header of 2^63 bytes', fileOf('{}', 4, 2n ** 63n), 'header length'],
    ['a header that is no JSON', fileOf('{"a":', 0), 'header'],
    [
      'a header that is no UTF-8',
      Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]), Buffer.from([0xff, 0xfe])]),
      'header',
    ],
    ['a header that is a list', fileOf([], 0), 'header'],
    ['metadata that is no object', fileOf({ __metadata__: 'pt' }, 0), '__metadata__'],
    ['metadata that is no text', fileOf({ __metadata__: { n: 1 } }, 0), '__metadata__.n'],
    ['a tensor that is no object', fileOf({ a: 1 }, 0), 'a'],
    ['an unknown dtype', fileOf({ a: f32(0, 4, [1], 'Q4') }, 4), 'a.dtype'],
    ['a dtype from the prototype', fileOf({ a: f32(0, 4, [1], 'toString') }, 4), 'a.dtype'],
    ['a negative dimension', fileOf({ a: f32(0, 4, [-1]) }, 4), 'a.shape'],
    ['a broken dimension', fileOf({ a: f32(0, 4, [0.5]) }, 4), 'a.shape'],
    ['a shape with too many dimensions', fileOf({ a: f32(0, 4, Array(100).fill(1)) }, 4), 'a.shape'],
    ['a shape beyond all memory', fileOf({ a: f32(0, 4, [2 ** 52, 2 ** 52]) }, 4), 'a.data_offsets'],
    [
      'offsets the wrong way round',
      fileOf({ a: { dtype: 'F32', shape: [1], data_offsets: [4, 0] } }, 4),
      'a.data_offsets',
    ],
    ['offsets behind the end, as of a truncated file', fileOf({ a: f32(0, 40) }, 36), 'a.data_offsets'],
    ['a length that is not the shape', fileOf({ a: f32(0, 8, [3]) }, 8), 'a.data_offsets'],
    ['tensors that overlap', fileOf({ a: f32(0, 8), b: f32(4, 12) }, 12), 'b.data_offsets'],
    ['a gap between tensors', fileOf({ a: f32(0, 4), b: f32(8, 12) }, 12), 'b.data_offsets'],
    ['bytes that belong to no tensor', fileOf({ a: f32(0, 4) }, 8), 'file size'],
    [
      'a tensor named __proto__',
      fileOf('{"__proto__":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4),
      'tensor name',
    ],
  ];
  it.each(cases)('is named when it has %s', async (_, bytes, field) => {
    const path = join(await temporaryFolder(), 'bad.safetensors');
    await writeFile(path, bytes);
    const error = await failure(openSafetensors(path));
    expect(error).toMatchObject({ code: 'file.malformed', data: { path, field } });
    expect(error.message).toContain('Download or export the file again');
  });

  it('keeps a hostile name from flooding the message', async () => {
    const path = join(await temporaryFolder(), 'bad.safetensors');
    await writeFile(path, fileOf({ [`${'x'.repeat(1e5)}\n\u001b[31m`]: 1 }, 0));
    const { message } = await failure(openSafetensors(path));
    expect(message.length).toBeLessThan(600);
    expect(message).not.toContain('\u001b');
  });
});

describe('a file changed at random', () => {
  it('opens or fails with an error that names the file and a field', async () => {
    const path = join(await temporaryFolder(), 'fuzz.safetensors');
    await writeSafetensors(
      path,
      { odd: tensors.odd!, matrix: tensors.matrix!, half: tensors.half! },
      { format: 'pt' },
    );
    const whole = await readFile(path);
    const headerEnd = 8 + Number(whole.readBigUInt64LE());
    let refused = 0;
    const edit = fc.record({ at: fc.nat(headerEnd - 1), byte: fc.nat(255), drop: fc.nat(3) });
    const change = fc.record({
      edits: fc.array(edit, { maxLength: 4 }),
      keep: fc.option(fc.nat(whole.length), { freq: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(change, async ({ edits, keep }) => {
        let bytes = Buffer.from(whole);
        for (const { at, byte, drop } of edits) {
          bytes = Buffer.concat([bytes.subarray(0, at), Buffer.of(byte), bytes.subarray(at + drop)]);
        }
        await writeFile(path, bytes.subarray(0, keep ?? bytes.length));
        try {
          const file = await openSafetensors(path);
          for (const name of file.tensors.keys()) await file.read(name);
        } catch (error) {
          refused++;
          if (!(error instanceof EngineError)) throw error;
          expect(error).toMatchObject({
            code: 'file.malformed',
            data: { path, field: expect.stringMatching(/./) },
          });
        }
      }),
      { numRuns: 400, seed: 20240501 },
    );
    expect(refused).toBeGreaterThan(100);
  });
});
