/** The graph of a pre-norm transformer block: attention over `[batch, position, d_model]`, then an MLP, each added to the stream. */

import { EngineError } from '../../shared/errors.ts';
import {
  add,
  div,
  gelu,
  identity,
  lessOrEqual,
  mul,
  relu,
  sigmoid,
  sqrt,
  sub,
  where,
} from '../graph/ops/elementwise.ts';
import { layerNormalization, matMul, softmax } from '../graph/ops/layer.ts';
import { concat, expand, reshape, slice, split, squeeze, transpose, unsqueeze } from '../graph/ops/layout.ts';
import { range } from '../graph/ops/picking.ts';
import { reduceMean, reduceSum } from '../graph/ops/reduction.ts';
import { constant, sizeOf } from '../graph/sources.ts';
import type { Tensor } from '../graph/tensor.ts';
import type { Activation } from './config.ts';
import type { BlockResult } from './families/family.ts';
import type { HookSites } from './hookSites.ts';

/** `y = x · weight + bias`, weight `[in, out]`. */
export interface Linear {
  readonly weight: Tensor;
  readonly bias: Tensor;
}

/** LayerNorm's learned gain and bias, `[d_model]`. */
export interface Norm {
  readonly scale: Tensor;
  readonly bias: Tensor;
  readonly epsilon: number;
}

export interface BlockWeights {
  readonly nHeads: number;
  readonly dHead: number;
  readonly ln1: Norm;
  /** `[d_model, 3·head·d_head]`: queries, keys and values side by side. */
  readonly qkv: Linear;
  /** `[head·d_head, d_model]`. */
  readonly attentionOut: Linear;
  readonly ln2: Norm;
  readonly mlpIn: Linear;
  readonly mlpOut: Linear;
  readonly activation: Activation;
  /** Factor on the attention scores, usually 1/√d_head. */
  readonly scoreScale: number;
}

interface Heads {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
}

/** One block; `past` holds keys and values `[batch, past, head, d_head]` of positions before `residual`'s. */
export function block(
  weights: BlockWeights,
  sites: HookSites,
  residual: Tensor,
  past?: { readonly keys: Tensor; readonly values: Tensor },
): BlockResult {
  const pre = sites.at('hook_resid_pre', residual);
  const heads = projectHeads(weights, sites, pre);
  const keys = past ? concat([past.keys, heads.k], 1) : heads.k;
  const values = past ? concat([past.values, heads.v], 1) : heads.v;
  const z = attend(weights, sites, heads.q, keys, values);
  const middle = sites.at('hook_resid_mid', add(pre, attentionOut(weights, sites, z)));
  const post = sites.at('hook_resid_post', add(middle, mlp(weights, sites, middle)));
  return { residual: post, keys: heads.k, values: heads.v };
}

/** LayerNorm over the last axis; `prefix.hook_normalized` is the value before the learned gain. */
export function layerNorm(
  sites: HookSites,
  prefix: 'ln1' | 'ln2' | 'ln_final',
  x: Tensor,
  { scale, bias, epsilon }: Norm,
): Tensor {
  const scaleHook = `${prefix}.hook_scale` as const;
  const normalizedHook = `${prefix}.hook_normalized` as const;
  if (!sites.wants(scaleHook, normalizedHook)) return layerNormalization(x, scale, bias, epsilon).y;
  if (sites.reaches(scaleHook, normalizedHook)) {
    const centered = sub(x, reduceMean(x, [-1], { keepDims: true }));
    const variance = reduceMean(mul(centered, centered), [-1], { keepDims: true });
    const deviation = sites.at(scaleHook, sqrt(add(variance, epsilon)));
    return add(mul(sites.at(normalizedHook, div(centered, deviation)), scale), bias);
  }
  const width = x.shape.at(-1) as number;
  const ones = constant(new Float32Array(width).fill(1), [width]);
  const zeros = constant(new Float32Array(width), [width]);
  const { y, inverseStd } = layerNormalization(x, ones, zeros, epsilon);
  sites.at(scaleHook, div(1, inverseStd));
  return add(mul(sites.at(normalizedHook, y), scale), bias);
}

/** Queries, keys and values, each `[batch, position, head, d_head]`. */
function projectHeads(weights: BlockWeights, sites: HookSites, residual: Tensor): Heads {
  const { nHeads, dHead, qkv } = weights;
  const width = nHeads * dHead;
  refuseMixedInputs(sites);
  const normalized = layerNorm(sites, 'ln1', residual, weights.ln1);
  const projected = split(linear(normalized, qkv), 2, [width, width, width]);
  const perHead = projected.map((x) => reshape(x, ['batch', 'position', nHeads, dHead]));
  const head = (part: 'q' | 'k' | 'v', index: number): Tensor => {
    const projection = sites.wants(`hook_${part}_input`)
      ? headsFromOwnInput(weights, sites, residual, part, index)
      : perHead[index]!;
    return sites.at(`attn.hook_${part}`, projection);
  };
  return { q: head('q', 0), k: head('k', 1), v: head('v', 2) };
}

