/** Reads names of SAEs, as users and settings give them: a folder, `folder#file`, or the path of a file. */
import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { SaeId } from '../../shared/domain.ts';
import type { SaePlace } from '../../shared/saeId.ts';

/** What an id names. A folder whose own name holds a `#` is told from a part of another by looking for it. */
export async function placeOf(id: SaeId): Promise<SaePlace> {
  const at = id.lastIndexOf('#');
  const part = id.slice(at + 1);
  if (at < 0 || part === '' || /[\\/]/.test(part) || (await isFolder(id))) return { folder: id };
  return { folder: id.slice(0, at), part };
}

/** As `placeOf`; the path of a file stands for the part of its folder. */
export async function wholeOrPart(id: SaeId): Promise<SaePlace> {
  const place = await placeOf(id);
  if (place.part !== undefined) return place;
  const isFile = (await stat(id).catch(() => undefined))?.isFile() ?? false;
  return isFile ? { folder: dirname(id), part: basename(id) } : place;
}

/** True for a folder or a link to one. */
export async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}
