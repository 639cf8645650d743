/** Causal self-attention over `[batch, position, d_model]`, with heads that may share keys and values (Ainslie et al. 2023). */
import { EngineError } from '../../shared/errors.ts';
import {
  add,
  and,
  div,
  greater,
  lessOrEqual,
  max,
  min,
  mul,
  sub,
  tanh,
  where,
} from '../graph/ops/elementwise.ts';
import { matMul, softmax } from '../graph/ops/layer.ts';
import { concat, expand, reshape, split, squeeze, transpose, unsqueeze } from '../graph/ops/layout.ts';
import { range } from '../graph/ops/picking.ts';
import { reduceSum } from '../graph/ops/reduction.ts';
import { sizeOf } from '../graph/sources.ts';
import type { Tensor } from '../graph/tensor.ts';
import type { LayerConfig } from './config.ts';
import type { HookSites } from './hookSites.ts';
import { type Norm, normalize, plainNorm } from './normGraph.ts';
import { type HeadSlice, headMatrices, type Linear, linear, outputMatrices } from './projection.ts';
import { rotate, rotation } from './rotaryGraph.ts';

/** The layers that make queries, keys and values. */
export type QkvWeights =
  | { readonly kind: 'separate'; readonly q: Linear; readonly k: Linear; readonly v: Linear }
  /** One layer with all queries, then all keys, then all values. */
  | { readonly kind: 'sideBySide'; readonly all: Linear }
  /** One layer with every head's query, key and value together. */
  | { readonly kind: 'interleaved'; readonly all: Linear };

/** A norm of queries and keys: over each head alone, or over all heads together. */
export interface QueryKeyNorm {
  readonly over: 'head' | 'all';
  readonly q: Norm;
  readonly k: Norm;
}

export interface AttentionWeights {
  readonly nHeads: number;
  readonly nKeyValueHeads: number;
  readonly dHead: number;
  readonly qkv: QkvWeights;
  readonly queryKeyNorm: QueryKeyNorm | undefined;
  /** Queries, keys and values are held between −clip and clip. */
  readonly clip: number | undefined;
  /** From `[head·d_head]` to `[d_model]`. */
  readonly out: Linear;
  readonly layer: LayerConfig;
  /** Scores are held softly between −cap and cap: cap · tanh(score / cap). */
  readonly scoreCap: number | undefined;
}

/** Keys and values `[batch, past, key-value head, d_head]` of positions before the new ones, as `Attended` gave them. */
export interface Past {
  readonly keys: Tensor;
  readonly values: Tensor;
}

export interface Attended {
  /** `[batch, position, d_model]`. */
  readonly out: Tensor;
  /** Of the new positions, ready to be attended to: normalized and turned. `[batch, position, key-value head, d_head]`. */
  readonly keys: Tensor;
  readonly values: Tensor;
  /** What each head writes, `[batch, position, head, d_model]`, when `attn.hook_result` is wanted. */
  readonly perHead: Tensor | undefined;
}

type Part = 'q' | 'k' | 'v';

/** Attention that reads `residual`, through `norm` when there is one before it. */
export function attention(
  weights: AttentionWeights,
  sites: HookSites,
  residual: Tensor,
  norm: Norm | undefined,
  past: Past | undefined,
): Attended {
  const projected = projectHeads(weights, sites, residual, norm);
  const { q, k, v } = prepare(weights, sites, projected, past);
  const keys = past ? concat([past.keys, k], 1) : k;
  const values = past ? concat([past.values, v], 1) : v;
  const z = attend(weights, sites, q, keys, values);
  return { ...combineHeads(weights, sites, z), keys: k, values: v };
}

/** Queries, keys and values as they leave their layers, each `[batch, position, head, d_head]`. */
function projectHeads(
  weights: AttentionWeights,
  sites: HookSites,
  residual: Tensor,
  norm: Norm | undefined,
): Record<Part, Tensor> {
  refuseMixedInputs(sites, norm);
  const read = norm ? normalize(sites, 'ln1', residual, norm) : residual;
  const together = projectAll(weights, read);
  const part = (name: Part): Tensor => {
    const own = sites.wants(`hook_${name}_input`);
    return sites.at(
      `attn.hook_${name}`,
      own ? headsFromOwnInput(weights, sites, residual, norm, name) : together[name],
    );
  };
  return { q: part('q'), k: part('k'), v: part('v') };
}

