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

interface Vector {
  readonly node: number;
  readonly data: Float32Array;
}

/**
 * Encodes the prompt. With `leaveFirst`, features and errors of position 0 are left out, as circuit-tracer does because
 * the first position's stream is of another kind than all others'.
 */
export async function graphSources(
  frozen: FrozenRun,
  set: TranscoderSet,
  leaveFirst: boolean,
  signal?: AbortSignal,
): Promise<GraphSources> {
  const features: ActiveFeature[] = [];
  const places = set.layers.map(() => Array.from({ length: frozen.positions }, (): Vector[] => []));
  const explained = set.layers.map(
    ({ write }, layer) => new Float32Array(floatsOf(hookAt(frozen, blockHookName(layer, write))).length),
  );
  for (const placed of set.byLayer) {
    throwIfCancelled(signal);
    if (!placed) continue;
    const value = hookAt(frozen, placed.sae.config.hookName);
    const { activations, reconstruction } = await placed.sae.coded(value);
    const active = activeFeatures(placed, activations, leaveFirst);
    await placeWrites(placed, active, features.length, places);
    features.push(...active);
    addReconstruction(placed, reconstruction, explained);
  }
  set.layers.forEach(({ write }, layer) => {
    const actual = floatsOf(hookAt(frozen, blockHookName(layer, write)));
    const width = actual.length / frozen.positions;
    for (let position = leaveFirst ? 1 : 0; position < frozen.positions; position++) {
      const data = Float32Array.from({ length: width }, (_, i) => {
        const at = position * width + i;
        return actual[at]! - explained[layer]![at]!;
      });
      places[layer]![position]!.push({ node: features.length + layer * frozen.positions + position, data });
    }
  });
  const errors = set.layers.length * frozen.positions;
  return {
    features,
    layers: places.map((at) => tableOf(at)),
    tokens: tokenTable(frozen, features.length + errors),
    ranges: { features: features.length, errors, tokens: frozen.positions, logits: 0 },
  };
}

function hookAt(frozen: FrozenRun, hook: HookName): Value {
  return frozen.hooks.get(hook)!;
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

/** Notes what each feature writes, activation × decoder row, at every layer it writes to. */
async function placeWrites(
  { sae, writes }: PlacedTranscoder,
  active: readonly ActiveFeature[],
  firstNode: number,
  places: readonly (readonly Vector[][])[],
): Promise<void> {
  const indices = [...new Set(active.map(({ index }) => index))];
  if (indices.length === 0) return;
  const rows = await sae.decoderRows(indices);
  const rowOf = new Map(indices.map((index, row) => [index, row]));
  const { width } = sae.config.target!;
  active.forEach(({ index, position, activation }, i) => {
    const start = rowOf.get(index)! * sae.dOut;
    for (const { layer, offset } of writes) {
      const row = rows.data.subarray(start + offset, start + offset + width);
      places[layer]![position]!.push({ node: firstNode + i, data: row.map((x) => x * activation) });
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

function tableOf(places: readonly (readonly Vector[])[]): SourceTable {
  const slots = Math.max(...places.map((vectors) => vectors.length));
  const width = places.flat()[0]?.data.length ?? 0;
  const data = new Float32Array(places.length * slots * width);
  const nodes = new Int32Array(places.length * slots).fill(-1);
  places.forEach((vectors, position) => {
    vectors.forEach((vector, i) => {
      data.set(vector.data, (position * slots + i) * width);
      nodes[position * slots + i] = vector.node;
    });
  });
  return { vectors: floatValue(data, [places.length, slots, width]), nodes };
}
