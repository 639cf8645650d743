/** The graph of a transformer block: attention and an MLP, each added to the residual stream `[batch, position, d_model]`. */
import { add, identity } from '../graph/ops/elementwise.ts';
import type { Tensor } from '../graph/tensor.ts';
import { type AttentionWeights, attention, type Past } from './attentionGraph.ts';
import type { BlockResult } from './families/family.ts';
import type { HookSites } from './hookSites.ts';
import { type MlpWeights, mlp } from './mlpGraph.ts';
import { type Norm, normalize, normParts } from './normGraph.ts';

/** Norms of one sublayer: of what it reads, of what it writes, or of both. */
export interface SublayerNorms {
  readonly before: Norm | undefined;
  readonly after: Norm | undefined;
}

export interface BlockWeights {
  readonly attention: AttentionWeights;
  readonly mlp: MlpWeights;
  readonly attentionNorms: SublayerNorms;
  readonly mlpNorms: SublayerNorms;
  /** The MLP reads what the attention read, instead of the stream behind it. */
  readonly parallel: boolean;
}

/** One block; `past` holds keys and values of positions before `residual`'s. */
export function block(weights: BlockWeights, sites: HookSites, residual: Tensor, past?: Past): BlockResult {
  const pre = sites.at('hook_resid_pre', residual);
  const attended = attention(weights.attention, sites, pre, weights.attentionNorms.before, past);
  const attentionOut = sites.at('hook_attn_out', leave(sites, 'ln1', weights.attentionNorms, attended.out));
  const added = add(pre, attentionOut);
  const middle = weights.parallel ? added : sites.at('hook_resid_mid', added);
  const mlpOut = runMlp(weights, sites, weights.parallel ? pre : middle);
  const post = sites.at('hook_resid_post', add(middle, mlpOut));
  const { keys, values, perHead } = attended;
  const behind = weights.attentionNorms.after;
  const headWrites = perHead && behind ? normParts(perHead, attended.out, behind) : perHead;
  return { residual: post, keys, values, ...(headWrites && { headWrites }) };
}

function runMlp({ mlp: weights, mlpNorms }: BlockWeights, sites: HookSites, read: Tensor): Tensor {
  // A tensor of its own, so that its gradient is the MLP's part alone.
  const own = sites.at('hook_mlp_in', sites.wants('hook_mlp_in') ? identity(read) : read);
  const normalized = mlpNorms.before ? normalize(sites, 'ln2', own, mlpNorms.before) : own;
  const out = mlp(weights, sites, sites.at('mlp.hook_in', normalized));
  return sites.at('hook_mlp_out', leave(sites, 'ln2', mlpNorms, out));
}

/**
 * A sublayer's output through the norm behind it. With no norm before, that one has the plain name, as in
 * TransformerLens. What enters that norm is what the module gives in transformers.
 */
function leave(sites: HookSites, name: 'ln1' | 'ln2', { before, after }: SublayerNorms, x: Tensor): Tensor {
  if (!after) return x;
  const out = sites.at(name === 'ln1' ? 'attn.hook_out' : 'mlp.hook_out', x);
  return normalize(sites, before ? `${name}_post` : name, out, after);
}
