/** JSON files: the first wrong field is named, whatever is in the file. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { readJson, writeJson } from '../../../../src/engine/files/json.ts';
import { EngineError } from '../../../../src/shared/errors.ts';
import { failure, temporaryFolder } from '../../temporaryFolder.ts';

const schema = v.looseObject({
  name: v.string(),
  size: v.custom<number>((input) => Number.isInteger(input), 'a whole number'),
  inner: v.optional(v.object({ list: v.array(v.boolean()) })),
});

async function jsonFile(content: string | Uint8Array): Promise<string> {
  const path = join(await temporaryFolder(), 'a.json');
  await writeFile(path, content);
  return path;
}

describe('readJson', () => {
  it('gives back what writeJson wrote', async () => {
    const path = join(await temporaryFolder(), 'deep/a.json');
    const value = { name: 'ü "x"', size: 3, inner: { list: [true] } };
    await writeJson(path, value);
    expect(await readJson(path, schema)).toEqual(value);
  });

  it.each([
    ['{"size":1}', 'name', 'present', 'missing'],
    ['{"name":5,"size":1}', 'name', 'string', '5'],
    ['{"name":"a","size":1.5}', 'size', 'a whole number', '1.5'],
    ['{"name":"a","size":1,"inner":{"list":[true,"no"]}}', 'inner.list.1', 'boolean', '"no"'],
    ['[]', 'name', 'present', 'missing'],
    ['null', 'the content', 'Object', 'null'],
  ])('names the first wrong field of %s', async (text, field, expected, found) => {
    const path = await jsonFile(text);
    const error = await failure(readJson(path, schema, { fault: 'model.invalidConfig' }));
    expect(error).toMatchObject({ code: 'model.invalidConfig', data: { path, field, expected, found } });
  });

  it('tells missing, truncated, binary, oversized and deeply nested files apart from good ones', async () => {
    const gone = join(await temporaryFolder(), 'none.json');
    expect((await failure(readJson(gone, schema))).code).toBe('file.missing');
    expect(await failure(readJson(await jsonFile('{"name": "a'), schema))).toMatchObject({
      data: { expected: 'JSON' },
    });
    expect(await failure(readJson(await jsonFile(''), schema))).toMatchObject({ data: { expected: 'JSON' } });
    const binary = await jsonFile(Uint8Array.of(0x7b, 0xff, 0x7d));
    expect(await failure(readJson(binary, schema))).toMatchObject({ data: { expected: 'text in UTF-8' } });
    const large = await jsonFile(`{"name":"${'x'.repeat(200)}","size":1}`);
    expect(await failure(readJson(large, schema, { maxBytes: 100 }))).toMatchObject({
      data: { field: 'file size' },
    });
    const deep = await jsonFile('['.repeat(200_000));
    expect((await failure(readJson(deep, schema))).code).toBe('file.malformed');
    expect((await failure(readJson(await temporaryFolder(), schema))).code).toBe('file.malformed');
  });

  it('reads any JSON or names the file and a field', async () => {
    const path = await jsonFile('');
    const near = fc.record(
      {
        name: fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue()),
        size: fc.oneof(fc.integer(), fc.jsonValue()),
        inner: fc.jsonValue(),
      },
      { requiredKeys: [] },
    );
    const content = fc.oneof(
      near.map((value) => JSON.stringify(value)),
      fc.json(),
      fc.string({ unit: 'binary' }),
    );
    await fc.assert(
      fc.asyncProperty(content, async (text) => {
        await writeFile(path, text);
        try {
          const value = await readJson(path, schema);
          expect(typeof value.name).toBe('string');
          expect(Number.isInteger(value.size)).toBe(true);
        } catch (error) {
          if (!(error instanceof EngineError)) throw error;
          expect(error).toMatchObject({
            code: 'file.malformed',
            data: { path, field: expect.stringMatching(/./) },
          });
        }
      }),
      { numRuns: 300, seed: 7 },
    );
  });
});
