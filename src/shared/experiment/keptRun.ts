/**
 * What a run of an experiment has found so far, as lines of JSON: methods that are done, cells of sweeps, stages of
 * studies. A run that was stopped goes on from them. Lines are only added, so a process that is killed loses the last
 * one at most.
 */

import type { PartialCells } from '../domain.ts';
import { EngineError } from '../errors.ts';
import type { StudyParts } from '../study.ts';
import { type Experiment, type ExperimentMethod, methodsOf } from './experiment.ts';
import { type KeptOutcome, keptOutcome, outcomeOf } from './keptOutcome.ts';
import type { MethodOutcome, RememberedSweep } from './runMethods.ts';

/** Where the lines are kept. */
export interface KeptText {
  /** Undefined before anything was kept. */
  read(): string | undefined;
  /** Puts `text` in the place of all that was kept. */
  write(text: string): void;
  append(text: string): void;
  remove(): void;
}

/** One method: by `key`, all that its numbers depend on; `ask`, what the experiment's file says of it. */
export interface MethodPlace {
  readonly key: string;
  readonly ask: string;
}

/** How far an experiment is. */
export interface KeptProgress {
  /** Methods that are done, of all. */
  readonly done: number;
  readonly total: number;
  /** Whether a method that is not done has begun. */
  readonly isUnderWay: boolean;
}

interface Line extends MethodPlace {
  readonly cells?: Omit<PartialCells, 'values'>;
  readonly study?: StudyParts;
  readonly outcome?: KeptOutcome;
}

interface Entry {
  readonly ask: string;
  readonly cells: Map<number, readonly [raw: number, pairs: number]>;
  pairsHash?: string;
  study?: StudyParts;
  outcome?: MethodOutcome;
}

/** What runs from sources have in the place of a build. */
export const sourceBuild = 'sources';

/** The first line: whose build found what follows. */
function headerOf(build: string): string {
  return `${JSON.stringify({ kept: 'experiment', version: 1, build })}\n`;
}

/** The build that `dist/built.json` names; that of sources when there is no such file. */
export function buildIn(built: string | undefined): string {
  const { build } = JSON.parse(built ?? '{}') as { readonly build?: unknown };
  return typeof build === 'string' ? build : sourceBuild;
}

/** The build that looks after what is kept, and bounds that tests set lower. */
export interface KeptOptions {
  /** Another build may find other numbers, whatever its version: what another one has left is forgotten. */
  readonly build?: string;
  /** Characters that are kept of one experiment at most. */
  readonly length?: number;
  /** Milliseconds between two writings of a study under way: each holds all that is known of it. */
  readonly studyPause?: number;
}

/** What is kept of one experiment. */
export class KeptRun {
  private readonly entries = new Map<string, Entry>();
  /** Whether another build had left something, which is forgotten. */
  readonly hasForgotten: boolean;
  private readonly header: string;
  private readonly most: number;
  private readonly studyPause: number;
  private length = 0;
  /** When a study was written last. */
  private studied = 0;
  /** Parts that were not written, so that a long study does not write without pause. */
  private unwritten: Line | undefined;

  /** @throws request.invalid when the text is there and is none of these */
  constructor(
    private readonly text: KeptText,
    { build = sourceBuild, length = 2 ** 26, studyPause = 2000 }: KeptOptions = {},
  ) {
    this.header = headerOf(build);
    this.most = length;
    this.studyPause = studyPause;
    const found = text.read();
    const first = found?.split('\n', 1)[0] ?? '';
    this.hasForgotten = first !== '' && `${first}\n` !== this.header;
    if (found === undefined || found === '') return;
    if (!isHeader(first)) throw notKept();
    if (this.hasForgotten) text.remove();
    else this.recall(found);
  }

  /** How far an experiment is by what its file says; whether files that it names are still the same shows when it runs. */
  progressOf(experiment: Experiment): KeptProgress {
    const methods = methodsOf(experiment);
    const entries = [...this.entries.values()];
    const ofAsk = (ask: string): readonly Entry[] => entries.filter((entry) => entry.ask === ask);
    const found = methods.map((method) => ofAsk(askOf(experiment, method)));
    const isDone = (all: readonly Entry[]): boolean => all.some(({ outcome }) => outcome);
    return {
      done: found.filter(isDone).length,
      total: methods.length,
      isUnderWay: found.some((all) => !isDone(all) && all.length > 0),
    };
  }

  outcome({ key }: MethodPlace): MethodOutcome | undefined {
    return this.entries.get(key)?.outcome;
  }

