/** What a circuit's metric is called: the metrics of tasks have words, those of other tools their own. Pure. */

import type { TaskMetric } from '../../src/shared/task.ts';
import { strings } from '../lib/strings.ts';
import { labelText } from '../lib/tokenText.tsx';

const words: Readonly<Record<TaskMetric, string>> = {
  logitDifference: strings.metricLogitDifference,
  answerSetLogOdds: strings.metricAnswerSetLogOdds,
  probability: strings.metricProbability,
  probabilityDifference: strings.metricProbabilityDifference,
  crossEntropy: strings.metricCrossEntropy,
  kl: strings.metricKl,
  accuracy: strings.metricAccuracy,
};

/** Whether it is a metric of tasks. */
export function isTaskMetric(name: string): boolean {
  return Object.hasOwn(words, name);
}

/** The words for a name that a file may have written. */
export function metricName(name: string): string {
  return isTaskMetric(name) ? words[name as TaskMetric] : labelText(name.slice(0, 120));
}
