/**
 * Keeps weights that cannot be used where they lie in a safetensors file of the user's cache folder, where they can. It
 * is written once, and again when the files they come from or what was written have changed since.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, rm, stat, statfs, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { CallOptions } from '../../shared/callOptions.ts';
import { EngineError, isEngineError, throwIfCancelled } from '../../shared/errors.ts';
import { formatBytes } from '../../shared/format.ts';
import { fileError } from '../files/fileErrors.ts';
import { withFileLock } from '../files/fileLock.ts';
import { readJson, writeJson } from '../files/json.ts';
import { openSafetensors } from '../files/safetensors.ts';
import { filesOf, type WeightFiles } from '../files/safetensorsFolder.ts';
import { type StreamedTensor, streamedBytes, writeSafetensorsStream } from '../files/safetensorsStream.ts';
import {
  type conversionKinds,
  formatVersion,
  recordName,
  recordSchema,
  removeOldConversions,
  staleMilliseconds,
  weightsName,
} from './oldConversions.ts';

/** The folder of converted weights: its name is that of the model's path, so a new model there replaces the old one's. */
export function conversionFolder(storage: string, { kind, path }: Pick<Conversion, 'kind' | 'path'>): string {
  return join(storage, kind, createHash('sha256').update(path).digest('hex').slice(0, 16));
}

/** What is converted, and from what. */
export interface Conversion {
  readonly kind: (typeof conversionKinds)[number];
  /** Real path of the file or folder, for messages and as the conversion's identity. */
  readonly path: string;
  /** The files that it reads, with what tells each from others (see `stampOf`). */
  readonly sources: Readonly<Record<string, string>>;
  /** What is being done, for people: `Converting … to float32`. */
  readonly what: string;
  readonly tensors: readonly StreamedTensor[];
}

export interface ConversionOptions extends CallOptions {
  /** Folder for what is kept between runs. */
  readonly storage: string;
  /** Bytes that a folder's disk has left; asked of the system when left out. */
  readonly freeBytes?: (folder: string) => Promise<number>;
  /** Bytes that conversions may take together before those that nobody used for long are removed. */
  readonly keptBytes?: number;
}

/**
 * The converted weights, which are made first where they are not there. Of several processes that want them one makes
 * them, and the others wait.
 * @throws disk.full, file.unreadable when the folder cannot be written, file.changed, cancelled.
 */
export async function convertedWeights(
  conversion: Conversion,
  options: ConversionOptions,
): Promise<WeightFiles> {
  const folder = conversionFolder(options.storage, conversion);
  const kept = await keptWeights(folder, conversion);
  if (kept) return kept;
  const total = streamedBytes(conversion.tensors);
  options.report?.({ done: 0, total, what: taskOf(conversion) });
  return withFileLock(`${folder}.lock`, options.signal, async () => {
    // Another process may have made them while this one waited.
    const made = await keptWeights(folder, conversion);
    return made ?? convert(folder, conversion, options);
  });
}

async function convert(
  folder: string,
  conversion: Conversion,
  options: ConversionOptions,
): Promise<WeightFiles> {
  const { path, sources, tensors } = conversion;
  await makeRoom(folder);
  const file = join(folder, weightsName);
  const needed = streamedBytes(tensors);
  const available = () => (options.freeBytes ?? freeBytes)(folder);
  const { storage, keptBytes } = options;
  await removeOldConversions({ storage, besides: folder, needed, available, keptBytes });
  checkDisk(path, folder, needed, await available());
  await writeSafetensorsStream(file, reporting(conversion, options), { format: 'pt' });
  const written = await openSafetensors(file);
  await writeJson(join(folder, recordName), {
    format: formatVersion,
    path,
    sources,
    converted: written.stamp,
  });
  return { ...filesOf(written), path };
}

/** What is there, unless it is damaged or was made from another file or by another version. */
async function keptWeights(folder: string, { path, sources }: Conversion): Promise<WeightFiles | undefined> {
  try {
    const record = await readJson(join(folder, recordName), recordSchema);
    if (record.format !== formatVersion || !isDeepStrictEqual(record.sources, { ...sources }))
      return undefined;
    const file = await openSafetensors(join(folder, weightsName));
    if (file.stamp !== record.converted) return undefined;
    // Says when they were used last.
    const now = new Date();
    await utimes(join(folder, recordName), now, now).catch(() => undefined);
    return { ...filesOf(file), path };
  } catch (error) {
    if (isEngineError(error)) return undefined;
    throw error;
  }
}

/** Removes what an earlier version of the file, or a conversion that was broken off, left in `folder`. */
async function makeRoom(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      const { mtimeMs } = await stat(path);
      const isOurs = name === weightsName || name === recordName;
      const isStale = name.endsWith('.tmp') && Date.now() - mtimeMs > staleMilliseconds;
      if (isOurs || isStale) await rm(path, { force: true });
    }
  } catch (error) {
    throw fileError(folder, error);
  }
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

function checkDisk(path: string, folder: string, needed: number, available: number): void {
  if (needed <= available) return;
  throw new EngineError('disk.full', {
    path,
    folder,
    needed: formatBytes(needed),
    available: formatBytes(available),
  });
}

function taskOf({ tensors, what }: Conversion): string {
  return `${what}, once (${formatBytes(streamedBytes(tensors))} of disk)`;
}

/** The same tensors; what has been read of them is reported, in bytes of the file that is written. */
function reporting(conversion: Conversion, { report, signal }: CallOptions): readonly StreamedTensor[] {
  const { tensors } = conversion;
  const total = streamedBytes(tensors);
  const what = taskOf(conversion);
  let done = 0;
  return tensors.map((tensor) => ({
    ...tensor,
    async *pieces() {
      for await (const piece of tensor.pieces()) {
        throwIfCancelled(signal);
        yield piece;
        done += piece.byteLength;
        report?.({ done, total, what });
      }
    },
  }));
}
