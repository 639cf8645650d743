/**
 * The one state behind every surface: the prompt that is looked at, what was computed of it, and what is selected.
 * It knows neither VS Code nor how its state is drawn.
 */

import type { Contrast, FeatureInfo, FeatureRef, ModelId, SaeId } from '../shared/domain.ts';
import type { EngineApi } from '../shared/engineApi.ts';
import { EngineError, isEngineError } from '../shared/errors.ts';
import { Disposable } from './disposable.ts';
import { Emitter } from './emitter.ts';
import { FeatureCatalog, isSameFeature } from './featureCatalog.ts';
import { Interventions } from './interventions.ts';
import { LatestOnly } from './latestOnly.ts';
import { describeForLog, type Log } from './log.ts';
import type { ModelStore } from './modelStore.ts';
import type { Look, OtherPrompt, Prompt } from './prompt.ts';
import { type ExaminerSettings, PromptExaminer } from './promptExaminer.ts';
import { tokenBeforeCaret } from './tokenAt.ts';

/** `selection`: only the selected token or feature moved. `state`: anything else. */
export type SessionChange = 'state' | 'selection';

/** What a session needs. */
export interface PromptSessionOptions {
  readonly engine: EngineApi;
  readonly models: ModelStore;
  readonly settings: () => ExaminerSettings;
  readonly log: Log;
  /** Milliseconds of silence before a change is computed. */
  readonly debounce?: number;
}

/** What was set for a document, kept while other documents are looked at. */
interface Setting {
  readonly contrast?: Contrast;
  readonly other?: OtherPrompt;
}

/** Follows one prompt and keeps the latest good result. */
export class PromptSession extends Disposable {
  readonly onDidChange;
  readonly interventions = this.own(new Interventions());
  readonly catalog: FeatureCatalog;
  private readonly changed = this.own(new Emitter<SessionChange>());
  private readonly examiner: PromptExaminer;
  private readonly latest = new LatestOnly();
  private readonly heating = new LatestOnly();
  private readonly settingsByDocument = new Map<string, Setting>();
  private timer: NodeJS.Timeout | undefined;
  private waiting: (() => void)[] = [];
  private currentPrompt: Prompt | undefined;
  private currentLook: Look | undefined;
  private failure: unknown;
  private isComputing = false;
  /** What the latest run was asked of. */
  private asked: { readonly model: ModelId; readonly sae: SaeId | undefined } | undefined;
  private caret: number | undefined;
  private feature: FeatureRef | undefined;
  private pins: readonly FeatureRef[] = [];

  constructor(private readonly options: PromptSessionOptions) {
    super();
    this.onDidChange = this.changed.event;
    this.catalog = new FeatureCatalog(options.engine);
    this.examiner = new PromptExaminer({ ...options, catalog: this.catalog });
    this.own(this.interventions.onDidChange(() => this.schedule()));
    this.own(options.models.onDidChange(() => this.modelChanged()));
    this.own({ dispose: () => this.cancel() });
  }

  get prompt(): Prompt | undefined {
    return this.currentPrompt;
  }

  /** The latest good result; it may be of the text before while a newer one is computed. */
  get look(): Look | undefined {
    return this.currentLook;
  }

  get error(): unknown {
    return this.failure;
  }

  get computing(): boolean {
    return this.isComputing;
  }

  get models(): ModelStore {
    return this.options.models;
  }

  /** The two answers that are compared; nothing when none were chosen. */
  get contrast(): Contrast | undefined {
    return this.setting.contrast;
  }

  /** The prompt this one is compared with. */
  get other(): OtherPrompt | undefined {
    return this.setting.other;
  }

  get pinned(): readonly FeatureInfo[] {
    return this.pins.map((pin) => this.catalog.get(pin));
  }

  get selectedFeature(): FeatureRef | undefined {
    return this.feature;
  }

  /** The selected position; the last token when the caret is elsewhere, −1 without tokens. */
  get selected(): number {
    const look = this.currentLook;
    if (!look) return -1;
    const { strip } = look.analysis;
    const found = this.caret === undefined ? -1 : tokenBeforeCaret(strip, this.caret - look.prompt.start);
    return found >= 0 ? found : strip.tokens.length - 1;
  }

