/** Checks a task against a model: which pairs can be run, and how well the model does on them, whole and by template. */

import type { CallOptions } from '../../shared/callOptions.ts';
import { throwIfCancelled } from '../../shared/errors.ts';
import type { TaskMetric } from '../../shared/task.ts';
import type { TaskBehaviour, TaskCheck, TemplateBehaviour } from '../../shared/taskApi.ts';
import { batchesByLength } from '../model/tokenBatches.ts';
import type { Transformer } from '../model/transformer.ts';
import { countLines, tokenizeRead } from './loadTask.ts';
import { mean, metricValues } from './metric.ts';
import type { TokenPair } from './task.ts';
import type { ReadTask } from './taskFile.ts';
import type { TaskModel } from './tokenizeTask.ts';

/** Problems that are handed out one by one. */
const maxListed = 500;
const batchSize = 32;

/**
 * Says what keeps pairs from being run and, with at most `measure` pairs, what the model does on them.
 * @throws cancelled
 */
export async function checkTask(
  read: ReadTask,
  model: TaskModel & { readonly transformer: Transformer },
  { measure = Infinity, ...call }: CallOptions & { readonly measure?: number } = {},
): Promise<TaskCheck> {
  const { task, problems, metric, description } = await tokenizeRead(read, model, call.signal);
  const measured = task.pairs.slice(0, measure);
  const behaviour =
    measured.length > 0 ? await measureBehaviour(model.transformer, measured, call) : undefined;
  return {
    name: task.name,
    metric,
    ...(description !== undefined && { description }),
    pairs: task.pairs.length,
    lines: countLines(read),
    problems: problems.slice(0, maxListed),
    unlisted: Math.max(0, problems.length - maxListed),
    ...(behaviour && { behaviour: behaviour.whole }),
    templates: behaviour?.templates ?? [],
    ...(read.faultyHeaders.length > 0 && { hasFaultyHeader: true }),
  };
}

/**
 * A metric after the clean or the corrupted prompts of all pairs: `[pair]`. `kl` is no such metric, since it compares
 * two runs.
 * @throws cancelled
 */
export async function measurePairs(
  model: Transformer,
  pairs: readonly TokenPair[],
  prompt: 'clean' | 'corrupted',
  metrics: readonly Exclude<TaskMetric, 'kl'>[],
  { signal, report }: CallOptions = {},
): Promise<readonly Float64Array[]> {
  const found = metrics.map(() => new Float64Array(pairs.length));
  let done = 0;
  for (const { tokens, places } of batchesByLength(
    pairs.map((pair) => pair[prompt]),
    batchSize,
  )) {
    throwIfCancelled(signal);
    const { logits } = await model.run({ tokens, logits: 'last', signal });
    const batch = places.map((place) => pairs[place]!);
    metrics.forEach((metric, i) => {
      metricValues(metric, logits!, batch).forEach((value, row) => {
        found[i]![places[row]!] = value;
      });
    });
    done += places.length;
    report?.({ done, total: pairs.length, what: 'Measuring' });
  }
  return found;
}

async function measureBehaviour(
  model: Transformer,
  pairs: readonly TokenPair[],
  call: CallOptions,
): Promise<{ whole: TaskBehaviour; templates: TemplateBehaviour[] }> {
  const part = (offset: number): CallOptions => ({
    ...call,
    report: ({ done, what }) => call.report?.({ done: offset + done, total: 2 * pairs.length, what }),
  });
  const [accuracy, clean] = await measurePairs(
    model,
    pairs,
    'clean',
    ['accuracy', 'logitDifference'],
    part(0),
  );
  const [corrupted] = await measurePairs(model, pairs, 'corrupted', ['logitDifference'], part(pairs.length));
  const summary = (places: readonly number[]): TaskBehaviour => {
    const meanOf = (values: Float64Array) => mean(places.map((place) => values[place]!));
    return {
      pairs: places.length,
      accuracy: meanOf(accuracy!),
      logitDifference: meanOf(clean!),
      corruptedLogitDifference: meanOf(corrupted!),
    };
  };
  const byTemplate = new Map<string, number[]>();
  pairs.forEach(({ template }, place) => {
    const places = byTemplate.get(template);
    if (places) places.push(place);
    else byTemplate.set(template, [place]);
  });
  return {
    whole: summary([...pairs.keys()]),
    templates: [...byTemplate].map(([template, places]) => ({ template, ...summary(places) })),
  };
}
