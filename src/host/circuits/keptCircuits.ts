/** Writes found circuits to where they are kept, once what changes them rests: a large one takes its time. */

import { randomUUID } from 'node:crypto';
import { writeCircuit } from '../../shared/circuitDocument.ts';
import { maxCircuitBytes } from '../../shared/readCircuit.ts';
import { Disposable } from '../disposable.ts';
import { describeForLog, type Log } from '../log.ts';
import type { CircuitStorage, KeptCircuit } from './circuitFolder.ts';
import type { OpenCircuit } from './openCircuit.ts';

/** Milliseconds without a change after which a circuit is written. */
const rest = 1000;

/** What is known of one circuit's file. */
interface Entry {
  readonly id: string;
  shown: number;
  /** What was written last; undefined before that, and when it must be written again. */
  written: Pick<OpenCircuit, 'annotations' | 'evaluation'> | undefined;
}

/** Keeps what it is told of. */
export class KeptCircuits extends Disposable {
  private readonly entries = new Map<OpenCircuit, Entry>();
  private latest = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly storage: CircuitStorage,
    private readonly log: Log,
  ) {
    super();
    this.own({ dispose: () => this.flush() });
  }

  /** Keeps a circuit from now on; `from` is what is kept of it already. */
  add(circuit: OpenCircuit, from?: KeptCircuit): void {
    if (this.entries.has(circuit)) return;
    if (from) {
      const { annotations, evaluation } = circuit;
      this.latest = Math.max(this.latest, from.shown);
      this.entries.set(circuit, { id: from.id, shown: from.shown, written: { annotations, evaluation } });
      return;
    }
    this.entries.set(circuit, { id: randomUUID(), shown: 0, written: undefined });
    this.bringForward(circuit);
  }

  /** It is the newest of all again. */
  bringForward(circuit: OpenCircuit): void {
    const entry = this.entries.get(circuit);
    if (!entry) return;
    this.latest = Math.max(this.latest + 1, Date.now());
    entry.shown = this.latest;
    entry.written = undefined;
    this.flushSoon();
  }

  /** Something about it has changed; only what people added, and what was measured of it, is worth writing. */
  changed(circuit: OpenCircuit): void {
    if (this.isUnwritten(circuit)) this.flushSoon();
  }

  /** It is to be kept no longer. */
  forget(circuit: OpenCircuit): void {
    const entry = this.entries.get(circuit);
    if (!entry) return;
    this.entries.delete(circuit);
    this.storage.remove(entry.id);
  }

  private isUnwritten(circuit: OpenCircuit): boolean {
    const entry = this.entries.get(circuit);
    if (!entry) return false;
    const { written } = entry;
    return written?.annotations !== circuit.annotations || written.evaluation !== circuit.evaluation;
  }

  private flushSoon(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), rest);
  }

  private flush(): void {
    clearTimeout(this.timer);
    for (const [circuit, entry] of this.entries) {
      if (this.isUnwritten(circuit)) this.write(circuit, entry);
    }
  }

  private write(circuit: OpenCircuit, entry: Entry): void {
    const { annotations, created, evaluation, promptUri, title, isAnnotated, isEvaluating } = circuit;
    const { pairs } = circuit.graph;
    const task = pairs?.kind === 'task' && pairs.task.kind === 'file' ? pairs.task.path : undefined;
    // What is measured now is of other nodes than what was measured last.
    const { evaluation: _, ...unmeasured } = circuit.document;
    entry.written = { annotations, evaluation };
    try {
      const text = writeCircuit(isEvaluating ? unmeasured : circuit.document);
      if (text.length > maxCircuitBytes) throw new RangeError(`${text.length} characters are too many`);
      const { id, shown } = entry;
      this.storage.save({ id, name: title, promptUri, text, task, shown, created, annotated: isAnnotated });
    } catch (error) {
      this.log.warn(`The circuit is not kept: ${describeForLog(error)}`);
    }
  }
}