function projectAll(
  { nHeads, nKeyValueHeads, dHead, qkv }: AttentionWeights,
  x: Tensor,
): Record<Part, Tensor> {
  const perHead = (y: Tensor, heads: number) => reshape(y, ['batch', 'position', heads, dHead]);
  if (qkv.kind === 'separate') {
    return {
      q: perHead(linear(x, qkv.q), nHeads),
      k: perHead(linear(x, qkv.k), nKeyValueHeads),
      v: perHead(linear(x, qkv.v), nKeyValueHeads),
    };
  }
  const all = linear(x, qkv.all);
  if (qkv.kind === 'interleaved') {
    const heads = reshape(all, ['batch', 'position', nHeads, 3 * dHead]);
    const [q, k, v] = split(heads, 3, [dHead, dHead, dHead]);
    return { q: q!, k: k!, v: v! };
  }
  const [queries, others] = [nHeads * dHead, nKeyValueHeads * dHead];
  const [q, k, v] = split(all, 2, [queries, others, others]);
  return { q: perHead(q!, nHeads), k: perHead(k!, nKeyValueHeads), v: perHead(v!, nKeyValueHeads) };
}

/**
 * The same projection when every head reads the residual stream by a path of its own, so that edits and gradients
 * can tell the heads' inputs apart (path patching, Wang et al. 2022).
 */
function headsFromOwnInput(
  weights: AttentionWeights,
  sites: HookSites,
  residual: Tensor,
  norm: Norm | undefined,
  part: Part,
): Tensor {
  const { layer, slice } = partOf(weights, part);
  const repeated = expand(unsqueeze(residual, [2]), [slice.heads, 1]);
  const own = sites.at(`hook_${part}_input`, repeated);
  const normalized = norm ? plainNorm(own, norm) : own;
  const { weight, bias } = headMatrices(layer, slice);
  const product = transpose(matMul(transpose(normalized, [0, 2, 1, 3]), weight), [0, 2, 1, 3]);
  return bias ? add(product, bias) : product;
}

function partOf(weights: AttentionWeights, part: Part): { layer: Linear; slice: HeadSlice } {
  const { nHeads, nKeyValueHeads, dHead, qkv } = weights;
  const heads = part === 'q' ? nHeads : nKeyValueHeads;
  if (qkv.kind === 'separate') return { layer: qkv[part], slice: { heads, dHead, start: 0 } };
  const index = ['q', 'k', 'v'].indexOf(part);
  if (qkv.kind === 'interleaved') {
    return { layer: qkv.all, slice: { heads, dHead, start: 0, interleaved: { parts: 3, index } } };
  }
  const headsBefore = [0, nHeads, nHeads + nKeyValueHeads][index]!;
  return { layer: qkv.all, slice: { heads, dHead, start: headsBefore * dHead } };
}

/** With a path for every head there is no single `ln1` any more that an edit or a gradient could mean. */
function refuseMixedInputs(sites: HookSites, norm: Norm | undefined): void {
  const isSplit = sites.wants('hook_q_input', 'hook_k_input', 'hook_v_input');
  if (!norm || !isSplit || !sites.reaches('ln1.hook_scale', 'ln1.hook_normalized')) return;
  const reason = 'it cannot be combined with hooks at the separate inputs of queries, keys and values';
  throw new EngineError('request.invalid', { what: 'A change or gradient at ln1', reason });
}

/** What lies between the projections and the scores: norms of queries and keys, clipping, rotation. */
function prepare(
  { queryKeyNorm, clip, layer: { rotary } }: AttentionWeights,
  sites: HookSites,
  { q, k, v }: Record<Part, Tensor>,
  past: Past | undefined,
): Record<Part, Tensor> {
  const normed = (x: Tensor, part: 'q' | 'k') => (queryKeyNorm ? normHeads(x, queryKeyNorm, part) : x);
  const clipped = (x: Tensor) => (clip === undefined ? x : max(min(x, clip), -clip));
  const [queries, keys, values] = [clipped(normed(q, 'q')), clipped(normed(k, 'k')), clipped(v)];
  if (!rotary) return { q: queries, k: keys, v: values };
  const fresh = sizeOf(q, 1);
  const before = past && sizeOf(past.keys, 1);
  const turn = rotation(rotary, before ?? sub(fresh, fresh), before ? add(before, fresh) : fresh);
  return {
    q: sites.at('attn.hook_rot_q', rotate(queries, turn)),
    k: sites.at('attn.hook_rot_k', rotate(keys, turn)),
    v: values,
  };
}

