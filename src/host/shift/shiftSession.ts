/** The classifier that was examined last: its features, what is marked among them, and what ablating did. Knows no VS Code. */

import type { ModelInfo, Progress } from '../../shared/domain.ts';
import type { EngineApi } from '../../shared/engineApi.ts';
import { isEngineError } from '../../shared/errors.ts';
import type { ShiftFindings, ShiftOutcome, ShiftRequest } from '../../shared/shiftApi.ts';
import { shiftKey } from '../../shared/shiftViewApi.ts';
import { Disposable } from '../disposable.ts';
import { Emitter } from '../emitter.ts';
import { LatestOnly } from '../latestOnly.ts';
import { describeForLog, type Log } from '../log.ts';
import type { Memory } from '../modelStore.ts';
import { type FoundWith, type OpenModel, requireModelOf } from '../requireModelOf.ts';

/** What is examined. */
export interface ShiftQuestion {
  readonly modelName: string;
  readonly modelHash: string;
  readonly request: ShiftRequest;
}

/** All that outlives a reload. */
interface Kept {
  readonly version: 2;
  readonly question: ShiftQuestion;
  /** Milliseconds since 1970 when its features were found. */
  readonly created?: number;
  readonly findings?: ShiftFindings;
  readonly marked: readonly string[];
  readonly outcome?: ShiftOutcome;
}

/** What the session needs. */
export interface ShiftSessionOptions {
  readonly engine: EngineApi;
  readonly memory: Memory;
  readonly log: Log;
}

const memoryKey = 'shift';

/** Runs one piece of work at a time and keeps what it found. */
export class ShiftSession extends Disposable {
  readonly onDidChange;
  private readonly changed = this.own(new Emitter<void>());
  private readonly work = new LatestOnly();
  private kept: Kept | undefined;
  private asked: ShiftQuestion | undefined;
  private isRestored = false;

  /** Grows when the features, or what is known of them, change. */
  number = 0;
  running: { readonly work: 'finding' | 'ablating'; readonly progress?: Progress } | undefined;
  /** Why the last work ended before its time; cancelling is no reason. */
  error: unknown;

  constructor(private readonly options: ShiftSessionOptions) {
    super();
    this.onDidChange = this.changed.event;
    this.own({ dispose: () => this.work.cancel() });
  }

  get question(): ShiftQuestion | undefined {
    return this.kept?.question;
  }

  /** What is looked at now, while features are looked for. */
  get pending(): ShiftQuestion | undefined {
    return this.running?.work === 'finding' ? this.asked : undefined;
  }

  get findings(): ShiftFindings | undefined {
    return this.kept?.findings;
  }

  /** What the features were found with. */
  get foundWith(): FoundWith | undefined {
    const { findings, question } = this.kept ?? {};
    if (!question) return undefined;
    const { bos, precision, saes } = findings?.provenance ?? {};
    return { model: { name: question.modelName, hash: question.modelHash }, bos, precision, saes };
  }

  get marked(): readonly string[] {
    return this.kept?.marked ?? [];
  }

  /** Milliseconds since 1970 when the features were found. */
  get created(): number | undefined {
    return this.kept?.created;
  }

  get outcome(): ShiftOutcome | undefined {
    return this.kept?.outcome;
  }

  /** Trains the classifier and finds its features. Marks of the same question stay. Rejects when it fails or is cancelled. */
  async find(question: ShiftQuestion): Promise<void> {
    this.isRestored = true;
    const isSame = JSON.stringify(question) === JSON.stringify(this.kept?.question);
    const marked = isSame ? this.marked : [];
    this.asked = question;
    await this.run('finding', async (call) => {
      const findings = await this.options.engine.findShiftFeatures(question.request, call);
      return () => {
        this.number++;
        this.keep({ version: 2, question, created: Date.now(), findings, marked });
      };
    });
  }

  /** Marks exactly these features as unintended. */
  mark(keys: readonly string[]): void {
    if (!this.kept) return;
    this.keep({ ...this.kept, marked: [...keys] });
    this.changed.fire();
  }

  /**
   * Ablates what is marked, with the model that the features are of.
   * @throws request.invalid when another one is open, or prompts begin otherwise: before and after must be of one reading.
   */
  async ablate(model: OpenModel & Pick<ModelInfo, 'id'>): Promise<void> {
    const { kept } = this;
    const marks = new Set(this.marked);
    const ablate = (kept?.findings?.features ?? [])
      .map(({ feature }) => feature)
      .filter((feature) => marks.has(shiftKey(feature)));
    if (!kept || ablate.length === 0) return;
    if (this.foundWith) requireModelOf(this.foundWith, model, 'The classifier', 'or run SHIFT again');
    await this.run('ablating', async (call) => {
      const request = { ...kept.question.request, model: model.id, ablate };
      const outcome = await this.options.engine.applyShift(request, call);
      return () => this.kept && this.keep({ ...this.kept, outcome });
    });
  }

  cancel(): void {
    this.work.cancel();
    this.running = undefined;
    this.changed.fire();
  }

  /** Forgets the classifier and what was marked. */
  forget(): void {
    this.work.cancel();
    this.running = undefined;
    this.error = undefined;
    this.kept = undefined;
    this.isRestored = true;
    this.number++;
    void this.options.memory.update(memoryKey, undefined);
    this.changed.fire();
  }

  /** Brings back the classifier of an earlier session. */
  restore(): void {
    if (this.isRestored) return;
    this.isRestored = true;
    const kept = this.options.memory.get<Kept>(memoryKey);
    if (kept?.version === 2 && kept.question && Array.isArray(kept.marked)) this.kept = kept;
  }

  /** Asks anew what the features are called. */
  async relabel(): Promise<void> {
    const { kept } = this;
    const { findings } = kept ?? {};
    if (!kept || !findings) return;
    const features = findings.features.map(({ feature }) => feature);
    const infos = await this.options.engine.featureInfo({ features, logits: false });
    if (this.kept?.findings !== findings) return;
    this.number++;
    const renamed = findings.features.map((feature, i) => ({ ...feature, info: infos[i]! }));
    this.keep({ ...this.kept, findings: { ...findings, features: renamed } });
    this.changed.fire();
  }

  private async run(
    work: 'finding' | 'ablating',
    begin: (call: { signal: AbortSignal; report(progress: Progress): void }) => Promise<() => void>,
  ): Promise<void> {
    this.error = undefined;
    let isMine = true;
    try {
      const accept = await this.work.run((signal) => {
        this.running = { work };
        this.changed.fire();
        return begin({
          signal,
          report: (progress) => {
            if (!isMine || signal.aborted) return;
            this.running = { work, progress };
            this.changed.fire();
          },
        });
      });
      accept?.();
    } catch (error) {
      if (!isEngineError(error, 'cancelled')) {
        this.error = error;
        this.options.log.warn(`SHIFT stopped: ${describeForLog(error)}`);
      }
      throw error;
    } finally {
      isMine = false;
      if (!this.work.isBusy) this.running = undefined;
      this.changed.fire();
    }
  }

  private keep(kept: Kept): void {
    this.kept = kept;
    void this.options.memory.update(memoryKey, kept);
  }
}
