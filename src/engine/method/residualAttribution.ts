/**
 * Direct logit attribution (Elhage et al. 2021; Wang et al. 2022): what each component's write to the
 * residual stream adds to a contrast of logits, with the final LayerNorm's scale frozen at its value.
 *
 * With w the gradient of the contrast at `ln_final.hook_normalized`, a write x counts `(w − mean w) · x / σ` behind a
 * LayerNorm and `w · x / σ` behind an RMSNorm. All components and the biases add up to the contrast exactly. Where a
 * model caps its logits, writes count towards the uncapped ones, and what the cap takes away is a component of its own.
 */

import type { ComponentAttribution } from '../../shared/analysis.ts';
import { throwIfCancelled } from '../../shared/errors.ts';
import { formatHead } from '../../shared/format.ts';
import { floatsOf, floatValue, type Value } from '../graph/value.ts';
import type { RunEdit } from '../model/edits.ts';
import { names } from '../model/families/family.ts';
import type { StageHook } from '../model/hooks.ts';
import { pickPositions } from '../model/kvCache.ts';
import { stageHooks } from '../model/modelHooks.ts';
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
  const { direction, total, uncapped } = await readingDirection(model, run.residuals[nLayers]!, sum);
  const components = await embeddingParts(model, run, sum.position, direction);
  for (let layer = 0; layer < nLayers; layer++) {
    throwIfCancelled(signal);
    components.push(...(await blockParts(model, run, layer, sum.position, direction)));
  }
  if (model.config.logitCap !== undefined) {
    components.push({ component: 'soft cap', layer: nLayers, value: total - uncapped });
  }
  const explained = components.reduce((all, { value }) => all + value, 0);
  const rest = run.edits.length > 0 ? 'biases and interventions' : 'biases';
  components.push({ component: rest, layer: nLayers, value: total - explained });
  return { components, total };
}

/**
 * The direction `[d_model]` in the residual stream that the contrast reads along, with the norm's scale frozen; the
 * contrast's value, and what it would be without the soft cap on logits that some models have.
 */
export async function readingDirection(
  model: Transformer,
  finalResidual: Value,
  { position, weights }: LogitSum,
): Promise<{ direction: Float32Array; total: number; uncapped: number }> {
  const { dVocab } = model.config;
  const residual = pickPositions(finalResidual, [position]);
  const gradient = new Float32Array(dVocab);
  for (const [id, weight] of weights) gradient[id]! += weight;
  const results = await model.stages.backward({
    stage: 'final',
    sizes: { batch: 1, positions: 1, keys: 1 },
    residual,
    edits: new Map(),
    seeds: new Map<StageHook, Value>([['unembed.hook_out', floatValue(gradient, [1, 1, dVocab])]]),
    targets: [],
    direct: true,
  });
  const logits = floatsOf(await model.readOut(residual));
  const sum = (read: (logit: number) => number): number =>
    [...weights].reduce((all, [id, weight]) => all + weight * read(logits[id]!), 0);
  return {
    direction: floatsOf(results[names.residualGradient]!),
    total: sum((logit) => logit),
    uncapped: sum((logit) => withoutCap(logit, model.config.logitCap)),
  };
}

/** The logit that became `logit` = cap · tanh(x / cap). */
function withoutCap(logit: number, cap: number | undefined): number {
  if (cap === undefined) return logit;
  // A logit at the very cap could have come from anywhere beyond.
  const most = 1 - 2 ** -24;
  return cap * Math.atanh(Math.min(Math.max(logit / cap, -most), most));
}

async function embeddingParts(
  model: Transformer,
  { ids, edits }: AttributedRun,
  position: number,
  direction: Float32Array,
): Promise<ComponentAttribution[]> {
  const called = { hook_embed: 'token embedding', hook_pos_embed: 'position embedding' } as const;
  const hooks = stageHooks(model.config, 'embed') as (keyof typeof called)[];
  const { hooks: values } = await model.run({ tokens: [ids], capture: hooks, edits, stopAtLayer: 0 });
  return hooks.map((hook) => ({
    component: called[hook],
    layer: -1,
    value: dot(rowAt(values.get(hook)!, position), direction),
  }));
}

/**
 * Heads and MLP of one block. Heads are taken by the transposed output projection, `z_h · (W_O^h direction)`, and through the
 * norm behind the attention where a model has one, with its scale frozen.
 */
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
  const from = { layer, residual };
  const run = await model.run({ from, stopAtLayer: layer + 1, capture: [z, mlpOut], edits });
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
    direct: true,
  });
  const written = rowAt(run.hooks.get(z)!, position);
  const read = rowAt(back['attn.hook_z']!, position);
  const shrunk = edits.length > 0 ? await normChange(model, from, edits, position) : 1;
  const parts: ComponentAttribution[] = [];
  for (let head = 0; head < nHeads; head++) {
    const range = [head * dHead, (head + 1) * dHead] as const;
    const value = shrunk * dot(written.subarray(...range), read.subarray(...range));
    parts.push({ component: `head ${formatHead(layer, head)}`, layer, head, value });
  }
  parts.push({
    component: `MLP ${layer}`,
    layer,
    value: dot(rowAt(run.hooks.get(mlpOut)!, position), direction),
  });
  return parts;
}

/** How much less the norm behind the attention divides by with edits than without them; 1 where there is no such norm. */
async function normChange(
  model: Transformer,
  from: { readonly layer: number; readonly residual: Value },
  edits: readonly RunEdit[],
  position: number,
): Promise<number> {
  const { place } = model.config.norm;
  if (place === 'before') return 1;
  const hook = `blocks.${from.layer}.${place === 'both' ? 'ln1_post' : 'ln1'}.hook_scale`;
  const scale = async (inPlace: readonly RunEdit[]): Promise<number> => {
    const run = await model.run({ from, stopAtLayer: from.layer + 1, capture: [hook], edits: inPlace });
    return rowAt(run.hooks.get(hook)!, position)[0]!;
  };
  return (await scale([])) / (await scale(edits));
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
