/** Keeps the last study as a file of the window, so that it outlives a reload. */

import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describeForLog, type Log } from '../log.ts';

/** Where a study is kept; what comes back was written by an earlier session, or is undefined. */
export interface StudyStorage {
  read(): unknown;
  write(study: object): void;
}

/** Larger files are none of ours. */
const largestFile = 2 ** 26;

/**
 * A file on disk. Writing is synchronous: the last state must be there when the window goes, and a study is small. What
 * cannot be written is told to the log only, since the study itself goes on.
 */
export function studyFile(path: string, log: Log): StudyStorage {
  return {
    read() {
      try {
        return statSync(path).size > largestFile ? undefined : JSON.parse(readFileSync(path, 'utf8'));
      } catch (error) {
        // There is no file before the first study.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
          log.warn(`The kept study could not be read: ${describeForLog(error)}`);
        return undefined;
      }
    },
    write(study) {
      try {
        mkdirSync(dirname(path), { recursive: true });
        // Never a half-written file under the name that is read.
        writeFileSync(`${path}.part`, JSON.stringify(study));
        renameSync(`${path}.part`, path);
      } catch (error) {
        log.warn(`The study could not be kept: ${describeForLog(error)}`);
      }
    },
  };
}
