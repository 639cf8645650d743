/** Zip archives: what others wrote is found; bombs, lies and names that lead elsewhere are refused before anything is inflated. */
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openZip, readZipEntry, readZipStart } from '../../../../src/engine/files/zip.ts';
import { type ZipPart, zipBytes } from '../../../fixtures/zipBytes.ts';
import { failure, temporaryFolder } from '../../temporaryFolder.ts';

const numbers = Uint8Array.from({ length: 100_000 }, (_, i) => (i * i) % 251);
const parts: readonly ZipPart[] = [
  { name: 'a.txt', content: 'stored' },
  { name: 'folder/b.bin', content: numbers, deflated: true },
  { name: 'empty', content: '' },
  { name: 'ü/深.npy', content: 'x', deflated: true },
];

async function archive(bytes: Uint8Array): Promise<string> {
  const path = join(await temporaryFolder(), 'a.npz');
  await writeFile(path, bytes);
  return path;
}

async function refusal(bytes: Uint8Array): Promise<string> {
  const path = await archive(bytes);
  const error = await failure(openZip(path));
  expect(error).toMatchObject({ code: 'file.malformed', data: { path } });
  return error.message;
}

describe('openZip', () => {
  it('finds every entry and gives back what was put in', async () => {
    const zip = await openZip(await archive(zipBytes([...parts, { name: 'folder/', content: '' }])));
    expect([...zip.entries.keys()]).toEqual(parts.map(({ name }) => name));
    for (const { name, content } of parts) {
      const entry = zip.entries.get(name)!;
      expect(Buffer.from(await readZipEntry(zip, entry))).toEqual(Buffer.from(content));
      const start = Buffer.from(content).subarray(0, 70_000);
      expect(Buffer.from(await readZipStart(zip, entry, 70_000))).toEqual(start);
    }
  });

  const cases: readonly [string, Uint8Array, string][] = [
    ['a name that climbs out', zipBytes([{ name: '../evil', content: '' }]), 'invalid relative path'],
    [
      'a name that climbs out deep inside',
      zipBytes([{ name: 'a/../../b', content: '' }]),
      'invalid relative path',
    ],
    [
      'a name that climbs out by backslashes',
      zipBytes([{ name: '..\\evil', content: '' }]),
      'invalid characters',
    ],
    ['an absolute name', zipBytes([{ name: '/etc/passwd', content: '' }]), 'absolute path'],
    ['a name on another drive', zipBytes([{ name: 'C:/x', content: '' }]), 'absolute path'],
    ['a name with a NUL', zipBytes([{ name: 'a\0b', content: '' }]), 'a file name'],
    ['an empty name', zipBytes([{ name: '', content: '' }]), 'a file name'],
    ['two entries of one name', zipBytes([parts[0]!, parts[0]!]), 'occurs twice'],
    [
      'an encrypted entry',
      zipBytes([{ name: 'a', content: 'x'.repeat(12), lie: { flags: 1, length: 0 } }]),
      'encrypt',
    ],
    [
      'a strongly encrypted entry',
      zipBytes([{ name: 'a', content: '', lie: { flags: 0x41 } }]),
      'strong encryption',
    ],
    [
      'another compression',
      zipBytes([{ name: 'a', content: '', lie: { method: 93 } }]),
      '0 (none) or 8 (deflate)',
    ],
    [
      'another name before the data',
      zipBytes([{ name: 'a', content: '', lie: { localName: 'b' } }]),
      'the same before its data',
    ],
    [
      'data behind the end',
      zipBytes([{ name: 'a', content: '', lie: { length: 1e6, compressedLength: 1e6 } }]),
      'overflows file bounds',
    ],
    [
      'a header behind the end',
      zipBytes([{ name: 'a', content: '', lie: { offset: 1e6 } }]),
      'unexpected EOF',
    ],
    [
      'a header that is none',
      zipBytes([{ name: 'a', content: 'xxx', lie: { offset: 5 } }]),
      'invalid local file header',
    ],
    ['a directory behind the end', zipBytes(parts, { directoryOffset: 1e6 }), 'unexpected EOF'],
    ['fewer entries than it says', zipBytes(parts, { entryCount: 9 }), 'zip directory'],
    ['65,535 entries', zipBytes(parts, { entryCount: 0xfffe }), 'number of entries'],
    [
      'a size that deflate cannot reach',
      zipBytes([{ name: 'a', content: 'abc', deflated: true, lie: { length: 1e7 } }]),
      'size of a',
    ],
    [
      'another length than it takes',
      zipBytes([{ name: 'a', content: 'abc', lie: { length: 4 } }]),
      'size mismatch',
    ],
    ['no end', zipBytes(parts).subarray(0, 200), 'End of central directory'],
    ['nothing', new Uint8Array(), 'End of central directory'],
  ];
  it.each(cases)('refuses an archive with %s', async (_, bytes, reason) => {
    expect(await refusal(bytes)).toContain(reason);
  });

  it('refuses entries that share their bytes, as bombs without nesting do', async () => {
    const inner: ZipPart = { name: 'b', content: 'x'.repeat(100) };
    const first = zipBytes([inner]).subarray(0, 131);
    const outer: ZipPart = { name: 'a', content: first };
    const offset = 31;
    const bytes = zipBytes([outer, { ...inner, lie: { offset } }]);
    expect(await refusal(bytes)).toContain('a start behind a');
    const twice = zipBytes([
      { name: 'a', content: 'abc' },
      { name: 'a', content: 'abc', lie: { offset: 0 } },
    ]);
    expect(await refusal(twice)).toContain('occurs twice');
  });

  it('refuses a bomb: zeros that inflate more than a hundredfold', async () => {
    const bomb = zipBytes([{ name: 'a.npy', content: new Uint8Array(32 * 2 ** 20), deflated: true }]);
    expect(bomb.length).toBeLessThan(40_000);
    const before = process.memoryUsage().arrayBuffers;
    expect(await refusal(bomb)).toContain('size of a.npy');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * 2 ** 20);
  });
});

describe('reading an entry', () => {
  const content = numbers;
  const lying = (lie: ZipPart['lie']) => zipBytes([{ name: 'a', content, deflated: true, lie }]);

  it.each([
    ['inflates to more than it declared', lying({ length: content.length - 1 }), 'but is "more"'],
    ['inflates to less than it declared', lying({ length: content.length + 1 }), `${content.length} bytes"`],
    ['has another checksum', lying({ crc32: 1 }), 'the checksum 1'],
    [
      'is no deflate stream',
      zipBytes([{ name: 'a', content, lie: { method: 8 } }]),
      'an undamaged deflate stream',
    ],
  ])('fails when it %s', async (_, bytes, reason) => {
    const zip = await openZip(await archive(bytes));
    const error = await failure(readZipEntry(zip, zip.entries.get('a')!));
    expect(error).toMatchObject({ code: 'file.malformed', data: { path: zip.path } });
    expect(error.message).toContain(reason);
  });

  it('fails when it is longer than the caller takes', async () => {
    const zip = await openZip(await archive(zipBytes(parts)));
    expect(await failure(readZipEntry(zip, zip.entries.get('a.txt')!, 3))).toMatchObject({
      data: { field: 'a.txt', expected: 'at most 3 bytes', found: '"6 bytes"' },
    });
  });

  it('fails when the archive was cut since it was opened', async () => {
    const zip = await openZip(await archive(zipBytes(parts)));
    await truncate(zip.path, 20);
    for (const entry of zip.entries.values()) {
      expect(await failure(readZipEntry(zip, entry))).toMatchObject({ code: 'file.changed' });
    }
  });
});
