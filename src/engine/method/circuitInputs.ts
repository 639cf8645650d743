/** What circuit methods work on: a prompt, its baseline, a contrast, and the SAEs whose features count as nodes. */

import type { FeatureRef, SaeId, Token } from '../../shared/domain.ts';
import type { TokenContrast } from '../loadedModel.ts';
import type { Transformer } from '../model/transformer.ts';
import type { SparseAutoencoder } from '../sae/sparseAutoencoder.ts';

/** An SAE on the residual stream, attention output or MLP output of one layer. */
export interface CircuitSae {
  readonly id: SaeId;
  readonly sae: SparseAutoencoder;
  readonly hook: string;
  readonly layer: number;
}

export interface CircuitInputs {
  readonly model: Transformer;
  readonly ids: Int32Array;
  readonly tokens: readonly Token[];
  /** Tokens of the baseline prompt, as many as the prompt has; activations 0 when left out. */
  readonly counterfactual?: Int32Array;
  readonly contrast: TokenContrast;
  /** Name of the metric, e.g. `" Mary" − " John"`. */
  readonly metric: string;
  readonly saes: readonly CircuitSae[];
  labelOf(feature: FeatureRef): { readonly label?: string; readonly labelSource?: string };
}

/**
 * Places in the order in which a forward pass reaches them. A node can influence those of higher rank:
 * tokens, then per layer features of the stream before it (0), attention (1), its features (2), MLP (3), its
 * features (4), features of the stream after it (5), then logits.
 */
export function rankOf(
  layer: number,
  site: 'residualBefore' | 'attention' | 'attentionFeatures' | 'mlp' | 'mlpFeatures' | 'residual',
): number {
  const order = {
    residualBefore: 0,
    attention: 1,
    attentionFeatures: 2,
    mlp: 3,
    mlpFeatures: 4,
    residual: 5,
  };
  return layer * 6 + order[site];
}

/** Rank of the features of an SAE by its hook. */
export function featureRank({ hook, layer }: CircuitSae): number {
  if (hook.endsWith('hook_resid_pre')) return rankOf(layer, 'residualBefore');
  if (hook.endsWith('hook_attn_out')) return rankOf(layer, 'attentionFeatures');
  return rankOf(layer, hook.endsWith('hook_mlp_out') ? 'mlpFeatures' : 'residual');
}
