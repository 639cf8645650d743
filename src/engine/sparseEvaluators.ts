/** Keeps what tests of circuits share, so that a slider can ask again and again: clean runs and means of recent tasks. */
import { createHash } from 'node:crypto';
import type { CallOptions } from '../shared/callOptions.ts';
import type { TaskMetric } from '../shared/task.ts';
import type { LoadedModel } from './loadedModel.ts';
import { SparseEvaluator } from './method/sparse/sparseEvaluation.ts';
import type { SparseSite } from './method/sparse/sparseSites.ts';
import { splitPairs } from './method/sparse/splitPairs.ts';
import { RecentMap } from './recentMap.ts';
import type { SparseAutoencoder } from './sae/sparseAutoencoder.ts';
import type { TokenPair } from './task/task.ts';

/** What circuits of one task are tested with. */
export interface EvaluatorRequest {
  readonly sites: readonly SparseSite[];
  /** The SAEs behind the sites; one that was opened anew is another. */
  readonly saes: readonly SparseAutoencoder[];
  /** All pairs; those that are held out are tested on. */
  readonly pairs: readonly TokenPair[];
  readonly metric: TaskMetric;
  readonly startLayer: number;
}

interface Kept {
  readonly evaluator: SparseEvaluator;
  readonly saes: readonly SparseAutoencoder[];
}

const limits = { entries: 4, weight: 256 * 2 ** 20, weigh: ({ evaluator }: Kept) => evaluator.bytes };

export class SparseEvaluators {
  private readonly byModel = new WeakMap<LoadedModel, RecentMap<Kept>>();

  /** The evaluator of a task; runs its prompts when they were not run lately. */
  async of(model: LoadedModel, request: EvaluatorRequest, call: CallOptions = {}): Promise<SparseEvaluator> {
    const kept = this.byModel.get(model) ?? new RecentMap<Kept>(limits);
    this.byModel.set(model, kept);
    const key = keyOf(request);
    const known = kept.get(key);
    if (known?.saes.every((sae, i) => sae === request.saes[i])) return known.evaluator;
    const { sites, pairs, metric, saes, startLayer } = request;
    const subject = {
      model: model.transformer,
      sites,
      pairs: splitPairs(pairs).test,
      reference: pairs,
      metric,
      startLayer,
    };
    const evaluator = await SparseEvaluator.open(subject, call);
    kept.set(key, { evaluator, saes });
    return evaluator;
  }
}

/** Equal for the same prompts in the same tokens, the same sites and layers, and the same metric. */
function keyOf({ sites, pairs, metric, startLayer }: EvaluatorRequest): string {
  const hash = createHash('sha256');
  for (const { clean, corrupted, answers, wrongAnswers } of pairs) {
    hash.update(`${clean.join()} ${corrupted.join()} ${answers.join()} ${wrongAnswers.join()}\n`);
  }
  const places = sites.map(({ hook, sae, dictionary }) => `${hook} ${sae ?? ''} ${dictionary.width}`);
  return `${metric} ${startLayer} ${places.join()} ${hash.digest('hex')}`;
}
