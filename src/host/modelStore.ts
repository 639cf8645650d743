/** The model and the SAE in use: loaded on first need, remembered between sessions. */

import { basename } from 'node:path';
import type { ModelInfo, SaeId, SaeInfo } from '../shared/domain.ts';
import type { EngineApi } from '../shared/engineApi.ts';
import { Disposable } from './disposable.ts';
import { Emitter } from './emitter.ts';
import { describeForLog, type Log } from './log.ts';

/** Keeps small values between sessions; VS Code's mementos have this shape. */
export interface Memory {
  get<T>(key: string): T | undefined;
  update(key: string, value: unknown): PromiseLike<void>;
}

/** Where models and SAEs are looked for. */
export interface ModelPlaces {
  /** The folder of the chosen model. */
  readonly model: string;
  readonly saeFolders: readonly string[];
}

/** How far loading is. */
export type ModelStatus = 'idle' | 'loading' | 'ready' | 'failed';

/** What the store needs. */
export interface ModelStoreOptions {
  readonly engine: EngineApi;
  readonly places: () => ModelPlaces;
  readonly memory: Memory;
  readonly log: Log;
}

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

  constructor(private readonly options: ModelStoreOptions) {
    super();
    this.onDidChange = this.changed.event;
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

  get saes(): readonly SaeInfo[] {
    return this.loaded?.saes ?? [];
  }

  /** The SAE whose features are shown. */
  get sae(): SaeInfo | undefined {
    return this.chosenSae;
  }

  /** A name for the model even before it is loaded. */
  get name(): string {
    return this.model?.name ?? basename(this.options.places().model);
  }

  /** The model, loaded if it is not. A failure is told to every waiting caller; the next call tries again. */
  async ensure(): Promise<ModelInfo> {
    if (this.loaded) return this.loaded.model;
    this.loading ??= this.load();
    return (await this.loading).model;
  }

  /** Drops the model and loads what the places name now. */
  async reload(): Promise<ModelInfo> {
    const old = this.loaded?.model;
    this.loading = undefined;
    this.loaded = undefined;
    this.chosenSae = undefined;
    if (old && old.path !== this.options.places().model) await this.close(old);
    return this.ensure();
  }

  /** Looks for SAEs again. */
  async refreshSaes(): Promise<void> {
    const { loaded } = this;
    if (!loaded) return;
    const saes = await this.listSaes(loaded.model);
    this.loaded = { model: loaded.model, saes };
    this.chosenSae = saes.find((sae) => sae.id === this.chosenSae?.id) ?? this.pickSae(loaded.model, saes);
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

  private async load(): Promise<Loaded> {
    const generation = ++this.generation;
    this.setStatus('loading');
    try {
      const model = await this.options.engine.openModel({ path: this.options.places().model });
      const loaded = { model, saes: await this.listSaes(model) };
      if (generation === this.generation) this.accept(loaded);
      return loaded;
    } catch (error) {
      if (generation === this.generation) this.fail(error);
      throw error;
    }
  }

  private accept(loaded: Loaded): void {
    this.loaded = loaded;
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
      return await engine.listSaes({ model: model.id, folders: places().saeFolders });
    } catch (error) {
      // A model without its SAEs is still worth showing.
      log.error(`SAEs could not be listed: ${describeForLog(error)}`);
      return [];
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
  const middle = Math.floor(model.nLayers / 2);
  const distance = (sae: SaeInfo): number =>
    Math.abs(sae.layer - middle) + (sae.hook.includes('hook_resid') ? 0 : model.nLayers + 1);
  return [...saes].sort((one, other) => distance(one) - distance(other))[0];
}

function saeKey(model: ModelInfo | undefined): string {
  return `sae ${model?.path ?? ''}`;
}
