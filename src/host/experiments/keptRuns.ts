/** Keeps what runs of experiments have found until they end, one file for each experiment in a folder of the window. */

import { createHash } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { buildIn, KeptRun, type KeptText } from '../../shared/experiment/keptRun.ts';
import { describeForLog, type Log } from '../log.ts';

/** Experiments that are kept at most: those that were stopped last. */
const mostRuns = 20;

/** Larger files are none of ours: a run is kept in half of it. */
const largestFile = 2 ** 27;

/** The build in `dist`, read as the window starts: one that is made later runs in the next window. */
export function readBuild(dist: string): string {
  const built = join(dist, 'built.json');
  return buildIn(existsSync(built) ? readFileSync(built, 'utf8') : undefined);
}

/** The runs of a window. */
export class KeptRuns {
  private readonly runs = new Map<string, KeptRun>();

  constructor(
    private readonly folder: string,
    private readonly log: Log,
    /** See `KeptOptions.build`. */
    private readonly build?: string,
  ) {}

  /** What is kept of the experiment of this path. */
  of(file: string): KeptRun {
    const known = this.runs.get(file);
    if (known) return known;
    const run = this.open(join(this.folder, `${createHash('sha256').update(file).digest('hex')}.jsonl`));
    this.runs.set(file, run);
    return run;
  }

  private open(path: string): KeptRun {
    const text = this.textAt(path);
    const { build } = this;
    try {
      return new KeptRun(text, { build });
    } catch (error) {
      this.log.warn(`What was kept of an experiment could not be read: ${describeForLog(error)}`);
      text.remove();
      return new KeptRun(text, { build });
    }
  }

  /** Writing is synchronous: what was found last must be there when the window goes. A full disk ends no run. */
  private textAt(path: string): KeptText {
    const attempt = (work: () => void): void => {
      try {
        work();
      } catch (error) {
        this.log.warn(`A run of an experiment could not be kept: ${describeForLog(error)}`);
      }
    };
    return {
      read: () => {
        if (!existsSync(path)) return undefined;
        if (statSync(path).size <= largestFile) return readFileSync(path, 'utf8');
        attempt(() => rmSync(path));
        return undefined;
      },
      write: (text) => attempt(() => writeFileSync(path, text)),
      append: (text) =>
        attempt(() => {
          if (!existsSync(path)) this.makeRoom();
          appendFileSync(path, text);
        }),
      remove: () => attempt(() => rmSync(path, { force: true })),
    };
  }

  /** For one more run. */
  private makeRoom(): void {
    mkdirSync(this.folder, { recursive: true });
    const paths = readdirSync(this.folder).map((name) => join(this.folder, name));
    const newestFirst = paths
      .map((path) => ({ path, time: statSync(path).mtimeMs }))
      .sort((one, other) => other.time - one.time);
    for (const { path } of newestFirst.slice(mostRuns - 1)) rmSync(path, { force: true });
  }
}
