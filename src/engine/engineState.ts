/** What the engine keeps: open models, their SAEs, and the runs that can still be asked about. */

import { realpath } from 'node:fs/promises';
import type { ModelInfo, Provenance, SaeId } from '../shared/domain.ts';
import type { CallOptions, OpenModelRequest } from '../shared/engineApi.ts';
import { EngineError, isEngineError, throwIfCancelled } from '../shared/errors.ts';
import type { AnalyzedRun } from './analyzedRun.ts';
import { collectGarbage } from './collectGarbage.ts';
import { fileError } from './files/fileErrors.ts';
import { LabelStore } from './labels/labelStore.ts';
import { LoadedModel } from './loadedModel.ts';
import { LoadedSaes } from './loadedSaes.ts';
import { RecentMap } from './recentMap.ts';
import { defaultStorage } from './storage.ts';

/** Stands in every result's provenance. Replaced by the package's version when the engine is bundled. */
declare const FOVEA_VERSION: string | undefined;
export const version = typeof FOVEA_VERSION === 'string' ? FOVEA_VERSION : 'development';

/** Runs that can still be asked about. A view asks about the newest one, or the one before while that is computed. */
const keptRuns = { entries: 12, weight: 512 * 2 ** 20, weigh: (run: AnalyzedRun) => run.bytes };

/** Between the path and the policy in the id of a handle of its own. */
const separateMark = '#bos=';

export interface EngineOptions {
  /** Threads inside one operation; the number of physical cores when left out. */
  readonly threads?: number;
  /** Folder for what is kept between runs; `defaultStorage()` when left out. */
  readonly storage?: string;
}

/** Opens and closes models, and does work on what is open. `Engine` adds what can be asked. */
export class EngineState {
  protected readonly saes: LoadedSaes;
  protected readonly labelStore: LabelStore;
  protected readonly runs = new RecentMap<AnalyzedRun>(keptRuns);
  protected readonly storage: string;
  private readonly models = new Map<string, Promise<LoadedModel>>();
  /** Calls that are at work on a model. */
  private underWay = 0;

  constructor(protected readonly options: EngineOptions = {}) {
    this.storage = options.storage ?? defaultStorage();
    this.labelStore = new LabelStore(this.storage);
    this.saes = new LoadedSaes(this.labelStore, options.threads);
  }

  async openModel(request: OpenModelRequest, call: CallOptions = {}): Promise<ModelInfo> {
    const { path, bos, separate } = request;
    const { signal } = call;
    throwIfCancelled(signal);
    const real = await realpath(path).catch((error) => {
      throw fileError(path, error);
    });
    throwIfCancelled(signal);
    const id = separate ? `${real}${separateMark}${bos ?? 'auto'}` : real;
    const known = this.models.get(id);
    const loading = known ?? this.load(id, request, call);
    const model = await loading.catch((error: unknown) => {
      // Somebody else's call was cancelled, not this one.
      if (known && isEngineError(error, 'cancelled') && !signal?.aborted) return undefined;
      throw error;
    });
    if (!model) return this.openModel(request, call);
    if (bos !== undefined && !separate) model.setBos(bos);
    return model.info;
  }

  /** Opens the model at `path`, known as `id` from now on unless it fails or is cancelled. Weights are loaded once. */
  private load(
    id: string,
    { path, bos = 'auto' }: OpenModelRequest,
    call: CallOptions,
  ): Promise<LoadedModel> {
    const another = this.handleBeside(id);
    const loading = (async () => {
      const beside = await another?.catch(() => undefined);
      const model =
        beside?.view({ id, bos }) ?? (await LoadedModel.open(path, { ...this.options, ...call, id, bos }));
      if (!call.signal?.aborted) return model;
      await model.release();
      throw new EngineError('cancelled', {});
    })();
    this.models.set(id, loading);
    loading.catch(() => {
      if (this.models.get(id) === loading) this.models.delete(id);
    });
    return loading;
  }

  /** Another handle on the model of a handle. */
  private handleBeside(id: string): Promise<LoadedModel> | undefined {
    const [real] = id.split(separateMark);
    return [...this.models].find(([other]) => other.split(separateMark)[0] === real)?.[1];
  }

  /** Cancels what is under way on the model, and ends with it. Whoever asks from now on is told that it is not open. */
  async closeModel({ model: id }: { readonly model: string }): Promise<void> {
    const loading = this.model(id);
    this.models.delete(id);
    const model = await loading;
    await model.release();
    this.runs.deleteWhere((run) => run.model === model);
    await this.saes.releaseUnder(model.info);
    collectGarbage();
  }

  protected model(id: string): Promise<LoadedModel> {
    const model = this.models.get(id);
    if (!model) throw new EngineError('handle.unknown', { what: 'model', id });
    return model;
  }

  /** Runs `work` on an open model; see `LoadedModel.use`. @throws handle.unknown, cancelled */
  protected async withModel<T>(
    id: string,
    { signal }: CallOptions,
    work: (model: LoadedModel, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    throwIfCancelled(signal);
    const model = await this.model(id);
    return this.counted(() => model.use(signal, (combined) => work(model, combined)));
  }

  /** Runs `work` on a kept run, whose model stays open meanwhile. @throws handle.unknown, cancelled */
  protected async withRun<T>(
    id: string,
    { signal }: CallOptions,
    work: (run: AnalyzedRun, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    throwIfCancelled(signal);
    const run = this.runs.get(id);
    if (!run) throw new EngineError('handle.unknown', { what: 'run', id });
    return this.counted(() => run.model.use(signal, (combined) => work(run, combined)));
  }

  /** Does `work`; when it was the last of what is under way, frees SAEs that were given up and no run needs. */
  private async counted<T>(work: () => Promise<T>): Promise<T> {
    this.underWay++;
    try {
      return await work();
    } finally {
      this.underWay--;
      await this.freeRetired();
    }
  }

  protected async freeRetired(): Promise<void> {
    if (this.underWay > 0) return;
    await this.saes.freeRetired(new Set([...this.runs.values()].flatMap(({ saes }) => saes)));
  }

  protected async provenance(model: LoadedModel, saes: readonly SaeId[]): Promise<Provenance> {
    const { name, hash, bos, precision } = model.info;
    const described: Provenance['saes'][number][] = [];
    for (const id of saes) described.push(await this.saes.provenance(id, model.info));
    return { version, model: { name, hash }, saes: described, bos, precision };
  }
}
