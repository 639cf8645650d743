/** The hub as the engine offers it: local models, the cache, plans and downloads. Only the last two go online. */
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import type { CallOptions } from '../../shared/callOptions.ts';
import { EngineError, throwIfCancelled } from '../../shared/errors.ts';
import type { DownloadPlan, HubApi, HubPart, HubRequest, LocalModel } from '../../shared/hubApi.ts';
import { shorten } from '../files/fileErrors.ts';
import { download } from './download.ts';
import { CachedRepo, isCommit } from './hubCache.ts';
import { isHubPath } from './hubPath.ts';
import { checkEndpoint, type HubContext } from './hubRequests.ts';
import { ambientToken, type HubSettings, hubSettings } from './hubSettings.ts';
import { type CheckConfig, modelsBelow, modelsOfCache } from './localModels.ts';
import { planDownload } from './planDownload.ts';
import { isWhole, partPath } from './snapshotParts.ts';

/** What the hub works with; tests put their own in place. */
export interface HubOptions {
  /** Folder for what is kept between runs. */
  readonly storage: string;
  /** Tells of local models whether they can be run; all of them when left out. */
  readonly checkConfig?: CheckConfig;
  readonly env?: NodeJS.ProcessEnv;
  readonly fetch?: typeof fetch;
  /** Milliseconds without an answer or a byte after which a connection counts as lost; a minute when left out. */
  readonly patience?: number;
  readonly wait?: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;
  readonly freeBytes?: (path: string) => Promise<number>;
}

const path = v.pipe(v.string(), v.check(isHubPath, 'a plain path inside the repository'));
const folder = v.union([v.literal(''), path]);
const paths = v.pipe(v.array(path), v.maxLength(100));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const partSchema = v.variant('kind', [
  v.object({ kind: v.literal('model') }),
  v.object({ kind: v.literal('folder'), path: folder }),
  v.object({ kind: v.literal('file'), path }),
  v.object({
    kind: v.literal('files'),
    folder,
    files: v.pipe(paths, v.minLength(1)),
    anyOf: v.optional(paths),
    optional: v.optional(paths),
  }),
]);

/** A plan comes from another process, which may be of another version. */
const planSchema = v.looseObject({
  repo: v.string(),
  revision: v.string(),
  commit: v.pipe(v.string(), v.check(isCommit, 'a commit')),
  what: partSchema,
  endpoint: v.string(),
  cache: v.string(),
  files: v.array(
    v.object({
      path,
      size: count,
      blob: v.pipe(v.string(), v.regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/)),
      cached: v.boolean(),
    }),
  ),
});

/** See `HubApi`. */
export class Hub implements HubApi {
  constructor(private readonly options: HubOptions) {}

  async listLocalModels(
    request: { readonly folders: readonly string[] },
    { signal }: CallOptions = {},
  ): Promise<readonly LocalModel[]> {
    const { checkConfig = () => {} } = this.options;
    const found = [...(await modelsOfCache(this.settings.cache, checkConfig, signal))];
    for (const folder of request.folders) found.push(...(await modelsBelow(folder, checkConfig, signal)));
    // A folder may be named twice, or be the cache itself.
    return [...new Map(found.map((model) => [model.path, model])).values()];
  }

  async locateCached(
    request: Pick<HubRequest, 'repo' | 'revision' | 'what'>,
    { signal }: CallOptions = {},
  ): Promise<{ readonly path?: string }> {
    throwIfCancelled(signal);
    const what = checkPart(request.what);
    const place = new CachedRepo(this.settings.cache, request.repo);
    const commit = await place.commitOf(request.revision ?? 'main');
    if (commit === undefined || !(await isWhole(place, commit, what, this.options.storage))) return {};
    return { path: partPath(place, commit, what) };
  }

  async planDownload(request: HubRequest, { signal }: CallOptions = {}): Promise<DownloadPlan> {
    const { settings } = this;
    const what = checkPart(request.what);
    const place = new CachedRepo(settings.cache, request.repo);
    const revision = request.revision ?? 'main';
    // Refuses what is no revision before anything is asked.
    place.ref(revision);
    const endpoint = checkEndpoint(request.endpoint || settings.endpoint);
    const context = await this.context(request.repo, endpoint, request.token, settings, signal);
    return planDownload(context, { place, revision, what });
  }

  async download(
    request: { readonly plan: DownloadPlan; readonly token?: string },
    call: CallOptions = {},
  ): Promise<{ readonly path: string }> {
    const { settings } = this;
    const plan = checkPlan(request.plan);
    const place = new CachedRepo(settings.cache, plan.repo);
    place.ref(plan.revision);
    const endpoint = checkEndpoint(plan.endpoint);
    const context = await this.context(plan.repo, endpoint, request.token, settings, call.signal);
    const { storage, freeBytes, wait = waitOrCancel } = this.options;
    const { symlinks } = settings;
    return { path: await download(context, place, plan, { ...call, storage, symlinks, freeBytes, wait }) };
  }

  private get settings(): HubSettings {
    return hubSettings(this.options.env ?? process.env);
  }

  private async context(
    repo: string,
    endpoint: string,
    given: string | undefined,
    settings: HubSettings,
    signal: AbortSignal | undefined,
  ): Promise<HubContext> {
    throwIfCancelled(signal);
    if (settings.offline) {
      throw new EngineError('hub.unreachable', { endpoint, reason: 'HF_HUB_OFFLINE forbids it' });
    }
    const token = given || (await ambientToken(settings, endpoint));
    if (token !== undefined && !/^[\x21-\x7e]{1,4096}$/.test(token)) {
      throw new EngineError('hub.refused', { repo, reason: 'the token has characters that no token has' });
    }
    const { fetch: fetcher = fetch, patience = 60_000 } = this.options;
    return { repo, endpoint, token, fetch: fetcher, signal, patience };
  }
}

function checkPart(what: HubPart): HubPart {
  const result = v.safeParse(partSchema, what);
  if (result.success) return result.output;
  const named = 'path' in what ? ` "${shorten(String(what.path))}"` : '';
  const reason = 'it is no plain path inside a repository';
  throw new EngineError('request.invalid', { what: `The ${String(what.kind)}${named}`, reason });
}

function checkPlan(plan: DownloadPlan): DownloadPlan {
  const result = v.safeParse(planSchema, plan);
  if (result.success) return plan;
  const field = v.getDotPath(result.issues[0]) ?? 'its content';
  const reason = `its ${shorten(field)} is not what a plan has`;
  throw new EngineError('request.invalid', { what: 'This plan of a download', reason });
}

async function waitOrCancel(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(milliseconds, undefined, { signal }).catch(() => throwIfCancelled(signal));
}
