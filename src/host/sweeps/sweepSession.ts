/** The sweeps of a window: planned, run, stopped, gone on with, and kept over a reload. Knows no VS Code. */

import { randomUUID } from 'node:crypto';
import type { Progress } from '../../shared/domain.ts';
import type { EngineApi } from '../../shared/engineApi.ts';
import { isEngineError } from '../../shared/errors.ts';
import type { FoundSweep } from '../../shared/experiment/runMethods.ts';
import type { SweepQuestion } from '../../shared/sweepViewApi.ts';
import { Disposable } from '../disposable.ts';
import { Emitter } from '../emitter.ts';
import { describeForLog, type Log } from '../log.ts';
import { finishedSweep } from './finishedSweep.ts';
import type { SweepStorage } from './sweepFolder.ts';
import {
  emptyCells,
  fillCells,
  isComparable,
  type OpenSweepModel,
  progressOf,
  type SweepModel,
  type SweepPlaces,
  type SweepRecord,
} from './sweepRecord.ts';
import {
  askCells,
  askPlan,
  finishedCells,
  knownOf,
  requireSameModel,
  settleQuestion,
} from './sweepRequest.ts';

/** What the session needs. */
export interface SweepSessionOptions {
  readonly engine: EngineApi;
  readonly storage: SweepStorage;
  readonly log: Log;
  /** Milliseconds between two writes of a sweep that runs. */
  readonly keepEvery?: number;
}

/** Sweeps that are kept; the oldest go first. */
const mostKept = 20;

/** The share of a sweep that has to be through before its own pace is trusted. */
const leastPace = 0.02;

/** Of one experiment: room is left for others. */
const mostOfExperiment = 10;

/** Plans and runs one sweep at a time, and keeps the ones before. */
export class SweepSession extends Disposable {
  readonly onDidChange;
  private readonly changed = this.own(new Emitter<void>());
  private loaded: readonly SweepRecord[] | undefined;
  private currentId: string | undefined;
  private otherId: string | undefined;
  /** The sweep that is worked on, which need not be the one that is shown. */
  private working: { readonly id: string; readonly controller: AbortController } | undefined;
  private keepTimer: NodeJS.Timeout | undefined;
  /** When the run under way began, and what was known then: the clock of `remaining`. */
  private pace: { readonly since: number; readonly done: number } | undefined;

  constructor(private readonly options: SweepSessionOptions) {
    super();
    this.onDidChange = this.changed.event;
    this.own({ dispose: () => this.close() });
  }

  /** Files are read when somebody looks: a window that never sweeps never waits for them. */
  private get records(): readonly SweepRecord[] {
    if (!this.loaded) {
      this.loaded = this.options.storage.load().slice(-mostKept);
      this.currentId = this.loaded.at(-1)?.id;
    }
    return this.loaded;
  }

  private set records(records: readonly SweepRecord[]) {
    this.loaded = records;
  }

  /** All sweeps, oldest first. */
  get all(): readonly SweepRecord[] {
    return this.records;
  }

  /** The sweep that is shown. */
  get current(): SweepRecord | undefined {
    return this.records.find(({ id }) => id === this.currentId);
  }

  /** Whether the sweep that is shown is the one that runs. */
  get isRunning(): boolean {
    return this.current?.status === 'running';
  }

  /** The sweep that is worked on, shown or not. */
  get atWork(): SweepRecord | undefined {
    return this.records.find(({ id }) => id === this.working?.id);
  }

  /** Seconds until the running sweep is done, by its own pace, or by the estimate before there is one. */
  get remaining(): number | undefined {
    const { current, pace } = this;
    if (current?.status !== 'running' || !pace) return undefined;
    const { done, total } = progressOf(current);
    const passed = done - pace.done;
    // The first few come with what is prepared once, and tell little.
    if (passed > leastPace * total) return ((Date.now() - pace.since) / 1000 / passed) * (total - done);
    return (current.estimate?.seconds ?? 0) * (1 - done / Math.max(1, total));
  }

  /**
   * Times a few cells of a sweep and lays out its grid; `run` starts it. Rejects when the question cannot be asked;
   * answers false when it was cancelled.
   */
  async plan(question: SweepQuestion, model: OpenSweepModel, places: SweepPlaces = {}): Promise<boolean> {
    this.cancel();
    const before = this.current?.id;
    const id = randomUUID();
    const record: SweepRecord = {
      id,
      question,
      model: { name: model.name, hash: model.hash },
      // A sweep that is changed is the experiment's no more.
      places: { ...places, experiment: undefined },
      created: Math.max(Date.now(), 1 + (this.records.at(-1)?.created ?? 0)),
      status: 'estimating',
      cells: { values: new Float32Array(), raw: new Float64Array(), pairs: new Int32Array() },
    };
    this.records = [...this.records, record];
    this.currentId = id;
    const controller = this.begin(id);
    try {
      const { engine } = this.options;
      const { signal } = controller;
      const { outline, ...estimate } = await askPlan(engine, question, model.id, { signal });
      if (controller.signal.aborted) return false;
      const settled = settleQuestion(question, outline);
      this.change(id, {
        question: settled,
        outline,
        estimate,
        cells: emptyCells(outline),
        status: 'ready',
      });
      this.keep(id);
      this.forgetOldest();
      return true;
    } catch (error) {
      this.records = this.records.filter((other) => other.id !== id);
      if (this.currentId === id) this.currentId = before;
      if (controller.signal.aborted || isEngineError(error, 'cancelled')) return false;
      throw error;
    } finally {
      this.end(controller);
    }
  }

