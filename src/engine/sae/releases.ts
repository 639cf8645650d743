/** The public releases of SAEs, from an index that Fovea carries: nothing is asked of the network. */
import { readFile } from 'node:fs/promises';
import type { HookName, ModelInfo } from '../../shared/domain.ts';
import type { ReleasedSae, SaeRelease } from '../../shared/saeApi.ts';
import type { SaeConvention } from '../../shared/saeCheck.ts';
import { blockHook } from './formats/hookNames.ts';
import { modelMatch } from './releasedModels.ts';
import { filesOf } from './releaseFiles.ts';

/** A release as `releases.json` has it; test/parity/record_releases.py says how its columns are written. */
interface StoredRelease {
  readonly release: string;
  readonly model: string;
  readonly repo: string;
  /** Which of SAELens' loaders reads it. */
  readonly loader: string;
  /** The model's writing weights are centred. */
  readonly centered?: boolean;
  /** Run-time normalisation that the files say otherwise. */
  readonly normalize?: string;
  readonly ids: readonly string[];
  readonly paths: readonly string[];
  readonly l0?: readonly number[];
  readonly neuronpedia?: readonly string[];
  readonly scales?: readonly number[];
}

let stored: Promise<readonly StoredRelease[]> | undefined;

/** Read on first use only, from a file that the build puts beside its bundles: most sessions never ask. */
function storedReleases(): Promise<readonly StoredRelease[]> {
  stored ??= readFile(new URL('./releases.json', import.meta.url), 'utf8').then(
    (text) => (JSON.parse(text) as { readonly releases: readonly StoredRelease[] }).releases,
  );
  return stored;
}

/** Releases for the model, best match first: by its name or repository, else by its shape. */
export async function listReleases(model: ModelInfo): Promise<readonly SaeRelease[]> {
  const ranked = (await storedReleases())
    .map((release) => ({ release, match: modelMatch(model, release.model) }))
    .filter(({ match }) => match > 0);
  ranked.sort((a, b) => b.match - a.match);
  return ranked.map(({ release }) => ({
    release: release.release,
    model: release.model,
    repo: release.repo,
    saes: saesOf(release),
  }));
}

/** An SAE of a release, with what no convention says. */
export interface FoundRelease extends ReleasedSae {
  readonly normalize?: string;
}

/**
 * The SAE of a release that lies at `path` in the hub's cache, whose folders are called
 * `models--OWNER--NAME/snapshots/REVISION/…`. `part` is the file in a folder of several.
 */
export async function releasedAt(path: string, part?: string): Promise<FoundRelease | undefined> {
  const match = /models--([^/\\]+)[/\\]snapshots[/\\][^/\\]+(?:[/\\](.*))?$/.exec(path);
  if (!match) return undefined;
  const repo = match[1]!.replaceAll('--', '/');
  const below = (match[2] ?? '').replaceAll('\\', '/');
  const found: FoundRelease[] = [];
  for (const release of await storedReleases()) {
    if (release.repo !== repo) continue;
    const { normalize } = release;
    const saes = saesOf(release).filter((sae) => sae.files.folder === below && sae.part === part);
    found.push(...saes.map((sae) => ({ ...sae, ...(normalize && { normalize }) })));
  }
  // The same files may belong to several releases; those that Neuronpedia knows say most.
  return found.find(({ neuronpediaId }) => neuronpediaId) ?? found[0];
}

/**
 * The SAE of a release that a copy outside the cache says it is: by its name on Neuronpedia, else by the release and
 * hook that its config names.
 */
export async function releasedAs(said: {
  readonly neuronpediaId?: string;
  readonly release?: unknown;
  readonly id?: unknown;
  readonly hook: HookName;
}): Promise<FoundRelease | undefined> {
  const { neuronpediaId, release, hook } = said;
  const fits = (sae: FoundRelease) => (sae.hook ?? hook) === hook;
  const known = neuronpediaId === undefined ? [] : ((await releasedBySource()).get(neuronpediaId) ?? []);
  const own = known.find((sae) => fits(sae) && sae.release === release) ?? known.find(fits);
  if (own || typeof release !== 'string') return own;
  const named = (await storedReleases()).find((one) => one.release === release);
  const id = typeof said.id === 'string' ? said.id : hook;
  return named && foundIn(named).find((sae) => sae.id === id && fits(sae));
}

