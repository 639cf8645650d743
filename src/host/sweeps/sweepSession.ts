/** The sweeps of a window: planned, run, stopped, gone on with, and kept over a reload. Knows no VS Code. */

import { randomUUID } from 'node:crypto';
import type { Progress } from '../../shared/domain.ts';
import type { EngineApi } from '../../shared/engineApi.ts';
import { isEngineError } from '../../shared/errors.ts';
import type { SweepQuestion } from '../../shared/sweepViewApi.ts';
import { Disposable } from '../disposable.ts';
import { Emitter } from '../emitter.ts';
import { describeForLog, type Log } from '../log.ts';
import type { SweepStorage } from './sweepFolder.ts';
import {
  cellsOf,
  emptyCells,
  fillCells,
  hasSameCells,
  type OpenSweepModel,
  progressOf,
  type SweepPlaces,
  type SweepRecord,
} from './sweepRecord.ts';
import { askCells, askPlan, requireSameModel, settleQuestion } from './sweepRequest.ts';

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

/** Plans and runs one sweep at a time, and keeps the ones before. */
export class SweepSession extends Disposable {
  readonly onDidChange;
  private readonly changed = this.own(new Emitter<void>());
  private loaded: readonly SweepRecord[] | undefined;
  private currentId: string | undefined;
  private otherId: string | undefined;
  private working: AbortController | undefined;
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

  get isRunning(): boolean {
    return this.current?.status === 'running';
  }

  /** Seconds until the running sweep is done, by its own pace, or by the estimate before there is one. */
  get remaining(): number | undefined {
    const { current, pace } = this;
    if (current?.status !== 'running' || !pace) return undefined;
    const { done, total } = progressOf(current);
    const passed = done - pace.done;
    if (passed > 0) return ((Date.now() - pace.since) / 1000 / passed) * (total - done);
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
      places,
      created: Math.max(Date.now(), 1 + (this.records.at(-1)?.created ?? 0)),
      status: 'estimating',
      cells: { values: new Float32Array(), raw: new Float64Array(), pairs: new Int32Array() },
    };
    this.records = [...this.records, record];
    this.currentId = id;
    const controller = this.begin();
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
   * Runs the current sweep, from the cells that are known on. Resolves when it is done, stopped, or failed; a failure
   * stays with the sweep.
   */
  async run(model: OpenSweepModel): Promise<void> {
    const record = this.current;
    if (!record?.outline || record.status === 'running' || record.status === 'done') return;
    this.cancel();
    const { id, cells } = record;
    const controller = this.begin();
    this.pace = { since: Date.now(), done: progressOf(record).done };
    this.change(id, { status: 'running', failure: undefined });
    try {
      requireSameModel(record, model);
      const known = { raw: cells.raw.slice(), pairs: cells.pairs.slice() };
      const { signal } = controller;
      const report = (progress: Progress): void => this.progress(id, progress, signal);
      const from = { model: model.id, known };
      const grid = await askCells(this.options.engine, record.question, from, { signal, report });
      if (!controller.signal.aborted) this.change(id, { status: 'done', cells: cellsOf(grid) });
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

  /** Stops at once; the cells that are known stay. */
  cancel(): void {
    const { working } = this;
    if (!working) return;
    const { current } = this;
    this.working = undefined;
    working.abort();
    if (current?.status === 'running') {
      this.change(current.id, { status: 'stopped' });
      this.keep(current.id);
    } else if (current?.status === 'estimating') {
      this.records = this.records.filter((record) => record !== current);
      this.currentId = this.records.at(-1)?.id;
      this.changed.fire();
    }
  }

  /** Shows another sweep; one that runs is stopped. */
  choose(id: string): void {
    if (id === this.currentId || !this.records.some((record) => record.id === id)) return;
    this.cancel();
    this.currentId = id;
    this.changed.fire();
  }

  /** The sweep that the current one is compared with; nothing when their cells differ. */
  get other(): SweepRecord | undefined {
    const { current } = this;
    const other = this.records.find(({ id }) => id === this.otherId);
    return current && other && other !== current && hasSameCells(current, other) ? other : undefined;
  }

  /** Compares the current sweep with another one, or with none. */
  compare(id: string | undefined): void {
    this.otherId = id;
    this.changed.fire();
  }

  /** Takes a sweep off the list and off the disk. */
  remove(id: string): void {
    if (id === this.currentId) this.cancel();
    this.records = this.records.filter((record) => record.id !== id);
    if (id === this.currentId) this.currentId = this.records.at(-1)?.id;
    this.options.storage.remove(id);
    this.changed.fire();
  }

  private progress(id: string, { partial }: Progress, signal: AbortSignal): void {
    const record = this.current;
    // What comes after a cancellation is no part of what the user saw stop.
    if (signal.aborted || record?.id !== id || !partial) return;
    fillCells(record.cells, partial);
    this.keepTimer ??= setTimeout(() => this.keep(id), this.options.keepEvery ?? 1000);
    this.changed.fire();
  }

  private begin(): AbortController {
    const controller = new AbortController();
    this.working = controller;
    this.changed.fire();
    return controller;
  }

  private end(controller: AbortController): void {
    if (this.working === controller) this.working = undefined;
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
    for (const { id } of this.records.slice(0, -mostKept)) this.remove(id);
  }

  /** The window closes: a sweep that runs is kept as far as it came. */
  private close(): void {
    this.cancel();
    clearTimeout(this.keepTimer);
  }
}
