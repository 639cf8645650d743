/** Progress of one part of longer work, so that the whole fills once from 0 to 100. */

import type { CallOptions } from '../../../shared/callOptions.ts';

/** The calls of parts that follow one another: each fills as much of the whole, 100, as its share is of all shares. */
export function progressParts(
  { signal, report }: CallOptions,
  shares: readonly number[],
): readonly CallOptions[] {
  const all = shares.reduce((sum, share) => sum + share, 0);
  let before = 0;
  return shares.map((share) => {
    const from = (100 * before) / all;
    const width = (100 * share) / all;
    before += share;
    return {
      ...(signal && { signal }),
      report: ({ done, total, what }) =>
        report?.({ done: from + (width * done) / Math.max(1, total), total: 100, what }),
    };
  });
}

/** Counts up towards `total` between the hundredths `from` and `to` of the whole; call it with what was done more. */
export function progressPart(
  { report }: CallOptions,
  { what, from, to, total }: { what: string; from: number; to: number; total: number },
): (more: number) => void {
  let done = 0;
  report?.({ done: from, total: 100, what });
  return (more) => {
    done = Math.min(total, done + more);
    report?.({ done: from + ((to - from) * done) / Math.max(1, total), total: 100, what });
  };
}