  /** Looks at a prompt, or at nothing. The same text again costs nothing. */
  show(prompt: Prompt | undefined): void {
    const before = this.currentPrompt;
    if (prompt && before && isSamePrompt(prompt, before) && !this.failure) return;
    this.currentPrompt = prompt;
    if (prompt?.uri !== before?.uri) {
      this.currentLook = undefined;
      this.caret = undefined;
    }
    this.schedule();
  }

  /** Selects the token before `offset` in the document. */
  moveCaret(offset: number): void {
    const before = this.selected;
    this.caret = offset;
    if (this.selected !== before) this.changed.fire('selection');
  }

  /** Selects a token. Answers its UTF-16 range in the document. */
  selectToken(position: number): { readonly start: number; readonly end: number } | undefined {
    const look = this.currentLook;
    const token = look?.analysis.strip.tokens[position];
    if (!look || !token) return undefined;
    const range = { start: look.prompt.start + token.start, end: look.prompt.start + token.end };
    this.moveCaret(range.end);
    return range;
  }

  /** Selects a feature; its heat is shown while nothing is pinned. */
  selectFeature(feature: FeatureRef | undefined): void {
    if (isSameFeature(feature, this.feature)) return;
    this.feature = feature;
    this.changed.fire('selection');
    this.refreshHeat();
  }

  pin(feature: FeatureRef, pinned: boolean): void {
    const others = this.pins.filter((pin) => !isSameFeature(pin, feature));
    this.pins = pinned ? [...others, { sae: feature.sae, index: feature.index }] : others;
    this.changed.fire('state');
    this.refreshHeat();
  }

  isPinned(feature: FeatureRef): boolean {
    return this.pins.some((pin) => isSameFeature(pin, feature));
  }

  setContrast(contrast: Contrast | undefined): void {
    this.keepSetting({ ...this.setting, contrast });
    this.schedule();
  }

  /** Compares with another prompt from now on, or with none. */
  compareWith(other: OtherPrompt | undefined): void {
    this.keepSetting({ ...this.setting, other });
    this.schedule();
  }

  /** Sets what an earlier session had, before anything is shown. */
  restore(kept: {
    readonly uri?: string;
    readonly contrast?: Contrast;
    readonly pins: readonly FeatureRef[];
  }): void {
    if (kept.uri && kept.contrast) this.settingsByDocument.set(kept.uri, { contrast: kept.contrast });
    this.pins = kept.pins;
  }

  /** Computes again, even though nothing changed. */
  refresh(): void {
    this.schedule();
  }

