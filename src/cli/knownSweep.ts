/** What is known of a sweep that may be stopped: gathered while it runs, printed when it is, and kept in a file to go on from. */

import { existsSync, readFileSync, statSync } from 'node:fs';
import { writeAtomically } from '../engine/files/writeAtomically.ts';
import type { PartialCells, SweepOutline } from '../shared/domain.ts';
import { formatText } from '../shared/format.ts';
import type { KnownCells, SweepGrid } from '../shared/patchingApi.ts';
import { CommandLineError } from './arguments.ts';

/** Larger files are none of ours. */
const largestFile = 2 ** 28;
/** A file is written anew at most as often: grids may have many cells. */
const millisecondsBetween = 2000;

/** What stands in the file. `cells`: number, mean metric, and the pairs behind it. */
interface KeptSweep {
  readonly kept: 'sweep';
  readonly key: string;
  readonly pairsHash: string;
  readonly size: number;
  readonly cells: readonly (readonly [cell: number, raw: number, pairs: number])[];
}

/** The cells of one sweep. `key` says which: a file of another one is refused. */
export class KnownSweep {
  readonly #cells = new Map<number, readonly [number, number, number]>();
  #outline: SweepOutline | undefined;
  #before: KeptSweep | undefined;
  #writing = Promise.resolve();
  #written = 0;

  /** @throws CommandLineError when the file holds something else */
  constructor(
    private readonly key: string,
    private readonly path?: string,
  ) {
    if (path === undefined || !existsSync(path)) return;
    this.#before = readKept(path);
    if (this.#before?.key !== key) throw notKept(path);
    for (const cell of this.#before.cells) this.#cells.set(cell[0], cell);
  }

  /** What an earlier run has left. */
  known(): KnownCells | undefined {
    if (!this.#before) return undefined;
    const { size, pairsHash } = this.#before;
    return { ...this.#arrays(size), pairsHash };
  }

  add({ cells, raw, pairs, outline }: PartialCells): void {
    if (outline) this.#outline = outline;
    cells.forEach((cell, i) => {
      this.#cells.set(cell, [cell, raw[i]!, pairs[i]!]);
    });
    if (this.path !== undefined && Date.now() - this.#written > millisecondsBetween) void this.write();
  }

  /** The grid with the cells that are known; undefined when there is none. */
  grid(scale: 'share' | 'change'): SweepGrid | undefined {
    const outline = this.#outline;
    if (!outline) return undefined;
    const { clean, corrupted } = outline;
    const { raw, pairs } = this.#arrays(sizeOf(outline));
    const [zero, one] = scale === 'share' ? [corrupted, clean] : [clean, 2 * clean];
    const values = Float32Array.from(raw, (value) => (value - zero) / (one - zero));
    return { ...outline, values, raw, pairs };
  }

  /** Cells that are known. */
  get count(): number {
    return this.#cells.size;
  }

  /** Brings the file up to date. @throws file.unreadable */
  write(): Promise<void> {
    const { path } = this;
    const outline = this.#outline;
    if (path === undefined || !outline?.pairsHash) return this.#writing;
    this.#written = Date.now();
    const { pairsHash } = outline;
    const kept: KeptSweep = {
      kept: 'sweep',
      key: this.key,
      pairsHash,
      size: sizeOf(outline),
      cells: [...this.#cells.values()],
    };
    const text = `${JSON.stringify(kept)}\n`;
    this.#writing = this.#writing.then(() => writeAtomically(path, [text]));
    return this.#writing;
  }

  #arrays(size: number): { readonly raw: Float64Array; readonly pairs: Int32Array } {
    const raw = new Float64Array(size).fill(Number.NaN);
    const pairs = new Int32Array(size);
    for (const [cell, value, count] of this.#cells.values()) {
      raw[cell] = value;
      pairs[cell] = count;
    }
    return { raw, pairs };
  }
}

function sizeOf({ axes }: Pick<SweepOutline, 'axes'>): number {
  return axes.reduce((size, { labels }) => size * labels.length, 1);
}

function readKept(path: string): KeptSweep {
  const file = statSync(path);
  if (!file.isFile() || file.size > largestFile) throw notKept(path);
  let found: unknown;
  try {
    found = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    throw notKept(path);
  }
  if (isKept(found)) return found;
  throw notKept(path);
}

function isKept(value: unknown): value is KeptSweep {
  const { kept, key, pairsHash, size, cells } = (value ?? {}) as Partial<KeptSweep>;
  if (kept !== 'sweep' || typeof key !== 'string' || typeof pairsHash !== 'string') return false;
  if (!isCount(size) || size > 2 ** 24 || !Array.isArray(cells)) return false;
  return (cells as unknown[]).every((cell) => {
    if (!Array.isArray(cell) || cell.length !== 3) return false;
    const [place, raw, pairs] = cell as unknown[];
    return isCount(place) && place < size && typeof raw === 'number' && isCount(pairs);
  });
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function notKept(path: string): CommandLineError {
  return new CommandLineError(
    `${formatText(path)} holds no cells of this very sweep to go on from; name another file.`,
  );
}