let bySource: Promise<ReadonlyMap<string, readonly FoundRelease[]>> | undefined;

/** SAEs by their name on Neuronpedia; made once, since listing a folder asks for every SAE in it. */
function releasedBySource(): Promise<ReadonlyMap<string, readonly FoundRelease[]>> {
  bySource ??= storedReleases().then((releases) => {
    const found = releases.filter(({ neuronpedia }) => neuronpedia).flatMap(foundIn);
    const grouped = new Map<string, FoundRelease[]>();
    for (const sae of found) {
      const id = sae.neuronpediaId;
      if (!id) continue;
      const others = grouped.get(id);
      if (others) others.push(sae);
      else grouped.set(id, [sae]);
    }
    return grouped;
  });
  return bySource;
}

function foundIn(release: StoredRelease): FoundRelease[] {
  const { normalize } = release;
  return saesOf(release).map((sae) => ({ ...sae, ...(normalize && { normalize }) }));
}

function saesOf(release: StoredRelease): readonly ReleasedSae[] {
  const ids = frontDecoded(release.ids);
  const paths = frontDecoded(release.paths).map((path, i) =>
    path.startsWith('=') ? path.slice(1) + ids[i]! : path,
  );
  const sources = release.neuronpedia && frontDecoded(release.neuronpedia);
  return ids.map((id, i): ReleasedSae => {
    const hook = hookOf(release, id, paths[i]!);
    const convention = conventionOf(release, i);
    return {
      release: release.release,
      id,
      repo: release.repo,
      ...filesOf(release.loader, paths[i]!),
      ...(hook && { hook }),
      ...(release.l0?.[i] && { l0: release.l0[i] }),
      ...(sources?.[i] && { neuronpediaId: sources[i] }),
      ...(convention && { convention }),
    };
  });
}

/** What the release says beyond the files. Llama Scope's files say their scale themselves. */
function conventionOf({ loader, centered, scales }: StoredRelease, i: number): SaeConvention | undefined {
  const scale = loader === 'sae_lens' || loader === 'llama_scope_r1_distill' ? scales?.[i] : undefined;
  if (!centered && !scale) return undefined;
  return { ...(centered && { centerInput: true }), ...(scale && { inputScale: scale }) };
}

/** Texts that each say how much they share with the one before. */
function frontDecoded(texts: readonly string[]): string[] {
  let before = '';
  return texts.map((text) => {
    before = before.slice(0, text.charCodeAt(0) - 32) + text.slice(1);
    return before;
  });
}

const llamaScopeSites: Readonly<Record<string, string>> = {
  r: 'hook_resid_post',
  m: 'hook_mlp_out',
  a: 'hook_attn_out',
};

/** Sites by what ids, paths and repositories are called. */
const sites: readonly (readonly [RegExp, string])[] = [
  [/transcoder|clt/, 'mlp.hook_in'],
  [/resid|-res\b|SAE-Res|Instruct-SAE/, 'hook_resid_post'],
  [/attn|-att\b/, 'attn.hook_z'],
  [/mlp/, 'hook_mlp_out'],
];

/** The hook that an SAE reads, as far as the names say it. */
function hookOf({ loader, repo }: StoredRelease, id: string, path: string): HookName | undefined {
  const named = /blocks\.(\d+)\.(?:attn\.)?(hook_\w+?)(?:_\d+)?(?:__.*)?$/.exec(id);
  if (named) return blockHook(Number(named[1]), named[2] === 'hook_z' ? 'attn.hook_z' : named[2]!);
  const scope = /^l(\d+)([rma])_/.exec(id);
  if (scope && loader.startsWith('llama_scope'))
    return blockHook(Number(scope[1]), llamaScopeSites[scope[2]!]!);
  if (/^embedding\b/.test(path)) return 'hook_embed';
  const layer = /layer_?(\d+)/.exec(id)?.[1];
  const site = sites.find(([pattern]) => pattern.test(path) || pattern.test(repo))?.[1];
  return layer && site ? blockHook(Number(layer), site) : undefined;
}
