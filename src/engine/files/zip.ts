/**
 * Opens zip archives of hostile origin: the directory is read by yauzl and checked against the real bytes of the file;
 * an entry's data is read from its place, or inflated within the size it declared.
 */
import type { FileHandle } from 'node:fs/promises';
import * as zlib from 'node:zlib';
import * as yauzl from 'yauzl';
import { malformed, shorten } from './fileErrors.ts';
import { inflateStart } from './inflate.ts';
import { allocateBytes, readBytes, realFile, withFile } from './regularFile.ts';

/** One file of an archive, its place known and checked. */
export interface ZipEntry {
  readonly name: string;
  /** True when its bytes lie in the archive as they are; false when they are deflated. */
  readonly stored: boolean;
  /** First byte of its data in the archive, and the number of bytes it takes there. */
  readonly offset: number;
  readonly compressedLength: number;
  /** Bytes of its content. */
  readonly length: number;
  readonly crc32: number;
}

/** An opened archive; holds no file handle. */
export interface ZipArchive {
  /** Symbolic links resolved. */
  readonly path: string;
  readonly stamp: string;
  /** By name; folders are left out. */
  readonly entries: ReadonlyMap<string, ZipEntry>;
}

const maxEntries = 20_000;

/** Deflate cannot do better than this, so a larger ratio is a lie (zlib's technical notes: 1032 to 1). */
const possibleRatio = 1032;

/** Weights never shrink this much; small entries (zeros, headers) may. */
const plausibleRatio = 100;
const alwaysPlausible = 16 * 2 ** 20;

/**
 * Opens the archive at `path`; no content is read yet.
 * @throws file.missing, file.unreadable, file.malformed: more than 20,000 entries, encrypted ones, names that are absolute,
 * climb out or occur twice, entries that overlap each other or the directory, and sizes that only a bomb declares.
 */
export async function openZip(path: string): Promise<ZipArchive> {
  const real = await realFile(path);
  return withFile(real, async (file, size, stamp) => {
    const entries = await readDirectory(real, file, size);
    return { path: real, stamp, entries };
  });
}

/** The whole content of `entry`, of at most `limit` bytes. @throws file.malformed, file.changed. */
export async function readZipEntry(
  { path, stamp }: ZipArchive,
  entry: ZipEntry,
  limit = Number.POSITIVE_INFINITY,
): Promise<Uint8Array<ArrayBuffer>> {
  const field = shorten(entry.name, 60);
  if (entry.length > limit) throw malformed(path, field, `at most ${limit} bytes`, `${entry.length} bytes`);
  return withFile(
    path,
    async (file) => {
      if (entry.stored) return readBytes(path, file, entry.offset, entry.length);
      const bytes = allocateBytes(path, entry.length);
      await inflateStart(path, field, file, entry, bytes, true);
      // Node.js before 20.15 cannot tell.
      const found = zlib.crc32?.(bytes) ?? entry.crc32;
      if (found !== entry.crc32) {
        throw malformed(path, field, `content with the checksum ${entry.crc32}`, found);
      }
      return bytes;
    },
    stamp,
  );
}

/**
 * The content of `entry` from byte `start` on: read in place when it is stored, so a header in front costs no copy.
 * @throws file.malformed, file.changed.
 */
export async function readZipRest(
  archive: ZipArchive,
  entry: ZipEntry,
  start: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (!entry.stored) return (await readZipEntry(archive, entry)).subarray(start);
  const { path, stamp } = archive;
  const { offset, length } = entry;
  return withFile(path, (file) => readBytes(path, file, offset + start, length - start), stamp);
}

/** The first bytes of `entry`, at most `length`; for looking at headers. @throws file.malformed, file.changed. */
export async function readZipStart(
  { path, stamp }: ZipArchive,
  entry: ZipEntry,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const wanted = Math.min(length, entry.length);
  return withFile(
    path,
    async (file) => {
      if (entry.stored) return readBytes(path, file, entry.offset, wanted);
      const bytes = allocateBytes(path, wanted);
      await inflateStart(path, shorten(entry.name, 60), file, entry, bytes, wanted === entry.length);
      return bytes;
    },
    stamp,
  );
}

