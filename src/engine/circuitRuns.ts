/** Keeps what tests of edge circuits and study circuits share, so that a slider runs only what it changes: recent tasks' runs. */
import type { TaskMetric } from '../shared/task.ts';
import type { LoadedModel } from './loadedModel.ts';
import { CircuitMetric } from './method/circuitMetric.ts';
import { openStudyRuns, type StudyRuns } from './method/ioi/evaluateStudyCircuit.ts';
import { RecentMap } from './recentMap.ts';
import { pairsHash } from './task/pairsHash.ts';
import type { TokenTask } from './task/task.ts';

interface Weighed {
  readonly bytes: number;
}

const limits = { entries: 3, weight: 256 * 2 ** 20, weigh: ({ bytes }: Weighed) => bytes };

export class CircuitRuns {
  private readonly edges = new WeakMap<LoadedModel, RecentMap<CircuitMetric>>();
  private readonly studies = new WeakMap<LoadedModel, RecentMap<StudyRuns>>();

  /** Clean and corrupted runs of all pairs, made when they are not there. The caller releases what it gets. @throws cancelled */
  async ofEdges(
    model: LoadedModel,
    task: TokenTask,
    metric: TaskMetric,
    signal?: AbortSignal,
  ): Promise<CircuitMetric> {
    const recent = this.edges.get(model) ?? new RecentMap<CircuitMetric>(limits);
    this.edges.set(model, recent);
    const key = pairsHash(task, metric);
    const known = recent.get(key);
    if (known) return known.reopened();
    const opened = await CircuitMetric.open(model.transformer, task.pairs, metric, signal);
    recent.set(key, opened);
    return opened;
  }

  /** Means of the templates, with F of the whole model and of no node, over the first `count` pairs. @throws cancelled */
  async ofStudy(
    model: LoadedModel,
    task: TokenTask,
    count: number,
    signal?: AbortSignal,
  ): Promise<StudyRuns> {
    const recent = this.studies.get(model) ?? new RecentMap<StudyRuns>(limits);
    this.studies.set(model, recent);
    const key = `${count} ${pairsHash(task, 'logitDifference')}`;
    const known = recent.get(key);
    if (known) return known;
    const opened = await openStudyRuns(model.transformer, task.pairs, count, signal);
    recent.set(key, opened);
    return opened;
  }
}
