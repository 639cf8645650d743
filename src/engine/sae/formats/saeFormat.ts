/** What a layout of SAE files has to say: which folders are its own, and how to open what is in them. */
import type { SaeFolder } from '../format.ts';

/** Names in a folder, without what lies deeper. */
export interface FolderNames {
  /** Real path. */
  readonly path: string;
  readonly files: ReadonlySet<string>;
}

/** One layout. Formats are asked in their order, and the first that finds something has the folder. */
export interface SaeFormat {
  /** As people call the library or release that writes it. */
  readonly name: string;
  /**
   * The SAEs in the folder: a file's name for each, or one `undefined` for a folder that is one SAE. Empty when the
   * layout is another one. Looks at names first, and into files only as far as it takes to tell layouts apart.
   */
  find(folder: FolderNames): Promise<readonly (string | undefined)[]>;
  /**
   * Opens one of those. No weights are read.
   * @throws file.missing, file.unreadable, file.malformed, sae.unsupported.
   */
  open(folder: string, part: string | undefined): Promise<SaeFolder>;
}

/** What `find` answers for a folder that is one SAE, or none. */
export function wholeFolder(isOwn: boolean): readonly undefined[] {
  return isOwn ? [undefined] : [];
}
