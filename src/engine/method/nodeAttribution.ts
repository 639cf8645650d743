/** Effects of single nodes on a metric, estimated by activation difference × gradient. */

import type { CircuitNode } from '../../shared/circuit.ts';
import { throwIfCancelled } from '../../shared/errors.ts';
import { formatHead, quoteToken } from '../../shared/format.ts';
import { floatsOf, type Value } from '../graph/value.ts';
import { gradientsAt } from '../model/gradients.ts';
import { blockHookName } from '../model/hooks.ts';
import { logitDifferenceGradient } from '../model/logitGradients.ts';
import type { CircuitInputs, CircuitSae } from './circuitInputs.ts';
import { rankOf } from './circuitInputs.ts';
import { dot } from './dotProduct.ts';
import { featureNodes } from './featureNodes.ts';

/** What is kept of one run: residual streams, component outputs, features. */
export interface RecordedRun {
  /** `[1, position, d_model]` into each block and after the last. */
  readonly residuals: readonly Value[];
  /** `[1, position, head, d_head]` by layer. */
  readonly z: readonly Value[];
  /** `[1, position, d_model]` by layer. */
  readonly mlpOut: readonly Value[];
  /** By SAE. */
  readonly features: readonly RecordedFeatures[];
  readonly metric: number;
}

/** What one SAE makes of its hook in a run. */
export interface RecordedFeatures {
  /** The hook's value `[1, position, d_in]`. */
  readonly value: Value;
  /** `[position, d_sae]`. */
  readonly activations: Float32Array;
  /** `x − x̂`: `[position, d_in]`. */
  readonly errors: Float32Array;
  /** What a unit of a feature writes at a position, in lengths of its decoder row: `[position]`. */
  readonly writeScales: Float32Array;
}

/** A node with what edges need to know of it. */
export interface NodeAttribution {
  readonly node: CircuitNode;
  /** Place in the order of the forward pass. */
  readonly rank: number;
  /** Gradient of the metric at the node's activation: `[d_head]`, `[d_model]`, or one number for a feature. */
  readonly gradient: Float32Array;
  readonly sae?: CircuitSae;
}

/** Runs `ids` and keeps what attribution reads. */
export async function recordRun(
  inputs: CircuitInputs,
  ids: Int32Array,
  signal?: AbortSignal,
): Promise<RecordedRun> {
  const { model, saes, contrast } = inputs;
  const { nLayers, dVocab } = model.config;
  const layers = Array.from({ length: nLayers }, (_, layer) => layer);
  const zNames = layers.map((layer) => blockHookName(layer, 'attn.hook_z'));
  const mlpNames = layers.map((layer) => blockHookName(layer, 'hook_mlp_out'));
  const capture = [...zNames, ...mlpNames, ...saes.map((sae) => sae.hook)];
  const run = await model.run({ tokens: [ids], capture, logits: [contrast.position], signal });
  const logits = floatsOf(run.logits!);
  const features: RecordedFeatures[] = [];
  for (const { sae, hook } of saes) {
    throwIfCancelled(signal);
    const value = run.hooks.get(hook)!;
    const activations = (await sae.activations(value)).data;
    const rebuilt = (await sae.reconstruct(value)).data;
    const errors = floatsOf(value).map((x, i) => x - rebuilt[i]!);
    features.push({ value, activations, errors, writeScales: await sae.writeScales(value) });
  }
  if (logits.length !== dVocab)
    throw new Error(`Expected one row of ${dVocab} logits, got ${logits.length}.`);
  return {
    residuals: run.residuals.map((value) => value!),
    z: zNames.map((name) => run.hooks.get(name)!),
    mlpOut: mlpNames.map((name) => run.hooks.get(name)!),
    features,
    metric: logits[contrast.answer]! - logits[contrast.wrong]!,
  };
}

