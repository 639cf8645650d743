/**
 * The one state behind every surface: the prompt that is looked at, what was computed of it, and what is selected.
 * It knows neither VS Code nor how its state is drawn.
 */

import type { Contrast, Edit, FeatureInfo, FeatureRef, TokenStrip } from '../shared/domain.ts';
import type { EngineApi } from '../shared/engineApi.ts';
import { EngineError, isEngineError } from '../shared/errors.ts';
import { Disposable } from './disposable.ts';
import { DocumentSettings } from './documentSettings.ts';
import { Emitter } from './emitter.ts';
import { FeatureCatalog, isSameFeature } from './featureCatalog.ts';
import { Interventions } from './interventions.ts';
import { LatestOnly } from './latestOnly.ts';
import { describeForLog, type Log } from './log.ts';
import { hasSameTokens, isSameReading, type ModelReading, readingOf } from './modelReading.ts';
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

/** Follows one prompt and keeps the latest good result. */
export class PromptSession extends Disposable {
  readonly onDidChange;
  readonly interventions = this.own(new Interventions());
  readonly catalog: FeatureCatalog;
  private readonly changed = this.own(new Emitter<SessionChange>());
  private readonly examiner: PromptExaminer;
  private readonly latest = new LatestOnly();
  private readonly heating = new LatestOnly();
  private readonly documentSettings = new DocumentSettings();
  private timer: NodeJS.Timeout | undefined;
  private waiting: (() => void)[] = [];
  private currentPrompt: Prompt | undefined;
  private currentLook: Look | undefined;
  private failure: unknown;
  private isComputing = false;
  /** How the latest run was asked: model, SAE, and how each is read. */
  private asked: ModelReading | undefined;
  /** Tokens that positions still count by, while those of another model or BOS policy are computed. */
  private oldTokens: TokenStrip | undefined;
  private caret: number | undefined;
  /** A token without text that was chosen; no caret can stand on it. */
  private picked: number | undefined;
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
    return this.documentSettings.contrast(this.currentPrompt?.uri, this.options.models.model?.id);
  }

  /** The prompt this one is compared with. */
  get other(): OtherPrompt | undefined {
    return this.documentSettings.other(this.currentPrompt?.uri);
  }

  /** The pinned features of the model's SAEs. Pins of an SAE that is not there wait for its return. */
  get pinned(): readonly FeatureInfo[] {
    const { status, saes } = this.options.models;
    const isListed = (pin: FeatureRef): boolean => saes.some(({ id }) => id === pin.sae);
    const shown = status === 'ready' ? this.pins.filter(isListed) : this.pins;
    return shown.map((pin) => this.catalog.get(pin));
  }

  /** All pins, also those that cannot be shown now. */
  get keptPins(): readonly FeatureRef[] {
    return this.pins;
  }

  get selectedFeature(): FeatureRef | undefined {
    return this.feature;
  }

  /** The selected position; the last token when the caret is elsewhere, −1 without tokens. */
  get selected(): number {
    const look = this.currentLook;
    if (!look) return -1;
    const { strip } = look.analysis;
    const picked = strip.tokens[this.picked ?? -1];
    if (this.picked !== undefined && picked && picked.start === picked.end) return this.picked;
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
      this.picked = undefined;
      this.oldTokens = undefined;
    }
    this.schedule();
  }

  /** Selects the token before `offset` in the document. */
  moveCaret(offset: number): void {
    this.moveTo(offset, undefined);
  }

  private moveTo(caret: number | undefined, picked: number | undefined): void {
    const before = this.selected;
    this.caret = caret;
    this.picked = picked;
    if (this.selected !== before) this.changed.fire('selection');
  }

  /** Selects a token. Answers its UTF-16 range in the document, or nothing for a token that stands for no text. */
  selectToken(position: number): { readonly start: number; readonly end: number } | undefined {
    const look = this.currentLook;
    const token = look?.analysis.strip.tokens[position];
    if (!look || !token) return undefined;
    if (token.start === token.end) {
      this.moveTo(undefined, position);
      return undefined;
    }
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
    this.documentSettings.setContrast(this.currentPrompt?.uri, contrast);
    this.schedule();
  }

  /** Compares with another prompt from now on, or with none. */
  compareWith(other: OtherPrompt | undefined): void {
    this.documentSettings.setOther(this.currentPrompt?.uri, other);
    this.schedule();
  }

  /** Sets what an earlier session had, before anything is shown. */
  restore(kept: {
    readonly uri?: string;
    readonly contrast?: Contrast;
    readonly pins: readonly FeatureRef[];
  }): void {
    if (kept.contrast) this.documentSettings.setContrast(kept.uri, kept.contrast);
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
    this.asked = readingOf(models);
    const question = {
      prompt,
      model,
      sae: models.sae?.id,
      edits: this.edits,
      contrast: this.contrast,
      other: this.other,
      hotFeatures: this.hotFeatures,
    };
    try {
      return await this.examiner.examine(question, signal);
    } catch (error) {
      // The user did not choose these answers for this model's tokens: the prompt is worth more than they are.
      if (!this.oldTokens || !isEngineError(error, 'answer.notOneToken')) throw error;
      this.documentSettings.leaveOut(prompt.uri, model.id);
      return this.examiner.examine({ ...question, contrast: undefined }, signal);
    }
  }

  /** The interventions that act. Positions are left out as long as they count other tokens than the model's. */
  private get edits(): readonly Edit[] {
    const { active } = this.interventions;
    return this.oldTokens ? active.filter(({ positions }) => !positions) : active;
  }

  private finish(outcome: { readonly look: Look | undefined } | { readonly error: unknown }): void {
    this.isComputing = false;
    this.failure = 'error' in outcome ? outcome.error : undefined;
    if ('look' in outcome) {
      this.currentLook = outcome.look;
      if (outcome.look) this.takeTokens(outcome.look.analysis.strip);
    }
    // An empty prompt has nothing to show; after other failures the last good result stays readable.
    else if (isEngineError(outcome.error, 'prompt.empty')) this.currentLook = undefined;
    this.changed.fire('state');
    // Interventions that moved to other tokens are computed before anybody is told that all is done.
    if (this.timer) return;
    for (const resolve of this.waiting.splice(0)) resolve();
    if (this.currentLook && !this.failure) void this.learnLabels(this.currentLook);
  }

  /** Positions count by these tokens from now on. */
  private takeTokens(tokens: TokenStrip): void {
    const { oldTokens } = this;
    this.oldTokens = undefined;
    if (oldTokens && this.interventions.edits.some(({ positions }) => positions)) {
      this.interventions.moveTo(oldTokens, tokens);
    }
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
    const { pinned } = this;
    if (pinned.length > 0) return pinned.map(({ sae, index }) => ({ sae, index }));
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
    if (isReady && models.model) this.interventions.fitTo({ model: models.model, saes: models.saes });
    const now = isReady && asked ? readingOf(models) : undefined;
    const isOther = now && asked && !isSameReading(now, asked);
    if (isOther && !hasSameTokens(now, asked)) this.oldTokens ??= this.currentLook?.analysis.strip;
    if (isOther && now.model !== asked.model) this.leaveModel();
    const canRecover = isReady && this.failure !== undefined && !this.isComputing;
    if (isOther || canRecover) {
      this.schedule();
      return;
    }
    if (models.status === 'failed' && !this.isComputing && this.currentPrompt) this.failure = models.error;
    this.changed.fire('state');
  }

  /** What was computed means nothing in another model. What the user set stays: it waits where it does not fit. */
  private leaveModel(): void {
    const { saes } = this.options.models;
    this.catalog.clear();
    if (!saes.some(({ id }) => id === this.feature?.sae)) this.feature = undefined;
    this.currentLook = undefined;
  }
}

function isSamePrompt(one: Prompt, other: Prompt): boolean {
  return one.uri === other.uri && one.text === other.text && one.start === other.start;
}
