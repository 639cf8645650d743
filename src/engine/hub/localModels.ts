/** Finds the models that lie on this machine: in the Hugging Face cache, below named folders, and in .gguf files. */
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import * as v from 'valibot';
import { isEngineError, throwIfCancelled } from '../../shared/errors.ts';
import type { LocalModel } from '../../shared/hubApi.ts';
import { isRepoName } from '../../shared/hubName.ts';
import { readJson } from '../files/json.ts';
import { CachedRepo, fileNames } from './hubCache.ts';
import { missingOfModel } from './snapshotParts.ts';
import { weightFiles, weightsIndex } from './wantedFiles.ts';

/** How deep named folders are searched, and how many folders at most. */
const maxDepth = 3;
const maxFolders = 2000;

const gguf = /\.gguf$/i;
const maxConfigBytes = 2 ** 20;
const configSchema = v.looseObject({ model_type: v.string() });

/** Throws a coded error when a model of this config cannot be run. */
export type CheckConfig = (path: string, content: unknown) => void;

type Described = Pick<LocalModel, 'bytes' | 'family' | 'problem'>;

/** Models of the cache, each repository once: as `main` was last seen, else its newest snapshot. */
export async function modelsOfCache(
  cache: string,
  checkConfig: CheckConfig,
  signal?: AbortSignal,
): Promise<readonly LocalModel[]> {
  const names = await readdir(cache).catch(() => []);
  const found: LocalModel[] = [];
  for (const name of names.sort()) {
    throwIfCancelled(signal);
    const repo = name.startsWith('models--') ? name.slice('models--'.length).replace('--', '/') : '';
    if (isRepoName(repo)) found.push(...(await modelsOfRepo(new CachedRepo(cache, repo), checkConfig)));
  }
  return found;
}

/** Models in `folder` and the folders in it, GGUF files among them. A folder laid out as a cache is read as one. */
export async function modelsBelow(
  folder: string,
  checkConfig: CheckConfig,
  signal?: AbortSignal,
): Promise<readonly LocalModel[]> {
  const found: LocalModel[] = [];
  const seen = new Set<string>();
  const visit = async (path: string, depth: number): Promise<void> => {
    throwIfCancelled(signal);
    const real = await realpath(path).catch(() => undefined);
    if (real === undefined || seen.has(real) || seen.size >= maxFolders) return;
    seen.add(real);
    const model = await folderModel(real, checkConfig);
    if (model) found.push(model);
    found.push(...(await ggufFiles(real, (name) => name)));
    if (depth === 0 || model) return;
    const folders = await foldersIn(real);
    if (folders.some((name) => name.startsWith('models--')))
      found.push(...(await modelsOfCache(real, checkConfig, signal)));
    for (const name of folders) if (!name.startsWith('models--')) await visit(join(real, name), depth - 1);
  };
  await visit(folder, maxDepth);
  return found;
}

async function modelsOfRepo(place: CachedRepo, checkConfig: CheckConfig): Promise<readonly LocalModel[]> {
  const [commit] = await place.commits();
  if (commit === undefined) return [];
  const path = place.snapshot(commit);
  if (!(await place.holds(path))) return [];
  const { repo } = place;
  const files = await ggufFiles(path, (name) => `${repo}/${name}`);
  const described = await describeModel(path, checkConfig);
  if (!described) return files.map((file) => ({ ...file, commit }));
  const missing = await missingOfModel(place, commit);
  const problem =
    missing === undefined ? described.problem : `${missing} is not in the cache; download it again`;
  const model: LocalModel = { path, name: repo, source: 'cache', commit, ...described, problem };
  // Repositories of GGUF files often carry a config that describes them.
  if (files.length > 0 && missing === 'model.safetensors') return files.map((file) => ({ ...file, commit }));
  return [model, ...files.map((file) => ({ ...file, commit }))];
}

async function folderModel(path: string, checkConfig: CheckConfig): Promise<LocalModel | undefined> {
  const described = await describeModel(path, checkConfig);
  return described && { path, name: basename(path), source: 'folder', ...described };
}

/** What config and files tell about a model folder; nothing when it is none. */
async function describeModel(path: string, checkConfig: CheckConfig): Promise<Described | undefined> {
  const configPath = join(path, 'config.json');
  const config = await readJson(configPath, configSchema, { maxBytes: maxConfigBytes }).catch(
    () => undefined,
  );
  if (!config) return undefined;
  const names = weightFiles(await fileNames(path)).filter((name) => name !== weightsIndex);
  const sizes = await Promise.all(names.map((name) => sizeOf(join(path, name))));
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  const problem =
    names.length === 0
      ? 'It has no safetensors weights'
      : configProblem(() => checkConfig(configPath, config));
  return { bytes, family: config.model_type, ...(problem !== undefined && { problem }) };
}

function configProblem(check: () => void): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (!isEngineError(error)) throw error;
    if (!isEngineError(error, 'model.unsupported')) return error.message;
    return `Models of the kind "${error.data.architecture}" cannot be run yet`;
  }
}

async function ggufFiles(folder: string, nameOf: (name: string) => string): Promise<readonly LocalModel[]> {
  const names = (await fileNames(folder)).filter((name) => gguf.test(name)).sort();
  return Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      return { path, name: nameOf(name), source: 'gguf' as const, bytes: await sizeOf(path) };
    }),
  );
}

/** Folders in a folder, without hidden ones and those of installed packages. */
async function foldersIn(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
    .map(({ name }) => name)
    .filter((name) => !name.startsWith('.') && name !== 'node_modules')
    .sort();
}

async function sizeOf(path: string): Promise<number> {
  const info = await stat(path).catch(() => undefined);
  return info?.isFile() ? info.size : 0;
}
