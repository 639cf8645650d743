/**
 * What a local replacement model adds to the residual stream on one prompt: active features with what they write, the
 * transcoders' errors, and the tokens' embeddings (Ameisen et al. 2025).
 */
import type { HookName } from '../../../shared/domain.ts';
import { throwIfCancelled } from '../../../shared/errors.ts';
import { type FloatValue, floatsOf, floatValue, type Value } from '../../graph/value.ts';
import { blockHookName } from '../../model/hooks.ts';
import type { FrozenRun } from './frozenRun.ts';
import type { NodeRanges } from './influence.ts';
import type { PlacedTranscoder, TranscoderSet } from './transcoderSet.ts';

/** A feature that is not 0 at a position. */
export interface ActiveFeature {
  readonly layer: number;
  readonly position: number;
  readonly index: number;
  readonly activation: number;
}

/** Vectors that are added at one place of the stream, laid out by position. */
export interface SourceTable {
  /** `[position, slot, width]`; unused slots are zero. */
  readonly vectors: FloatValue;
  /** `[position, slot]`: the node whose vector stands there, −1 for none. */
  readonly nodes: Int32Array;
}

/** All nodes that others get inputs from, numbered features, errors (layer by layer), tokens. */
export interface GraphSources {
  readonly features: readonly ActiveFeature[];
  /** `[layer]`: what is added where the layer's MLP writes. */
  readonly layers: readonly SourceTable[];
  readonly tokens: SourceTable;
  /** Counts, with no logits yet. */
  readonly ranges: NodeRanges;
}

/** Hooks whose values `graphSources` reads from the run. */
export function sourceHooks({ byLayer, layers }: TranscoderSet): HookName[] {
  return [
    'hook_embed',
    ...layers.map(({ write }, layer) => blockHookName(layer, write)),
    ...byLayer.flatMap((placed) => (placed ? [placed.sae.config.hookName] : [])),
  ];
}

/** How large the sources of a prompt are, known before their vectors are made. */
export interface SourceSize {
  readonly features: number;
  /** Features, errors and tokens. */
  readonly nodes: number;
  /** Numbers in the vectors of all layers. */
  readonly written: number;
}

/** The size of sources that are there. */
export function sizeOfSources({ features, layers, ranges }: GraphSources): SourceSize {
  return {
    features: features.length,
    nodes: features.length + ranges.errors + ranges.tokens,
    written: layers.reduce((sum, { vectors }) => sum + vectors.data.length, 0),
  };
}

/** A prompt's active features, and what they do not explain, before anything is made of what they write. */
export interface CodedPrompt {
  readonly features: readonly ActiveFeature[];
  /** `[layer]`: what the transcoders of lower layers and its own write there together, `[position, width]`. */
  readonly explained: readonly Float32Array[];
  /** `[layer]`: vectors at every position, the error's included. */
  readonly slots: readonly Int32Array[];
  readonly leaveFirst: boolean;
  readonly size: SourceSize;
}

/**
 * Encodes the prompt. With `leaveFirst`, features and errors of position 0 are left out, as circuit-tracer does because
 * the first position's stream is of another kind than all others'. `check` sees how large the sources get before features
 * are listed, layer by layer, and may throw.
 */
export async function codePrompt(
  frozen: FrozenRun,
  set: TranscoderSet,
  leaveFirst: boolean,
  check: (size: SourceSize) => void,
  signal?: AbortSignal,
): Promise<CodedPrompt> {
  const features: ActiveFeature[] = [];
  const written = set.layers.map(({ write }, layer) => floatsOf(hookAt(frozen, blockHookName(layer, write))));
  const explained = written.map(({ length }) => new Float32Array(length));
  const slots = written.map(() =>
    Int32Array.from({ length: frozen.positions }, (_, i) => Number(i > 0 || !leaveFirst)),
  );
  const sizeOf = (count: number): SourceSize => ({
    features: count,
    nodes: count + (written.length + 1) * frozen.positions,
    written: written.reduce((sum, { length }, layer) => sum + length * Math.max(...slots[layer]!), 0),
  });
  for (const placed of set.byLayer) {
    throwIfCancelled(signal);
    if (!placed) continue;
    const { activations, reconstruction } = await placed.sae.coded(
      hookAt(frozen, placed.sae.config.hookName),
    );
    check(sizeOf(features.length + countActive(placed, activations, leaveFirst, slots)));
    for (const feature of activeFeatures(placed, activations, leaveFirst)) features.push(feature);
    addReconstruction(placed, reconstruction, explained);
  }
  return { features, explained, slots, leaveFirst, size: sizeOf(features.length) };
}

