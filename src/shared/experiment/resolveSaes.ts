/** The SAEs that an experiment names by hook, folder or public release. */

import type { CallOptions } from '../callOptions.ts';
import type { ModelInfo, SaeId, SaeInfo } from '../domain.ts';
import type { EngineApi } from '../engineApi.ts';
import { EngineError } from '../errors.ts';

/** What SAEs are looked up with. */
export interface SaeLookup {
  readonly engine: EngineApi;
  readonly model: ModelInfo;
  /** The real path of one that the experiment names. */
  path(relative: string): Promise<string>;
  readonly call: CallOptions;
}

/** Whether a name is meant as a path: it begins with a dot, a slash or a drive. */
export function isPath(name: string): boolean {
  return /^(\.{1,2}([\\/]|$)|[\\/]|[a-z]:[\\/])/i.test(name);
}

/** Of `folder#part`, the folder. */
export function folderOfSaes(name: string): string {
  const at = name.lastIndexOf('#');
  return at < 0 ? name : name.slice(0, at);
}

/** What of `kinds` lies beside the model and can be used. */
export async function ownSaes(
  { engine, model, call }: SaeLookup,
  kinds: readonly SaeInfo['kind'][],
): Promise<readonly SaeInfo[]> {
  const saes = await engine.listSaes({ model: model.id, folders: [] }, call);
  return saes.filter(({ kind, problem }) => problem === undefined && kinds.includes(kind));
}

/**
 * The SAEs of one name: of a folder with several, all of them.
 * @throws request.invalid when there is none, or it does not fit the model.
 */
export async function namedSaes(
  lookup: SaeLookup,
  name: string,
  kinds: readonly SaeInfo['kind'][] = ['sae', 'transcoder', 'crossLayer'],
): Promise<readonly SaeInfo[]> {
  const found = (await candidates(lookup, name)).filter(({ kind }) => kinds.includes(kind));
  const usable = found.filter(({ problem }) => problem === undefined);
  if (usable.length > 0) return usable;
  const [unfit] = found;
  throw new EngineError('request.invalid', {
    what: `The SAE ${JSON.stringify(name)}`,
    reason: unfit?.problem ?? `there is none of this name. ${await hintFor(lookup, kinds)}`,
  });
}

async function candidates(lookup: SaeLookup, name: string): Promise<readonly SaeInfo[]> {
  const { engine, model, call } = lookup;
  if (isPath(name)) return inFolder(lookup, name);
  const beside = await engine.listSaes({ model: model.id, folders: [] }, call);
  const own = beside.filter(({ hook, release }) => hook === name || release === name);
  return own.length > 0 ? own : released(lookup, name);
}

async function inFolder({ engine, model, path, call }: SaeLookup, name: string): Promise<readonly SaeInfo[]> {
  const at = name.lastIndexOf('#');
  const folder = await path(folderOfSaes(name));
  const saes = await engine.listSaes({ model: model.id, folders: [folder] }, call);
  const isWanted = (id: SaeId): boolean =>
    at < 0 ? isBelow(id, folder) : id === `${folder}#${name.slice(at + 1)}`;
  return saes.filter(({ id }) => isWanted(id));
}

function isBelow(id: SaeId, folder: string): boolean {
  return id === folder || ['#', '/', '\\'].some((mark) => id.startsWith(`${folder}${mark}`));
}

/** An SAE of a public release that lies in the cache. */
async function released({ engine, model, call }: SaeLookup, name: string): Promise<readonly SaeInfo[]> {
  const releases = await engine.listReleases({ model: model.id }, call);
  const all = releases.flatMap(({ saes }) => saes);
  const sae = all.find(({ release, id }) => `${release}/${id}` === name);
  if (!sae) return [];
  const { path } = await engine.locateCached({ repo: sae.repo, what: sae.files }, call);
  if (path === undefined) {
    const reason = 'it is not in the cache; download it first with “Fovea: Choose SAE…” or `fovea download`';
    throw new EngineError('request.invalid', { what: `The SAE ${JSON.stringify(name)}`, reason });
  }
  const saes = await engine.listSaes({ model: model.id, folders: [path] }, call);
  return saes.filter(({ release, id }) => release === name || (isBelow(id, path) && !sae.part));
}

async function hintFor(lookup: SaeLookup, kinds: readonly SaeInfo['kind'][]): Promise<string> {
  const hooks = (await ownSaes(lookup, kinds)).map(({ hook }) => hook);
  return hooks.length === 0
    ? 'The model has none beside it; name a folder as ./FOLDER'
    : `Beside the model there are ${hooks.slice(0, 20).join(', ')}${hooks.length > 20 ? ', …' : ''}`;
}
