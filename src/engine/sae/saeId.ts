/** Names of SAEs: the real path of their folder, and behind a `#` the file when one folder holds several. */
import { stat } from 'node:fs/promises';
import type { SaeId } from '../../shared/domain.ts';

export interface SaePlace {
  /** The folder, as given. */
  readonly folder: string;
  /** Name of a file in it; absent when the folder holds one SAE. */
  readonly part?: string;
}

/** The id of an SAE; see `SaeId`. */
export function saeId({ folder, part }: SaePlace): SaeId {
  return part === undefined ? folder : `${folder}#${part}`;
}

/** What an id names. A folder whose own name holds a `#` is told from a part of another by looking for it. */
export async function placeOf(id: SaeId): Promise<SaePlace> {
  const at = id.lastIndexOf('#');
  const part = id.slice(at + 1);
  if (at < 0 || part === '' || /[\\/]/.test(part) || (await isFolder(id))) return { folder: id };
  return { folder: id.slice(0, at), part };
}

/** True for a folder or a link to one. */
export async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}
