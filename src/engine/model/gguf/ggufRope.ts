/** What a GGUF file says about rotary positions, as the `rope_theta` and `rope_scaling` of a Hugging Face config. */
import { malformed } from '../../files/fileErrors.ts';
import type { GgufMetadata } from './ggufMetadata.ts';

/** Factors by rotary pair that some files hold as tensors: of Llama 3.1 on (`freqs`), and of long-context Phi 3. */
export interface RopeFactors {
  readonly freqs?: readonly number[];
  readonly long?: readonly number[];
  readonly short?: readonly number[];
}

/** Keys of a config. @throws file.malformed for kinds of scaling that no supported model has. */
export function ropeConfig(
  metadata: GgufMetadata,
  factors: RopeFactors,
  headSize: number,
): Record<string, unknown> {
  const theta = metadata.number('.rope.freq_base') ?? 10_000;
  return { rope_theta: theta, rope_scaling: scaling(metadata, factors, theta, headSize) };
}

function scaling(
  metadata: GgufMetadata,
  factors: RopeFactors,
  theta: number,
  headSize: number,
): Record<string, unknown> | null {
  if (factors.freqs) return llama3Scaling(metadata.path, factors.freqs, theta, headSize);
  const original = metadata.count('.rope.scaling.original_context_length');
  if (factors.long && factors.short) {
    return named('longrope', {
      long_factor: factors.long,
      short_factor: factors.short,
      original_max_position_embeddings: original,
      attention_factor: metadata.number('.rope.scaling.attn_factor'),
    });
  }
  const factor = metadata.number('.rope.scaling.factor') ?? metadata.number('.rope.scale_linear') ?? 1;
  const kind = metadata.text('.rope.scaling.type') ?? (factor === 1 ? 'none' : 'linear');
  if (kind === 'none' || (kind === 'linear' && factor === 1)) return null;
  if (kind === 'linear') return named('linear', { factor });
  if (kind === 'yarn') return yarnScaling(metadata, factor, original);
  throw malformed(metadata.path, `${metadata.architecture}.rope.scaling.type`, 'none, linear or yarn', kind);
}

function yarnScaling(
  metadata: GgufMetadata,
  factor: number,
  original: number | undefined,
): Record<string, unknown> {
  // The file holds what multiplies YaRN's own attention factor, 0.1 ln s + 1 (Peng et al. 2023, equation 22).
  const multiplier = metadata.number('.rope.scaling.attn_factor') ?? 1;
  return named('yarn', {
    factor,
    original_max_position_embeddings: original,
    ...(multiplier !== 1 && { attention_factor: multiplier * (0.1 * Math.log(factor) + 1) }),
  });
}

/** Constants of every Llama 3.1, 3.2 and 3.3; a file holds only what follows from them. */
const llama3 = { low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 } as const;

/**
 * Finds the scaling behind the stored factors, by which each pair's angle is divided: 1 for short wavelengths, the full
 * factor for long ones, and between them 1 / ((1 − s) / factor + s) with s from 0 to 1.
 * @throws file.malformed when they do not follow from Llama 3's constants.
 */
function llama3Scaling(
  path: string,
  freqs: readonly number[],
  theta: number,
  headSize: number,
): Record<string, unknown> | null {
  const factor = Math.max(...freqs);
  if (freqs.every((divisor) => divisor === 1)) return null;
  const { low_freq_factor: low, high_freq_factor: high, original_max_position_embeddings: original } = llama3;
  const expected = freqs.map((_, i) => {
    const wavelength = 2 * Math.PI * theta ** ((2 * i) / headSize);
    const s = (original / wavelength - low) / (high - low);
    return 1 / ((1 - clamp(s)) / factor + clamp(s));
  });
  if (freqs.some((divisor, i) => Math.abs(divisor / expected[i]! - 1) > 1e-3)) {
    throw malformed(path, 'rope_freqs.weight', 'the factors of Llama 3', 'other ones');
  }
  return named('llama3', { factor, ...llama3 });
}

/** Older and newer readers of configs look for the kind under different names. */
function named(kind: string, values: Record<string, unknown>): Record<string, unknown> {
  return { rope_type: kind, type: kind, ...values };
}

function clamp(x: number): number {
  return Math.min(1, Math.max(0, x));
}
