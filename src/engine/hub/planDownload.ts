/** Asks a hub which files a part of a repository has, at one commit, and which of them the cache lacks. */
import * as v from 'valibot';
import { EngineError, throwIfCancelled } from '../../shared/errors.ts';
import type { DownloadPlan, HubFile, HubPart, NamedFiles } from '../../shared/hubApi.ts';
import { shorten } from '../files/fileErrors.ts';
import { type CachedRepo, isCommit } from './hubCache.ts';
import { encodePath, isHubPath } from './hubPath.ts';
import { type Asked, apiFetch, asApiErrors, type HubContext, strange } from './hubRequests.ts';
import { partPath } from './snapshotParts.ts';
import { modelFiles } from './wantedFiles.ts';

/** More files than any part of a repository that could be wanted. */
const maxFiles = 20_000;

const hash = (digits: number) => v.pipe(v.string(), v.regex(new RegExp(`^[0-9a-f]{${digits}}$`)));
const size = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const entrySchema = v.object({
  type: v.string(),
  path: v.string(),
  size: v.optional(size, 0),
  oid: v.optional(v.nullable(v.string())),
  lfs: v.optional(v.nullable(v.object({ oid: hash(64), size }))),
});

type Entry = v.InferOutput<typeof entrySchema>;

/** Loaded when something is downloaded: most sessions never do. */
const hubLibrary = () => import('@huggingface/hub');

/** What is asked for, checked. */
export interface PlanRequest {
  readonly place: CachedRepo;
  readonly revision: string;
  readonly what: HubPart;
}

/**
 * Resolves the revision to a commit and lists the files there.
 * @throws hub.notFound, hub.refused, hub.unreachable, hub.malformed, hub.noSafetensors, cancelled.
 */
export async function planDownload(context: HubContext, request: PlanRequest): Promise<DownloadPlan> {
  const { place, revision, what } = request;
  const commit = await commitOf(context, place, revision);
  throwIfCancelled(context.signal);
  const files: HubFile[] = [];
  for (const entry of await wantedEntries(context, place.repo, commit, what)) {
    files.push(await asHubFile(context, place, commit, entry));
  }
  const missing = files.filter(({ cached }) => !cached);
  return {
    repo: place.repo,
    revision,
    commit,
    what,
    endpoint: context.endpoint,
    files,
    bytes: sizeOf(files),
    toDownload: sizeOf(missing),
    cache: place.cache,
    path: partPath(place, commit, what),
  };
}

async function commitOf(context: HubContext, { repo }: CachedRepo, revision: string): Promise<string> {
  if (isCommit(revision)) return revision;
  const asked: Asked = revision === 'main' ? 'repository' : `revision "${revision}"`;
  const { modelInfo } = await hubLibrary();
  const info = await asApiErrors(context, () =>
    modelInfo({
      name: repo,
      revision,
      hubUrl: context.endpoint,
      fetch: apiFetch(context, asked),
      additionalFields: ['sha'],
    }),
  );
  const commit: unknown = info.sha;
  if (typeof commit === 'string' && isCommit(commit)) return commit;
  throw strange(context, 'it names no commit');
}

async function wantedEntries(
  context: HubContext,
  repo: string,
  commit: string,
  what: HubPart,
): Promise<readonly Entry[]> {
  if (what.kind === 'file') return namedFiles(context, repo, commit, fileWithConfigs(what.path));
  if (what.kind === 'files') return namedFiles(context, repo, commit, what);
  const folder = what.kind === 'folder' ? what.path : '';
  const listed = await list(context, repo, commit, folder, what.kind === 'folder');
  const inside = listed.filter(({ type, path }) => type === 'file' && isBelow(path, folder));
  if (what.kind === 'model') {
    const wanted = new Set(
      modelFiles(
        repo,
        inside.map(({ path }) => path),
      ),
    );
    return inside.filter(({ path }) => wanted.has(path));
  }
  if (inside.length === 0) throw new EngineError('hub.notFound', { repo, what: `folder ${shorten(folder)}` });
  return inside;
}

