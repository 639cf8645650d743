/**
 * Removes converted weights that nobody will miss: those whose source is gone or was changed, what was broken off, and
 * beyond a bound those that were not used for longest. All of them can be made anew.
 */
import type { Dirent } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { stampOf } from '../files/fileStamp.ts';
import { readJson } from '../files/json.ts';

/**
 * A GGUF file whose numbers are made float32; safetensors of 16 bits, widened; safetensors whose numbers start at odd
 * places, laid out anew. Each kind has a folder of its own.
 */
export const conversionKinds = ['gguf', 'widened', 'aligned'] as const;

/** Raised whenever a file would come out otherwise. */
export const formatVersion = 2;

/** Beside the weights: what they were made from, and what the file was like when it was whole. */
export const recordSchema = v.object({
  format: v.number(),
  path: v.string(),
  sources: v.record(v.string(), v.string()),
  converted: v.string(),
});

export const weightsName = 'model.safetensors';
export const recordName = 'conversion.json';

/** Temporary files of a conversion that a crash ended; a running one has touched its file more recently. */
export const staleMilliseconds = 3_600_000;

/** What all conversions may take together: a few models of seven billion parameters. */
const defaultKeptBytes = 100e9;

/** A model that was opened this recently may still be open in another window. */
const usedMilliseconds = 24 * 3_600_000;

interface Kept {
  readonly folder: string;
  readonly bytes: number;
  /** When it was opened last, in milliseconds. */
  readonly used: number;
}

export interface OldConversions {
  readonly storage: string;
  /** The folder of the conversion that is being made. */
  readonly besides: string;
  /** Bytes that it will take. */
  readonly needed: number;
  /** Bytes that its disk has left. */
  readonly available: () => Promise<number>;
  readonly keptBytes?: number;
}

/** Removes what is of no use, then the oldest ones until the bound and the disk leave room for `needed` bytes. */
export async function removeOldConversions(request: OldConversions): Promise<void> {
  const { storage, besides, needed, available, keptBytes = defaultKeptBytes } = request;
  const kept: Kept[] = [];
  for (const folder of await conversionFolders(storage)) {
    if (folder === besides) continue;
    const found = await look(folder);
    if (found === 'useless') await remove(folder);
    else if (found) kept.push(found);
  }
  kept.sort((a, b) => a.used - b.used);
  let total = needed + kept.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const { folder, bytes, used } of kept) {
    if (total <= keptBytes && (await available()) >= needed) return;
    if (Date.now() - used < usedMilliseconds) return;
    await remove(folder);
    total -= bytes;
  }
}

async function conversionFolders(storage: string): Promise<readonly string[]> {
  const folders: string[] = [];
  for (const kind of conversionKinds) {
    const entries: Dirent[] = await readdir(join(storage, kind), { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      // Others are not ours, or locks.
      if (entry.isDirectory() && /^[0-9a-f]{16}$/.test(entry.name))
        folders.push(join(storage, kind, entry.name));
    }
  }
  return folders;
}

/** What a folder holds; nothing when another process may be writing it. */
async function look(folder: string): Promise<Kept | 'useless' | undefined> {
  const record = await readJson(join(folder, recordName), recordSchema).catch(() => undefined);
  if (!record) return (await isBrokenOff(folder)) ? 'useless' : undefined;
  if (record.format !== formatVersion) return 'useless';
  for (const [file, stamp] of Object.entries(record.sources)) {
    const stats = await stat(file).catch(() => undefined);
    if (!stats || stampOf(stats) !== stamp) return 'useless';
  }
  const weights = await stat(join(folder, weightsName)).catch(() => undefined);
  const opened = await stat(join(folder, recordName)).catch(() => undefined);
  if (!weights || !opened) return 'useless';
  return { folder, bytes: weights.size, used: opened.mtimeMs };
}

async function isBrokenOff(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch(() => []);
  const changes = await Promise.all(
    [folder, ...names.map((name) => join(folder, name))].map(async (path) => (await stat(path)).mtimeMs),
  ).catch(() => [Date.now()]);
  return Date.now() - Math.max(...changes) > staleMilliseconds;
}

/** That one cannot be removed must not keep another from being made. */
async function remove(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true }).catch(() => undefined);
}