  /** Resolves when nothing is being computed any more. */
  settled(): Promise<void> {
    if (!this.isComputing && !this.timer) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /**
   * Asks the engine about the current run. A run that a restarted engine does not know is computed again, once.
   * Throws `prompt.empty` when there is nothing to ask about.
   */
  async withRun<T>(ask: (look: Look) => Promise<T>): Promise<T> {
    if (this.isComputing || this.timer) await this.settled();
    try {
      return await ask(this.requireLook());
    } catch (error) {
      if (!isEngineError(error, 'handle.unknown')) throw error;
      this.schedule();
      await this.settled();
      return ask(this.requireLook());
    }
  }

  private requireLook(): Look {
    if (this.currentLook) return this.currentLook;
    if (this.failure) throw this.failure;
    throw new EngineError('prompt.empty', {});
  }

  private get setting(): Setting {
    return this.settingsByDocument.get(this.currentPrompt?.uri ?? '') ?? {};
  }

  private keepSetting(setting: Setting): void {
    if (this.currentPrompt) this.settingsByDocument.set(this.currentPrompt.uri, setting);
  }

  /** Aborts what is stale at once, and computes after a short silence. */
  private schedule(): void {
    this.cancel();
    this.isComputing = this.currentPrompt !== undefined;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      void this.compute();
    }, this.options.debounce ?? 8);
  }

  private cancel(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.latest.cancel();
    this.heating.cancel();
  }

  private async compute(): Promise<void> {
    const prompt = this.currentPrompt;
    if (!prompt) return this.finish({ look: undefined });
    this.changed.fire('state');
    try {
      const look = await this.latest.run((signal) => this.examine(prompt, signal));
      if (look) this.finish({ look });
    } catch (error) {
      this.options.log.warn(`The prompt could not be computed: ${describeForLog(error)}`);
      this.finish({ error });
    }
  }

  private async examine(prompt: Prompt, signal: AbortSignal): Promise<Look> {
    if (prompt.text.length === 0) throw new EngineError('prompt.empty', {});
    const { models } = this.options;
    const model = await models.ensure();
    const sae = models.sae?.id;
    this.asked = { model: model.id, sae };
    const question = {
      prompt,
      model,
      sae,
      edits: this.interventions.active,
      contrast: this.contrast,
      other: this.other,
      hotFeatures: this.hotFeatures,
    };
    return this.examiner.examine(question, signal);
  }

  private finish(outcome: { readonly look: Look | undefined } | { readonly error: unknown }): void {
    this.isComputing = false;
    this.failure = 'error' in outcome ? outcome.error : undefined;
    if ('look' in outcome) this.currentLook = outcome.look;
    // An empty prompt has nothing to show; after other failures the last good result stays readable.
    else if (isEngineError(outcome.error, 'prompt.empty')) this.currentLook = undefined;
    this.changed.fire('state');
    for (const resolve of this.waiting.splice(0)) resolve();
    if (this.currentLook && !this.failure) void this.learnLabels(this.currentLook);
  }

  private refreshHeat(): void {
    if (this.isComputing || !this.currentLook) return;
    const { analysis } = this.currentLook;
    const painting = this.heating.run((signal) => this.examiner.heatOf(analysis, this.hotFeatures, signal));
    painting.then(
      (heat) => {
        if (!heat || this.currentLook?.analysis !== analysis) return;
        this.currentLook = { ...this.currentLook, heat };
        this.changed.fire('state');
      },
      (error: unknown) => this.options.log.warn(`Heat could not be computed: ${describeForLog(error)}`),
    );
  }

  /** The features whose heat is shown: the pinned ones, else the selected one. */
  private get hotFeatures(): readonly FeatureRef[] {
    if (this.pins.length > 0) return this.pins;
    return this.feature ? [this.feature] : [];
  }

  /** Labels come after the numbers, so that typing does not wait for them. */
  private async learnLabels(look: Look): Promise<void> {
    const features = look.analysis.features.flatMap((top) =>
      Array.from(new Set(top.indices))
        .filter((index) => index >= 0)
        .map((index) => ({ sae: top.sae, index })),
    );
    try {
      const isNew = await this.catalog.learn(features);
      if (isNew && !this.isDisposed) this.changed.fire('state');
    } catch (error) {
      this.options.log.debug(`Labels could not be read: ${describeForLog(error)}`);
    }
  }

  private modelChanged(): void {
    const { models } = this.options;
    const { asked } = this;
    const isReady = models.status === 'ready';
    const isOtherModel = isReady && asked !== undefined && asked.model !== models.model?.id;
    const isOtherSae = isReady && asked !== undefined && asked.sae !== models.sae?.id;
    if (isOtherModel) this.forgetModel();
    const canRecover = isReady && this.failure !== undefined && !this.isComputing;
    if (isOtherModel || isOtherSae || canRecover) {
      this.schedule();
      return;
    }
    if (models.status === 'failed' && !this.isComputing && this.currentPrompt) this.failure = models.error;
    this.changed.fire('state');
  }

  /** Answers, features and interventions of one model mean nothing in another. */
  private forgetModel(): void {
    this.settingsByDocument.clear();
    this.catalog.clear();
    this.pins = [];
    this.feature = undefined;
    this.currentLook = undefined;
    this.interventions.reset();
  }
}

function isSamePrompt(one: Prompt, other: Prompt): boolean {
  return one.uri === other.uri && one.text === other.text && one.start === other.start;
}
