/** Reads the table of contents of a zip file, such as a packaged extension, without unpacking it. */
import { readFileSync } from 'node:fs';

/** One file in the archive; sizes in bytes. */
export interface ZipEntry {
  readonly path: string;
  readonly size: number;
  readonly packedSize: number;
}

const endOfDirectory = 0x06054b50;
const directoryEntry = 0x02014b50;

/**
 * Lists the files of the archive (PKWARE APPNOTE 6.3.3, 4.3.12 and 4.3.16; no zip64).
 * @throws Error when the file is not a zip archive
 */
export function listZip(file: string): readonly ZipEntry[] {
  const bytes = readFileSync(file);
  let end = bytes.length - 22;
  while (end >= 0 && bytes.readUInt32LE(end) !== endOfDirectory) {
    end--;
  }
  if (end < 0) {
    throw new Error(`${file} is not a zip archive.`);
  }
  const entries: ZipEntry[] = [];
  let at = bytes.readUInt32LE(end + 16);
  while (bytes.readUInt32LE(at) === directoryEntry) {
    const nameLength = bytes.readUInt16LE(at + 28);
    const path = bytes.toString('utf8', at + 46, at + 46 + nameLength);
    entries.push({ path, size: bytes.readUInt32LE(at + 24), packedSize: bytes.readUInt32LE(at + 20) });
    at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  return entries;
}
