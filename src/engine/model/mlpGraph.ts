/** The MLP of a block, plain or gated (Shazeer 2020). */
import { gelu, mul, relu, sigmoid } from '../graph/ops/elementwise.ts';
import { split } from '../graph/ops/layout.ts';
import type { Tensor } from '../graph/tensor.ts';
import type { Activation } from './config.ts';
import type { HookSites } from './hookSites.ts';
import { type Linear, linear } from './projection.ts';

/** What enters the activation, and, when the MLP is gated, what its outcome is multiplied by. */
export type MlpInput =
  | { readonly kind: 'plain'; readonly layer: Linear }
  | { readonly kind: 'gated'; readonly gate: Linear; readonly up: Linear }
  /** Gate and factor side by side in one layer, in this order. */
  | { readonly kind: 'gatedFused'; readonly both: Linear };

export interface MlpWeights {
  readonly input: MlpInput;
  readonly out: Linear;
  readonly activation: Activation;
}

/** From the normalized stream to what the MLP computes of it, both `[batch, position, d_model]`. */
export function mlp({ input, out, activation }: MlpWeights, sites: HookSites, x: Tensor): Tensor {
  const [before, factor] = enter(input, x);
  const pre = sites.at('mlp.hook_pre', before);
  const activated = activate(pre, activation);
  const post = factor ? mul(activated, sites.at('mlp.hook_pre_linear', factor)) : activated;
  return linear(sites.at('mlp.hook_post', post), out);
}

function enter(input: MlpInput, x: Tensor): readonly [before: Tensor, factor?: Tensor] {
  if (input.kind === 'plain') return [linear(x, input.layer)];
  if (input.kind === 'gated') return [linear(x, input.gate), linear(x, input.up)];
  const both = linear(x, input.both);
  const half = (both.shape.at(-1) as number) / 2;
  const [gate, up] = split(both, 2, [half, half]);
  return [gate!, up!];
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
