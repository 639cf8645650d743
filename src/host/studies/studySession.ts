/** The studies of indirect objects of a window: one may run, the last few are kept. Knows no VS Code. */

import { randomUUID } from 'node:crypto';
import type { ModelInfo, Progress } from '../../shared/domain.ts';
import type { EngineApi } from '../../shared/engineApi.ts';
import { isEngineError } from '../../shared/errors.ts';
import type { IoiStudy, StudySoFar, StudyStage } from '../../shared/study.ts';
import { Disposable } from '../disposable.ts';
import { Emitter } from '../emitter.ts';
import { describeForLog, type Log } from '../log.ts';
import type { FoundWith } from '../requireModelOf.ts';
import { isSafe, type KeptStudy, keptStudy, type StudyQuestion, stagesOf } from './keptStudy.ts';
import type { StudyStorage } from './studyFolder.ts';

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

/** Studies that are kept. */
const mostKept = 5;

/** Runs one study at a time and keeps what it and those before have found. */
export class StudySession extends Disposable {
  /** Fires whenever something has been found or the study has come further. */
  readonly onDidChange;
  private readonly changed = this.own(new Emitter<void>());
  private records: readonly KeptStudy[] = [];
  private shownId: string | undefined;
  private running:
    | { readonly id: string; readonly controller: AbortController; progress?: Progress }
    | undefined;
  private failure: { readonly id: string; readonly error: unknown } | undefined;
  private isRestored = false;
  private written = 0;

  constructor(private readonly options: StudySessionOptions) {
    super();
    this.onDidChange = this.changed.event;
    this.own({ dispose: () => this.cancel() });
  }

  /** All studies that are kept, oldest first. */
  get all(): readonly KeptStudy[] {
    return this.records;
  }

  /** The study that is shown. */
  get current(): KeptStudy | undefined {
    return this.records.find(({ id }) => id === this.shownId);
  }

  /** The study that runs, shown or not. */
  get atWork(): KeptStudy | undefined {
    return this.records.find(({ id }) => id === this.running?.id);
  }

  get question(): StudyQuestion | undefined {
    return this.current?.question;
  }

  get soFar(): StudySoFar | undefined {
    return this.current?.soFar;
  }

  get finished(): readonly StudyStage[] {
    return this.current?.finished ?? [];
  }

  /** Whether the study that is shown is the one that runs. */
  get isRunning(): boolean {
    return this.running !== undefined && this.running.id === this.shownId;
  }

  get progress(): Progress | undefined {
    return this.isRunning ? this.running?.progress : undefined;
  }

  /** Why the study ended before its time; cancelling is no reason. */
  get error(): unknown {
    return this.failure?.id === this.shownId ? this.failure?.error : undefined;
  }

  /** The whole study, once it is done. */
  get study(): IoiStudy | undefined {
    return this.current?.isDone ? (this.current.soFar as IoiStudy) : undefined;
  }

  /** Whether there is something to go on from. */
  get canResume(): boolean {
    return this.current !== undefined && !this.current.isDone && !this.isRunning;
  }

  /** What the study that is shown was found with. */
  get foundWith(): FoundWith | undefined {
    const { question, soFar } = this;
    if (!question) return undefined;
    const { provenance } = soFar ?? {};
    return {
      model: question.model,
      bos: provenance?.bos ?? question.bos,
      precision: provenance?.precision,
    };
  }

  /** The study that has to make room for the next one, when its report was not saved or it is not finished. */
  get nextLost(): KeptStudy | undefined {
    const next = this.nextForgotten;
    return next && !isSafe(next) ? next : undefined;
  }

  private get nextForgotten(): KeptStudy | undefined {
    if (this.records.length < mostKept) return undefined;
    return this.records.find(isSafe) ?? this.records[0];
  }

  /** Begins a study; one that is running is stopped, and what it had found stays. */
  async start(model: ModelInfo, question: StudyQuestion): Promise<void> {
    this.restore();
    this.cancel();
    for (let old = this.nextForgotten; old; old = this.nextForgotten) this.forget(old.id);
    const created = Math.max(Date.now(), 1 + (this.records.at(-1)?.created ?? 0));
    const kept: KeptStudy = {
      version: 1,
      id: randomUUID(),
      created,
      question,
      finished: [],
      isDone: false,
    };
    this.records = [...this.records, kept];
    this.shownId = kept.id;
    this.options.storage.save(kept.id, kept);
    await this.run(kept, model);
  }

