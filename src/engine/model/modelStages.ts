/** Turns a family's weights into the graphs of a model's stages: embedding, blocks, final norm and unembedding. */
import { add, cast, div, mul, sub, tanh } from '../graph/ops/elementwise.ts';
import { matMul, matMulOfFewRows } from '../graph/ops/layer.ts';
import { expandLike, unsqueeze } from '../graph/ops/layout.ts';
import { gather } from '../graph/ops/picking.ts';
import { input } from '../graph/sources.ts';
import type { Tensor } from '../graph/tensor.ts';
import { block } from './blockGraph.ts';
import type { ModelConfig } from './config.ts';
import { type ModelStages, type ModelWeightParts, names } from './families/family.ts';
import type { HookSites } from './hookSites.ts';
import { normalize } from './normGraph.ts';

/** The rows of the unembedding of some tokens, or of all. */
interface Readout {
  readonly matrix: Tensor;
  readonly bias?: Tensor;
}

export function modelStages(config: ModelConfig, parts: ModelWeightParts): ModelStages {
  const { unembedding, unembeddingBias } = parts;
  const { logitCap: cap } = config;
  const chosen = (tokens: Tensor | undefined): Readout =>
    tokens
      ? {
          matrix: rowsOf(unembedding, tokens),
          ...(unembeddingBias && { bias: rowsOf(unembeddingBias, tokens) }),
        }
      : { matrix: unembedding, ...(unembeddingBias && { bias: unembeddingBias }) };
  const biased = (x: Tensor, { matrix, bias }: Readout) => {
    // A transposed matrix would be a second copy in memory.
    const product = matMulOfFewRows(x, matrix);
    return bias ? add(product, bias) : product;
  };
  return {
    embed: (sites) => embed(config, parts, sites),
    block: (layer, sites, residual, past) => block(parts.blocks[layer]!, sites, residual, past),
    finalNorm: (sites, residual) =>
      sites.at('unembed.hook_in', normalize(sites, 'ln_final', residual, parts.finalNorm)),
    project: (x) => matMulOfFewRows(x, unembedding),
    unembed: (x) => {
      const logits = biased(x, chosen(undefined));
      return cap === undefined ? logits : mul(tanh(div(logits, cap)), cap);
    },
    unembedGradient: (gradient, x, tokens) => {
      const readout = chosen(tokens);
      if (cap === undefined) return matMul(gradient, readout.matrix);
      // d(c·tanh(x/c)) = 1 − tanh²(x/c)
      const bent = tanh(div(biased(x, readout), cap));
      return matMul(mul(gradient, sub(1, mul(bent, bent))), readout.matrix);
    },
    projectTransposed: (gradient, tokens) => matMul(gradient, chosen(tokens).matrix),
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
