/** Keeps studies as files in a folder of the window, one each, so that they outlive a reload. */

import type { Log } from '../log.ts';
import { textFolder } from '../textFolder.ts';

/** Where studies are kept; what comes back was written by an earlier session, or by somebody else. */
export interface StudyStorage {
  load(): readonly { readonly id: string; readonly study: unknown }[];
  save(id: string, study: object): void;
  remove(id: string): void;
}

/** A folder on disk. */
export function studyFolder(folder: string, log: Log): StudyStorage {
  const files = textFolder(folder, 'study', log);
  return {
    load() {
      const found: { readonly id: string; readonly study: unknown }[] = [];
      files.each((text, id) => found.push({ id, study: JSON.parse(text) }));
      return found;
    },
    save(id, study) {
      files.save(id, JSON.stringify(study));
    },
    remove(id) {
      files.remove(id);
    },
  };
}
