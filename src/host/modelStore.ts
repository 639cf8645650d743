/** The model and the SAE in use: loaded on first need, remembered between sessions. */

import type { BosPolicy, ModelInfo, SaeId, SaeInfo } from '../shared/domain.ts';
import type { CallOptions, EngineApi } from '../shared/engineApi.ts';
import { EngineError } from '../shared/errors.ts';
import { Disposable } from './disposable.ts';
import { Emitter } from './emitter.ts';
import { describeForLog, type Log } from './log.ts';
import { modelNameOf } from './modelName.ts';
import type { SaeReadings } from './saeReadings.ts';

/** Keeps small values between sessions; VS Code's mementos have this shape. */
export interface Memory {
  get<T>(key: string): T | undefined;
  update(key: string, value: unknown): PromiseLike<void>;
}

/** Where models and SAEs are looked for. */
export interface ModelPlaces {
  /** The chosen model's folder or `.gguf` file. */
  readonly model: string;
  readonly saeFolders: readonly string[];
  /** What the user wants of the beginning-of-sequence token; `auto` when left out. */
  readonly bos?: BosPolicy;
}

/** How far loading is. */
export type ModelStatus = 'idle' | 'loading' | 'ready' | 'failed';

/** What the store needs. */
export interface ModelStoreOptions {
  readonly engine: EngineApi;
  readonly places: () => ModelPlaces;
  readonly memory: Memory;
  readonly log: Log;
  /** How the user wants SAEs to be read; as declared when left out. */
  readonly readings?: SaeReadings;
  /** Shows how far opening a model is, and stops it when the user says so; `Downloads.open` has this shape. */
  readonly watch?: <T>(
    title: string,
    work: (call: CallOptions) => Promise<T>,
    signal: AbortSignal,
  ) => Promise<T>;
}

type SaeChange = Pick<SaeInfo, 'convention' | 'check'>;

interface Loaded {
  readonly model: ModelInfo;
  readonly saes: readonly SaeInfo[];
}

/** Loads the chosen model and its SAEs. */
export class ModelStore extends Disposable {
  readonly onDidChange;
  private readonly changed = this.own(new Emitter<void>());
  private loading: Promise<Loaded> | undefined;
  private loaded: Loaded | undefined;
  private chosenSae: SaeInfo | undefined;
  private currentStatus: ModelStatus = 'idle';
  private failure: unknown;
  /** Counts loads, so that one that was overtaken changes nothing. */
  private generation = 0;
  /** Stops the load under way. */
  private stopping = new AbortController();
  /** Ends of the loads by path: one that was overtaken gives back what it opened before that is opened again. */
  private readonly underWay = new Map<string, Promise<unknown>>();
  /** Ends when all models that were given up are closed. */
  private closing: Promise<void> = Promise.resolve();
  /** The model that was given up for one that is not loaded yet. */
  private given: ModelInfo | undefined;
  /** Counts looks for SAEs, of which the newest one counts. */
  private looks = 0;
  /** What became known of SAEs since the newest look for them began. */
  private readonly told = new Map<SaeId, SaeChange>();

  constructor(private readonly options: ModelStoreOptions) {
    super();
    this.onDidChange = this.changed.event;
    this.own({ dispose: () => this.stopping.abort() });
  }

  get status(): ModelStatus {
    return this.currentStatus;
  }

  /** Why the model could not be loaded. */
  get error(): unknown {
    return this.failure;
  }

  get model(): ModelInfo | undefined {
    return this.loaded?.model;
  }

  /** The model that was given up for one that is being loaded, or could not be. */
  get previous(): ModelInfo | undefined {
    return this.given;
  }

  get saes(): readonly SaeInfo[] {
    return this.loaded?.saes ?? [];
  }

  /** The SAE whose features are shown. */
  get sae(): SaeInfo | undefined {
    return this.chosenSae;
  }

  /** A name for the model even before it is loaded. */
  get name(): string {
    return this.model?.name ?? modelNameOf(this.path);
  }

