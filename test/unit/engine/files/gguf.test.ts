/** GGUF files: what a header says is found again, and whatever is wrong with one is named. */
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Gguf, openGguf } from '../../../../src/engine/files/gguf.ts';
import { EngineError } from '../../../../src/shared/errors.ts';
import {
  float32Bytes,
  type GgufSpec,
  type GgufTensorSpec,
  ggufFile,
  text,
  uint64,
} from '../../../fixtures/ggufFile.ts';
import { failure, temporaryFolder } from '../../temporaryFolder.ts';

const recorded = join(import.meta.dirname, '../../../fixtures/parity/gguf/models');

async function written(bytes: Uint8Array): Promise<string> {
  const path = join(await temporaryFolder(), 'a.gguf');
  await writeFile(path, bytes);
  return path;
}

async function opened(spec: GgufSpec): Promise<Gguf> {
  return openGguf(await written(ggufFile(spec)));
}

async function refused(bytes: Uint8Array): Promise<EngineError> {
  const path = await written(bytes);
  const error = await failure(openGguf(path));
  expect(error.message).toContain(path);
  return error;
}

const matrix: GgufTensorSpec = { name: 'm.weight', shape: [2, 3], data: float32Bytes([1, 2, 3, 4, 5, 6]) };
const vector: GgufTensorSpec = { name: 'v.weight', shape: [4], data: float32Bytes([7, 8, 9, 10]) };

