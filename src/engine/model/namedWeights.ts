/** Finds a model's weights by the names that Hugging Face gives them, and puts them where the graphs want them. */
import type { ModelConfig, NormConfig } from './config.ts';
import type { Norm } from './normGraph.ts';
import type { Linear } from './projection.ts';
import type { ModelWeights } from './weights.ts';

/** Weights whose names begin with one prefix. */
export class NamedWeights {
  readonly #weights: ModelWeights;
  readonly prefix: string;

  constructor(weights: ModelWeights, prefix: string) {
    this.#weights = weights;
    this.prefix = prefix;
  }

  /** Those further in. */
  at(part: string): NamedWeights {
    return new NamedWeights(this.#weights, `${this.prefix}${part}.`);
  }

  tensor(name: string, shape: readonly number[]) {
    return this.#weights.tensor(`${this.prefix}${name}`, shape);
  }

  /** A linear layer that PyTorch stored, `[out, in]`. */
  linear(name: string, from: number, to: number, hasBias: boolean): Linear {
    const weight = this.tensor(`${name}.weight`, [to, from]);
    return { order: 'outIn', weight, bias: hasBias ? this.tensor(`${name}.bias`, [to]) : undefined };
  }

  /** A norm with a gain, and with a bias when it is a LayerNorm. */
  norm(name: string, width: number, { kind, epsilon }: NormConfig, gainOffset: 0 | 1 = 0): Norm {
    const scale = this.tensor(`${name}.weight`, [width]);
    const bias = kind === 'layerNorm' ? this.tensor(`${name}.bias`, [width]) : undefined;
    return { kind, epsilon, scale, bias, gainOffset };
  }
}

/** The weights behind the first of `prefixes` that has `marker`; behind the first one when none does. */
export function weightsUnder(
  weights: ModelWeights,
  marker: string,
  prefixes: readonly [string, ...string[]],
): NamedWeights {
  const prefix = prefixes.find((candidate) => weights.has(`${candidate}${marker}`)) ?? prefixes[0];
  return new NamedWeights(weights, prefix);
}

/** The unembedding: the token embedding again, or a weight of its own under the first of `names` that is there. */
export function unembeddingOf(
  { tiedEmbeddings, dVocab, dModel }: ModelConfig,
  weights: ModelWeights,
  embedding: ReturnType<ModelWeights['tensor']>,
  names: readonly [string, ...string[]] = ['lm_head.weight'],
) {
  if (tiedEmbeddings) return embedding;
  const name = names.find((candidate) => weights.has(candidate)) ?? names[0];
  return weights.tensor(name, [dVocab, dModel]);
}

/** All layers' parts. */
export function perLayer<T>({ nLayers }: ModelConfig, part: (layer: number) => T): T[] {
  return Array.from({ length: nLayers }, (_, layer) => part(layer));
}