  /** Where the chosen model lies, loaded or not. */
  get path(): string {
    return this.model?.path ?? this.options.places().model;
  }

  /**
   * The model, loaded if it is not. A failure is told to every waiting caller; the next call tries again. Who waits for
   * a load that is overtaken gets what overtook it.
   */
  async ensure(): Promise<ModelInfo> {
    if (this.loaded) return this.loaded.model;
    this.loading ??= this.load();
    const { generation } = this;
    try {
      return (await this.loading).model;
    } catch (error) {
      if (generation === this.generation) throw error;
      return this.newest();
    }
  }

  /**
   * Drops the model and loads what the places name now. The old model is closed first, so that the new one has its
   * memory; a load under way is stopped.
   */
  async reload(): Promise<ModelInfo> {
    const old = this.loaded?.model;
    this.loaded = undefined;
    this.chosenSae = undefined;
    this.loading = this.load(old);
    return this.ensure();
  }

  /** Looks for SAEs again. */
  async refreshSaes(): Promise<void> {
    if (!this.loaded) return;
    const { generation } = this;
    const look = ++this.looks;
    this.told.clear();
    const found = await this.listSaes(this.loaded.model);
    if (generation !== this.generation || look !== this.looks || !this.loaded) return;
    const saes = found.map((sae) => ({ ...sae, ...this.told.get(sae.id) }));
    const { model } = this.loaded;
    this.loaded = { model, saes };
    this.chosenSae = saes.find((sae) => sae.id === this.chosenSae?.id) ?? this.pickSae(model, saes);
    this.changed.fire();
  }

  /** Shows the features of another SAE; unknown ids are ignored. */
  chooseSae(id: SaeId): void {
    const sae = this.saes.find((candidate) => candidate.id === id);
    if (!sae || sae === this.chosenSae) return;
    this.chosenSae = sae;
    void this.options.memory.update(saeKey(this.model), id);
    this.changed.fire();
  }

  /** Takes over what became known of a listed SAE. */
  updateSae(id: SaeId, change: SaeChange): void {
    if (!this.loaded) return;
    this.told.set(id, { ...this.told.get(id), ...change });
    const update = (sae: SaeInfo): SaeInfo => (sae.id === id ? { ...sae, ...change } : sae);
    this.loaded = { model: this.loaded.model, saes: this.loaded.saes.map(update) };
    this.chosenSae = this.loaded.saes.find((sae) => sae.id === this.chosenSae?.id);
    this.changed.fire();
  }

  /** Tells the engine what the places now say of the beginning-of-sequence token. A model that is not loaded hears it when it is. */
  async applyBos(): Promise<void> {
    const before = this.loaded;
    if (!before) return;
    const { generation } = this;
    const model = await this.options.engine.openModel(this.openRequest(before.model.path));
    if (generation !== this.generation || !this.loaded) return;
    this.loaded = { model, saes: this.loaded.saes };
    this.changed.fire();
  }

  /** Opens what the places name, once `old` is closed and an earlier load of the same has ended. */
  private load(old?: ModelInfo): Promise<Loaded> {
    const generation = ++this.generation;
    this.stopping.abort();
    this.stopping = new AbortController();
    const { path } = this.openRequest(this.options.places().model);
    const { stopping } = this;
    const before = this.underWay.get(path);
    if (old && old.path !== path) this.given = old;
    const loading = (async () => {
      if (old && old.path !== path) this.closing = this.closing.then(() => this.close(old));
      await Promise.all([before, this.closing]);
      const isKept = old?.path === path && !stopping.signal.aborted;
      if (old?.path === path && !isKept) await this.close(old);
      const loaded = await this.open(path, stopping.signal).catch(async (error: unknown) => {
        if (old && isKept) await this.close(old);
        throw error;
      });
      if (generation === this.generation) this.accept(loaded);
      return loaded;
    })();
    const ended = loading.catch((error: unknown) => {
      if (generation === this.generation) this.fail(error);
    });
    this.underWay.set(path, ended);
    void ended.then(() => {
      if (this.underWay.get(path) === ended) this.underWay.delete(path);
    });
    this.setStatus('loading');
    return loading;
  }