function normHeads(x: Tensor, { over, q, k }: QueryKeyNorm, part: 'q' | 'k'): Tensor {
  const norm = part === 'q' ? q : k;
  if (over === 'head') return plainNorm(x, norm);
  const [batch, position, heads, dHead] = x.shape as readonly [string, string, number, number];
  const flat = reshape(x, [batch, position, heads * dHead]);
  return reshape(plainNorm(flat, norm), x.shape);
}

/** Attention-weighted values `[batch, position, head, d_head]`. */
function attend(
  weights: AttentionWeights,
  sites: HookSites,
  q: Tensor,
  keys: Tensor,
  values: Tensor,
): Tensor {
  const { scoreScale, window } = weights.layer;
  const scaled = scoreScale === 1 ? q : mul(q, scoreScale);
  const queries = groupHeads(transpose(scaled, [0, 2, 1, 3]), weights);
  const product = matMul(queries, transpose(keys, [0, 2, 3, 1]));
  const raw = capScores(ungroupHeads(product, weights), weights.scoreCap);
  const scores = maskScores(sites, raw, sizeOf(keys, 1), sizeOf(q, 1), window);
  const pattern = sites.at('attn.hook_pattern', softmax(scores, -1));
  const z = matMul(groupHeads(pattern, weights), transpose(values, [0, 2, 1, 3]));
  return sites.at('attn.hook_z', transpose(ungroupHeads(z, weights), [0, 2, 1, 3]));
}

/**
 * `[batch, head, position, n]` with the heads that share a key laid out as rows of one matrix,
 * `[batch, key-value head, group·position, n]`: keys and values need not be repeated.
 */
function groupHeads(x: Tensor, { nHeads, nKeyValueHeads }: AttentionWeights): Tensor {
  return nHeads === nKeyValueHeads ? x : reshape(x, [x.shape[0]!, nKeyValueHeads, -1, x.shape[3]!]);
}

/** The inverse of `groupHeads`. */
function ungroupHeads(x: Tensor, { nHeads, nKeyValueHeads }: AttentionWeights): Tensor {
  return nHeads === nKeyValueHeads ? x : reshape(x, [x.shape[0]!, nHeads, 'position', x.shape[3]!]);
}

function capScores(scores: Tensor, cap: number | undefined): Tensor {
  return cap === undefined ? scores : mul(tanh(div(scores, cap)), cap);
}

/**
 * Scores with −∞ where a query would look ahead, or further back than its window. Edits act before the mask: nothing
 * makes a head see the future.
 */
function maskScores(
  sites: HookSites,
  raw: Tensor,
  total: Tensor,
  fresh: Tensor,
  window: number | undefined,
): Tensor {
  const keyPositions = range(0, squeeze(total, [0]), 1, raw.shape[3]!, 'int64');
  const newPositions = range(squeeze(sub(total, fresh), [0]), squeeze(total, [0]), 1, 'position', 'int64');
  const queryPositions = unsqueeze(newPositions, [1]);
  const past = lessOrEqual(keyPositions, queryPositions);
  const near = window === undefined ? undefined : greater(keyPositions, sub(queryPositions, window));
  const edited = sites.at('attn.hook_attn_scores', raw);
  const masked = where(near ? and(past, near) : past, edited, Number.NEGATIVE_INFINITY);
  sites.tensors.set('attn.hook_attn_scores', masked);
  return masked;
}

/** What the heads write together, `[batch, position, d_model]`, and alone; before any norm behind the attention. */
function combineHeads(
  { nHeads, dHead, out }: AttentionWeights,
  sites: HookSites,
  z: Tensor,
): Pick<Attended, 'out' | 'perHead'> {
  const sum = linear(reshape(z, ['batch', 'position', nHeads * dHead]), out);
  if (!sites.wants('attn.hook_result')) return { out: sum, perHead: undefined };
  const product = matMul(transpose(z, [0, 2, 1, 3]), outputMatrices(out, nHeads, dHead));
  const perHead = sites.at('attn.hook_result', transpose(product, [0, 2, 1, 3]));
  if (!sites.reaches('attn.hook_result')) return { out: sum, perHead };
  const total = reduceSum(perHead, [2]);
  return { out: out.bias ? add(total, out.bias) : total, perHead };
}
