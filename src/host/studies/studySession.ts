/** The study of indirect objects that was begun last: running, stopped or done. Knows no VS Code. */

import type { ModelInfo, Progress } from '../../shared/domain.ts';
import type { EngineApi } from '../../shared/engineApi.ts';
import { isEngineError } from '../../shared/errors.ts';
import {
  type IoiHeadClass,
  type IoiStudy,
  type IoiStudyRequest,
  type StudyParts,
  type StudySoFar,
  type StudyStage,
  studyStages,
} from '../../shared/study.ts';
import type { TaskSource } from '../../shared/task.ts';
import { Disposable } from '../disposable.ts';
import { Emitter } from '../emitter.ts';
import { describeForLog, type Log } from '../log.ts';
import type { StudyStorage } from './studyFile.ts';

/** What is studied: plain data, which outlives the session. */
export interface StudyQuestion {
  readonly model: { readonly name: string; readonly hash: string };
  readonly task: TaskSource;
  readonly request: IoiStudyRequest;
  /** The pairs in words. */
  readonly source: string;
  /** Seconds that it was estimated to take. */
  readonly estimate?: number;
}

/** A study as it is remembered. */
interface KeptStudy {
  readonly version: 1;
  readonly question: StudyQuestion;
  readonly parts?: StudyParts;
  readonly soFar?: StudySoFar;
  readonly finished: readonly StudyStage[];
  readonly isDone: boolean;
}

/** What the session needs. */
export interface StudySessionOptions {
  readonly engine: EngineApi;
  readonly storage: StudyStorage;
  /** Milliseconds; tests set it. */
  readonly now?: () => number;
  readonly log: Log;
}

/** Milliseconds between two writings while a stage is under way. */
const writeEvery = 3000;

/** Runs one study at a time and keeps what it has found. */
export class StudySession extends Disposable {
  /** Fires whenever something has been found or the study has come further. */
  readonly onDidChange;
  private readonly changed = this.own(new Emitter<void>());
  private kept: KeptStudy | undefined;
  private running: AbortController | undefined;
  private isRestored = false;
  private written = 0;

  progress: Progress | undefined;
  /** Why the study ended before its time; cancelling is no reason. */
  error: unknown;

  constructor(private readonly options: StudySessionOptions) {
    super();
    this.onDidChange = this.changed.event;
    this.own({ dispose: () => this.cancel() });
  }

  get question(): StudyQuestion | undefined {
    return this.kept?.question;
  }

  get soFar(): StudySoFar | undefined {
    return this.kept?.soFar;
  }

  get finished(): readonly StudyStage[] {
    return this.kept?.finished ?? [];
  }

  get isRunning(): boolean {
    return this.running !== undefined;
  }

  /** The whole study, once it is done. */
  get study(): IoiStudy | undefined {
    return this.kept?.isDone ? (this.kept.soFar as IoiStudy) : undefined;
  }

  /** Whether there is something to go on from. */
  get canResume(): boolean {
    return this.kept !== undefined && !this.kept.isDone && !this.running;
  }

  /** Begins a study; one that is running is cancelled, and what it had found is given up. */
  async start(model: ModelInfo, question: StudyQuestion): Promise<void> {
    this.isRestored = true;
    this.cancel();
    this.kept = { version: 1, question, finished: [], isDone: false };
    this.options.storage.write(this.kept);
    await this.run(model);
  }

  /** Goes on where the study was stopped. Nothing happens when there is none. */
  async resume(model: ModelInfo): Promise<void> {
    if (this.canResume) await this.run(model);
  }

  cancel(): void {
    if (!this.running) return;
    this.running.abort();
    this.running = undefined;
    this.progress = undefined;
    // The file may be a few seconds behind.
    if (this.kept) this.options.storage.write(this.kept);
    this.changed.fire();
  }

  /** Brings back the study of an earlier session, as far as it came. */
  restore(): void {
    if (this.isRestored) return;
    this.isRestored = true;
    const kept = this.options.storage.read() as KeptStudy | undefined;
    if (kept?.version === 1 && kept.question && Array.isArray(kept.finished)) this.kept = kept;
  }

  private async run({ id }: ModelInfo): Promise<void> {
    const { question, parts } = this.kept!;
    const controller = new AbortController();
    this.running = controller;
    this.error = undefined;
    this.progress = undefined;
    this.changed.fire();
    const isCurrent = () => this.running === controller;
    try {
      const soFar = await this.options.engine.studyIndirectObjects(
        { ...question.request, model: id, task: question.task, ...(parts && { known: parts }) },
        { signal: controller.signal, report: (progress) => isCurrent() && this.report(progress) },
      );
      if (!isCurrent()) return;
      this.keep({ ...this.kept!, soFar, isDone: true });
      this.keep({ ...this.kept!, finished: this.stages });
    } catch (error) {
      if (isCurrent() && !isEngineError(error, 'cancelled')) {
        this.error = error;
        this.options.log.warn(`The study of indirect objects stopped: ${describeForLog(error)}`);
      }
      throw error;
    } finally {
      if (isCurrent()) {
        this.running = undefined;
        this.progress = undefined;
        this.changed.fire();
      }
    }
  }

  /** The stages that the study has, as far as that is known: without name movers, none are knocked out. */
  get stages(): readonly StudyStage[] {
    const { finished, soFar } = this;
    const lacks = (name: IoiHeadClass) => !soFar?.heads?.some((head) => head.class === name);
    const passedOver = new Set<StudyStage>();
    const isPast = (stage: StudyStage) => this.kept?.isDone || finished.includes(stage);
    if (isPast('logits') && lacks('nameMover')) passedOver.add('knockedOut');
    if (isPast('inhibition') && lacks('sInhibition')) passedOver.add('signals');
    const all =
      this.question?.request.circuit === false
        ? studyStages.slice(0, studyStages.indexOf('whole'))
        : studyStages;
    return all.filter((stage) => !passedOver.has(stage));
  }

  private report(progress: Progress): void {
    const { study } = progress;
    if (study) this.keep({ ...this.kept!, ...study });
    // What comes with a finished stage is no progress of one.
    else this.progress = progress;
    this.changed.fire();
  }

  private keep(kept: KeptStudy): void {
    const isStage = kept.finished.length !== this.kept?.finished.length || kept.isDone;
    this.kept = kept;
    const now = (this.options.now ?? Date.now)();
    if (!isStage && now - this.written < writeEvery) return;
    this.written = now;
    this.options.storage.write(kept);
  }
}
