/**
 * Whether SAEs are read the way they were trained: the chosen one is checked in the background, once for each
 * model, SAE and convention. It knows neither VS Code nor how verdicts are shown.
 */

import type { ModelInfo, Progress, SaeId, SaeInfo } from '../shared/domain.ts';
import type { EngineApi } from '../shared/engineApi.ts';
import { isEngineError } from '../shared/errors.ts';
import type { SaeCheck, SaeConvention } from '../shared/saeCheck.ts';
import { Disposable } from './disposable.ts';
import { Emitter } from './emitter.ts';
import { describeForLog, type Log } from './log.ts';
import type { ModelStore } from './modelStore.ts';
import { readingKey, type SaeReadings } from './saeReadings.ts';

/** What is known of how an SAE is read. */
export type SaeStatus =
  | { readonly kind: 'unchecked' }
  /** A layer of a cross-layer transcoder: its outputs are sums over all layers. */
  | { readonly kind: 'uncheckable' }
  | { readonly kind: 'checking'; readonly progress?: Progress }
  | { readonly kind: 'checked'; readonly check: SaeCheck }
  | { readonly kind: 'failed'; readonly error: unknown };

/** A fresh verdict. */
export interface SaeFinding {
  readonly model: ModelInfo;
  readonly sae: SaeInfo;
  readonly check: SaeCheck;
}

/** What the checks need. */
export interface SaeChecksOptions {
  readonly engine: EngineApi;
  readonly models: ModelStore;
  readonly readings: SaeReadings;
  readonly log: Log;
  /** Resolves when nothing more urgent is being computed; a background check waits for it. */
  readonly idle?: () => Promise<void>;
}

interface Running {
  /** What is being checked; the same SAE read otherwise is something else. */
  readonly key: string;
  readonly controller: AbortController;
  readonly progress?: Progress;
}

/** Checks SAEs and keeps the verdicts. */
export class SaeChecks extends Disposable {
  /** Fires when the status of any SAE changed. */
  readonly onDidChange;
  /** Fires with every fresh verdict, not with remembered ones. */
  readonly onDidFind;
  private readonly changed = this.own(new Emitter<void>());
  private readonly found = this.own(new Emitter<SaeFinding>());
  private readonly running = new Map<SaeId, Running>();
  private readonly failures = new Map<string, unknown>();
  /** The chosen SAE, and how it was read when it was chosen. */
  private followed: { readonly id: SaeId; readonly key: string } | undefined;

  constructor(private readonly options: SaeChecksOptions) {
    super();
    this.onDidChange = this.changed.event;
    this.onDidFind = this.found.event;
    this.own(options.models.onDidChange(() => this.follow()));
    this.own({ dispose: () => this.cancelAll() });
  }

  /** What is known of an SAE of the loaded model. */
  status(sae: SaeInfo): SaeStatus {
    const running = this.running.get(sae.id);
    if (running) return { kind: 'checking', progress: running.progress };
    const { model } = this.options.models;
    if (sae.kind === 'crossLayer') return { kind: 'uncheckable' };
    if (!model) return { kind: 'unchecked' };
    const key = readingKey(model, sae);
    if (this.failures.has(key)) return { kind: 'failed', error: this.failures.get(key) };
    const check = this.options.readings.check(model, sae);
    return check ? { kind: 'checked', check } : { kind: 'unchecked' };
  }

  /** Measures an SAE again. Answers nothing when it was cancelled or overtaken by another check of it. */
  async check(sae: SaeInfo): Promise<SaeCheck | undefined> {
    const { model } = this.options.models;
    if (!model || sae.problem !== undefined) return undefined;
    const key = readingKey(model, sae);
    const controller = this.begin(sae, key);
    try {
      const check = await this.options.engine.checkSae(
        { model: model.id, sae: sae.id },
        { signal: controller.signal, report: (progress) => this.progressed(sae, controller, progress) },
      );
      if (controller.signal.aborted) return undefined;
      this.options.readings.keepCheck(model, sae, check);
      this.end(sae, controller);
      // An SAE of a folder may be listed for another model by now.
      if (this.options.models.model === model) {
        this.options.models.updateSae(sae.id, { convention: sae.convention, check });
      }
      this.found.fire({ model, sae, check });
      return check;
    } catch (error) {
      this.end(sae, controller);
      if (controller.signal.aborted || isEngineError(error, 'cancelled')) return undefined;
      this.failures.set(key, error);
      this.changed.fire();
      throw error;
    }
  }

  /** Stops the check of an SAE, if one runs. */
  cancel(id: SaeId): void {
    this.running.get(id)?.controller.abort();
    if (this.running.delete(id)) this.changed.fire();
  }

  /** Reads an SAE by `convention` from now on, and remembers it. The empty one: as declared. */
  async read(sae: SaeInfo, convention: SaeConvention): Promise<void> {
    const { engine, models, readings } = this.options;
    this.cancel(sae.id);
    const model = models.model;
    const check = model && readings.check(model, { ...sae, convention });
    await engine.configureSae({ sae: sae.id, convention, check });
    readings.keepConvention(sae, convention);
    models.updateSae(sae.id, { convention, check });
  }

  /** Checks the SAE that was chosen, unless that is known or under way; what was checked for another choice ends. */
  private follow(): void {
    const { status, model, sae } = this.options.models;
    const { followed } = this;
    const isUsable = status === 'ready' && model !== undefined && sae?.problem === undefined;
    const now = isUsable && sae ? { id: sae.id, key: readingKey(model, sae) } : undefined;
    this.followed = now;
    if (followed && followed.key !== now?.key) this.cancel(followed.id);
    if (sae && now && this.status(sae).kind === 'unchecked') void this.checkWhenIdle(sae);
  }

  private async checkWhenIdle(sae: SaeInfo): Promise<void> {
    const { idle, log, models } = this.options;
    await idle?.();
    // Meanwhile another SAE may have been chosen, or this one may be read otherwise.
    if (this.isDisposed || models.sae !== sae || this.status(sae).kind !== 'unchecked') return;
    await this.check(sae).catch((error: unknown) =>
      log.warn(`${sae.name} could not be checked: ${describeForLog(error)}`),
    );
  }

  private begin(sae: SaeInfo, key: string): AbortController {
    this.running.get(sae.id)?.controller.abort();
    const controller = new AbortController();
    this.running.set(sae.id, { key, controller });
    this.failures.delete(key);
    this.changed.fire();
    return controller;
  }

  private progressed(sae: SaeInfo, controller: AbortController, progress: Progress): void {
    const running = this.running.get(sae.id);
    if (running?.controller !== controller) return;
    this.running.set(sae.id, { ...running, progress });
    this.changed.fire();
  }

  private end(sae: SaeInfo, controller: AbortController): void {
    if (this.running.get(sae.id)?.controller !== controller) return;
    this.running.delete(sae.id);
    this.changed.fire();
  }

  private cancelAll(): void {
    for (const { controller } of this.running.values()) controller.abort();
    this.running.clear();
  }
}
