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
  /** One after the other, each going on from the weights of the one before. */
  readonly stages: readonly TrainingStage[];
  readonly sae: SaeRecipe;
  /** Measured on the SAEs' evaluation tokens. */
  readonly transcoder: Omit<SaeRecipe, 'evaluationTokens'>;
}

/** A stretch of training with rows of one length. */
export interface TrainingStage {
  readonly rows: number;
  readonly rowLength: number;
  readonly steps: number;
  readonly optimizer: AdamWOptions;
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

const common = { betas: [0.9, 0.98], weightDecay: 0.05, clipNorm: 1 } as const;

/**
 * Rows of about one document first: copying a name from context is found quickly when there is little else
 * to attend to, and hardly ever among the names of five unrelated documents. Then rows as long as the context.
 */
const stages: readonly TrainingStage[] = [
  {
    rows: 64,
    rowLength: 31,
    steps: 3600,
    optimizer: {
      ...common,
      learningRate: { kind: 'cosine', peak: 3e-3, warmup: 150, hold: 2000, total: 3600, final: 0.25 },
    },
  },
  {
    rows: 16,
    rowLength: 127,
    steps: 1000,
    optimizer: {
      ...common,
      learningRate: { kind: 'linear', peak: 1e-3, warmup: 50, total: 1000, final: 0.01 },
    },
  },
];

/** The recipe of `models/mini`. */
export const miniRecipe: MiniRecipe = {
  seed: 17,
  vocabSize: 2560,
  tokenizerDocuments: 40_000,
  corpusTokens: 8_000_000,
  shape: { nLayers: 4, nHeads: 8, dModel: 128, dMlp: 512, nContext: 128, layerNormEps: 1e-5 },
  stages,
  sae: {
    dSae: 512,
    k: 24,
    tokens: 300_000,
    batch: 2048,
    steps: 1000,
    learningRate: 2e-3,
    evaluationTokens: 16_384,
  },
  transcoder: { dSae: 512, k: 24, tokens: 200_000, batch: 2048, steps: 1000, learningRate: 2e-3 },
};

/** Hooks that get an SAE: the residual stream, the attention output and the MLP output of every layer. */
export function miniSites(nLayers: number): string[] {
  return Array.from({ length: nLayers }, (_, layer) =>
    ['hook_resid_post', 'hook_attn_out', 'hook_mlp_out'].map((site) => `blocks.${layer}.${site}`),
  ).flat();
}

/** Tokens that all stages predict together. */
export function trainedTokens({ stages }: MiniRecipe): number {
  return stages.reduce((sum, { rows, rowLength, steps }) => sum + rows * rowLength * steps, 0);
}