  /** Opens the model at `path`, and closes it again when it is no longer wanted. @throws cancelled */
  private async open(path: string, signal: AbortSignal): Promise<Loaded> {
    if (signal.aborted) throw new EngineError('cancelled', {});
    const { engine, watch } = this.options;
    const request = this.openRequest(path);
    const work = (call: CallOptions): Promise<ModelInfo> => engine.openModel(request, call);
    const model = await (watch ? watch(modelNameOf(path), work, signal) : work({ signal }));
    const saes = signal.aborted ? [] : await this.listSaes(model);
    if (!signal.aborted) return { model, saes };
    await this.close(model);
    throw new EngineError('cancelled', {});
  }

  /** What overtook a load. @throws why that one failed, without trying again. */
  private newest(): Promise<ModelInfo> {
    if (this.currentStatus === 'failed') throw this.failure;
    return this.ensure();
  }

  private openRequest(path: string): { readonly path: string; readonly bos?: BosPolicy } {
    return { path, bos: this.options.places().bos };
  }

  private accept(loaded: Loaded): void {
    this.loaded = loaded;
    this.given = undefined;
    this.chosenSae = this.pickSae(loaded.model, loaded.saes);
    this.failure = undefined;
    this.setStatus('ready');
  }

  private fail(error: unknown): void {
    this.loading = undefined;
    this.failure = error;
    this.setStatus('failed');
  }

  private async listSaes(model: ModelInfo): Promise<readonly SaeInfo[]> {
    const { engine, log, places } = this.options;
    try {
      const saes = await engine.listSaes({ model: model.id, folders: places().saeFolders });
      return await Promise.all(saes.map((sae) => this.readAsChosen(model, sae)));
    } catch (error) {
      // A model without its SAEs is still worth showing.
      log.error(`SAEs could not be listed: ${describeForLog(error)}`);
      return [];
    }
  }

  /** Has the engine read the SAE as the user chose, and know what was measured, in this or an earlier session. */
  private async readAsChosen(model: ModelInfo, sae: SaeInfo): Promise<SaeInfo> {
    const { engine, log, readings } = this.options;
    if (!readings || sae.problem !== undefined) return sae;
    const chosen = readings.convention(sae);
    const convention = chosen ?? sae.convention ?? {};
    const check = readings.check(model, { ...sae, convention });
    if (!chosen && !check) return sae;
    try {
      await engine.configureSae({ sae: sae.id, convention, check });
      return { ...sae, convention, check };
    } catch (error) {
      log.error(`${sae.name} cannot be read as it was chosen: ${describeForLog(error)}`);
      return sae;
    }
  }

  private async close(model: ModelInfo): Promise<void> {
    try {
      await this.options.engine.closeModel({ model: model.id });
    } catch (error) {
      this.options.log.warn(`${model.name} could not be closed: ${describeForLog(error)}`);
    }
  }

  private pickSae(model: ModelInfo, saes: readonly SaeInfo[]): SaeInfo | undefined {
    const remembered = this.options.memory.get<SaeId>(saeKey(model));
    return saes.find((sae) => sae.id === remembered) ?? defaultSae(model, saes);
  }

  private setStatus(status: ModelStatus): void {
    this.currentStatus = status;
    this.changed.fire();
  }
}

/** The SAE to begin with: the residual stream nearest to the middle of the model, else the nearest of any kind. */
export function defaultSae(model: Pick<ModelInfo, 'nLayers'>, saes: readonly SaeInfo[]): SaeInfo | undefined {
  const usable = saes.filter(({ problem }) => problem === undefined);
  const middle = Math.floor(model.nLayers / 2);
  const distance = (sae: SaeInfo): number =>
    Math.abs(sae.layer - middle) + (sae.hook.includes('hook_resid') ? 0 : model.nLayers + 1);
  return usable.sort((one, other) => distance(one) - distance(other))[0];
}

function saeKey(model: ModelInfo | undefined): string {
  return `sae ${model?.path ?? ''}`;
}
