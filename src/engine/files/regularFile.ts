/** Opens files for reading so that folders, pipes, devices and files that were replaced meanwhile are told apart from good ones. */
import { constants } from 'node:fs';
import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { EngineError } from '../../shared/errors.ts';
import { fileError, malformed } from './fileErrors.ts';
import { stampOf } from './fileStamp.ts';

/** A single system call carries at most 2 GiB. */
const maxPiece = 2 ** 30;

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
    // Opening a pipe would wait for its other end for ever.
    if (!(await stat(path)).isFile()) throw malformed(path, 'file', 'a regular file', 'a folder or device');
    const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const stats = await file.stat();
      if (!stats.isFile()) throw malformed(path, 'file', 'a regular file', 'a folder or device');
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
    if (bytesRead === 0) {
      throw malformed(path, 'file size', `at least ${offset + length} bytes`, `${offset + done} bytes`);
    }
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
