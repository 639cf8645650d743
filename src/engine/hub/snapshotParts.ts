/** Tells whether the cache holds a part of a repository in full, without asking the hub. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import * as v from 'valibot';
import type { HubPart, NamedFiles } from '../../shared/hubApi.ts';
import { readJson, writeJson } from '../files/json.ts';
import { type CachedRepo, fileNames } from './hubCache.ts';
import { isHubPath } from './hubPath.ts';
import { weightFiles, weightsIndex } from './wantedFiles.ts';

const indexSchema = v.looseObject({ weight_map: v.record(v.string(), v.string()) });

/** What a download wrote down: which files a folder of the repository has at this commit. */
const listSchema = v.object({ folder: v.string(), files: v.array(v.string()) });

/** The whole tree of a commit, as `huggingface_hub` keeps it beside the snapshots. */
const treeSchema = v.looseObject({ format_version: v.literal(1), files: v.record(v.string(), v.unknown()) });

/** The path that a part has in a snapshot: the snapshot itself, a folder or a file. Paths must be checked. */
export function partPath(repo: CachedRepo, commit: string, what: HubPart): string {
  return join(repo.snapshot(commit), ...placeIn(what).split('/'));
}

function placeIn(what: HubPart): string {
  if (what.kind === 'model') return '';
  return what.kind === 'files' ? what.folder : what.path;
}

/** True when every file of the part lies in the snapshot. `storage` is where downloads wrote down their lists. */
export async function isWhole(
  repo: CachedRepo,
  commit: string,
  what: HubPart,
  storage: string,
): Promise<boolean> {
  if (what.kind === 'model') return (await missingOfModel(repo, commit)) === undefined;
  if (what.kind === 'file') return (await repo.sizeOf(commit, what.path.split('/'))) !== undefined;
  if (what.kind === 'files') return (await missingOf(repo, commit, what)) === undefined;
  const files = await filesOfFolder(repo, commit, what.path, storage);
  return files !== undefined && files.length > 0 && (await firstMissing(repo, commit, files)) === undefined;
}

/** The first file that a snapshot lacks to be a model: its config, its tokenizer, or part of its weights. */
export async function missingOfModel(repo: CachedRepo, commit: string): Promise<string | undefined> {
  const names = await fileNames(repo.snapshot(commit));
  const weights = weightFiles(names);
  const needed = ['config.json', 'tokenizer.json', ...(weights.length > 0 ? weights : ['model.safetensors'])];
  const lacking = await firstMissing(repo, commit, needed);
  if (lacking !== undefined || !weights.includes(weightsIndex)) return lacking;
  const index = await readJson(join(repo.snapshot(commit), weightsIndex), indexSchema).catch(() => undefined);
  if (index === undefined) return weightsIndex;
  return firstMissing(repo, commit, [...new Set(Object.values(index.weight_map))]);
}

/** Writes down which files a downloaded folder has, so that `isWhole` can tell later without asking. */
export async function keepList(
  repo: CachedRepo,
  commit: string,
  folder: string,
  files: readonly string[],
  storage: string,
): Promise<void> {
  await writeJson(listFile(repo, commit, folder, storage), { folder, files });
}

async function filesOfFolder(
  repo: CachedRepo,
  commit: string,
  folder: string,
  storage: string,
): Promise<readonly string[] | undefined> {
  const own = await readJson(listFile(repo, commit, folder, storage), listSchema).catch(() => undefined);
  if (own?.folder === folder) return own.files;
  const path = join(repo.folder, 'trees', `${commit}.json`);
  const tree = (await repo.holds(path)) ? await readJson(path, treeSchema).catch(() => undefined) : undefined;
  return tree && Object.keys(tree.files).filter((file) => folder === '' || file.startsWith(`${folder}/`));
}

function listFile(repo: CachedRepo, commit: string, folder: string, storage: string): string {
  const name = createHash('sha256').update(`${repo.repo}\n${commit}\n${folder}`).digest('hex').slice(0, 32);
  return join(storage, 'hub', `${name}.json`);
}

/** The first file that a snapshot lacks of those named; of several any of which would do, the first. */
async function missingOf(
  repo: CachedRepo,
  commit: string,
  { files, anyOf = [] }: NamedFiles,
): Promise<string | undefined> {
  const lacking = await firstMissing(repo, commit, files);
  if (lacking !== undefined || anyOf.length === 0) return lacking;
  for (const file of anyOf) if ((await firstMissing(repo, commit, [file])) === undefined) return undefined;
  return anyOf[0];
}

async function firstMissing(
  repo: CachedRepo,
  commit: string,
  files: readonly string[],
): Promise<string | undefined> {
  for (const file of files) {
    if (!isHubPath(file) || (await repo.sizeOf(commit, file.split('/'))) === undefined) return file;
  }
  return undefined;
}
