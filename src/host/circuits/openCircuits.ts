/** The shelf of all open circuits: those that were found, the newest of which the panel shows, and those of open files. */

import type { CircuitDocument } from '../../shared/circuit.ts';
import type { Progress } from '../../shared/domain.ts';
import type { CallOptions, EngineApi } from '../../shared/engineApi.ts';
import { isEngineError } from '../../shared/errors.ts';
import { withTaskPath } from '../../shared/portableCircuit.ts';
import { readCircuit } from '../../shared/readCircuit.ts';
import { Disposable } from '../disposable.ts';
import { Emitter } from '../emitter.ts';
import { LatestOnly } from '../latestOnly.ts';
import { describeForLog, type Log } from '../log.ts';
import type { CircuitStorage, KeptCircuit } from './circuitFolder.ts';
import type { CircuitPlace, CircuitQuestion } from './circuitPlace.ts';
import { KeptCircuits } from './keptCircuits.ts';
import { type CircuitModels, portable } from './localCircuit.ts';
import { OpenCircuit, type OpenCircuitOptions } from './openCircuit.ts';
import type { ShelfChange } from './shelfChange.ts';

/** What the shelf needs. */
export interface OpenCircuitsOptions {
  readonly engine: EngineApi;
  readonly models: CircuitModels;
  /** Where found circuits outlive the session. */
  readonly storage: CircuitStorage;
  readonly log: Log;
}

/** Found circuits that stay open without a file, so that the newest can be compared with those before. Those with a person's work stay beyond. */
const mostFound = 6;

/** Keeps circuits open and finds new ones, one at a time. */
export class OpenCircuits extends Disposable {
  readonly onDidChange;
  readonly onDidHover;
  private readonly changed = this.own(new Emitter<ShelfChange>());
  private readonly hoverChanged = this.own(new Emitter<void>());
  private readonly finding = new LatestOnly();
  private readonly files = new Map<string, OpenCircuit>();
  private found: readonly OpenCircuit[] = [];
  private hovered: OpenCircuit | undefined;
  private active: CircuitPlace | undefined;
  private numbers = 0;
  private readonly kept: KeptCircuits;
  private isRestored = false;

  /** Of the search that is under way. */
  progress: Progress | undefined;
  /** What is searched for now. */
  pending: CircuitQuestion | undefined;
  /** Why the last search found nothing. */
  error: unknown;

  constructor(private readonly options: OpenCircuitsOptions) {
    super();
    this.onDidChange = this.changed.event;
    this.onDidHover = this.hoverChanged.event;
    this.kept = this.own(new KeptCircuits(options.storage, options.log));
    this.own({ dispose: () => this.close() });
  }

  /** Found circuits, the newest first, then those of files. */
  get all(): readonly OpenCircuit[] {
    return [...this.found, ...this.files.values()];
  }

  /** Those that were found, imported or opened beside another, the one that was looked at last first. */
  get results(): readonly OpenCircuit[] {
    return this.found;
  }

  /** The circuit of the panel: the one that was found or chosen last. */
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