/** Every node of the prompt with its effect: tokens, heads, MLPs, active features, SAE errors, and the metric itself. */
export async function attributeNodes(
  inputs: CircuitInputs,
  clean: RecordedRun,
  baseline: RecordedRun | undefined,
  signal?: AbortSignal,
): Promise<NodeAttribution[]> {
  const { model, contrast, saes } = inputs;
  const { nLayers } = model.config;
  const layers = Array.from({ length: nLayers }, (_, layer) => layer);
  const bottom = blockHookName(0, 'hook_resid_pre');
  const top = blockHookName(nLayers - 1, 'hook_resid_post');
  const hooks = [
    bottom,
    top,
    ...layers.flatMap((layer) => [blockHookName(layer, 'attn.hook_z'), blockHookName(layer, 'hook_mlp_out')]),
    ...saes.map((sae) => sae.hook),
  ];
  const gradients = await gradientsAt(model, {
    residuals: clean.residuals,
    seed: logitDifferenceGradient(contrast.position, contrast.answer, contrast.wrong),
    hooks: [...new Set(hooks)],
    signal,
  });
  const at = (hook: string): Float32Array => floatsOf(gradients.get(hook)!);
  const nodes = [
    logitNode(inputs, clean, at(top)),
    ...tokenNodes(inputs, difference(clean.residuals[0]!, baseline?.residuals[0]), at(bottom)),
  ];
  for (const layer of layers) {
    const z = difference(clean.z[layer]!, baseline?.z[layer]);
    nodes.push(...headNodes(inputs, layer, z, at(blockHookName(layer, 'attn.hook_z'))));
    const mlp = difference(clean.mlpOut[layer]!, baseline?.mlpOut[layer]);
    nodes.push(...mlpNodes(inputs, layer, mlp, at(blockHookName(layer, 'hook_mlp_out'))));
  }
  for (const [i, sae] of saes.entries()) {
    throwIfCancelled(signal);
    nodes.push(...(await featureNodes(inputs, sae, clean.features[i]!, baseline?.features[i], at(sae.hook))));
  }
  return nodes;
}

/** `a − b` element by element, or `a` when there is no `b`. */
export function difference(a: Value, b: Value | undefined): Float32Array {
  const [x, y] = [floatsOf(a), b && floatsOf(b)];
  return y ? x.map((value, i) => value - y[i]!) : x;
}

function logitNode(
  { model, contrast, metric }: CircuitInputs,
  clean: RecordedRun,
  gradient: Float32Array,
): NodeAttribution {
  const { nLayers, dModel } = model.config;
  const { position } = contrast;
  const node: CircuitNode = {
    id: `logit@${position}`,
    kind: 'logit',
    layer: nLayers,
    position,
    label: metric,
    effect: clean.metric,
  };
  const row = gradient.slice(position * dModel, (position + 1) * dModel);
  return { node, rank: rankOf(nLayers, 'attention'), gradient: row };
}

function tokenNodes(
  { model, tokens }: CircuitInputs,
  delta: Float32Array,
  gradient: Float32Array,
): NodeAttribution[] {
  const { dModel } = model.config;
  return tokens.map((token, position) => {
    const range = [position * dModel, (position + 1) * dModel] as const;
    const node: CircuitNode = {
      id: `token@${position}`,
      kind: 'token',
      layer: -1,
      position,
      label: quoteToken(token.text),
      effect: dot(delta.subarray(...range), gradient.subarray(...range)),
    };
    return { node, rank: -1, gradient: gradient.slice(...range) };
  });
}

function headNodes(
  { model, ids }: CircuitInputs,
  layer: number,
  delta: Float32Array,
  gradient: Float32Array,
): NodeAttribution[] {
  const { nHeads, dHead } = model.config;
  const nodes: NodeAttribution[] = [];
  for (let position = 0; position < ids.length; position++) {
    for (let head = 0; head < nHeads; head++) {
      const start = (position * nHeads + head) * dHead;
      const range = [start, start + dHead] as const;
      const node: CircuitNode = {
        id: `head${formatHead(layer, head)}@${position}`,
        kind: 'head',
        layer,
        position,
        head,
        label: `Head ${formatHead(layer, head)}`,
        effect: dot(delta.subarray(...range), gradient.subarray(...range)),
      };
      nodes.push({ node, rank: rankOf(layer, 'attention'), gradient: gradient.slice(...range) });
    }
  }
  return nodes;
}

function mlpNodes(
  { model, ids }: CircuitInputs,
  layer: number,
  delta: Float32Array,
  gradient: Float32Array,
): NodeAttribution[] {
  const { dModel } = model.config;
  return Array.from(ids, (_, position) => {
    const range = [position * dModel, (position + 1) * dModel] as const;
    const node: CircuitNode = {
      id: `mlp${layer}@${position}`,
      kind: 'mlp',
      layer,
      position,
      label: `MLP ${layer}`,
      effect: dot(delta.subarray(...range), gradient.subarray(...range)),
    };
    return { node, rank: rankOf(layer, 'mlp'), gradient: gradient.slice(...range) };
  });
}