async function readDirectory(path: string, file: FileHandle, size: number): Promise<Map<string, ZipEntry>> {
  try {
    // The handle stays ours: it is closed by withFile, never by yauzl.
    const zip = await yauzl.fromFdPromise(file.fd, { autoClose: false, strictFileNames: true });
    if (zip.entryCount > maxEntries) {
      throw malformed(path, 'number of entries', `at most ${maxEntries}`, zip.entryCount);
    }
    // Its declared type is wrong: it is where the directory starts.
    const directory = Number(zip.readEntryCursor);
    const entries = new Map<string, ZipEntry>();
    const taken: [number, number, string][] = [[directory, size, 'the directory of entries']];
    for await (const entry of zip.eachEntry()) {
      checkEntry(path, entry, entries);
      const local = await zip.readLocalFileHeaderPromise(entry);
      if (!local.fileName.equals(entry.fileNameRaw)) {
        const found = local.fileName.toString('utf8');
        throw malformed(path, `name of ${shorten(entry.fileName, 40)}`, 'the same before its data', found);
      }
      const { fileDataStart: offset } = local;
      taken.push([entry.relativeOffsetOfLocalHeader, offset + entry.compressedSize, entry.fileName]);
      if (!entry.fileName.endsWith('/')) entries.set(entry.fileName, placeOf(entry, offset));
    }
    checkApart(path, taken);
    return entries;
  } catch (error) {
    throw zipError(path, error);
  }
}

function placeOf(entry: yauzl.Entry, offset: number): ZipEntry {
  return {
    name: entry.fileName,
    stored: entry.compressionMethod === 0,
    offset,
    compressedLength: entry.compressedSize,
    length: entry.uncompressedSize,
    crc32: entry.crc32,
  };
}

function checkEntry(path: string, entry: yauzl.Entry, known: ReadonlyMap<string, ZipEntry>): void {
  const name = shorten(entry.fileName, 60);
  if (entry.fileName === '' || entry.fileName.includes('\0')) {
    throw malformed(path, 'name of an entry', 'a file name', entry.fileName);
  }
  if (known.has(entry.fileName)) throw malformed(path, name, 'a name of its own', 'one that occurs twice');
  if (entry.isEncrypted()) throw malformed(path, name, 'an entry without encryption', 'an encrypted one');
  if (!entry.canDecodeFileData()) {
    throw malformed(path, `compression of ${name}`, '0 (none) or 8 (deflate)', entry.compressionMethod);
  }
  const { compressedSize, uncompressedSize } = entry;
  const ratio = uncompressedSize <= alwaysPlausible ? possibleRatio : plausibleRatio;
  const most = entry.compressionMethod === 0 ? compressedSize : ratio * (compressedSize + 1);
  if (uncompressedSize > most) {
    const expected = `at most ${most} bytes from ${compressedSize} compressed ones`;
    throw malformed(path, `size of ${name}`, expected, `${uncompressedSize} bytes`);
  }
}

/** A bomb can also be made of entries that share their bytes. */
function checkApart(path: string, taken: [number, number, string][]): void {
  taken.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  for (let i = 1; i < taken.length; i++) {
    const [[, end, before], [start, , name]] = [taken[i - 1]!, taken[i]!];
    if (start >= end) continue;
    const expected = `a start behind ${shorten(before, 40)}, at ${end} or later`;
    throw malformed(path, `place of ${shorten(name, 40)}`, expected, start);
  }
}

/** yauzl says in plain errors what is wrong with an archive; a file system's errors carry a code. */
function zipError(path: string, error: unknown): unknown {
  const isFault = error instanceof Error && error.name !== 'EngineError' && !('syscall' in error);
  return isFault
    ? malformed(path, 'zip directory', 'that of a whole zip archive', shorten(error.message))
    : error;
}
