/** Headers of NumPy arrays: what NumPy writes is understood, everything else is named. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseNpyHeader } from '../../../../src/engine/files/npy.ts';
import { openNpz } from '../../../../src/engine/files/npz.ts';
import { EngineError } from '../../../../src/shared/errors.ts';
import { zipBytes } from '../../../fixtures/zipBytes.ts';
import { failure, temporaryFolder } from '../../temporaryFolder.ts';

/** An array with this header text. */
function npy(header: string, version = 1, data: Uint8Array = new Uint8Array()): Buffer {
  const text = Buffer.from(header);
  const start = Buffer.from([0x93, ...Buffer.from('NUMPY'), version, 0]);
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  if (version === 1) length.writeUInt16LE(text.length);
  else length.writeUInt32LE(text.length);
  return Buffer.concat([start, length, text, data]);
}

const header = (descr: string, shape: string, fortran = 'False') =>
  `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }          \n`;

describe('parseNpyHeader', () => {
  it.each([
    ['<f4', '(3, 4)', 'F32', [3, 4]],
    ['<f2', '(7,)', 'F16', [7]],
    ['|b1', '()', 'BOOL', []],
    ['>i8', '(2, 0, 5)', 'I64', [2, 0, 5]],
    ['|u1', '(1, 2, )', 'U8', [1, 2]],
  ])('understands %s%s', (descr, shape, dtype, dims) => {
    for (const version of [1, 2, 3]) {
      const parsed = parseNpyHeader('x.npz', 'a', npy(header(descr, shape), version));
      expect(parsed).toMatchObject({ dtype, shape: dims, fortranOrder: false });
      expect(parsed.bigEndian).toBe(descr.startsWith('>'));
    }
  });

  it('takes the keys in any order and without a last comma', () => {
    const text = "{'shape': (2, 3), 'fortran_order': True, 'descr': '<f8'}\n";
    expect(parseNpyHeader('x.npz', 'a', npy(text))).toMatchObject({
      dtype: 'F64',
      fortranOrder: true,
      length: 48,
    });
  });

  it.each([
    ['other bytes', Buffer.from('not numpy at all'), 'a'],
    ['version 7', npy(header('<f4', '(1,)'), 7), 'a version'],
    ['a header of 4 GB', Buffer.concat([npy('', 2).subarray(0, 8), Buffer.alloc(4, 0xff)]), 'a header'],
    ['pickled objects', npy(header('|O', '(1,)')), 'a descr'],
    ['texts', npy(header('<U5', '(1,)')), 'a descr'],
    ['complex numbers', npy(header('<c8', '(1,)')), 'a descr'],
    ['records', npy("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,), }"), 'a header'],
    ['a negative dimension', npy(header('<f4', '(-1,)')), 'a header'],
    ['a shape that is no tuple', npy(header('<f4', '(3)')), 'a shape'],
    ['a shape of commas', npy(header('<f4', '(,,)')), 'a shape'],
    ['a shape beyond all numbers', npy(header('<f4', '(9007199254740991, 9007199254740991)')), 'a shape'],
    ['a dimension beyond 2^53', npy(header('<f4', '(99999999999999999999,)')), 'a shape'],
    ['too many dimensions', npy(header('<f4', `(${'1, '.repeat(50)})`)), 'a shape'],
    ['a call in it', npy("{'descr': '<f4', 'fortran_order': exec('x'), 'shape': (1,)}"), 'a header'],
    [
      'a key twice',
      npy("{'descr': '<f4', 'descr': '<f8', 'fortran_order': False, 'shape': (1,)}"),
      'a header',
    ],
    ['a key too many', npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': (1,)}"), 'a header'],
    ['a key too few', npy("{'descr': '<f4', 'fortran_order': False}"), 'a shape'],
    ['no dictionary', npy('[]'), 'a header'],
    ['a header cut off', npy(header('<f4', '(1,)')).subarray(0, 40), 'a header'],
  ])('refuses an array with %s', (_, bytes, field) => {
    try {
      parseNpyHeader('x.npz', 'a', bytes);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(EngineError);
      expect(error).toMatchObject({ code: 'file.malformed', data: { path: 'x.npz', field } });
    }
  });
});

describe('openNpz', () => {
  it('refuses an array with more or fewer numbers than its shape', async () => {
    for (const bytes of [0, 8, 16]) {
      const path = join(await temporaryFolder(), 'a.npz');
      const content = npy(header('<f4', '(3,)'), 1, new Uint8Array(bytes));
      await writeFile(path, zipBytes([{ name: 'w.npy', content }]));
      expect(await failure(openNpz(path))).toMatchObject({
        data: { path, field: 'w data', found: `"${bytes} bytes"` },
      });
    }
  });

  it('refuses names that are dangerous as keys, and archives without arrays', async () => {
    const path = join(await temporaryFolder(), 'a.npz');
    await writeFile(path, zipBytes([{ name: '__proto__.npy', content: npy(header('<f4', '(0,)')) }]));
    expect(await failure(openNpz(path))).toMatchObject({ data: { field: 'tensor name' } });
    await writeFile(path, zipBytes([{ name: 'readme', content: '' }]));
    expect(await failure(openNpz(path))).toMatchObject({ data: { field: 'entries' } });
  });
});
