/**
 * Direct edges between nodes of a circuit. What node u writes to the residual stream at position s, Δu[s],
 * is read by node d with the gradient J_d[s] of the metric that passes through d; the edge's weight is
 * `Δu[s] · J_d[s]` (edge attribution patching, Syed et al. 2023), resolved by position.
 */

import type { CircuitEdge } from '../../shared/circuit.ts';
import { throwIfCancelled } from '../../shared/errors.ts';
import { floatsOf, floatValue } from '../graph/value.ts';
import { blockGradient } from '../model/gradients.ts';
import { type CircuitInputs, type CircuitSae, rankOf } from './circuitInputs.ts';
import { dot } from './dotProduct.ts';
import { errorDelta } from './featureNodes.ts';
import {
  difference,
  type NodeAttribution,
  type RecordedFeatures,
  type RecordedRun,
} from './nodeAttribution.ts';

/** A gradient field over positions: `[position, d_model]`, or one row at one position. */
interface Reading {
  readonly field: Float32Array;
  /** The only position that is read; all positions when undefined. */
  readonly position?: number;
}

/** Weights of all edges among `nodes`, from lower to higher rank. */
export async function attributeEdges(
  inputs: CircuitInputs,
  clean: RecordedRun,
  baseline: RecordedRun | undefined,
  nodes: readonly NodeAttribution[],
  signal?: AbortSignal,
): Promise<CircuitEdge[]> {
  const writes = await writesOf(inputs, clean, baseline, nodes, signal);
  const readings = await readingsOf(inputs, clean, nodes, signal);
  const { dModel } = inputs.model.config;
  const edges: CircuitEdge[] = [];
  for (const target of nodes) {
    const reading = readings.get(target);
    if (!reading) continue;
    for (const source of nodes) {
      const write = writes.get(source);
      if (!write || !reaches(source, target, inputs.model.config)) continue;
      const { position } = source.node;
      if (reading.position !== undefined && reading.position !== position) continue;
      const start = reading.position === undefined ? position * dModel : 0;
      const weight = dot(write, reading.field.subarray(start, start + dModel));
      if (weight !== 0) edges.push({ source: source.node.id, target: target.node.id, weight });
    }
  }
  return edges;
}

/**
 * Whether what `source` writes is part of what `target` reads. Everything reads the residual stream, and with it all
 * that was written before; features of an attention or MLP output read that output alone.
 * Where attention and MLP work side by side, the MLP does not read what its own layer's attention wrote.
 */
export function reaches(
  source: NodeAttribution,
  target: NodeAttribution,
  { parallel }: { readonly parallel: boolean },
): boolean {
  if (source.rank >= target.rank) return false;
  if (parallel && target.node.kind === 'mlp' && source.rank >= rankOf(target.node.layer, 'attention'))
    return false;
  const site = target.node.kind === 'feature' ? target.sae?.hook : undefined;
  const isSameLayer = source.node.layer === target.node.layer;
  if (site?.endsWith('hook_attn_out')) return source.node.kind === 'head' && isSameLayer;
  if (site?.endsWith('hook_mlp_out')) return source.node.kind === 'mlp' && isSameLayer;
  return true;
}

/** What each node adds to the residual stream at its position, `[d_model]`, as the difference from the baseline. */
async function writesOf(
  inputs: CircuitInputs,
  clean: RecordedRun,
  baseline: RecordedRun | undefined,
  nodes: readonly NodeAttribution[],
  signal?: AbortSignal,
): Promise<Map<NodeAttribution, Float32Array>> {
  const { dModel } = inputs.model.config;
  const writes = new Map<NodeAttribution, Float32Array>();
  const rowOf = (delta: Float32Array, position: number): Float32Array =>
    delta.slice(position * dModel, (position + 1) * dModel);
  for (const item of nodes) {
    throwIfCancelled(signal);
    const { node } = item;
    if (node.kind === 'token') {
      writes.set(item, rowOf(difference(clean.residuals[0]!, baseline?.residuals[0]), node.position));
    } else if (node.kind === 'mlp') {
      writes.set(
        item,
        rowOf(difference(clean.mlpOut[node.layer]!, baseline?.mlpOut[node.layer]), node.position),
      );
    } else if (node.kind === 'feature' || node.kind === 'error') {
      const i = inputs.saes.indexOf(item.sae!);
      writes.set(item, await featureWrite(item, clean.features[i]!, baseline?.features[i]));
    }
  }
  await addHeadWrites(inputs, clean, baseline, nodes, writes, signal);
  return writes;
}

async function featureWrite(
  { node, sae: site }: NodeAttribution,
  clean: RecordedFeatures,
  baseline: RecordedFeatures | undefined,
): Promise<Float32Array> {
  const { dIn, dSae } = site!.sae.config;
  if (!node.feature) return errorDelta(clean, baseline, node.position, dIn);
  const at = node.position * dSae + node.feature.index;
  const delta = clean.activations[at]! - (baseline?.activations[at] ?? 0);
  const row = (await site!.sae.decoderRows([node.feature.index])).data;
  const scale = clean.writeScales[node.position]!;
  return row.map((x) => delta * scale * x);
}