describe('openGguf', () => {
  it('finds metadata of every kind and where tensors lie', async () => {
    const file = await opened({
      version: 2,
      metadata: {
        'general.architecture': { type: 'string', value: 'llämä' },
        byte: { type: 'uint8', value: 255 },
        whole: { type: 'int32', value: -7 },
        long: { type: 'uint64', value: 2n ** 63n },
        exact: { type: 'uint64', value: 2n ** 53n - 1n },
        double: { type: 'float64', value: Math.PI },
        yes: { type: 'bool', value: true },
        texts: { type: 'array', of: 'string', values: ['a', '', '日本'] },
        scores: { type: 'array', of: 'float32', values: [0.5, -1] },
        none: { type: 'array', of: 'uint32', values: [] },
      },
      tensors: [matrix, vector],
    });
    expect(Object.fromEntries(file.metadata)).toEqual({
      'general.architecture': 'llämä',
      byte: 255,
      whole: -7,
      long: 2n ** 63n,
      exact: Number.MAX_SAFE_INTEGER,
      double: Math.PI,
      yes: true,
      texts: ['a', '', '日本'],
      scores: Float64Array.of(0.5, -1),
      none: new Float64Array(),
    });
    const bytes = readFileSync(file.path);
    for (const { name, shape, data } of [matrix, vector]) {
      const tensor = file.tensors.get(name)!;
      expect(tensor).toMatchObject({ type: 'F32', shape, length: data.length });
      expect(new Uint8Array(bytes.subarray(tensor.offset, tensor.offset + tensor.length))).toEqual(data);
      expect(tensor.offset % 32).toBe(0);
    }
  });

  it('reads a header that is longer than what is read at first', async () => {
    const long = 'x'.repeat(3_000_000);
    const values = Array.from({ length: 400_000 }, (_, i) => `token${i}`);
    const file = await opened({
      metadata: {
        long: { type: 'string', value: long },
        tokens: { type: 'array', of: 'string', values },
      },
      tensors: [matrix],
    });
    expect(file.metadata.get('long')).toBe(long);
    expect(file.metadata.get('tokens')).toEqual(values);
    expect(file.tensors.get('m.weight')!.offset).toBe(file.dataStart);
  });

  it('keeps keys that are dangerous as names of properties apart from its own', async () => {
    const file = await opened({ metadata: JSON.parse('{"__proto__": {"type": "uint32", "value": 1}}') });
    expect(file.metadata.get('__proto__')).toBe(1);
    expect(({} as Record<string, unknown>).value).toBeUndefined();
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['another magic', ggufFile({ magic: 'GGML' }), /first four bytes should be GGUF/],
    ['a future version', ggufFile({ version: 4 }), /version should be 2 or 3, but is 4/],
    ['an early version', ggufFile({ version: 1 }), /version should be 2 or 3/],
    ['the other byte order', ggufFile({ version: 3 << 24 }), /byte order should be little-endian/],
    ['a giant tensor count', ggufFile({ tensorCount: 2n ** 63n }), /tensor count should be at most \d+/],
    [
      'a giant metadata count',
      ggufFile({ metadataCount: 2n ** 40n }),
      /metadata count should be at most \d+/,
    ],
    ['nothing', new Uint8Array(), /first four bytes/],
    ['a tensor twice', ggufFile({ tensors: [matrix, matrix] }), /tensor name .*m\.weight/],
    ['a name for harm', ggufFile({ tensors: [{ ...matrix, name: '__proto__' }] }), /tensor name/],
    ['an unknown format', ggufFile({ tensors: [{ ...matrix, type: 99 }] }), /m\.weight\.type .*the id 99/],
    ['part of a block', ggufFile({ tensors: [{ ...matrix, type: 8 }] }), /m\.weight\.shape .*multiple of 32/],
    ['five axes', ggufFile({ tensors: [{ ...matrix, shape: [1, 1, 1, 2, 3] }] }), /at most 4 dimensions/],
    ['no axes', ggufFile({ tensors: [{ ...matrix, shape: [] }] }), /m\.weight\.shape/],
    ['an empty axis', ggufFile({ tensors: [{ ...matrix, shape: [0, 3] }] }), /m\.weight\.shape/],
    [
      'a giant shape',
      ggufFile({ tensors: [{ ...matrix, shape: [2 ** 50, 3] }] }),
      /m\.weight\.offset .*within the/,
    ],
    [
      'an overflowing shape',
      ggufFile({ tensors: [{ ...matrix, shape: [2 ** 52, 2 ** 52, 2 ** 52, 4] }] }),
      /within/,
    ],
    [
      'an offset outside',
      ggufFile({ tensors: [{ ...matrix, offset: 4096 }] }),
      /m\.weight\.offset .*24 bytes at 4096/,
    ],
    [
      'an offset beyond numbers',
      ggufFile({ tensors: [{ ...matrix, offset: 2n ** 60n }] }),
      /an offset below 2\^53/,
    ],
    ['an uneven offset', ggufFile({ tensors: [{ ...matrix, offset: 4 }] }), /multiple of the alignment/],
    [
      'an overlap',
      ggufFile({ tensors: [matrix, { ...vector, offset: 0 }] }),
      /overlap with the tensor before/,
    ],
    [
      'an alignment of three',
      ggufFile({ metadata: { 'general.alignment': { type: 'uint32', value: 3 } } }),
      /general\.alignment should be a power of two/,
    ],
  ])('refuses a file with %s', async (_, bytes, words) => {
    const error = await refused(bytes);
    expect(error.code).toBe('file.malformed');
    expect(error.message).toMatch(words);
  });

  it('refuses values that cannot be, and says of which key', async () => {
    const entry = (...parts: Buffer[]) =>
      Buffer.concat([
        ggufFile({ metadataCount: 1n }).subarray(0, 24),
        text('some.key'),
        ...parts,
        Buffer.alloc(64),
      ]);
    const type = (id: number) => Buffer.from(Uint32Array.of(id).buffer);
    const unknown = await refused(entry(type(13)));
    expect(unknown.message).toMatch(/some\.key should be a type of GGUF/);
    const longText = await refused(entry(type(8), uint64(2n ** 62n)));
    expect(longText.message).toMatch(/some\.key should be a text within the 64 bytes/);
    const longList = await refused(entry(type(9), type(4), uint64(2n ** 32n)));
    expect(longList.message).toMatch(/some\.key should be at most 16/);
    const nested = [0, 1, 2, 3].flatMap(() => [type(9), uint64(1)]);
    const deep = await refused(entry(type(9), ...nested));
    expect(deep.message).toMatch(/some\.key should be lists at most 3 deep/);
    const twice = Buffer.concat([text('k'), type(7), Buffer.alloc(1)]);
    const double = await refused(
      Buffer.concat([ggufFile({ metadataCount: 2n }).subarray(0, 24), twice, twice, Buffer.alloc(64)]),
    );
    expect(double.message).toMatch(/k should be a key of its own/);
  });

  it('refuses a file that was cut off, wherever', async () => {
    const whole = ggufFile({
      metadata: {
        name: { type: 'string', value: 'abc' },
        list: { type: 'array', of: 'int32', values: [1, 2, 3] },
      },
      tensors: [matrix, vector],
    });
    const path = await written(whole);
    for (let size = whole.length - 17; size >= 0; size -= 3) {
      await truncate(path, size);
      expect((await failure(openGguf(path))).code, `${size} bytes`).toBe('file.malformed');
    }
  });

  it('refuses folders, and says what is missing', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'a.gguf'));
    expect((await failure(openGguf(join(folder, 'a.gguf')))).code).toBe('file.malformed');
    expect((await failure(openGguf(join(folder, 'b.gguf')))).code).toBe('file.missing');
  });

  it('answers any change of a real file with a coded error or with tensors inside the file', async () => {
    const files = readdirSync(recorded).map((name) => readFileSync(join(recorded, name)));
    const path = join(await temporaryFolder(), 'a.gguf');
    const change = fc.tuple(fc.nat(), fc.nat(4999), fc.uint8Array({ minLength: 1, maxLength: 9 }));
    await fc.assert(
      fc.asyncProperty(change, async ([which, at, bytes]) => {
        const changed = Buffer.from(files[which % files.length]!);
        changed.set(bytes.subarray(0, changed.length - at), at);
        await writeFile(path, changed);
        try {
          const { tensors } = await openGguf(path);
          for (const { offset, length } of tensors.values()) {
            expect(offset + length).toBeLessThanOrEqual(changed.length);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(EngineError);
        }
      }),
      { numRuns: 300 },
    );
  });
});