  /** The cells of a sweep that was stopped. */
  sweep({ key }: MethodPlace): RememberedSweep | undefined {
    const entry = this.entries.get(key);
    return entry && entry.cells.size > 0 ? { pairsHash: entry.pairsHash, cells: entry.cells } : undefined;
  }

  study({ key }: MethodPlace): StudyParts | undefined {
    return this.entries.get(key)?.study;
  }

  addCells({ key, ask }: MethodPlace, { values: _, ...cells }: PartialCells): void {
    this.add({ key, ask, cells });
  }

  addStudy({ key, ask }: MethodPlace, study: StudyParts): void {
    const line = { key, ask, study };
    this.enter(line);
    this.unwritten = line;
    if (Date.now() - this.studied >= this.studyPause) this.flush();
  }

  finish({ key, ask }: MethodPlace, outcome: MethodOutcome): void {
    this.unwritten = undefined;
    this.add({ key, ask, outcome: keptOutcome(outcome) });
  }

  /** Writes what was held back; to be called when a run stops. */
  flush(): void {
    if (!this.unwritten) return;
    this.write(this.unwritten);
    this.unwritten = undefined;
    this.studied = Date.now();
  }

  /** Forgets everything: the run has ended, or begins anew. */
  clear(): void {
    this.entries.clear();
    this.unwritten = undefined;
    this.length = 0;
    this.text.remove();
  }

  private add(line: Line): void {
    this.enter(line);
    this.write(line);
  }

  private enter({ key, ask, cells, study, outcome }: Line): void {
    const entry: Entry = this.entries.get(key) ?? { ask, cells: new Map() };
    this.entries.set(key, entry);
    if (cells) {
      entry.pairsHash = cells.pairsHash;
      cells.cells.forEach((cell, i) => {
        entry.cells.set(cell, [cells.raw[i] ?? Number.NaN, cells.pairs[i] ?? 0]);
      });
    }
    if (study) entry.study = study;
    if (!outcome) return;
    entry.outcome = outcomeOf(outcome);
    entry.cells.clear();
    entry.study = undefined;
  }

  private write(line: Line): void {
    const text = `${JSON.stringify(line)}\n`;
    if (this.length + text.length > this.most) {
      this.rewrite();
      return;
    }
    const whole = this.length === 0 ? `${this.header}${text}` : text;
    this.length += whole.length;
    this.text.append(whole);
  }

  /** Everything once; of what would be too much, the last is left out. */
  private rewrite(): void {
    let text = this.header;
    for (const [key, entry] of this.entries) {
      const line = `${JSON.stringify(lineOf(key, entry))}\n`;
      if (text.length + line.length <= this.most / 2) text += line;
    }
    this.length = text.length;
    this.text.write(text);
  }

  private recall(found: string): void {
    for (const text of found.slice(this.header.length).split('\n')) {
      const line = parse(text);
      if (line) this.enter(line);
    }
    this.length = found.length;
    // A line that was cut short would swallow the next one.
    if (!found.endsWith('\n')) this.rewrite();
  }
}

/** What an experiment's file says of a method, and of all that its methods share. */
export function askOf(experiment: Experiment, method: ExperimentMethod): string {
  const { model, bos, saes, transcoders, pairs, metric, seed } = experiment;
  return JSON.stringify({ model, bos, saes, transcoders, pairs, metric, seed, method });
}

function lineOf(key: string, { ask, cells, pairsHash, study, outcome }: Entry): Line {
  if (outcome) return { key, ask, outcome: keptOutcome(outcome) };
  const known = [...cells];
  const listed = {
    cells: known.map(([cell]) => cell),
    raw: known.map(([, [raw]]) => raw),
    pairs: known.map(([, [, count]]) => count),
    pairsHash,
  };
  return { key, ask, ...(known.length > 0 && { cells: listed }), study };
}

function isHeader(line: string): boolean {
  try {
    return (JSON.parse(line) as { readonly kept?: unknown } | null)?.kept === 'experiment';
  } catch {
    return false;
  }
}

/** A line; nothing when it was cut short. */
function parse(text: string): Line | undefined {
  try {
    const line = JSON.parse(text) as Line | null;
    return typeof line?.key === 'string' && typeof line.ask === 'string' ? line : undefined;
  } catch {
    return undefined;
  }
}

function notKept(): EngineError {
  return new EngineError('request.invalid', {
    what: 'What was kept of the experiment',
    reason: 'it is no run that could go on; name another file',
  });
}
