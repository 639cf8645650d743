/** How far work is, in words as short as the status bar: what is done, and a share in percent. */

import type { Progress } from '../shared/domain.ts';

/** `Edges 37 %`; without a total only what is done. Never 100 % before the end. */
export function wordDone({ done, total, what }: Progress): string {
  if (!(total > 0)) return what;
  const share = Math.min(99, Math.max(0, Math.floor((100 * done) / total)));
  const percent = done >= total ? '100 %' : `${share} %`;
  return what === '' ? percent : `${what} ${percent}`;
}
