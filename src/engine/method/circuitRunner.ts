/**
 * Runs circuits of the component graph exactly: edges of the circuit carry what their source computes in this run on the
 * clean prompt, all others what it wrote on the corrupted one (Conmy et al. 2023, §3; Hanna et al. 2024, §2).
 * Changes of edges into one destination restart there, and only what follows is computed again.
 */
import { throwIfCancelled } from '../../shared/errors.ts';
import { type FloatValue, floatsOf, floatValue, type Value } from '../graph/value.ts';
import type { Transformer } from '../model/transformer.ts';
import { destinationAt, destinationIndex, graphSizes, readable, sourceIndex } from './componentGraph.ts';
import {
  type ComponentPrograms,
  inputName,
  outputNames,
  partWidth,
  type ReadingPart,
  type Sublayer,
} from './componentPrograms.ts';
import { recordWrites, type WrittenRun } from './componentWrites.ts';
import type { PairBatch } from './pairBatches.ts';
import { type RunnerState, repeatRows, stateOf } from './runnerState.ts';
import { addLast, type Ends, finalOf, takeWrites, type Wave } from './runnerWave.ts';

/** What the inputs of a layer's heads or MLP are put together from. */
interface Mixture {
  readonly changes: Value;
  /** True when all rows have the same changes. */
  readonly shared: boolean;
  /** `[rows, 1, 1, width, source]`. */
  mask(part: ReadingPart, first: number): FloatValue;
}

const partsOf: Readonly<Record<Sublayer, readonly ReadingPart[]>> = {
  attention: ['q', 'k', 'v'],
  mlp: ['mlp'],
};

export class CircuitRunner {
  readonly batch: PairBatch;
  readonly clean: WrittenRun;
  readonly corrupted: WrittenRun;
  readonly #model: Transformer;
  readonly #programs: ComponentPrograms;

  private constructor(
    model: Transformer,
    programs: ComponentPrograms,
    batch: PairBatch,
    runs: { readonly clean: WrittenRun; readonly corrupted: WrittenRun },
  ) {
    this.#model = model;
    this.#programs = programs;
    this.batch = batch;
    this.clean = runs.clean;
    this.corrupted = runs.corrupted;
  }

  /** Runs both prompts of each pair. The programs stay the caller's. */
  static async open(
    model: Transformer,
    programs: ComponentPrograms,
    batch: PairBatch,
    signal?: AbortSignal,
  ): Promise<CircuitRunner> {
    const clean = await recordWrites(model, { tokens: batch.clean }, signal);
    const corrupted = await recordWrites(model, { tokens: batch.corrupted }, signal);
    return new CircuitRunner(model, programs, batch, { clean, corrupted });
  }

