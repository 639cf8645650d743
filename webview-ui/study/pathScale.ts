/** The scale of the maps of effects through paths: one for all of them, so that a map can be held against another. Pure. */

import type { StudiedHead } from '../../src/shared/study.ts';

/** The largest effect of any head on any of these paths, and at least 1 %. */
export function pathScale(
  heads: readonly Pick<StudiedHead, 'effects'>[],
  paths: readonly (keyof StudiedHead['effects'])[],
): number {
  let largest = 0.01;
  for (const { effects } of heads) {
    for (const path of paths) largest = Math.max(largest, Math.abs(effects[path]));
  }
  return largest;
}
