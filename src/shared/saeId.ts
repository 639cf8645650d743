/** Names of SAEs: the real path of their folder, and behind a `#` the file when one folder holds several. */
import type { SaeId } from './domain.ts';

export interface SaePlace {
  /** The folder's real path. */
  readonly folder: string;
  /** Name of a file in it; absent when the folder is one SAE. */
  readonly part?: string;
}

/** The id of an SAE; see `SaeId`. */
export function saeId({ folder, part }: SaePlace): SaeId {
  return part === undefined ? folder : `${folder}#${part}`;
}
