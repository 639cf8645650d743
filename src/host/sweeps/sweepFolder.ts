/** Keeps sweeps as files in a folder of the window, one each, so that they outlive a reload. */

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeForLog, type Log } from '../log.ts';
import { readSweep, writeSweep } from './sweepFile.ts';
import type { SweepRecord } from './sweepRecord.ts';

/** Where sweeps are kept. */
export interface SweepStorage {
  /** All that can be read, oldest first. */
  load(): readonly SweepRecord[];
  save(record: SweepRecord): void;
  remove(id: string): void;
}

/** Larger files are none of ours. */
const largestFile = 2 ** 27;

/**
 * A folder on disk. Writing is synchronous: the last state must be there when the window goes, and a sweep is small.
 * What cannot be written is told to the log only, since the sweep itself goes on.
 */
export function sweepFolder(folder: string, log: Log): SweepStorage {
  const fileOf = (id: string): string => join(folder, `${id}.json`);
  const attempt = (what: string, work: () => void): void => {
    try {
      work();
    } catch (error) {
      log.warn(`${what}: ${describeForLog(error)}`);
    }
  };
  return {
    load() {
      const records: SweepRecord[] = [];
      for (const path of filesIn(folder)) {
        attempt('A kept sweep could not be read', () => {
          if (statSync(path).size > largestFile) return;
          const record = readSweep(readFileSync(path, 'utf8'));
          if (record && path === fileOf(record.id)) records.push(record);
        });
      }
      return records.sort((one, other) => one.created - other.created);
    },
    save(record) {
      const text = writeSweep(record);
      if (text === undefined) return;
      attempt('A sweep could not be kept', () => {
        mkdirSync(folder, { recursive: true });
        // Never a half-written file under the name that is read.
        const draft = `${fileOf(record.id)}.part`;
        writeFileSync(draft, text);
        renameSync(draft, fileOf(record.id));
      });
    },
    remove(id) {
      attempt('A sweep could not be removed', () => rmSync(fileOf(id), { force: true }));
    },
  };
}

function filesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .map((name) => join(folder, name));
  } catch {
    // There is no folder before the first sweep.
    return [];
  }
}