  /** The same runs with other programs: those of this one can be released. */
  withPrograms(programs: ComponentPrograms): CircuitRunner {
    const { clean, corrupted } = this;
    return new CircuitRunner(this.#model, programs, this.batch, { clean, corrupted });
  }

  /** What the runs of both prompts hold in memory, about. */
  get bytes(): number {
    const floats = ({ writes, residuals, logits }: WrittenRun): number =>
      writes.length + residuals.reduce((sum, own) => sum + own.data.length, 0) + logits.data.length;
    return 4 * (floats(this.clean) + floats(this.corrupted));
  }

  /** How many variants fit into about `floats` numbers of memory. */
  rowsWithin(floats: number): number {
    return Math.max(1, Math.floor(floats / (3 * this.clean.writes.length)));
  }

  /** The state in which every edge is clean. */
  cleanState(): RunnerState {
    return stateOf(this.#model, this.clean);
  }

  /**
   * Logits `[rows, pair, d_vocab]` at the last position of circuits, each given by the edges in it (as
   * `ComponentGraph.inGraph`), side by side.
   */
  async evaluate(circuits: readonly Uint8Array[], signal?: AbortSignal): Promise<Value> {
    const rows = circuits.length;
    const { sources } = graphSizes(this.#model.config);
    const n = this.#perSource;
    const changes = new Float32Array(sources * rows * n);
    const input = this.#delta(0);
    for (let row = 0; row < rows; row++) changes.set(input, row * n);
    const wave: Wave = {
      state: stateOf(this.#model, this.corrupted),
      rows,
      masks: circuits,
      changes,
      from: 0,
    };
    await this.#passOn(wave, 0, signal);
    return this.#readOut(finalOf(wave, this.#ends), rows);
  }

  /**
   * Logits `[rows, pair, d_vocab]` when edges into `destination` are corrupted in a state in which all edges below it
   * are clean: in row i the edges from `removed[i]`. `inGraph` says which edges above pass the change on.
   */
  async without(
    state: RunnerState,
    inGraph: Uint8Array,
    destination: number,
    removed: readonly (readonly number[])[],
    signal?: AbortSignal,
  ): Promise<Value> {
    const { final } = await this.#remove({ state, inGraph, destination, removed, keep: false }, signal);
    return this.#readOut(final, removed.length);
  }

  /** The state in which the edges from `removed` into `destination` are corrupted as well; see `without`. */
  async commit(
    state: RunnerState,
    inGraph: Uint8Array,
    destination: number,
    removed: readonly number[],
    signal?: AbortSignal,
  ): Promise<RunnerState> {
    const request = { state, inGraph, destination, removed: [removed], keep: true };
    const { final, next = state } = await this.#remove(request, signal);
    return { ...next, final };
  }

  /** Numbers in one source's writes. */
  get #perSource(): number {
    return floatsOf(this.clean.residuals[0]!).length;
  }

  /** Clean minus corrupted write of a source. */
  #delta(source: number): Float32Array {
    const n = this.#perSource;
    const other = this.corrupted.writes.subarray(source * n, (source + 1) * n);
    return this.clean.writes.slice(source * n, (source + 1) * n).map((x, i) => x - other[i]!);
  }

  /** How a row's last positions are found. */
  get #ends(): Ends {
    const { config } = this.#model;
    const { pairs, length } = this.batch;
    return { shape: config, pairs: pairs.length, length, perSource: this.#perSource };
  }

  #finalWithout(state: RunnerState, removed: readonly (readonly number[])[]): Float32Array {
    const result = repeatRows(state.final, state.final.length, removed.length);
    removed.forEach((sources, row) => {
      for (const source of sources) addLast(result, row, this.#delta(source), -1, this.#ends);
    });
    return result;
  }

  async #remove(
    { state, inGraph, destination, removed, keep }: Removal,
    signal?: AbortSignal,
  ): Promise<{ readonly final: Float32Array; readonly next?: Omit<RunnerState, 'final'> }> {
    const { config } = this.#model;
    const place = destinationAt(config, destination);
    if (place.kind === 'logits') return { final: this.#finalWithout(state, removed) };
    const rows = removed.length;
    const first = place.kind === 'mlp' ? place : ({ kind: 'head', layer: place.layer, head: 0 } as const);
    const from = sourceIndex(config, first);
    const wave: Wave = {
      state,
      rows,
      masks: Array.from({ length: rows }, () => inGraph),
      changes: new Float32Array((graphSizes(config).sources - from) * rows * this.#perSource),
      from,
      ...(keep && { next: { inputs: new Map(state.inputs), writes: state.writes.slice() } }),
    };
    await this.#startWave(wave, destination, removed);
    if (place.kind !== 'mlp') await this.#sublayer(wave, place.layer, 'mlp');
    await this.#passOn(wave, place.layer + 1, signal);
    return { final: finalOf(wave, this.#ends), next: wave.next };
  }

  /** Computes the layers from `layer` on. */
  async #passOn(wave: Wave, layer: number, signal?: AbortSignal): Promise<void> {
    for (let above = layer; above < this.#model.config.nLayers; above++) {
      throwIfCancelled(signal);
      await this.#sublayer(wave, above, 'attention');
      await this.#sublayer(wave, above, 'mlp');
    }
  }

  /** Takes edges away from one destination, and computes what its layer's heads, or MLP, then write. */
  async #startWave(wave: Wave, destination: number, removed: readonly (readonly number[])[]): Promise<void> {
    const { config } = this.#model;
    const place = destinationAt(config, destination);
    if (place.kind === 'logits') return;
    const end = readable(config, destination);
    // The runtime cannot multiply matrices of no columns, so the input stands in where nothing is removed.
    const used = [...new Set([0, ...removed.flat()])].sort((a, b) => a - b);
    const changes = new Float32Array(used.length * this.#perSource);
    used.forEach((source, i) => {
      changes.set(this.#delta(source), i * this.#perSource);
    });
    if (used.some((source) => source >= end)) throw new Error('An edge is removed that is none.');
    await this.#run(wave, place.layer, place.kind === 'mlp' ? 'mlp' : 'attention', {
      changes: this.#changesValue(changes, used.length, 1),
      shared: true,
      mask: (part, first) => {
        const width = partWidth(this.#model, part);
        const mask = new Float32Array(wave.rows * width * used.length);
        if (part !== place.kind) return floatValue(mask, [wave.rows, 1, 1, width, used.length]);
        removed.forEach((sources, row) => {
          const start = (row * width + destination - first) * used.length;
          for (const source of sources) mask[start + used.indexOf(source)] = -1;
        });
        return floatValue(mask, [wave.rows, 1, 1, width, used.length]);
      },
    });
  }

  /** Heads or MLP of a layer that the wave reaches. */
  async #sublayer(wave: Wave, layer: number, kind: Sublayer): Promise<void> {
    const { config } = this.#model;
    const { sources } = graphSizes(config);
    const count = readable(config, this.#first(layer, partsOf[kind][0]!)) - wave.from;
    if (count <= 0) return;
    const changes = wave.changes.subarray(0, count * wave.rows * this.#perSource);
    await this.#run(wave, layer, kind, {
      changes: this.#changesValue(changes, count, wave.rows),
      shared: false,
      mask: (part, first) => {
        const width = partWidth(this.#model, part);
        const mask = new Float32Array(wave.rows * width * count);
        wave.masks.forEach((inGraph, row) => {
          for (let i = 0; i < width; i++) {
            const start = (first + i) * sources + wave.from;
            mask.set(inGraph.subarray(start, start + count), (row * width + i) * count);
          }
        });
        return floatValue(mask, [wave.rows, 1, 1, width, count]);
      },
    });
  }

  async #run(wave: Wave, layer: number, kind: Sublayer, mixture: Mixture): Promise<void> {
    const { config } = this.#model;
    const feeds: Record<string, Value> = { changes: mixture.changes };
    const [pairs, length] = [this.batch.pairs.length, this.batch.length];
    for (const part of partsOf[kind]) {
      const first = this.#first(layer, part);
      const dims = [1, pairs, length, partWidth(this.#model, part), config.dModel];
      feeds[`${part}:base`] = floatValue(wave.state.inputs.get(first)!, dims);
      feeds[`${part}:mask`] = mixture.mask(part, first);
    }
    const compiled = await this.#programs.get(layer, kind, mixture.shared);
    const inputs = wave.next ? partsOf[kind].map(inputName) : [];
    const results = await compiled.run(feeds, { fetches: [outputNames.written, ...inputs] });
    const place = kind === 'mlp' ? { kind, layer } : ({ kind: 'head', layer, head: 0 } as const);
    takeWrites(wave, sourceIndex(config, place), floatsOf(results[outputNames.written]!), this.#perSource);
    for (const part of wave.next ? partsOf[kind] : []) {
      wave.next?.inputs.set(this.#first(layer, part), floatsOf(results[inputName(part)]!));
    }
  }

  async #readOut(final: Float32Array, rows: number): Promise<Value> {
    const { dModel, dVocab } = this.#model.config;
    const pairs = this.batch.pairs.length;
    const logits = await this.#model.readOut(floatValue(final, [rows * pairs, 1, dModel]));
    return floatValue(logits.data, [rows, pairs, dVocab]);
  }

  #changesValue(data: Float32Array, count: number, rows: number): FloatValue {
    const { pairs, length } = this.batch;
    return floatValue(data, [count, rows, pairs.length, length, this.#model.config.dModel]);
  }

  /** Number of a part's first destination. */
  #first(layer: number, part: ReadingPart): number {
    const place = part === 'mlp' ? { kind: part, layer } : { kind: part, layer, head: 0 };
    return destinationIndex(this.#model.config, place);
  }
}

interface Removal {
  readonly state: RunnerState;
  readonly inGraph: Uint8Array;
  readonly destination: number;
  readonly removed: readonly (readonly number[])[];
  /** Gather the new state; of the first row. */
  readonly keep: boolean;
}
