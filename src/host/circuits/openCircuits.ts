/** The shelf of all open circuits: those that were found, the newest of which the panel shows, and those of open files. */

import { writeCircuit } from '../../shared/circuitDocument.ts';
import type { CircuitDocument, Progress } from '../../shared/domain.ts';
import type { CallOptions, EngineApi } from '../../shared/engineApi.ts';
import { isEngineError } from '../../shared/errors.ts';
import { withTaskPath } from '../../shared/portableCircuit.ts';
import { readCircuit } from '../../shared/readCircuit.ts';
import { Disposable } from '../disposable.ts';
import { Emitter } from '../emitter.ts';
import { LatestOnly } from '../latestOnly.ts';
import { describeForLog, type Log } from '../log.ts';
import type { Memory } from '../modelStore.ts';
import { type CircuitModels, portable } from './localCircuit.ts';
import { OpenCircuit, type OpenCircuitOptions } from './openCircuit.ts';

/** What the shelf needs. */
export interface OpenCircuitsOptions {
  readonly engine: EngineApi;
  readonly models: CircuitModels;
  readonly memory: Memory;
  readonly log: Log;
}

/** What was asked for: how the circuit is to be called, and the document of its prompt. */
export interface CircuitQuestion {
  readonly name: string;
  readonly promptUri?: string;
}

/** A panel or editor that shows circuits. */
export interface CircuitPlace {
  readonly circuit: OpenCircuit | undefined;
  compare(other: OpenCircuit | undefined, as?: 'difference' | 'sideBySide'): void;
}

const memoryKey = 'circuit.found';

/** Found circuits that stay open without a file, so that the newest can be compared with those before. */
const mostFound = 6;

/** Characters of a circuit that is kept between sessions; larger ones are for files. */
const mostRemembered = 2_000_000;

/** A circuit as it is kept between sessions. */
interface Kept {
  readonly name: string;
  readonly promptUri?: string;
  readonly text: string;
  /** Where the file of its task is: the text names it without its folder. */
  readonly task?: string;
}

/** Keeps circuits open and finds new ones, one at a time. */
export class OpenCircuits extends Disposable {
  readonly onDidChange;
  readonly onDidHover;
  private readonly changed = this.own(new Emitter<void>());
  private readonly hoverChanged = this.own(new Emitter<void>());
  private readonly finding = new LatestOnly();
  private readonly files = new Map<string, OpenCircuit>();
  private found: readonly OpenCircuit[] = [];
  private hovered: OpenCircuit | undefined;
  private active: CircuitPlace | undefined;
  private numbers = 0;
  private timer: NodeJS.Timeout | undefined;

  /** Of the search that is under way. */
  progress: Progress | undefined;
  /** Why the last search found nothing. */
  error: unknown;

  constructor(private readonly options: OpenCircuitsOptions) {
    super();
    this.onDidChange = this.changed.event;
    this.onDidHover = this.hoverChanged.event;
    this.own({ dispose: () => this.close() });
  }

  /** Found circuits, the newest first, then those of files. */
  get all(): readonly OpenCircuit[] {
    return [...this.found, ...this.files.values()];
  }

  /** The circuit of the panel: the one that was found last. */
  get shown(): OpenCircuit | undefined {
    return this.found[0];
  }

  /** The panel or editor that was active last. */
  get activePlace(): CircuitPlace | undefined {
    return this.active;
  }

  activate(place: CircuitPlace): void {
    this.active = place;
  }

  /** The place is gone. */
  deactivate(place: CircuitPlace): void {
    if (this.active === place) this.active = undefined;
  }

  get isFinding(): boolean {
    return this.finding.isBusy;
  }

  get(id: string): OpenCircuit | undefined {
    return this.all.find((circuit) => circuit.id === id);
  }

  /** The circuit under the pointer. */
  get pointed(): OpenCircuit | undefined {
    return this.hovered;
  }

  /** Token positions of `prompt` that belong to what the pointer is over. */
  hoveredPositions(prompt: string): readonly number[] {
    const { hovered } = this;
    return hovered?.graph.prompt === prompt ? hovered.hoveredPositions : [];
  }

  /**
   * Finds a circuit, which the panel shows from then on; the one before stays until the new one is there.
   * Rejects when it fails; a search that was overtaken or cancelled ends without a circuit.
   */
  async find(
    { name, promptUri }: CircuitQuestion,
    work: (call: CallOptions) => Promise<CircuitDocument>,
    report?: (progress: Progress) => void,
  ): Promise<OpenCircuit | undefined> {
    this.error = undefined;
    try {
      const document = await this.finding.run((signal) => {
        this.changed.fire();
        return work({ signal, report: (progress) => this.report(progress, report) });
      });
      return document && this.show(document, { name, promptUri });
    } catch (error) {
      if (!isEngineError(error, 'cancelled')) this.error = error;
      throw error;
    } finally {
      if (!this.finding.isBusy) this.progress = undefined;
      this.changed.fire();
    }
  }

