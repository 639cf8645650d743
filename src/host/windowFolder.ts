/** Where a window keeps its files: windows without a folder must not write into one another's. Knows no VS Code. */

import { randomUUID } from 'node:crypto';
import { readdir, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Memory } from './modelStore.ts';

/** What the extension's context says about places. */
export interface WindowPlaces {
  /** The folder of the workspace; windows without one have none. */
  readonly own?: string;
  readonly global: string;
  /** Of the window: it outlives a reload, and no other window sees it. */
  readonly memory: Memory;
}

const memoryKey = 'windowId';

/** Days after which what a window without a folder has left behind is removed. */
const keptDays = 30;

/** The folder of the workspace, or one that belongs to this window alone. */
export function windowFolder({ own, global, memory }: WindowPlaces): string {
  if (own !== undefined) return own;
  const known = memory.get<unknown>(memoryKey);
  // It becomes a path.
  if (typeof known === 'string' && /^[0-9a-f-]{36}$/.test(known)) return join(global, 'windows', known);
  const id = randomUUID();
  void memory.update(memoryKey, id);
  return join(global, 'windows', id);
}

/**
 * Removes the folders of windows that have not been used for a month; the own one counts as used.
 * @param now milliseconds since 1970
 */
export async function forgetOldWindows(global: string, own: string, now: number): Promise<void> {
  const root = join(global, 'windows');
  const names = await readdir(root).catch(() => []);
  for (const name of names) {
    const folder = join(root, name);
    if (folder === own) await utimes(folder, now / 1000, now / 1000);
    else if ((await lastUse(folder)) < now - keptDays * 86_400_000)
      await rm(folder, { recursive: true, force: true });
  }
}

/** When something in the folder, or in a folder in it, was last written; now when another process removes it meanwhile. */
async function lastUse(folder: string): Promise<number> {
  const inside = await readdir(folder).catch(() => []);
  const times = await Promise.all(
    [folder, ...inside.map((name) => join(folder, name))].map((path) =>
      stat(path).then(
        ({ mtimeMs }) => mtimeMs,
        () => Number.POSITIVE_INFINITY,
      ),
    ),
  );
  return Math.max(...times);
}