  /** Goes on where the study that is shown was stopped; another one that runs is stopped. Nothing happens when it is done. */
  async resume(model: ModelInfo): Promise<void> {
    const { current } = this;
    if (!current || !this.canResume) return;
    this.cancel();
    await this.run(current, model);
  }

  /** Shows another study; one that runs goes on. */
  choose(id: string): void {
    if (id === this.shownId || !this.records.some((kept) => kept.id === id)) return;
    this.shownId = id;
    this.changed.fire();
  }

  /** Takes a study off the list and off the disk; one that runs is stopped. */
  remove(id: string): void {
    if (id === this.running?.id) this.cancel();
    this.forget(id);
    if (id === this.shownId) this.shownId = this.records.at(-1)?.id;
    this.changed.fire();
  }

  /** Remembers that the report of the study that is shown is a file now. */
  markSaved(): void {
    const { current } = this;
    if (!current || current.isSaved) return;
    const saved: KeptStudy = { ...current, isSaved: true };
    this.replace(saved);
    this.options.storage.save(saved.id, saved);
  }

  cancel(): void {
    if (!this.running) return;
    const { atWork, running } = this;
    this.running = undefined;
    running.controller.abort();
    // The file may be a few seconds behind.
    if (atWork) this.options.storage.save(atWork.id, atWork);
    this.changed.fire();
  }

  /** Brings back the studies of an earlier session, as far as they came. */
  restore(): void {
    if (this.isRestored) return;
    this.isRestored = true;
    this.records = this.options.storage
      .load()
      .map(({ id, study }) => keptStudy(id, study))
      .filter((kept) => kept !== undefined)
      .sort((one, other) => one.created - other.created);
    this.shownId = this.records.at(-1)?.id;
  }

  private async run({ id, question, parts }: KeptStudy, model: ModelInfo): Promise<void> {
    const running = { id, controller: new AbortController() };
    this.running = running;
    this.failure = undefined;
    this.changed.fire();
    const isCurrent = () => this.running === running;
    try {
      const soFar = await this.options.engine.studyIndirectObjects(
        { ...question.request, model: model.id, task: question.task, ...(parts && { known: parts }) },
        {
          signal: running.controller.signal,
          report: (progress) => isCurrent() && this.report(id, progress),
        },
      );
      if (!isCurrent()) return;
      const done = this.keep(id, { soFar, isDone: true });
      this.keep(id, { finished: stagesOf(done) });
    } catch (error) {
      if (isCurrent() && !isEngineError(error, 'cancelled')) {
        this.failure = { id, error };
        this.options.log.warn(`The study of indirect objects stopped: ${describeForLog(error)}`);
      }
      throw error;
    } finally {
      if (isCurrent()) {
        this.running = undefined;
        this.changed.fire();
      }
    }
  }

  /** The stages that the study has, as far as that is known: without name movers, none are knocked out. */
  get stages(): readonly StudyStage[] {
    return stagesOf(this.current);
  }

  private report(id: string, progress: Progress): void {
    const { study } = progress;
    if (study) this.keep(id, study);
    // What comes with a finished stage is no progress of one.
    else if (this.running) this.running.progress = progress;
    this.changed.fire();
  }

  private keep(id: string, change: Partial<KeptStudy>): KeptStudy {
    const before = this.records.find((kept) => kept.id === id)!;
    const kept: KeptStudy = { ...before, ...change };
    this.replace(kept);
    const now = (this.options.now ?? Date.now)();
    const isStage = kept.finished.length !== before.finished.length || kept.isDone;
    if (isStage || now - this.written >= writeEvery) {
      this.written = now;
      this.options.storage.save(id, kept);
    }
    return kept;
  }

  private replace(kept: KeptStudy): void {
    this.records = this.records.map((other) => (other.id === kept.id ? kept : other));
  }

  private forget(id: string): void {
    this.records = this.records.filter((kept) => kept.id !== id);
    this.options.storage.remove(id);
  }
}