async function list(
  context: HubContext,
  repo: string,
  commit: string,
  folder: string,
  recursive: boolean,
): Promise<readonly Entry[]> {
  const asked: Asked = folder === '' ? `revision "${commit}"` : `folder ${folder}`;
  const { listFiles } = await hubLibrary();
  return asApiErrors(context, async () => {
    const entries: Entry[] = [];
    const pages = listFiles({
      repo: { type: 'model', name: repo },
      revision: commit,
      path: folder === '' ? undefined : encodePath(folder),
      recursive,
      hubUrl: context.endpoint,
      fetch: apiFetch(context, asked),
    });
    for await (const item of pages) {
      if (entries.length >= maxFiles) throw strange(context, `it lists more than ${maxFiles} files`);
      entries.push(checkEntry(context, item));
    }
    return entries;
  });
}

/** A file, and the configs beside it that say how it is read. */
function fileWithConfigs(path: string): NamedFiles {
  const folder = path.slice(0, path.lastIndexOf('/') + 1);
  const own = `${path.replace(/\.\w+$/, '')}_cfg.json`;
  const configs = ['cfg.json', 'config.json', 'config.yaml'].map((name) => folder + name);
  return { kind: 'files', folder, files: [path], optional: [own, ...configs] };
}

async function namedFiles(
  context: HubContext,
  repo: string,
  commit: string,
  { files, anyOf = [], optional = [] }: NamedFiles,
): Promise<readonly Entry[]> {
  const paths = [...files, ...anyOf, ...optional];
  const { pathsInfo } = await hubLibrary();
  const found = await asApiErrors(context, () =>
    pathsInfo({
      repo: { type: 'model', name: repo },
      revision: commit,
      paths,
      hubUrl: context.endpoint,
      fetch: apiFetch(context, `revision "${commit}"`),
    }),
  );
  const entries = found.map((item) => checkEntry(context, item));
  const wanted = entries.filter(({ type, path }) => type === 'file' && paths.includes(path));
  const isThere = (path: string): boolean => wanted.some((entry) => entry.path === path);
  const lacking = files.find((path) => !isThere(path));
  if (lacking !== undefined || (anyOf.length > 0 && !anyOf.some(isThere))) {
    const what = `file ${lacking === undefined ? anyOf.join(' or ') : shorten(lacking)}`;
    throw new EngineError('hub.notFound', { repo, what });
  }
  return wanted;
}

function checkEntry(context: HubContext, item: unknown): Entry {
  const result = v.safeParse(entrySchema, item);
  if (result.success) return result.output;
  const field = v.getDotPath(result.issues[0]) ?? 'an entry';
  throw strange(context, `its list of files has a wrong ${shorten(field)}`);
}

async function asHubFile(
  context: HubContext,
  place: CachedRepo,
  commit: string,
  { path, size, oid, lfs }: Entry,
): Promise<HubFile> {
  if (!isHubPath(path)) {
    throw strange(
      context,
      `it names a file "${shorten(path)}", which is no plain path inside the repository`,
    );
  }
  const blob = lfs?.oid ?? oid ?? '';
  if (!lfs && !/^[0-9a-f]{40}$/.test(blob))
    throw strange(context, `it gives no checksum for ${shorten(path)}`);
  const file = { path, blob, size: lfs?.size ?? size };
  return { ...file, cached: await isCached(place, commit, file) };
}

/** The file lies in the snapshot, or its content among the blobs, with the size it should have. */
export async function isCached(
  place: CachedRepo,
  commit: string,
  { path, blob, size }: Pick<HubFile, 'path' | 'blob' | 'size'>,
): Promise<boolean> {
  return (await place.sizeOf(commit, path.split('/'))) === size || (await place.blobSize(blob)) === size;
}

function isBelow(path: string, folder: string): boolean {
  return folder === '' || path.startsWith(`${folder}/`);
}

function sizeOf(files: readonly HubFile[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}
