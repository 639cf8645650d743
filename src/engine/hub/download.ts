/** Carries out a plan: fetches the blobs that the cache lacks, and then makes the snapshot appear at once. */
import { mkdir, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { CallOptions } from '../../shared/callOptions.ts';
import { EngineError, throwIfCancelled } from '../../shared/errors.ts';
import { formatBytes } from '../../shared/format.ts';
import type { DownloadPlan, HubFile } from '../../shared/hubApi.ts';
import { fileError } from '../files/fileErrors.ts';
import { withFileLock } from '../files/fileLock.ts';
import { fetchBlob, keptBytes } from './fetchBlob.ts';
import type { CachedRepo } from './hubCache.ts';
import { encodePath } from './hubPath.ts';
import type { HubContext } from './hubRequests.ts';
import { linkSnapshot, writeRef } from './linkSnapshot.ts';
import { isCached } from './planDownload.ts';
import { keepList, partPath } from './snapshotParts.ts';

/** What a download needs beside its plan. */
export interface DownloadOptions extends CallOptions {
  readonly symlinks: boolean;
  readonly storage: string;
  /** Waits between two tries; ends early when the download is cancelled. */
  readonly wait: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;
  /** Bytes that are free where `path` will be; the system's answer when left out. */
  readonly freeBytes?: (path: string) => Promise<number>;
}

/** Left free on the disk, in bytes. */
const reserve = 64 * 2 ** 20;

/** Milliseconds between two reports. */
const reportEvery = 100;

/**
 * Fetches the files of a checked plan and returns the path of what was asked for. Files of the part appear in the
 * snapshot only when all of them have arrived, so an interrupted download is never taken for a whole model.
 * @throws hub.noSpace, and the errors of `fetchBlob`.
 */
export async function download(
  context: HubContext,
  place: CachedRepo,
  plan: DownloadPlan,
  options: DownloadOptions,
): Promise<string> {
  const { commit, files, revision, what } = plan;
  const missing: HubFile[] = [];
  for (const file of files) if (!(await isCached(place, commit, file))) missing.push(file);
  await checkSpace(place, missing, options);
  await makeFolders(place, commit);
  const total = missing.reduce((sum, { size }) => sum + size, 0);
  let before = 0;
  // Small files first: what is wrong with access or the config shows before gigabytes arrive.
  for (const file of missing.sort((one, other) => one.size - other.size)) {
    const report = throttled(options, (bytes) => ({ done: before + bytes, total, what: file.path }));
    await fetchFile(context, place, plan, file, options, report);
    before += file.size;
    options.report?.({ done: before, total, what: file.path });
  }
  throwIfCancelled(context.signal);
  await linkSnapshot(place, commit, files, options.symlinks);
  if (what.kind === 'folder') {
    await keepList(
      place,
      commit,
      what.path,
      files.map(({ path }) => path),
      options.storage,
    );
  }
  await writeRef(place, revision, commit);
  return partPath(place, commit, what);
}

async function fetchFile(
  context: HubContext,
  place: CachedRepo,
  { commit, endpoint }: DownloadPlan,
  file: HubFile,
  { wait }: DownloadOptions,
  report: (bytes: number) => void,
): Promise<void> {
  const lock = join(
    place.cache,
    '.locks',
    `models--${place.repo.replace('/', '--')}`,
    `${file.blob}.fovea.lock`,
  );
  await withFileLock(lock, context.signal, async (isHeld) => {
    // Another process may have fetched it while this one waited; two files of a plan may have the same content.
    if (await isCached(place, commit, file)) return;
    await fetchBlob({
      context,
      path: file.path,
      address: `${endpoint}/${place.repo}/resolve/${commit}/${encodePath(file.path)}`,
      size: file.size,
      hash: file.blob,
      partial: partialOf(place, file),
      target: place.blob(file.blob),
      report,
      isHeld,
      wait: (milliseconds) => wait(milliseconds, context.signal),
    });
  });
}

/** Not the name that Python gives its partial files: those are another program's to continue. */
function partialOf(place: CachedRepo, { blob }: HubFile): string {
  return place.blob(`${blob}.fovea.incomplete`);
}

async function makeFolders(place: CachedRepo, commit: string): Promise<void> {
  for (const folder of [join(place.folder, 'blobs'), place.snapshot(commit)]) {
    await mkdir(folder, { recursive: true }).catch((error) => {
      throw fileError(folder, error);
    });
    if (await place.holds(folder)) continue;
    const reason = 'it is a link that leads out of the cache';
    throw new EngineError('file.unreadable', { path: folder, reason });
  }
}

async function checkSpace(
  place: CachedRepo,
  missing: readonly HubFile[],
  { freeBytes = freeOnDisk }: DownloadOptions,
): Promise<void> {
  if (missing.length === 0) return;
  let needed = 0;
  for (const file of missing) needed += Math.max(0, file.size - (await keptBytes(partialOf(place, file))));
  const free = await freeBytes(place.cache);
  if (needed + reserve <= free) return;
  const data = { path: place.cache, needed: formatBytes(needed), free: formatBytes(free) };
  throw new EngineError('hub.noSpace', data);
}

/** Bytes that are free to this user where `path` is or will be. */
async function freeOnDisk(path: string): Promise<number> {
  for (let folder = path; ; folder = dirname(folder)) {
    const info = await statfs(folder).catch(() => undefined);
    if (info) return info.blocks > 0 ? info.bavail * info.bsize : Number.POSITIVE_INFINITY;
    if (folder === dirname(folder)) return Number.POSITIVE_INFINITY;
  }
}

function throttled(
  { report }: CallOptions,
  progress: (bytes: number) => { readonly done: number; readonly total: number; readonly what: string },
): (bytes: number) => void {
  let last = 0;
  return (bytes) => {
    const now = Date.now();
    if (now - last < reportEvery) return;
    last = now;
    report?.(progress(bytes));
  };
}
