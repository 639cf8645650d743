/** Tells whether two sweeps ran on the same pairs: file paths stay the same when what is in the files does not. */

import { createHash } from 'node:crypto';
import type { TaskMetric } from '../../shared/task.ts';
import type { TokenTask } from './task.ts';

/** SHA-256 (hex) over the pairs in tokens, in their order, with their answers, roles and templates, and the metric. */
export function pairsHash({ pairs }: TokenTask, metric: TaskMetric): string {
  const hash = createHash('sha256').update(JSON.stringify(metric));
  for (const { clean, corrupted, answers, wrongAnswers, roles, template } of pairs) {
    const places = Object.entries(roles).sort(([a], [b]) => (a < b ? -1 : 1));
    hash.update(JSON.stringify([[...clean], [...corrupted], answers, wrongAnswers, places, template]));
  }
  return hash.digest('hex');
}