/**
 * The same projection when every head reads the residual stream by a path of its own, so that edits and gradients
 * can tell the heads' inputs apart (path patching, Wang et al. 2022).
 */
function headsFromOwnInput(
  weights: BlockWeights,
  sites: HookSites,
  residual: Tensor,
  part: 'q' | 'k' | 'v',
  index: number,
): Tensor {
  const { nHeads, dHead, qkv, ln1 } = weights;
  const dModel = residual.shape[2]!;
  const [from, to] = [index * nHeads * dHead, (index + 1) * nHeads * dHead];
  const repeated = expand(unsqueeze(residual, [2]), [nHeads, 1]);
  const own = sites.at(`hook_${part}_input`, repeated);
  const normalized = layerNormalization(own, ln1.scale, ln1.bias, ln1.epsilon).y;
  const weight = transpose(reshape(slice(qkv.weight, 1, from, to), [dModel, nHeads, dHead]), [1, 0, 2]);
  const bias = reshape(slice(qkv.bias, 0, from, to), [nHeads, dHead]);
  const product = matMul(transpose(normalized, [0, 2, 1, 3]), weight);
  return add(transpose(product, [0, 2, 1, 3]), bias);
}

/** With a path for every head there is no single `ln1` any more that an edit or a gradient could mean. */
function refuseMixedInputs(sites: HookSites): void {
  const isSplit = sites.wants('hook_q_input', 'hook_k_input', 'hook_v_input');
  if (!isSplit || !sites.reaches('ln1.hook_scale', 'ln1.hook_normalized')) return;
  const reason = 'it cannot be combined with hooks at the separate inputs of queries, keys and values';
  throw new EngineError('request.invalid', { what: 'A change or gradient at ln1', reason });
}

/** Attention-weighted values `[batch, position, head, d_head]`. */
function attend(weights: BlockWeights, sites: HookSites, q: Tensor, keys: Tensor, values: Tensor): Tensor {
  const queries = transpose(mul(q, weights.scoreScale), [0, 2, 1, 3]);
  const raw = matMul(queries, transpose(keys, [0, 2, 3, 1]));
  const scores = causalScores(sites, raw, sizeOf(keys, 1), sizeOf(q, 1), keys.shape[1]!);
  const pattern = sites.at('attn.hook_pattern', softmax(scores, -1));
  const z = matMul(pattern, transpose(values, [0, 2, 1, 3]));
  return sites.at('attn.hook_z', transpose(z, [0, 2, 1, 3]));
}

/** Scores with −∞ where a query would look ahead. Edits act before the mask: nothing makes a head see the future. */
function causalScores(
  sites: HookSites,
  raw: Tensor,
  total: Tensor,
  fresh: Tensor,
  keys: Tensor['shape'][number],
): Tensor {
  const keyPositions = range(0, squeeze(total, [0]), 1, keys, 'int64');
  const queryPositions = range(squeeze(sub(total, fresh), [0]), squeeze(total, [0]), 1, 'position', 'int64');
  const visible = lessOrEqual(keyPositions, unsqueeze(queryPositions, [1]));
  const edited = sites.at('attn.hook_attn_scores', raw);
  const masked = where(visible, edited, Number.NEGATIVE_INFINITY);
  sites.tensors.set('attn.hook_attn_scores', masked);
  return masked;
}

function attentionOut(weights: BlockWeights, sites: HookSites, z: Tensor): Tensor {
  const { nHeads, dHead } = weights;
  const { weight, bias } = weights.attentionOut;
  const sum = linear(reshape(z, ['batch', 'position', nHeads * dHead]), weights.attentionOut);
  if (!sites.wants('attn.hook_result')) return sites.at('hook_attn_out', sum);
  const perHead = reshape(weight, [nHeads, dHead, weight.shape[1]!]);
  const product = transpose(matMul(transpose(z, [0, 2, 1, 3]), perHead), [0, 2, 1, 3]);
  const result = sites.at('attn.hook_result', product);
  return sites.at(
    'hook_attn_out',
    sites.reaches('attn.hook_result') ? add(reduceSum(result, [2]), bias) : sum,
  );
}

function mlp(weights: BlockWeights, sites: HookSites, middle: Tensor): Tensor {
  // A tensor of its own, so that its gradient is the MLP's part alone.
  const own = sites.at('hook_mlp_in', sites.wants('hook_mlp_in') ? identity(middle) : middle);
  const pre = sites.at('mlp.hook_pre', linear(layerNorm(sites, 'ln2', own, weights.ln2), weights.mlpIn));
  const post = sites.at('mlp.hook_post', activate(pre, weights.activation));
  return sites.at('hook_mlp_out', linear(post, weights.mlpOut));
}

function activate(x: Tensor, activation: Activation): Tensor {
  switch (activation) {
    case 'gelu_new':
      return gelu(x, 'tanh');
    case 'gelu':
      return gelu(x, 'none');
    case 'relu':
      return relu(x);
    case 'silu':
      return mul(x, sigmoid(x));
  }
}

function linear(x: Tensor, { weight, bias }: Linear): Tensor {
  return add(matMul(x, weight), bias);
}
