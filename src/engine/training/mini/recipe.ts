/** The numbers by which the embedded model and its SAEs are made. Everything follows from these and the seed. */

import type { LanguageModelShape } from '../languageModel.ts';
import type { AdamWOptions } from '../optimizer.ts';

/** What is trained, on how much, and how. */
export interface MiniRecipe {
  readonly seed: number;
  readonly vocabSize: number;
  /** Documents that the tokenizer is trained on. */
  readonly tokenizerDocuments: number;
  /** Tokens of training text that are generated; rows are drawn from them with replacement. */
  readonly corpusTokens: number;
  readonly shape: Omit<LanguageModelShape, 'dVocab'>;
  readonly rows: number;
  readonly rowLength: number;
  readonly steps: number;
  readonly optimizer: AdamWOptions;
  readonly sae: SaeRecipe;
}

/** How each site's SAE is trained. */
export interface SaeRecipe {
  readonly dSae: number;
  readonly k: number;
  /** Activations that are collected; batches are drawn from them in random order. */
  readonly tokens: number;
  readonly batch: number;
  readonly steps: number;
  readonly learningRate: number;
  /** Held-out tokens that the quality is measured on. */
  readonly evaluationTokens: number;
}

const steps = 5000;

/** The recipe of `models/mini`. */
export const miniRecipe: MiniRecipe = {
  seed: 17,
  vocabSize: 2560,
  tokenizerDocuments: 40_000,
  corpusTokens: 8_000_000,
  shape: { nLayers: 4, nHeads: 8, dModel: 128, dMlp: 512, nContext: 128, layerNormEps: 1e-5 },
  rows: 16,
  rowLength: 127,
  steps,
  optimizer: {
    learningRate: { kind: 'cosine', peak: 2.5e-3, warmup: 150, total: steps, final: 0.02 },
    betas: [0.9, 0.98],
    weightDecay: 0.05,
    clipNorm: 1,
  },
  sae: {
    dSae: 512,
    k: 24,
    tokens: 300_000,
    batch: 2048,
    steps: 1500,
    learningRate: 2e-3,
    evaluationTokens: 16_384,
  },
};

/** Hooks that get an SAE: the residual stream, the attention output and the MLP output of every layer. */
export function miniSites(nLayers: number): string[] {
  return Array.from({ length: nLayers }, (_, layer) =>
    ['hook_resid_post', 'hook_attn_out', 'hook_mlp_out'].map((site) => `blocks.${layer}.${site}`),
  ).flat();
}
