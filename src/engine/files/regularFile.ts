/** Opens files for reading so that folders, pipes, devices and files that were replaced meanwhile are told apart from good ones. */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs';
import { type FileHandle, open, realpath } from 'node:fs/promises';
import { EngineError } from '../../shared/errors.ts';
import { fileError, malformed } from './fileErrors.ts';
import { stampOf } from './fileStamp.ts';

/** A single system call carries at most 2 GiB. */
const maxPiece = 2 ** 30;

/** Opening a pipe without this would wait for its other end. */
const reading = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/**
 * The file behind `path`, symbolic links resolved, as ONNX external data requires.
 * @throws file.missing, file.unreadable.
 */
export async function realFile(path: string): Promise<string> {
  return realpath(path).catch((error) => {
    throw fileError(path, error);
  });
}

/**
 * Opens the regular file at `path` for as long as `use` works. With a `stamp` (see `stampOf`) it has to be the very
 * file that had it.
 * @throws file.missing, file.unreadable, file.malformed for a folder, pipe or device, file.changed.
 */
export async function withFile<T>(
  path: string,
  use: (file: FileHandle, size: number, stamp: string) => Promise<T>,
  stamp?: string,
): Promise<T> {
  try {
    // What the system answers at once is asked at once: to wait for it takes ten times the processor time.
    requireRegular(path, statSync(path));
    const file = await open(path, reading);
    try {
      const stats = fstatSync(file.fd);
      requireRegular(path, stats);
      const found = stampOf(stats);
      if (stamp !== undefined && found !== stamp) throw new EngineError('file.changed', { path });
      return await use(file, stats.size, found);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError(path, error);
  }
}

/**
 * As `withFile` without a stamp, for so little that waiting for it would take longer than reading it; `use` is given a
 * file descriptor.
 * @throws file.missing, file.unreadable, file.malformed for a folder, pipe or device.
 */
export function withFileNow<T>(path: string, use: (file: number, size: number) => T): T {
  try {
    requireRegular(path, statSync(path));
    const file = openSync(path, reading);
    try {
      const stats = fstatSync(file);
      requireRegular(path, stats);
      return use(file, stats.size);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw fileError(path, error);
  }
}

/** Looked at before a file is opened and after: opening some devices alone does something. */
function requireRegular(path: string, stats: Stats): void {
  if (!stats.isFile()) throw malformed(path, 'file', 'a regular file', 'a folder or device');
}

/** As `readBytes`, from a file of `withFileNow`. */
export function readBytesNow(
  path: string,
  file: number,
  offset: number,
  length: number,
): Uint8Array<ArrayBuffer> {
  const bytes = allocateBytes(path, length);
  let done = 0;
  while (done < length) {
    const bytesRead = readSync(file, bytes, done, Math.min(length - done, maxPiece), offset + done);
    if (bytesRead === 0) throw tooShort(path, offset + length, offset + done);
    done += bytesRead;
  }
  return bytes;
}

function tooShort(path: string, expected: number, found: number): EngineError {
  return malformed(path, 'file size', `at least ${expected} bytes`, `${found} bytes`);
}

/**
 * Reads exactly `length` bytes from `offset`.
 * @throws file.malformed when the file ends before, file.unreadable when memory cannot hold them.
 */
export async function readBytes(
  path: string,
  file: FileHandle,
  offset: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = allocateBytes(path, length);
  let done = 0;
  while (done < length) {
    const piece = Math.min(length - done, maxPiece);
    const { bytesRead } = await file.read(bytes, done, piece, offset + done);
    if (bytesRead === 0) throw tooShort(path, offset + length, offset + done);
    done += bytesRead;
  }
  return bytes;
}

/** `length` zero bytes for content of the file at `path`. @throws file.unreadable when memory cannot hold them. */
export function allocateBytes(path: string, length: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch {
    const reason = `${length} bytes of it do not fit into memory at once`;
    throw new EngineError('file.unreadable', { path, reason });
  }
}
