/** Inflates a deflated part of a file into memory that was sized beforehand, and never a byte beyond it. */
import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createInflateRaw } from 'node:zlib';
import { malformed, shorten } from './fileErrors.ts';
import { readBytes } from './regularFile.ts';

const pieceBytes = 256 * 1024;

/**
 * Fills `target` with the first bytes of the raw deflate stream that takes `compressedLength` bytes of the file from
 * `offset`. With `whole`, the stream has to end there too.
 * @throws file.malformed naming `field` for a damaged stream, and for one that holds less, or more than the whole.
 */
export async function inflateStart(
  path: string,
  field: string,
  file: FileHandle,
  place: { readonly offset: number; readonly compressedLength: number },
  target: Uint8Array,
  whole: boolean,
): Promise<void> {
  const inflate = createInflateRaw();
  const source = Readable.from(pieces(path, file, place.offset, place.compressedLength), {
    objectMode: false,
  });
  // Faults of either end arrive at the loop below; the promise only has to be taken note of.
  const done = pipeline(source, inflate).catch(() => undefined);
  let filled = 0;
  try {
    for await (const chunk of inflate as AsyncIterable<Uint8Array>) {
      const room = target.length - filled;
      if (chunk.length > room && whole) {
        throw malformed(path, field, `${target.length} bytes, as declared`, 'more');
      }
      target.set(chunk.length > room ? chunk.subarray(0, room) : chunk, filled);
      filled += Math.min(chunk.length, room);
      if (filled === target.length && !whole) break;
    }
  } catch (error) {
    throw inflateError(path, field, error);
  } finally {
    inflate.destroy();
    await done;
  }
  if (filled < target.length) {
    throw malformed(path, field, `${target.length} bytes, as declared`, `${filled} bytes`);
  }
}

async function* pieces(path: string, file: FileHandle, offset: number, length: number) {
  for (let done = 0; done < length; done += pieceBytes) {
    yield await readBytes(path, file, offset + done, Math.min(pieceBytes, length - done));
  }
}

function inflateError(path: string, field: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? '';
  if (!code.startsWith('Z_') && code !== 'ERR_STREAM_PREMATURE_CLOSE') return error;
  return malformed(path, field, 'an undamaged deflate stream', shorten((error as Error).message));
}
