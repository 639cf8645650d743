/**
 * Keeps a GGUF file's weights as float32 in a safetensors file of the user's cache folder, where programs can use them
 * in place. It is written once, and again when the GGUF file or what was written has changed since.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import type { CallOptions } from '../../../shared/callOptions.ts';
import { EngineError, isEngineError, throwIfCancelled } from '../../../shared/errors.ts';
import { formatBytes } from '../../../shared/format.ts';
import { fileError } from '../../files/fileErrors.ts';
import type { Gguf } from '../../files/gguf.ts';
import { readJson, writeJson } from '../../files/json.ts';
import { openSafetensors } from '../../files/safetensors.ts';
import { filesOf, type WeightFiles } from '../../files/safetensorsFolder.ts';
import { type StreamedTensor, streamedBytes, writeSafetensorsStream } from '../../files/safetensorsStream.ts';
import { ggufNumbers } from './ggufNumbers.ts';
import type { NamedTensor } from './ggufTensors.ts';

/** Raised whenever a file would come out otherwise. */
const formatVersion = 1;

/** Beside the weights: what they were made from, and what the file was like when it was whole. */
const recordSchema = v.object({ format: v.number(), source: v.string(), converted: v.string() });

const weightsName = 'model.safetensors';
const recordName = 'conversion.json';
/** Temporary files of a conversion that a crash ended; a running one has touched its file more recently. */
const staleMilliseconds = 3_600_000;

/** The folder of a GGUF file's converted weights: its name is that of the file's path, so a new file replaces the old one's. */
export function conversionFolder(storage: string, path: string): string {
  return join(storage, 'gguf', createHash('sha256').update(path).digest('hex').slice(0, 16));
}

export interface ConversionOptions extends CallOptions {
  /** Folder for what is kept between runs. */
  readonly storage: string;
  /** Bytes that a folder's disk has left; asked of the system when left out. */
  readonly freeBytes?: (folder: string) => Promise<number>;
}

/**
 * The converted weights of `gguf`, which are made first where they are not there.
 * @throws disk.full, file.unreadable when the folder cannot be written, file.changed, cancelled.
 */
export async function convertedWeights(
  gguf: Gguf,
  tensors: readonly NamedTensor[],
  options: ConversionOptions,
): Promise<WeightFiles> {
  const folder = conversionFolder(options.storage, gguf.path);
  const kept = await keptWeights(folder, gguf);
  if (kept) return kept;
  await makeRoom(folder);
  const path = join(folder, weightsName);
  const streamed = tensors.map((tensor) => stream(gguf, tensor, options.signal));
  const available = await (options.freeBytes ?? freeBytes)(folder);
  checkDisk(gguf.path, folder, streamedBytes(streamed), available);
  await writeSafetensorsStream(path, reporting(streamed, gguf.path, options), { format: 'pt' });
  const written = await openSafetensors(path);
  await writeJson(join(folder, recordName), {
    format: formatVersion,
    source: gguf.stamp,
    converted: written.stamp,
  });
  return { ...filesOf(written), path: gguf.path };
}

/** What is there, unless it is damaged or was made from another file or by another version. */
async function keptWeights(folder: string, gguf: Gguf): Promise<WeightFiles | undefined> {
  try {
    const record = await readJson(join(folder, recordName), recordSchema);
    if (record.format !== formatVersion || record.source !== gguf.stamp) return undefined;
    const file = await openSafetensors(join(folder, weightsName));
    return file.stamp === record.converted ? { ...filesOf(file), path: gguf.path } : undefined;
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

function stream(gguf: Gguf, tensor: NamedTensor, signal: AbortSignal | undefined): StreamedTensor {
  const { name, shape } = tensor;
  return { name, shape, pieces: () => ggufNumbers(gguf, tensor, signal) };
}

/** The same tensors; what has been read of them is reported, in bytes of the file that is written. */
function reporting(
  tensors: readonly StreamedTensor[],
  path: string,
  { report, signal }: CallOptions,
): readonly StreamedTensor[] {
  const total = streamedBytes(tensors);
  const what = `Converting ${path} to float32, once (${formatBytes(total)} of disk)`;
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
