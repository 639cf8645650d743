/**
 * Keeps weights that cannot be used where they lie in a safetensors file of the user's cache folder, where they can. It
 * is written once, and again when the files they come from or what was written have changed since.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import type { CallOptions } from '../../shared/callOptions.ts';
import { EngineError, isEngineError, throwIfCancelled } from '../../shared/errors.ts';
import { formatBytes } from '../../shared/format.ts';
import { fileError } from '../files/fileErrors.ts';
import { readJson, writeJson } from '../files/json.ts';
import { openSafetensors } from '../files/safetensors.ts';
import { filesOf, type WeightFiles } from '../files/safetensorsFolder.ts';
import { type StreamedTensor, streamedBytes, writeSafetensorsStream } from '../files/safetensorsStream.ts';

/** Raised whenever a file would come out otherwise. */
const formatVersion = 1;

/** Beside the weights: what they were made from, and what the file was like when it was whole. */
const recordSchema = v.object({ format: v.number(), source: v.string(), converted: v.string() });

const weightsName = 'model.safetensors';
const recordName = 'conversion.json';
/** Temporary files of a conversion that a crash ended; a running one has touched its file more recently. */
const staleMilliseconds = 3_600_000;

/** The folder of converted weights: its name is that of the model's path, so a new model there replaces the old one's. */
export function conversionFolder(storage: string, { kind, path }: Pick<Conversion, 'kind' | 'path'>): string {
  return join(storage, kind, createHash('sha256').update(path).digest('hex').slice(0, 16));
}

/** What is converted, and from what. */
export interface Conversion {
  /** A GGUF file whose numbers are made float32, or safetensors whose numbers start at odd places. */
  readonly kind: 'gguf' | 'aligned';
  /** Real path of the file or folder, for messages and as the conversion's identity. */
  readonly path: string;
  /** Tells its files from others (see `stampOf`). */
  readonly stamp: string;
  /** What is being done, for people: `Converting … to float32`. */
  readonly what: string;
  readonly tensors: readonly StreamedTensor[];
}

export interface ConversionOptions extends CallOptions {
  /** Folder for what is kept between runs. */
  readonly storage: string;
  /** Bytes that a folder's disk has left; asked of the system when left out. */
  readonly freeBytes?: (folder: string) => Promise<number>;
}

/**
 * The converted weights, which are made first where they are not there.
 * @throws disk.full, file.unreadable when the folder cannot be written, file.changed, cancelled.
 */
export async function convertedWeights(
  conversion: Conversion,
  options: ConversionOptions,
): Promise<WeightFiles> {
  const { path, stamp } = conversion;
  const folder = conversionFolder(options.storage, conversion);
  const kept = await keptWeights(folder, conversion);
  if (kept) return kept;
  await makeRoom(folder);
  const file = join(folder, weightsName);
  const available = await (options.freeBytes ?? freeBytes)(folder);
  checkDisk(path, folder, streamedBytes(conversion.tensors), available);
  await writeSafetensorsStream(file, reporting(conversion, options), { format: 'pt' });
  const written = await openSafetensors(file);
  await writeJson(join(folder, recordName), {
    format: formatVersion,
    source: stamp,
    converted: written.stamp,
  });
  return { ...filesOf(written), path };
}

/** What is there, unless it is damaged or was made from another file or by another version. */
async function keptWeights(folder: string, { path, stamp }: Conversion): Promise<WeightFiles | undefined> {
  try {
    const record = await readJson(join(folder, recordName), recordSchema);
    if (record.format !== formatVersion || record.source !== stamp) return undefined;
    const file = await openSafetensors(join(folder, weightsName));
    return file.stamp === record.converted ? { ...filesOf(file), path } : undefined;
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

/** The same tensors; what has been read of them is reported, in bytes of the file that is written. */
function reporting(
  { tensors, what: task }: Conversion,
  { report, signal }: CallOptions,
): readonly StreamedTensor[] {
  const total = streamedBytes(tensors);
  const what = `${task}, once (${formatBytes(total)} of disk)`;
  let done = 0;
  report?.({ done, total, what });
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
