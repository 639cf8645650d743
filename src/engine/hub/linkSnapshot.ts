/** Puts downloaded blobs under their names into a snapshot: by relative symbolic links, or as the files themselves. */
import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { HubFile } from '../../shared/hubApi.ts';
import { fileError, malformed } from '../files/fileErrors.ts';
import { writeAtomically } from '../files/writeAtomically.ts';
import type { CachedRepo } from './hubCache.ts';

/** Makes `files` appear in the snapshot of `commit`. @throws file.unreadable, file.malformed for a snapshot that leads out of the cache */
export async function linkSnapshot(
  place: CachedRepo,
  commit: string,
  files: readonly Pick<HubFile, 'path' | 'blob' | 'size'>[],
  symlinks: boolean,
): Promise<void> {
  // Where there are no links, a blob becomes the file; another name for the same content is a copy of that.
  const moved = new Map<string, string>();
  for (const { path, blob, size } of files) {
    const parts = path.split('/');
    if ((await place.sizeOf(commit, parts)) === size) continue;
    const target = join(place.snapshot(commit), ...parts);
    await mkdir(dirname(target), { recursive: true }).catch((error) => {
      throw fileError(dirname(target), error);
    });
    if (!(await place.holds(dirname(target)))) {
      throw malformed(dirname(target), 'folder', 'inside the cache', 'a link that leads out of it');
    }
    const source = moved.get(blob) ?? place.blob(blob);
    const linked = symlinks && !moved.has(blob) && (await link(source, target));
    if (linked) continue;
    try {
      await putFile(source, target, moved.has(blob));
    } catch (error) {
      // Another process that fetches the same may have moved it a moment ago.
      if ((await place.sizeOf(commit, parts)) !== size) throw error;
    }
    moved.set(blob, target);
  }
}

/** Writes down which commit a branch or tag is. A full commit needs no note. */
export async function writeRef(place: CachedRepo, revision: string, commit: string): Promise<void> {
  if (revision === commit || (await place.commitOf(revision)) === commit) return;
  await writeAtomically(place.ref(revision), [commit]);
}

/** False when the system makes no symbolic links here. */
async function link(source: string, target: string): Promise<boolean> {
  const temporary = `${target}.${randomUUID()}.tmp`;
  try {
    await symlink(relative(dirname(target), source), temporary);
  } catch {
    return false;
  }
  // Replaces whatever has the name, without following it.
  await rename(temporary, target).catch((error) => {
    throw fileError(target, error);
  });
  return true;
}

async function putFile(source: string, target: string, isCopy: boolean): Promise<void> {
  const temporary = `${target}.${randomUUID()}.tmp`;
  try {
    if (isCopy) await copyFile(source, temporary);
    await rename(isCopy ? temporary : source, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw fileError(target, error);
  }
}
