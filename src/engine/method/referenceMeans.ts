/**
 * Means of hooks' values over a reference distribution, computed once and kept: what mean ablation puts in a component's
 * place (Wang et al. 2022, §2: over prompts of the same template, at the same position).
 */
import type { CallOptions } from '../../shared/engineApi.ts';
import { EngineError, throwIfCancelled } from '../../shared/errors.ts';
import { elementCount, type FloatValue, floatsOf, floatValue, type Value } from '../graph/value.ts';
import { isPerPosition, type StageHook } from '../model/hooks.ts';
import { batchesByLength } from '../model/tokenBatches.ts';
import type { Transformer } from '../model/transformer.ts';
import type { TokenPair, TokenTask } from '../task/task.ts';
import { BaseRun } from './baseRun.ts';
import { errorOf, type FeatureSite, featuresOf, type Replacement } from './replacement.ts';

/** Over what means are taken: all prompts and positions; each position of equally long prompts; that and the template. */
export type MeanOver = 'task' | 'position' | 'template';

/** What means are wanted of. */
export interface MeanTargets {
  readonly hooks: readonly { readonly layer: number; readonly hook: StageHook }[];
  readonly features: readonly { readonly site: FeatureSite; readonly features: readonly number[] }[];
  readonly errors: readonly FeatureSite[];
}

export interface MeanOptions {
  readonly over: MeanOver;
  /** The prompts of the reference distribution. */
  readonly side: 'clean' | 'corrupted';
}

/** Prompts behind the mean that rests on fewest. */
export function fewestPrompts(pairs: readonly TokenPair[], over: MeanOver): number {
  const counts = new Map<string, number>();
  for (const pair of pairs) {
    const group = groupOf(over, pair, pair.clean.length);
    counts.set(group, (counts.get(group) ?? 0) + 1);
  }
  return Math.min(...counts.values());
}

/** Whose prompts one mean is over. */
function groupOf(over: MeanOver, { template }: TokenPair, length: number): string {
  if (over === 'task') return '';
  return over === 'position' ? `${length}` : `${length} ${template}`;
}

interface Sum {
  readonly total: Float64Array;
  /** Dimensions of one row's mean, the row's axis left out. */
  readonly dims: readonly number[];
  count: number;
}

const promptsPerBatch = 32;

export class ReferenceMeans {
  readonly #sums = new Map<string, Sum>();

  private constructor(private readonly over: MeanOver) {}

  /**
   * Runs every reference prompt once and takes all means.
   * @throws request.invalid for a mean over positions of a hook that has no row for each; cancelled.
   */
  static async of(
    model: Transformer,
    task: TokenTask,
    targets: MeanTargets,
    { over, side }: MeanOptions,
    { signal, report }: CallOptions = {},
  ): Promise<ReferenceMeans> {
    const means = new ReferenceMeans(over);
    const tokens = task.pairs.map((pair) => pair[side]);
    let done = 0;
    for (const batch of batchesByLength(tokens, promptsPerBatch)) {
      const pairs = batch.places.map((place) => task.pairs[place]!);
      const run = await BaseRun.of(model, batch.tokens, signal);
      for (const { layer, hook } of targets.hooks) {
        throwIfCancelled(signal);
        means.#add(hookKey(layer, hook), await run.hook(layer, hook), pairs, isPerPosition(hook));
      }
      for (const { site, features } of targets.features) {
        throwIfCancelled(signal);
        const value = await run.hook(site.layer, site.hook);
        const activations = await featuresOf(value, site, features);
        for (const [i, feature] of features.entries()) {
          means.#add(featureKey(site, feature), columnOf(activations, i), pairs, true);
        }
      }
      for (const site of targets.errors) {
        const error = await errorOf(await run.hook(site.layer, site.hook), site);
        means.#add(featureKey(site, 'error'), error, pairs, true);
      }
      done += pairs.length;
      report?.({ done, total: tokens.length, what: 'Taking means' });
    }
    return means;
  }

  /** The means in the places of the values of `pairs`, prompts of equal length. */
  replacement(pairs: readonly TokenPair[]): Replacement {
    const length = pairs[0]!.clean.length;
    const rows = (key: string) => this.#rows(key, pairs, length);
    return {
      firstChange: 0,
      hook: async (layer, hook) => rows(hookKey(layer, hook)),
      features: async (site, features) => {
        if (features.length !== 1) throw new Error('Means of features are handed out one by one.');
        return rows(featureKey(site, features[0]!));
      },
      error: async (site) => rows(featureKey(site, 'error')),
    };
  }

  #add(key: string, value: Value, pairs: readonly TokenPair[], isRowed: boolean): void {
    const [, length = 1, ...rest] = value.dims;
    const data = floatsOf(value);
    const size = data.length / pairs.length;
    if (this.over === 'task' && !isRowed) {
      const reason = 'it has no row per position, so take its mean per position or template';
      throw new EngineError('request.invalid', { what: `The hook ${key}`, reason });
    }
    const dims = this.over === 'task' ? [1, ...rest] : value.dims.slice(1);
    const width = elementCount(dims);
    pairs.forEach((pair, row) => {
      const group = `${key}|${groupOf(this.over, pair, pair.clean.length)}`;
      const sum = this.#sums.get(group) ?? { total: new Float64Array(width), dims, count: 0 };
      this.#sums.set(group, sum);
      for (let i = 0; i < size; i++) sum.total[i % width]! += data[row * size + i]!;
      sum.count += this.over === 'task' ? length : 1;
    });
  }

  #rows(key: string, pairs: readonly TokenPair[], length: number): FloatValue {
    const sums = pairs.map((pair) => {
      const sum = this.#sums.get(`${key}|${groupOf(this.over, pair, length)}`);
      if (!sum) throw new Error(`No mean was taken of ${key}.`);
      return sum;
    });
    const { dims } = sums[0]!;
    const width = elementCount(dims);
    const result = new Float32Array(pairs.length * width);
    sums.forEach(({ total, count }, row) => {
      for (let i = 0; i < width; i++) result[row * width + i] = total[i]! / count;
    });
    return floatValue(result, [pairs.length, ...dims]);
  }
}

const hookKey = (layer: number, hook: StageHook): string => `blocks.${layer}.${hook}`;

const featureKey = ({ layer, hook }: FeatureSite, feature: number | 'error'): string =>
  `${hookKey(layer, hook)}#${feature}`;

/** One column of `[row, position, feature]`: `[row, position, 1]`. */
function columnOf(activations: FloatValue, column: number): FloatValue {
  const [rows = 0, positions = 0, width = 0] = activations.dims;
  const data = Float32Array.from(
    { length: rows * positions },
    (_, i) => activations.data[i * width + column]!,
  );
  return floatValue(data, [rows, positions, 1]);
}
