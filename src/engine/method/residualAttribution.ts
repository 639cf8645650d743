/**
 * Direct logit attribution (Elhage et al. 2021; Wang et al. 2022): what each component's write to the
 * residual stream adds to a contrast of logits, with the final LayerNorm's scale frozen at its value.
 *
 * With w the gradient of the contrast at `ln_final.hook_normalized`, a write x counts `(w − mean w) · x / σ`.
 * All components and the biases add up to the contrast exactly.
 */

import type { ComponentAttribution } from '../../shared/domain.ts';
import { throwIfCancelled } from '../../shared/errors.ts';
import { formatHead } from '../../shared/format.ts';
import { floatsOf, floatValue, type Value } from '../graph/value.ts';
import type { RunEdit } from '../model/edits.ts';
import type { StageHook } from '../model/hooks.ts';
import { pickPositions } from '../model/kvCache.ts';
import type { Transformer } from '../model/transformer.ts';

/** A weighted sum of next-token logits at one position. */
export interface LogitSum {
  readonly position: number;
  /** Token ids and their weights, e.g. answer +1, wrong −1. */
  readonly weights: ReadonlyMap<number, number>;
}

/** A run that is taken apart: its tokens, the residual streams `[1, position, d_model]` between its blocks, its edits. */
export interface AttributedRun {
  readonly ids: Int32Array;
  readonly residuals: readonly Value[];
  readonly edits: readonly RunEdit[];
}

/** The components' contributions and their total, which is the contrast's value. */
export interface Attribution {
  readonly components: ComponentAttribution[];
  readonly total: number;
}

/**
 * Attributes `sum` in `run`: what its components wrote, interventions included. What interventions put into the
 * stream itself is nobody's write and stands with the biases.
 */
export async function attributeLogits(
  model: Transformer,
  run: AttributedRun,
  sum: LogitSum,
  signal?: AbortSignal,
): Promise<Attribution> {
  const { nLayers } = model.config;
  const { direction, total } = await readingDirection(model, run.residuals[nLayers]!, sum);
  const components = await embeddingParts(model, run, sum.position, direction);
  for (let layer = 0; layer < nLayers; layer++) {
    throwIfCancelled(signal);
    components.push(...(await blockParts(model, run, layer, sum.position, direction)));
  }
  const explained = components.reduce((all, { value }) => all + value, 0);
  const rest = run.edits.length > 0 ? 'biases and interventions' : 'biases';
  components.push({ component: rest, layer: nLayers, value: total - explained });
  return { components, total };
}

/** The direction `[d_model]` in the residual stream that the contrast reads along, with the norm's scale frozen. */
export async function readingDirection(
  model: Transformer,
  finalResidual: Value,
  { position, weights }: LogitSum,
): Promise<{ direction: Float32Array; total: number }> {
  const { dVocab } = model.config;
  const residual = pickPositions(finalResidual, [position]);
  const gradient = new Float32Array(dVocab);
  for (const [id, weight] of weights) gradient[id]! += weight;
  const sizes = { batch: 1, positions: 1, keys: 1 };
  const results = await model.stages.backward({
    stage: 'final',
    sizes,
    residual,
    edits: new Map(),
    seeds: new Map<StageHook, Value>([['unembed.hook_out', floatValue(gradient, [1, 1, dVocab])]]),
    targets: ['ln_final.hook_normalized'],
  });
  const forward = await model.stages.forward({
    stage: 'final',
    sizes,
    feeds: { residual },
    edits: new Map(),
    hooks: ['ln_final.hook_scale', 'unembed.hook_out'],
    outputs: [],
  });
  const w = floatsOf(results['ln_final.hook_normalized']!);
  const scale = floatsOf(forward['ln_final.hook_scale']!)[0]!;
  const logits = floatsOf(forward['unembed.hook_out']!);
  const mean = w.reduce((all, x) => all + x, 0) / w.length;
  let total = 0;
  for (const [id, weight] of weights) total += weight * logits[id]!;
  return { direction: w.map((x) => (x - mean) / scale), total };
}

async function embeddingParts(
  model: Transformer,
  { ids, edits }: AttributedRun,
  position: number,
  direction: Float32Array,
): Promise<ComponentAttribution[]> {
  const names = { hook_embed: 'token embedding', hook_pos_embed: 'position embedding' } as const;
  const hooks = Object.keys(names) as (keyof typeof names)[];
  const { hooks: values } = await model.run({ tokens: [ids], capture: hooks, edits, stopAtLayer: 0 });
  return hooks.map((hook) => ({
    component: names[hook],
    layer: -1,
    value: dot(rowAt(values.get(hook)!, position), direction),
  }));
}

/** Heads and MLP of one block. Heads are taken by the transposed output projection: `z_h · (W_O^h direction)`. */
async function blockParts(
  model: Transformer,
  { residuals, edits }: AttributedRun,
  layer: number,
  position: number,
  direction: Float32Array,
): Promise<ComponentAttribution[]> {
  const { nHeads, dHead, dModel } = model.config;
  const [z, mlpOut] = ['attn.hook_z', 'hook_mlp_out'].map((hook) => `blocks.${layer}.${hook}`) as [
    string,
    string,
  ];
  const residual = residuals[layer]!;
  const run = await model.run({
    from: { layer, residual },
    stopAtLayer: layer + 1,
    capture: [z, mlpOut],
    edits,
  });
  const positions = residual.dims[1]!;
  const seed = new Float32Array(positions * dModel);
  seed.set(direction, position * dModel);
  const back = await model.stages.backward({
    stage: layer,
    sizes: { batch: 1, positions, keys: positions },
    residual,
    edits: new Map(),
    seeds: new Map<StageHook, Value>([['hook_attn_out', floatValue(seed, [1, positions, dModel])]]),
    targets: ['attn.hook_z'],
  });
  const written = rowAt(run.hooks.get(z)!, position);
  const read = rowAt(back['attn.hook_z']!, position);
  const parts: ComponentAttribution[] = [];
  for (let head = 0; head < nHeads; head++) {
    const range = [head * dHead, (head + 1) * dHead] as const;
    const value = dot(written.subarray(...range), read.subarray(...range));
    parts.push({ component: `head ${formatHead(layer, head)}`, layer, head, value });
  }
  parts.push({
    component: `MLP ${layer}`,
    layer,
    value: dot(rowAt(run.hooks.get(mlpOut)!, position), direction),
  });
  return parts;
}

/** One position of `[1, position, …]`, flat. */
function rowAt(value: Value, position: number): Float32Array {
  const width = value.dims.slice(2).reduce((product, dim) => product * dim, 1);
  return floatsOf(value).subarray(position * width, (position + 1) * width);
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
