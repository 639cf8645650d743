/** JSON lines: every good line comes out, every damaged one is told by its number, and nothing grows without bound. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  type JsonLine,
  type JsonLinesOptions,
  readJsonLines,
} from '../../../../src/engine/files/jsonLines.ts';
import { failure, temporaryFolder } from '../../temporaryFolder.ts';

async function fileOf(content: string | Uint8Array): Promise<string> {
  const path = join(await temporaryFolder(), 'labels.jsonl');
  await writeFile(path, content);
  return path;
}

async function all(path: string, options?: JsonLinesOptions): Promise<JsonLine[]> {
  const lines: JsonLine[] = [];
  for await (const line of readJsonLines(path, options)) lines.push(line);
  return lines;
}

describe('readJsonLines', () => {
  it('gives every line of plain and compressed files, told apart by content', async () => {
    const rows = Array.from({ length: 5000 }, (_, i) => ({
      index: i,
      text: `months ünd 深 ${'x'.repeat(i % 300)}`,
    }));
    const text = rows.map((row) => JSON.stringify(row)).join('\n');
    const expected = rows.map((value, i) => ({ line: i + 1, value }));
    for (const content of [
      text,
      `${text}\n`,
      gzipSync(text),
      Buffer.concat([gzipSync(`${text.slice(0, 999)}`), gzipSync(text.slice(999))]),
    ]) {
      expect(await all(await fileOf(content))).toEqual(expected);
    }
  });

  it('passes over damaged and empty lines and tells their numbers', async () => {
    const lines = ['{"a":1}', '', '{"a":', '  ', 'nonsense', '[1,2]\r', `${'['.repeat(500)}`, '{"b":2}'];
    const found = await all(await fileOf(lines.join('\n')));
    expect(found.map(({ line }) => line)).toEqual([1, 3, 5, 6, 7, 8]);
    expect(found.filter((line) => 'value' in line)).toEqual([
      { line: 1, value: { a: 1 } },
      { line: 6, value: [1, 2] },
      { line: 8, value: { b: 2 } },
    ]);
    expect(found[4]).toMatchObject({ problem: expect.stringContaining('nests deeper') });
  });

  it('passes over lines that are no UTF-8 or too long', async () => {
    const content = Buffer.concat([
      Buffer.from('"a"\n'),
      Buffer.of(0x22, 0xff, 0x22, 10),
      Buffer.from(`"${'x'.repeat(5000)}"\n"b"\n`),
    ]);
    expect(await all(await fileOf(content), { maxLineBytes: 100 })).toEqual([
      { line: 1, value: 'a' },
      { line: 2, problem: 'is no JSON: it is no text in UTF-8' },
      { line: 3, problem: 'is longer than 100 bytes' },
      { line: 4, value: 'b' },
    ]);
  });

  it('says of text in UTF-16 that it is, with a byte order mark or without', async () => {
    const text = '{"a": 1}\n{"b": 2}\n';
    const little = Buffer.from(text, 'utf16le');
    const big = Buffer.from(little).swap16();
    const mark = (bytes: number[], content: Buffer) => Buffer.concat([Buffer.from(bytes), content]);
    for (const content of [little, big, mark([0xff, 0xfe], little), mark([0xfe, 0xff], big)]) {
      const [first] = await all(await fileOf(content));
      expect(first).toEqual({ line: 1, problem: 'is text in UTF-16, and has to be in UTF-8' });
    }
  });

  it('says of lines that end in carriage returns alone that they do', async () => {
    expect(await all(await fileOf(Buffer.from('{"a": 1}\r{"b": 2}\r')))).toEqual([
      { line: 1, problem: expect.stringContaining('save the file with LF or CRLF') },
    ]);
  });

  it('looks for keys that a line has twice when asked to', async () => {
    const path = await fileOf(Buffer.from('{"a": 1, "a": 2}\n'));
    expect(await all(path, { findDoubled: true })).toEqual([{ line: 1, value: { a: 2 }, doubled: 'a' }]);
    expect(await all(path)).toEqual([{ line: 1, value: { a: 2 } }]);
  });

  it('keeps no more than the allowed length of a line that never ends', async () => {
    const path = await fileOf(gzipSync(Buffer.alloc(48 * 2 ** 20, 0x78)));
    const before = process.memoryUsage();
    const found = await all(path, { maxLineBytes: 1024 });
    expect(found).toEqual([{ line: 1, problem: 'is longer than 1024 bytes' }]);
    const after = process.memoryUsage();
    expect(after.heapUsed - before.heapUsed).toBeLessThan(32 * 2 ** 20);
  });

  it('stops at a bomb', async () => {
    const bomb = gzipSync(Buffer.alloc(80 * 2 ** 20, 0x20));
    const path = await fileOf(bomb);
    const error = await failure(all(path, { maxRatio: 100 }));
    expect(error).toMatchObject({ code: 'file.malformed', data: { path, field: 'inflated size' } });
    expect(await failure(all(await fileOf('1\n2\n'), { maxBytes: 3 }))).toMatchObject({
      data: { expected: 'at most 3 bytes' },
    });
  });

  it('names a compressed file that was cut off or is damaged', async () => {
    const whole = gzipSync(Array.from({ length: 2000 }, (_, i) => `{"a":${i * 7919}}`).join('\n'));
    const cut = await fileOf(whole.subarray(0, whole.length / 2));
    expect(await failure(all(cut))).toMatchObject({ data: { path: cut, field: 'gzip data' } });
    const damaged = Buffer.from(whole);
    damaged.fill(0xee, 100, 200);
    const path = await fileOf(damaged);
    expect(await failure(all(path))).toMatchObject({ data: { path, field: 'gzip data' } });
  });

  it('can be left half-way and cancelled', async () => {
    const path = await fileOf(gzipSync('{"a":1}\n'.repeat(200_000)));
    for await (const line of readJsonLines(path)) if (line.line === 10) break;
    const controller = new AbortController();
    const seen: number[] = [];
    const work = (async () => {
      for await (const { line } of readJsonLines(path, { signal: controller.signal })) {
        seen.push(line);
        if (line === 3) controller.abort();
      }
    })();
    expect((await failure(work)).code).toBe('cancelled');
    expect(seen.length).toBeLessThan(200_000);
  });

  it('tells a file that is missing or is replaced while it is read', async () => {
    expect((await failure(all(join(await temporaryFolder(), 'gone.jsonl')))).code).toBe('file.missing');
    const path = await fileOf('{"a":1}\n'.repeat(200_000));
    const work = (async () => {
      for await (const { line } of readJsonLines(path)) if (line === 1) await writeFile(path, 'other');
    })();
    expect((await failure(work)).code).toBe('file.changed');
  });
});
