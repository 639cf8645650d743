/** Runs, checks and exports experiments with the engine of the window, each on a handle of its own. Knows no VS Code. */

import { randomUUID } from 'node:crypto';
import { open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { CallOptions } from '../../shared/callOptions.ts';
import type { ModelId, ModelInfo, Progress } from '../../shared/domain.ts';
import type { EngineApi } from '../../shared/engineApi.ts';
import { EngineError } from '../../shared/errors.ts';
import { checkExperiment } from '../../shared/experiment/checkExperiment.ts';
import { estimateExperiment, type MethodEstimate } from '../../shared/experiment/estimateExperiment.ts';
import type { Experiment } from '../../shared/experiment/experiment.ts';
import type { ExperimentProblem } from '../../shared/experiment/experimentProblem.ts';
import { exportScript } from '../../shared/experiment/exportScript.ts';
import type { KeptProgress, KeptRun } from '../../shared/experiment/keptRun.ts';
import { readExperiment, readExperimentParts } from '../../shared/experiment/readExperiment.ts';
import { resultFiles } from '../../shared/experiment/resultFiles.ts';
import {
  type ExperimentPlaces,
  locateModel,
  runExperiment,
  sweepsOf,
} from '../../shared/experiment/runExperiment.ts';
import type { FoundSweep } from '../../shared/experiment/runMethods.ts';
import { Disposable } from '../disposable.ts';
import { Emitter } from '../emitter.ts';
import { describeForLog, type Log } from '../log.ts';

/** What runs need. */
export interface ExperimentRunsOptions {
  readonly engine: EngineApi;
  /** The model of the window. */
  readonly models: { readonly model: ModelInfo | undefined };
  /** Folder of the embedded model. */
  readonly embedded: string;
  readonly log: Log;
  /** What runs have left that were stopped. */
  readonly kept: { of(file: string): KeptRun };
  /** Takes the sweeps of a run that is done, so that they can be looked at as grids. */
  readonly keepSweeps?: (file: string, model: ModelInfo, found: readonly FoundSweep[]) => void;
}

interface Running {
  readonly controller: AbortController;
  readonly progress?: Progress;
}

/** Bytes of a task file at most. */
const mostBytes = 2 ** 28;

/** The experiments of a window. */
export class ExperimentRuns extends Disposable {
  readonly onDidChange;
  private readonly changed = this.own(new Emitter<string>());
  private readonly running = new Map<string, Running>();
  /** How often each model is in use here. */
  private readonly uses = new Map<ModelId, number>();

  constructor(private readonly options: ExperimentRunsOptions) {
    super();
    this.onDidChange = this.changed.event;
    this.own({ dispose: () => this.cancelAll() });
  }

  /** How far the run of a file is; nothing when it does not run. */
  progressOf(file: string): Progress | 'starting' | undefined {
    const run = this.running.get(file);
    return run && (run.progress ?? 'starting');
  }

  /** How far a run of this experiment has come that was stopped; nothing when the next one begins anew. */
  keptOf(file: string, text: string): KeptProgress | undefined {
    const experiment = tryRead(file, text);
    const progress = experiment && this.options.kept.of(file).progressOf(experiment);
    return progress && (progress.done > 0 || progress.isUnderWay) ? progress : undefined;
  }

  /** The next run begins anew. */
  forget(file: string): void {
    this.options.kept.of(file).clear();
    this.changed.fire(file);
  }

  /** Whether this is the folder of the embedded model. */
  isEmbedded(path: string): boolean {
    return path === this.options.embedded;
  }

  cancel(file: string): void {
    this.running.get(file)?.controller.abort();
  }

  /**
   * Runs the experiment and writes what it found beside its file: all at the end, so that older results stay until then.
   * @returns the paths that were written, circuits first.
   * @throws request.invalid when it runs already or is no experiment, and as `runExperiment`.
   */
  async run(file: string, text: string, { signal, report }: CallOptions = {}): Promise<readonly string[]> {
    if (this.running.has(file)) {
      throw new EngineError('request.invalid', { what: file, reason: 'it is running already' });
    }
    const controller = new AbortController();
    const stop = (): void => controller.abort();
    signal?.addEventListener('abort', stop, { once: true });
    this.put(file, { controller });
    const call: CallOptions = {
      signal: controller.signal,
      report: (progress) => {
        if (this.running.has(file)) this.put(file, { controller, progress });
        report?.(progress);
      },
    };
    try {
      return await this.withPlaces(file, async (places) => {
        const experiment = readExperiment(file, text);
        const kept = this.options.kept.of(file);
        const outcome = await runExperiment(experiment, { ...places, kept }, call);
        const earlier = (name: string) => readText(join(dirname(file), name)).catch(() => undefined);
        const files = await resultFiles(outcome, await realpath(file), earlier);
        for (const result of files) await replaceFile(join(dirname(file), result.name), result.text);
        kept.clear();
        this.options.keepSweeps?.(file, outcome.model, sweepsOf(outcome));
        return files.map(({ name }) => join(dirname(file), name));
      });
    } finally {
      signal?.removeEventListener('abort', stop);
      this.running.delete(file);
      this.changed.fire(file);
    }
  }

  /** What each method will take. */
  estimate(file: string, text: string, call: CallOptions): Promise<readonly MethodEstimate[]> {
    return this.withPlaces(file, (places) => estimateExperiment(readExperiment(file, text), places, call));
  }

  /** The TransformerLens script. */
  script(file: string, text: string, call: CallOptions): Promise<string> {
    return this.withPlaces(file, (places) => exportScript(readExperiment(file, text), places, call));
  }

  /**
   * What is wrong with an experiment. Another model than the window's and the embedded one is not opened for a look: then
   * only what shows without it is told. @throws request.invalid when the text is no JSON
   */
  async check(file: string, text: string, call: CallOptions): Promise<readonly ExperimentProblem[]> {
    const parts = readExperimentParts(file, text);
    return this.withPlaces(file, async (places) => {
      const path = await locateModel(parts.fields, places, call).catch(() => undefined);
      const { embedded, models } = this.options;
      const isAtHand = path === embedded || path === models.model?.path;
      return checkExperiment(parts, places, call, isAtHand);
    });
  }

  private async withPlaces<T>(file: string, work: (places: ExperimentPlaces) => Promise<T>): Promise<T> {
    const { engine, embedded } = this.options;
    const opened: ModelInfo[] = [];
    const folder = dirname(file);
    try {
      return await work({
        engine,
        embedded,
        path: (relative) => realPath(resolve(folder, relative)),
        readText,
        opened: (model) => {
          opened.push(model);
          this.uses.set(model.id, (this.uses.get(model.id) ?? 0) + 1);
        },
      });
    } finally {
      for (const model of opened) await this.giveBack(model);
    }
  }

  /** Closes a handle when nothing here needs it any more; the window has its own, also on the same model. */
  private async giveBack(model: ModelInfo): Promise<void> {
    const { engine, log } = this.options;
    const left = (this.uses.get(model.id) ?? 1) - 1;
    this.uses.set(model.id, left);
    if (left > 0) return;
    this.uses.delete(model.id);
    try {
      await engine.closeModel({ model: model.id });
    } catch (error) {
      log.warn(`${model.name} could not be closed: ${describeForLog(error)}`);
    }
  }

  private put(file: string, running: Running): void {
    this.running.set(file, running);
    this.changed.fire(file);
  }

  private cancelAll(): void {
    for (const { controller } of this.running.values()) controller.abort();
  }
}

function tryRead(file: string, text: string): Experiment | undefined {
  try {
    return readExperiment(file, text);
  } catch {
    return undefined;
  }
}

async function realPath(path: string): Promise<string> {
  return realpath(path).catch(() => {
    throw new EngineError('file.missing', { path });
  });
}

async function readText(path: string): Promise<string> {
  const { size } = await stat(path);
  if (size > mostBytes)
    throw new EngineError('file.unreadable', { path, reason: 'it is larger than 256 MiB' });
  return readFile(path, 'utf8');
}

/** Puts the text in the file's place at once, so that nobody ever reads half of it. */
async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw new EngineError('file.unreadable', { path, reason: (error as Error).message });
  }
}