  /** Those that a circuit can be held against. One that is as it was saved, and whose file is open, is that file's. */
  othersThan(base: OpenCircuit | undefined): readonly OpenCircuit[] {
    const isInFile = ({ saved, annotations }: OpenCircuit): boolean =>
      saved?.annotations === annotations && this.files.has(saved.uri);
    return this.all.filter((circuit) => circuit !== base && !isInFile(circuit));
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
        this.pending = { name, promptUri };
        this.changed.fire({ kind: 'search' });
        return work({ signal, report: (progress) => this.report(progress, report) });
      });
      return document && this.show(document, { name, promptUri });
    } catch (error) {
      if (!isEngineError(error, 'cancelled')) this.error = error;
      throw error;
    } finally {
      if (!this.finding.isBusy) this.endSearch();
      this.changed.fire({ kind: 'search' });
    }
  }

  private endSearch(): void {
    this.progress = undefined;
    this.pending = undefined;
  }

  /** Puts a circuit into the panel. */
  show(document: CircuitDocument, { name, promptUri }: CircuitQuestion): OpenCircuit {
    const circuit = this.make(document, { name, promptUri });
    this.found = [circuit, ...this.found];
    this.kept.add(circuit);
    this.error = undefined;
    this.restore();
    this.makeRoom();
    this.changed.fire({ kind: 'shelf' });
    return circuit;
  }

  /** Brings a found circuit to the panel again. */
  bringForward(circuit: OpenCircuit): void {
    if (!this.found.includes(circuit)) return;
    this.found = [circuit, ...this.found.filter((other) => other !== circuit)];
    this.kept.bringForward(circuit);
    this.changed.fire({ kind: 'shelf' });
  }

  /** Closes a found circuit for good; the file it was saved as stays. */
  remove(circuit: OpenCircuit): void {
    if (!this.found.includes(circuit)) return;
    this.forget(circuit);
    this.changed.fire({ kind: 'shelf' });
  }

  /** Opens a circuit to be held against others, behind the one that the panel shows. */
  addBeside(document: CircuitDocument, name: string): OpenCircuit {
    const circuit = this.make(document, { name });
    const [shown, ...rest] = this.found;
    this.found = shown ? [shown, circuit, ...rest] : [circuit];
    this.makeRoom();
    this.changed.fire({ kind: 'shelf' });
    return circuit;
  }

  /** Opens the circuit of a file, which stays open until it is closed. */
  openFile(uri: string, document: CircuitDocument, name: string): OpenCircuit {
    const circuit = this.make(document, { name, fileUri: uri });
    this.files.get(uri)?.dispose();
    this.files.set(uri, circuit);
    this.changed.fire({ kind: 'shelf' });
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
    this.changed.fire({ kind: 'shelf' });
  }

  /** Ends the search that is under way. */
  cancel(): void {
    this.finding.cancel();
    this.endSearch();
    this.changed.fire({ kind: 'search' });
  }

  /** The reader has seen why the last search found nothing. */
  dismissError(): void {
    this.error = undefined;
    this.changed.fire({ kind: 'search' });
  }

  /** Brings back the circuits of earlier sessions, behind those of this one. They are read when somebody first needs them. */
  restore(): void {
    if (this.isRestored) return;
    this.isRestored = true;
    for (const kept of this.options.storage.load()) this.bringBack(kept);
    this.changed.fire({ kind: 'shelf' });
  }

  private bringBack(kept: KeptCircuit): void {
    const { name, promptUri, task, annotated, created, shown } = kept;
    try {
      const document = withTaskPath(readCircuit('', kept.text), (path) => task ?? path);
      const found = { created: created ?? shown, isAnnotated: annotated };
      const circuit = this.make(document, { name, promptUri, ...found });
      this.found = [...this.found, circuit];
      this.kept.add(circuit, kept);
    } catch (error) {
      this.options.log.warn(`A circuit of an earlier session cannot be read: ${describeForLog(error)}`);
    }
  }

  /** Closes the oldest of too many circuits, but never one with a person's work, nor the two that are looked at. */
  private makeRoom(): void {
    for (const old of this.found.slice(2).reverse()) {
      if (this.found.length <= mostFound) return;
      if (old.isAnnotated) continue;
      this.forget(old);
    }
  }

  private forget(old: OpenCircuit): void {
    this.found = this.found.filter((circuit) => circuit !== old);
    this.kept.forget(old);
    if (this.hovered === old) this.hovered = undefined;
    old.dispose();
  }

  private make(
    document: CircuitDocument,
    about: Pick<OpenCircuitOptions, 'name' | 'promptUri' | 'fileUri' | 'isAnnotated' | 'created'>,
  ): OpenCircuit {
    const { engine, models, log } = this.options;
    const id = `circuit-${++this.numbers}`;
    const named = { ...about, name: this.freeName(about.name) };
    const content = portable(document, models.saes);
    const circuit = new OpenCircuit(content, { ...named, id, engine, models, log });
    let { title } = circuit;
    circuit.onDidChange(() => {
      const isRenamed = circuit.title !== title;
      title = circuit.title;
      this.circuitChanged(circuit, isRenamed);
    });
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

  private circuitChanged(circuit: OpenCircuit, isRenamed: boolean): void {
    // One that was opened beside another is kept once there is something in it to lose.
    if (this.found.includes(circuit) && circuit.isAnnotated) this.kept.add(circuit);
    this.kept.changed(circuit);
    this.changed.fire(isRenamed ? { kind: 'shelf' } : { kind: 'circuit', circuit });
  }

  private report(progress: Progress, listener: ((progress: Progress) => void) | undefined): void {
    this.progress = progress;
    listener?.(progress);
    this.changed.fire({ kind: 'search' });
  }

  private close(): void {
    this.kept.dispose();
    this.finding.cancel();
    for (const circuit of this.all) circuit.dispose();
  }
}