/** The vectors of all sources of a prompt. */
export async function graphSources(
  frozen: FrozenRun,
  set: TranscoderSet,
  coded: CodedPrompt,
  signal?: AbortSignal,
): Promise<GraphSources> {
  const { features, explained, slots, leaveFirst } = coded;
  const tables = explained.map(
    ({ length }, layer) => new TableBuilder(slots[layer]!, length / frozen.positions),
  );
  let firstNode = 0;
  for (const placed of set.byLayer) {
    throwIfCancelled(signal);
    if (!placed) continue;
    const active = features.filter(({ layer }) => layer === placed.layer);
    await placeWrites(placed, active, firstNode, tables);
    firstNode += active.length;
  }
  for (const [layer, table] of tables.entries()) {
    const actual = floatsOf(hookAt(frozen, blockHookName(layer, set.layers[layer]!.write)));
    for (let position = leaveFirst ? 1 : 0; position < frozen.positions; position++) {
      const vector = table.next(position, features.length + layer * frozen.positions + position);
      const start = position * vector.length;
      for (let i = 0; i < vector.length; i++) vector[i] = actual[start + i]! - explained[layer]![start + i]!;
    }
  }
  const errors = tables.length * frozen.positions;
  return {
    features,
    layers: tables.map((table) => table.table()),
    tokens: tokenTable(frozen, features.length + errors),
    ranges: { features: features.length, errors, tokens: frozen.positions, logits: 0 },
  };
}

/** A layer's vectors, written where they stay. */
class TableBuilder {
  readonly #positions: number;
  readonly #slots: number;
  readonly #width: number;
  readonly #data: Float32Array;
  readonly #nodes: Int32Array;
  /** `[position]`: slots that are taken. */
  readonly #taken: Int32Array;

  /** `slots` `[position]`: the vectors that there will be. */
  constructor(slots: Int32Array, width: number) {
    this.#positions = slots.length;
    this.#slots = Math.max(...slots);
    this.#width = width;
    this.#data = new Float32Array(this.#positions * this.#slots * width);
    this.#nodes = new Int32Array(this.#positions * this.#slots).fill(-1);
    this.#taken = new Int32Array(this.#positions);
  }

  /** Room for the vector of `node` at `position`, to be written. */
  next(position: number, node: number): Float32Array {
    const slot = position * this.#slots + this.#taken[position]!++;
    this.#nodes[slot] = node;
    return this.#data.subarray(slot * this.#width, (slot + 1) * this.#width);
  }

  table(): SourceTable {
    const dims = [this.#positions, this.#slots, this.#width];
    return { vectors: floatValue(this.#data, dims), nodes: this.#nodes };
  }
}

function hookAt(frozen: FrozenRun, hook: HookName): Value {
  return frozen.hooks.get(hook)!;
}

/** Counts what is not 0, and adds it to the `slots` of the layers that are written to. */
function countActive(
  { sae, writes }: PlacedTranscoder,
  { data }: FloatValue,
  leaveFirst: boolean,
  slots: readonly Int32Array[],
): number {
  const { dSae } = sae.config;
  let total = 0;
  for (let position = leaveFirst ? 1 : 0; position * dSae < data.length; position++) {
    let count = 0;
    for (let at = position * dSae; at < (position + 1) * dSae; at++) if (data[at] !== 0) count++;
    for (const { layer } of writes) slots[layer]![position]! += count;
    total += count;
  }
  return total;
}

function activeFeatures(
  { layer, sae }: PlacedTranscoder,
  activations: FloatValue,
  leaveFirst: boolean,
): ActiveFeature[] {
  const { dSae } = sae.config;
  const active: ActiveFeature[] = [];
  for (let at = leaveFirst ? dSae : 0; at < activations.data.length; at++) {
    const activation = activations.data[at]!;
    if (activation !== 0)
      active.push({ layer, position: Math.floor(at / dSae), index: at % dSae, activation });
  }
  return active;
}

/** Writes what each feature adds, activation × decoder row, at every layer it writes to. */
async function placeWrites(
  { sae, writes }: PlacedTranscoder,
  active: readonly ActiveFeature[],
  firstNode: number,
  tables: readonly TableBuilder[],
): Promise<void> {
  const indices = [...new Set(active.map(({ index }) => index))];
  if (indices.length === 0) return;
  const rows = await sae.decoderRows(indices);
  const rowOf = new Map(indices.map((index, row) => [index, row]));
  active.forEach(({ index, position, activation }, i) => {
    for (const { layer, offset } of writes) {
      const start = rowOf.get(index)! * sae.dOut + offset;
      const vector = tables[layer]!.next(position, firstNode + i);
      for (let column = 0; column < vector.length; column++)
        vector[column] = rows.data[start + column]! * activation;
    }
  });
}

function addReconstruction(
  { sae, writes }: PlacedTranscoder,
  reconstruction: FloatValue,
  explained: readonly Float32Array[],
): void {
  const { width } = sae.config.target!;
  const positions = reconstruction.data.length / sae.dOut;
  for (const { layer, offset } of writes) {
    const sum = explained[layer]!;
    for (let position = 0; position < positions; position++) {
      for (let i = 0; i < width; i++)
        sum[position * width + i]! += reconstruction.data[position * sae.dOut + offset + i]!;
    }
  }
}

function tokenTable(frozen: FrozenRun, firstNode: number): SourceTable {
  const embedded = floatsOf(hookAt(frozen, 'hook_embed'));
  const width = embedded.length / frozen.positions;
  const nodes = Int32Array.from({ length: frozen.positions }, (_, position) => firstNode + position);
  return { vectors: floatValue(embedded, [frozen.positions, 1, width]), nodes };
}