  /**
   * Runs the current sweep, from the cells that are known on; another one that runs is stopped. Resolves when it is
   * done, stopped, or failed; a failure stays with the sweep.
   */
  async run(model: OpenSweepModel): Promise<void> {
    const record = this.current;
    if (!record?.outline || record.status === 'running' || record.status === 'done') return;
    this.cancel();
    const { id, outline } = record;
    const controller = this.begin(id);
    this.pace = { since: Date.now(), done: progressOf(record).done };
    this.change(id, { status: 'running', failure: undefined });
    try {
      requireSameModel(record, model);
      const { signal } = controller;
      const report = (progress: Progress): void => this.progress(id, progress, signal);
      const from = { model: model.id, known: knownOf(record, outline) };
      const grid = await askCells(this.options.engine, record.question, from, { signal, report });
      if (!controller.signal.aborted) this.change(id, { status: 'done', ...finishedCells(outline, grid) });
    } catch (error) {
      if (controller.signal.aborted) return;
      this.options.log.warn(`The sweep failed: ${describeForLog(error)}`);
      const isCancelled = isEngineError(error, 'cancelled');
      this.change(id, isCancelled ? { status: 'stopped' } : { status: 'failed', failure: error });
    } finally {
      this.end(controller);
      this.keep(id);
    }
  }

  /**
   * Takes the finished sweeps of an experiment, in place of those it had before, and shows the first. A sweep that runs
   * goes on, and stays in view.
   */
  addFinished(experiment: string, model: SweepModel, found: readonly FoundSweep[]): void {
    for (const { id } of this.ofExperiment(experiment)) this.remove(id);
    const first = Math.max(Date.now(), 1 + (this.records.at(-1)?.created ?? 0));
    const added = found
      .slice(0, mostOfExperiment)
      .map((sweep, i) => finishedSweep(sweep, { experiment, model, created: first + i }));
    this.records = [...this.records, ...added];
    if (!this.working && added[0]) this.currentId = added[0].id;
    for (const { id } of added) this.keep(id);
    this.forgetOldest();
    this.changed.fire();
  }

  /** The sweeps of an experiment's last run. */
  ofExperiment(experiment: string): readonly SweepRecord[] {
    return this.records.filter(({ places }) => places.experiment === experiment);
  }

  /** Stops at once; the cells that are known stay. */
  cancel(): void {
    const { working } = this;
    if (!working) return;
    const { atWork } = this;
    this.working = undefined;
    working.controller.abort();
    if (atWork?.status === 'running') {
      this.change(atWork.id, { status: 'stopped' });
      this.keep(atWork.id);
    } else if (atWork?.status === 'estimating') {
      this.records = this.records.filter((record) => record !== atWork);
      if (atWork.id === this.currentId) this.currentId = this.records.at(-1)?.id;
      this.changed.fire();
    }
  }

  /** Shows another sweep; one that runs goes on. */
  choose(id: string): void {
    if (id === this.currentId || !this.records.some((record) => record.id === id)) return;
    this.currentId = id;
    this.changed.fire();
  }

  /** The sweep that the current one is compared with; nothing when they cannot be. */
  get other(): SweepRecord | undefined {
    const { current } = this;
    const other = this.records.find(({ id }) => id === this.otherId);
    return current && other && other !== current && isComparable(current, other) ? other : undefined;
  }

  /** Compares the current sweep with another one, or with none. */
  compare(id: string | undefined): void {
    this.otherId = id;
    this.changed.fire();
  }

  /** Takes a sweep off the list and off the disk. */
  remove(id: string): void {
    if (id === this.working?.id) this.cancel();
    this.records = this.records.filter((record) => record.id !== id);
    if (id === this.currentId) this.currentId = this.records.at(-1)?.id;
    this.options.storage.remove(id);
    this.changed.fire();
  }

  private progress(id: string, { partial }: Progress, signal: AbortSignal): void {
    const record = this.records.find((kept) => kept.id === id);
    // What comes after a cancellation is no part of what the user saw stop.
    if (signal.aborted || !record || !partial) return;
    fillCells(record.cells, partial);
    this.keepTimer ??= setTimeout(() => this.keep(id), this.options.keepEvery ?? 1000);
    this.changed.fire();
  }

  private begin(id: string): AbortController {
    const controller = new AbortController();
    this.working = { id, controller };
    this.changed.fire();
    return controller;
  }

  private end(controller: AbortController): void {
    if (this.working?.controller === controller) this.working = undefined;
    this.changed.fire();
  }

  private change(id: string, change: Partial<SweepRecord>): void {
    this.records = this.records.map((record) => (record.id === id ? { ...record, ...change } : record));
    this.changed.fire();
  }

  private keep(id: string): void {
    clearTimeout(this.keepTimer);
    this.keepTimer = undefined;
    const record = this.records.find((kept) => kept.id === id);
    if (record) this.options.storage.save(record);
  }

  private forgetOldest(): void {
    const old = this.records.slice(0, -mostKept);
    for (const { id } of old) if (id !== this.working?.id) this.remove(id);
  }

  /** The window closes: a sweep that runs is kept as far as it came. */
  private close(): void {
    this.cancel();
    clearTimeout(this.keepTimer);
  }
}
