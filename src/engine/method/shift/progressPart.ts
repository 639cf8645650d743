/** Progress of one part of longer work, so that the whole fills once from 0 to 100. */

import type { CallOptions } from '../../../shared/callOptions.ts';

/** The call whose work fills the whole from `from` to `to` hundredths, by what it reports itself. */
export function progressBetween({ signal, report }: CallOptions, from: number, to: number): CallOptions {
  return {
    ...(signal && { signal }),
    report: ({ done, total, what }) =>
      report?.({ done: from + ((to - from) * done) / Math.max(1, total), total: 100, what }),
  };
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
