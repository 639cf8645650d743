/** Keeps sweeps as files in a folder of the window, one each, so that they outlive a reload. */

import type { Log } from '../log.ts';
import { textFolder } from '../textFolder.ts';
import { readSweep, writeSweep } from './sweepFile.ts';
import type { SweepRecord } from './sweepRecord.ts';

/** Where sweeps are kept. */
export interface SweepStorage {
  /** All that can be read, oldest first. */
  load(): readonly SweepRecord[];
  save(record: SweepRecord): void;
  remove(id: string): void;
}

/** A folder on disk; a sweep is small, so it is written at once. */
export function sweepFolder(folder: string, log: Log): SweepStorage {
  const files = textFolder(folder, 'sweep', log);
  return {
    load() {
      const records: SweepRecord[] = [];
      files.each((text, id) => {
        const record = readSweep(text);
        if (record?.id === id) records.push(record);
      });
      return records.sort((one, other) => one.created - other.created);
    },
    save(record) {
      const text = writeSweep(record);
      if (text !== undefined) files.save(record.id, text);
    },
    remove(id) {
      files.remove(id);
    },
  };
}
