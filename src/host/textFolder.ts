/** Keeps pieces of work as JSON files in a folder, one each, so that they outlive a reload. */

import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeForLog, type Log } from './log.ts';

/** Where texts are kept by name. */
export interface TextFolder {
  /** Hands over every text with its name; one that cannot be read, or whose reading throws, is told to the log. */
  each(take: (text: string, id: string) => void): void;
  save(id: string, text: string): void;
  remove(id: string): void;
}

/** Larger files are none of ours. */
const largestFile = 2 ** 27;

/**
 * A folder on disk. Writing is synchronous: the last state must be there when the window goes. What cannot be written is
 * told to the log only, since the work itself goes on.
 * @param what names one of its files in the log: `sweep`
 */
export function textFolder(folder: string, what: string, log: Log): TextFolder {
  const fileOf = (id: string): string => join(folder, `${id}.json`);
  const attempt = (title: string, work: () => void): void => {
    try {
      work();
    } catch (error) {
      log.warn(`${title}: ${describeForLog(error)}`);
    }
  };
  return {
    each(take) {
      for (const id of idsIn(folder)) {
        attempt(`A kept ${what} could not be read`, () => {
          const path = fileOf(id);
          if (statSync(path).size <= largestFile) take(readFileSync(path, 'utf8'), id);
        });
      }
    },
    save(id, text) {
      attempt(`A ${what} could not be kept`, () => {
        mkdirSync(folder, { recursive: true });
        // Never a half-written file under the name that is read, and never a draft that another process writes too.
        const draft = `${fileOf(id)}.${randomUUID()}.part`;
        writeFileSync(draft, text);
        renameSync(draft, fileOf(id));
      });
    },
    remove(id) {
      attempt(`A ${what} could not be removed`, () => rmSync(fileOf(id), { force: true }));
    },
  };
}

function idsIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .map((name) => name.slice(0, -'.json'.length));
  } catch {
    // There is no folder before the first file.
    return [];
  }
}
