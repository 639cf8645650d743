/** Turns a family's weights into the graphs of a model's stages: embedding, blocks, final norm and unembedding. */
import { add, cast, div, mul, sub, tanh } from '../graph/ops/elementwise.ts';
import { matMul } from '../graph/ops/layer.ts';
import { expandLike, transposeLast, unsqueeze } from '../graph/ops/layout.ts';
import { gather } from '../graph/ops/picking.ts';
import { input } from '../graph/sources.ts';
import type { Tensor } from '../graph/tensor.ts';
import { block } from './blockGraph.ts';
import type { ModelConfig } from './config.ts';
import { type ModelStages, type ModelWeightParts, names } from './families/family.ts';
import type { HookSites } from './hookSites.ts';
import { normalize } from './normGraph.ts';

export function modelStages(config: ModelConfig, parts: ModelWeightParts): ModelStages {
  const { unembedding, unembeddingBias } = parts;
  const { logitCap: cap } = config;
  const project = (x: Tensor) => timesTransposed(x, unembedding);
  const biased = (x: Tensor) => (unembeddingBias ? add(project(x), unembeddingBias) : project(x));
  return {
    embed: (sites) => embed(config, parts, sites),
    block: (layer, sites, residual, past) => block(parts.blocks[layer]!, sites, residual, past),
    finalNorm: (sites, residual) =>
      sites.at('unembed.hook_in', normalize(sites, 'ln_final', residual, parts.finalNorm)),
    project,
    unembed: (x) => (cap === undefined ? biased(x) : mul(tanh(div(biased(x), cap)), cap)),
    unembedGradient: (gradient, x) => {
      if (cap === undefined) return matMul(gradient, unembedding);
      // d(c·tanh(x/c)) = 1 − tanh²(x/c)
      const bent = tanh(div(biased(x), cap));
      return matMul(mul(gradient, sub(1, mul(bent, bent))), unembedding);
    },
    projectTransposed: (gradient) => matMul(gradient, unembedding),
  };
}

function embed(config: ModelConfig, parts: ModelWeightParts, sites: HookSites): Tensor {
  const tokens = input(names.tokens, 'int32', ['batch', 'position']);
  const rows = rowsOf(parts.tokenEmbedding, tokens);
  const scaled = config.embeddingScale === 1 ? rows : mul(rows, config.embeddingScale);
  const ofTokens = sites.at('hook_embed', scaled);
  if (!parts.positionEmbedding) return ofTokens;
  const { table, offset } = parts.positionEmbedding;
  const counted = input(names.positions, 'int32', ['position']);
  const positions = offset === 0 ? counted : add(counted, offset);
  const ofPositions = unsqueeze(rowsOf(table, positions), [0]);
  // TransformerLens repeats the position embedding for every prompt of the batch.
  return add(ofTokens, sites.at('hook_pos_embed', expandLike(ofPositions, ofTokens)));
}

/** Rows of an embedding. Of one stored in 16 bits only the rows are widened, not the whole table. */
function rowsOf(table: Tensor, indices: Tensor): Tensor {
  const { node } = table;
  return node.op === 'Cast' ? cast(gather(node.inputs[0]!, indices), table.dtype) : gather(table, indices);
}

/**
 * `x · Wᵀ` for the stored `W` `[n, d]`, computed as `(W · xᵀ)ᵀ`: a transposed weight would be a second copy in memory.
 */
function timesTransposed(x: Tensor, weight: Tensor): Tensor {
  return transposeLast(matMul(weight, transposeLast(x)));
}
