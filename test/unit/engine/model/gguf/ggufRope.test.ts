/** Rotary positions of GGUF files, as the configs of the models they were made from say them. */
import { describe, expect, it } from 'vitest';
import type { GgufValue } from '../../../../../src/engine/files/ggufHeader.ts';
import { GgufMetadata } from '../../../../../src/engine/model/gguf/ggufMetadata.ts';
import { type RopeFactors, ropeConfig } from '../../../../../src/engine/model/gguf/ggufRope.ts';

function rope(values: Readonly<Record<string, GgufValue>>, factors: RopeFactors = {}, headSize = 128) {
  const entries = Object.entries(values).map(([key, value]) => [`llama.rope.${key}`, value] as const);
  const metadata = new Map<string, GgufValue>([['general.architecture', 'llama'], ...entries]);
  const gguf = { path: '/a.gguf', stamp: '', metadata, tensors: new Map(), dataStart: 0 };
  return ropeConfig(new GgufMetadata(gguf), factors, headSize);
}

/** Llama 3.1's factors by the formula of transformers' `_compute_llama3_parameters`, at another pace: by wavelength. */
function llama3Factors(factor: number, theta: number, headSize: number): number[] {
  return Array.from({ length: headSize / 2 }, (_, i) => {
    const inverse = 1 / theta ** ((2 * i) / headSize);
    const wavelength = (2 * Math.PI) / inverse;
    if (wavelength < 8192 / 4) return 1;
    if (wavelength > 8192 / 1) return factor;
    const smooth = (8192 / wavelength - 1) / (4 - 1);
    return inverse / (((1 - smooth) * inverse) / factor + smooth * inverse);
  });
}

describe('ropeConfig', () => {
  it('takes 10,000 for the base where the file says nothing', () => {
    expect(rope({})).toEqual({ rope_theta: 10_000, rope_scaling: null });
    expect(rope({ freq_base: 5e5, 'scaling.type': 'none' })).toEqual({ rope_theta: 5e5, rope_scaling: null });
  });

  it('reads linear scaling under its new and its old key', () => {
    const linear = { rope_type: 'linear', type: 'linear', factor: 4 };
    expect(rope({ 'scaling.type': 'linear', 'scaling.factor': 4 }).rope_scaling).toEqual(linear);
    expect(rope({ scale_linear: 4 }).rope_scaling).toEqual(linear);
    expect(rope({ scale_linear: 1 }).rope_scaling).toBeNull();
  });

  it('reads YaRN, with its attention factor where the file changes it', () => {
    const values = { 'scaling.type': 'yarn', 'scaling.factor': 4, 'scaling.original_context_length': 32768 };
    const yarn = { rope_type: 'yarn', type: 'yarn', factor: 4, original_max_position_embeddings: 32768 };
    expect(rope(values).rope_scaling).toEqual(yarn);
    const { attention_factor } = rope({ ...values, 'scaling.attn_factor': 2 }).rope_scaling as Record<
      string,
      number
    >;
    expect(attention_factor).toBeCloseTo(2 * (0.1 * Math.log(4) + 1), 12);
  });

  it('reads the two lists of factors of long-context Phi 3', () => {
    const scaling = rope(
      { 'scaling.original_context_length': 4096 },
      { long: [2, 3], short: [1, 1.5] },
    ).rope_scaling;
    expect(scaling).toMatchObject({
      rope_type: 'longrope',
      long_factor: [2, 3],
      short_factor: [1, 1.5],
      original_max_position_embeddings: 4096,
    });
  });

  it.each([
    [8, 5e5, 128],
    [32, 5e5, 64],
  ])('finds the factor %s of Llama 3 behind the factors that are stored', (factor, theta, headSize) => {
    const freqs = llama3Factors(factor, theta, headSize).map(Math.fround);
    expect(rope({ freq_base: theta }, { freqs }, headSize).rope_scaling).toEqual({
      rope_type: 'llama3',
      type: 'llama3',
      factor,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 8192,
    });
  });

  it('takes factors of one for no scaling, and refuses others that no Llama has', () => {
    expect(rope({}, { freqs: [1, 1, 1] }).rope_scaling).toBeNull();
    expect(() => rope({}, { freqs: [1, 2, 3, 4] })).toThrow(
      /rope_freqs\.weight should be the factors of Llama 3/,
    );
  });
});
