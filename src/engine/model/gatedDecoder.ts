/** What configs of Llama and the families built like it say alike: rotated positions, gated MLPs, one kind of layer. */
import type * as v from 'valibot';
import type { ModelConfig } from './config.ts';
import { activationOf, type decoderSchema, decoderSizes, usual } from './configSchema.ts';
import { readRope } from './ropeConfig.ts';

type GatedDecoderEntries = v.InferOutput<typeof decoderSchema> & {
  readonly hidden_act: string;
  readonly tie_word_embeddings: boolean;
};

/**
 * The shared part of such a config; a family adds its name, its norms and where it differs.
 * @param raw the content after the family's schema
 * @param windows attention windows by layer; none when left out
 * @throws model.invalidConfig
 */
export function gatedDecoder(
  path: string,
  content: Readonly<Record<string, unknown>>,
  raw: GatedDecoderEntries,
  windows: (nLayers: number) => readonly (number | undefined)[] = (nLayers) =>
    Array.from({ length: nLayers }, () => undefined),
): Omit<ModelConfig, 'family' | 'norm'> {
  const sizes = decoderSizes(path, raw);
  const { rotary, nContext } = readRope(path, content, sizes);
  const scoreScale = 1 / Math.sqrt(sizes.dHead);
  return {
    ...usual,
    ...sizes,
    nContext,
    positions: 'rotary',
    layers: windows(sizes.nLayers).map((window) => ({ scoreScale, window, rotary })),
    activation: activationOf(path, 'hidden_act', raw.hidden_act),
    gated: true,
    tiedEmbeddings: raw.tie_word_embeddings,
  };
}