  /** Puts a circuit into the panel. */
  show(document: CircuitDocument, { name, promptUri }: CircuitQuestion): OpenCircuit {
    const circuit = this.make(document, { name, promptUri });
    const kept = [circuit, ...this.found];
    this.found = kept.slice(0, mostFound);
    for (const old of kept.slice(mostFound)) old.dispose();
    this.error = undefined;
    this.keepSoon();
    this.changed.fire();
    return circuit;
  }

  /** Brings a found circuit to the panel again. */
  bringForward(circuit: OpenCircuit): void {
    if (!this.found.includes(circuit)) return;
    this.found = [circuit, ...this.found.filter((other) => other !== circuit)];
    this.keepSoon();
    this.changed.fire();
  }

  /** Opens a circuit to be held against others, behind the one that the panel shows. */
  addBeside(document: CircuitDocument, name: string): OpenCircuit {
    const circuit = this.make(document, { name });
    const [shown, ...rest] = this.found;
    const kept = shown ? [shown, circuit, ...rest] : [circuit];
    this.found = kept.slice(0, mostFound);
    for (const old of kept.slice(mostFound)) old.dispose();
    this.changed.fire();
    return circuit;
  }

  /** Opens the circuit of a file, which stays open until it is closed. */
  openFile(uri: string, document: CircuitDocument, name: string): OpenCircuit {
    const circuit = this.make(document, { name, fileUri: uri });
    this.files.get(uri)?.dispose();
    this.files.set(uri, circuit);
    this.changed.fire();
    return circuit;
  }

  /** The open circuit of a file. */
  ofFile(uri: string): OpenCircuit | undefined {
    return this.files.get(uri);
  }

  closeFile(uri: string): void {
    const circuit = this.files.get(uri);
    if (!circuit) return;
    this.files.delete(uri);
    circuit.dispose();
    if (this.hovered === circuit) this.hovered = undefined;
    this.changed.fire();
  }

  /** Ends the search that is under way. */
  cancel(): void {
    this.finding.cancel();
    this.progress = undefined;
    this.changed.fire();
  }

  /** Brings back the circuit that was found last in an earlier session. */
  restore(): void {
    if (this.shown) return;
    const kept = this.options.memory.get<Kept>(memoryKey);
    if (typeof kept?.text !== 'string') return;
    try {
      const { task } = kept;
      const document = withTaskPath(readCircuit('', kept.text), (path) => task ?? path);
      this.show(document, { name: String(kept.name), promptUri: kept.promptUri });
    } catch (error) {
      this.options.log.info(`The circuit of the last session cannot be read: ${describeForLog(error)}`);
    }
  }

  private make(
    document: CircuitDocument,
    about: Pick<OpenCircuitOptions, 'name' | 'promptUri' | 'fileUri'>,
  ): OpenCircuit {
    const { engine, models, log } = this.options;
    const id = `circuit-${++this.numbers}`;
    const named = { ...about, name: this.freeName(about.name) };
    const content = portable(document, models.saes);
    const circuit = new OpenCircuit(content, { ...named, id, engine, models, log });
    circuit.onDidChange(() => this.circuitChanged(circuit));
    circuit.onDidHover(() => {
      this.hovered = circuit;
      this.hoverChanged.fire();
    });
    return circuit;
  }

  /** Names tell open circuits apart. */
  private freeName(name: string): string {
    const taken = new Set(this.all.map(({ title }) => title));
    let free = name;
    for (let number = 2; taken.has(free); number++) free = `${name} (${number})`;
    return free;
  }

  private circuitChanged(circuit: OpenCircuit): void {
    if (circuit === this.shown) this.keepSoon();
    this.changed.fire();
  }

  private report(progress: Progress, listener: ((progress: Progress) => void) | undefined): void {
    this.progress = progress;
    listener?.(progress);
    this.changed.fire();
  }

  private keepSoon(): void {
    this.timer ??= setTimeout(() => this.keep(), 300);
  }

  private keep(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { shown } = this;
    if (!shown) return;
    try {
      const text = writeCircuit(shown.document);
      if (text.length > mostRemembered) return;
      const { pairs } = shown.graph;
      const task = pairs?.kind === 'task' && pairs.task.kind === 'file' ? pairs.task.path : undefined;
      const kept: Kept = { name: shown.title, promptUri: shown.promptUri, text, task };
      void this.options.memory.update(memoryKey, kept);
    } catch (error) {
      this.options.log.warn(`The circuit is not kept: ${describeForLog(error)}`);
    }
  }

  private close(): void {
    if (this.timer !== undefined) this.keep();
    this.finding.cancel();
    for (const circuit of this.all) circuit.dispose();
  }
}