/** Heads write `z_h W_O^h`, through the norm behind the attention where a model has one. */
async function addHeadWrites(
  { model }: CircuitInputs,
  clean: RecordedRun,
  baseline: RecordedRun | undefined,
  nodes: readonly NodeAttribution[],
  writes: Map<NodeAttribution, Float32Array>,
  signal?: AbortSignal,
): Promise<void> {
  const { nHeads, dModel } = model.config;
  const heads = nodes.filter(({ node }) => node.kind === 'head');
  for (const layer of new Set(heads.map(({ node }) => node.layer))) {
    throwIfCancelled(signal);
    const own = await model.headWrites(layer, clean.residuals[layer]!);
    const other = baseline && (await model.headWrites(layer, baseline.residuals[layer]!));
    const delta = difference(own, other);
    for (const item of heads.filter(({ node }) => node.layer === layer)) {
      const start = (item.node.position * nHeads + item.node.head!) * dModel;
      writes.set(item, delta.slice(start, start + dModel));
    }
  }
}

/** How each node reads the residual stream. Tokens and errors read nothing. */
async function readingsOf(
  inputs: CircuitInputs,
  clean: RecordedRun,
  nodes: readonly NodeAttribution[],
  signal?: AbortSignal,
): Promise<Map<NodeAttribution, Reading>> {
  const readings = new Map<NodeAttribution, Reading>();
  for (const item of nodes) {
    const { node } = item;
    if (node.kind === 'logit') readings.set(item, { field: item.gradient, position: node.position });
  }
  for (const [i, site] of inputs.saes.entries()) {
    throwIfCancelled(signal);
    const features = nodes.filter(({ node, sae }) => sae === site && node.feature && node.activation! > 0);
    await addFeatureReadings(site, clean.features[i]!, features, readings);
  }
  for (let layer = 0; layer < inputs.model.config.nLayers; layer++) {
    throwIfCancelled(signal);
    const inLayer = nodes.filter(({ node }) => node.layer === layer);
    await addHeadReadings(inputs, clean, inLayer, layer, readings);
    await addMlpReadings(inputs, clean, inLayer, layer, readings);
  }
  return readings;
}

/** A feature reads along its encoder's gradient at the position. */
async function addFeatureReadings(
  { sae }: CircuitSae,
  { value }: RecordedFeatures,
  features: readonly NodeAttribution[],
  readings: Map<NodeAttribution, Reading>,
): Promise<void> {
  if (features.length === 0) return;
  const pairs = features.map(({ node }) => ({ row: node.position, feature: node.feature!.index }));
  const rows = (await sae.readings(value, pairs)).data;
  const { dIn } = sae.config;
  features.forEach((item, i) => {
    const perUnit = item.gradient[0]!;
    const field = rows.slice(i * dIn, (i + 1) * dIn).map((x) => perUnit * x);
    readings.set(item, { field, position: item.node.position });
  });
}

async function addHeadReadings(
  { model, ids }: CircuitInputs,
  clean: RecordedRun,
  inLayer: readonly NodeAttribution[],
  layer: number,
  readings: Map<NodeAttribution, Reading>,
): Promise<void> {
  const heads = inLayer.filter(({ node }) => node.kind === 'head');
  if (heads.length === 0) return;
  const { nHeads, dHead, dModel } = model.config;
  const seeds = new Float32Array(heads.length * ids.length * nHeads * dHead);
  heads.forEach(({ node, gradient }, row) => {
    seeds.set(gradient, ((row * ids.length + node.position) * nHeads + node.head!) * dHead);
  });
  const results = await blockGradient(model, {
    layer,
    residual: clean.residuals[layer]!,
    seeds: new Map([['attn.hook_z', floatValue(seeds, [heads.length, ids.length, nHeads, dHead])]]),
    hooks: ['hook_resid_pre'],
  });
  const fields = floatsOf(results.hook_resid_pre!);
  const size = ids.length * dModel;
  heads.forEach((item, row) => {
    readings.set(item, { field: fields.slice(row * size, (row + 1) * size) });
  });
}

async function addMlpReadings(
  { model, ids }: CircuitInputs,
  clean: RecordedRun,
  inLayer: readonly NodeAttribution[],
  layer: number,
  readings: Map<NodeAttribution, Reading>,
): Promise<void> {
  const mlps = inLayer.filter(({ node }) => node.kind === 'mlp');
  if (mlps.length === 0) return;
  const { dModel } = model.config;
  // The stream between attention and MLP: paths through this block's own attention are other edges. Side by side, the MLP
  // reads what enters the block, and a gradient at its own output does not pass through the attention.
  const read = model.config.parallel ? 'hook_resid_pre' : 'hook_resid_mid';
  const size = ids.length * dModel;
  const seeds = new Float32Array(mlps.length * size);
  mlps.forEach(({ node, gradient }, row) => {
    seeds.set(gradient, row * size + node.position * dModel);
  });
  const results = await blockGradient(model, {
    layer,
    residual: clean.residuals[layer]!,
    seeds: new Map([['hook_mlp_out', floatValue(seeds, [mlps.length, ids.length, dModel])]]),
    hooks: [read],
  });
  const fields = floatsOf(results[read]!);
  mlps.forEach((item, row) => {
    const start = row * size + item.node.position * dModel;
    readings.set(item, { field: fields.slice(start, start + dModel), position: item.node.position });
  });
}
