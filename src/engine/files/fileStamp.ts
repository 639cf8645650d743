/** Tells a file on disk from one that replaced it under its path. */

import type { Stats } from 'node:fs';

/** Size, time of the last change and inode: another one after the file was written again or replaced. */
export function stampOf({ size, mtimeMs, ino }: Pick<Stats, 'size' | 'mtimeMs' | 'ino'>): string {
  return `${size} ${mtimeMs} ${ino}`;
}
