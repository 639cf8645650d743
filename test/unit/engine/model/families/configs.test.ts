/** Configs of all families: what they say is understood in every spelling, and what Fovea cannot run is refused by name. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseModelConfig } from '../../../../../src/engine/model/config.ts';
import { EngineError } from '../../../../../src/shared/errors.ts';

const fixtures = join(import.meta.dirname, '../../../../fixtures/parity/families');
const recorded = new Map(
  readdirSync(fixtures).map((name) => [
    name,
    JSON.parse(readFileSync(join(fixtures, name, 'config.json'), 'utf8')) as Record<string, unknown>,
  ]),
);
const changed = (name: string, changes: object) => ({ ...recorded.get(name), ...changes });
const parse = (content: unknown) => parseModelConfig('/m/config.json', content);

function refusal(content: unknown): EngineError {
  try {
    parse(content);
  } catch (error) {
    if (error instanceof EngineError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('what Fovea cannot run is refused by name', () => {
  it.each([
    ['llama', 'quantization_config', { quant_method: 'gptq', bits: 4 }],
    ['opt', 'do_layer_norm_before', false],
    ['opt', 'word_embed_proj_dim', 12],
    ['opt', '_remove_final_layer_norm', true],
    ['opt', 'layer_norm_elementwise_affine', false],
    ['phi', 'qk_layernorm', true],
    ['gemma', 'use_bidirectional_attention', true],
    ['gemma3', 'use_bidirectional_attention', true],
    ['gpt2', 'add_cross_attention', true],
    ['llama', 'hidden_act', 'relu2'],
    ['llama', 'num_key_value_heads', 3],
    ['llama', 'head_dim', 5],
    ['gpt_neo', 'attention_types', [[['global'], 3]]],
    // Unrolled, this would fill the memory.
    ['gpt_neo', 'attention_types', [[Array.from({ length: 100_000 }, () => 'local'), 1000]]],
    ['qwen3', 'layer_types', ['full_attention']],
    ['qwen3', 'layer_types', ['full_attention', 'linear_attention', 'full_attention']],
  ])('%s with %s %j', (name, field, value) => {
    const error = refusal(changed(name, { [field]: value }));
    const named = field === 'head_dim' ? 'partial_rotary_factor' : field;
    expect(error.code).toBe('model.invalidConfig');
    expect((error.data as { field: string }).field.startsWith(named)).toBe(true);
  });

  it.each([
    [{ rope_type: 'proportional', factor: 2 }, 'rope_scaling.rope_type'],
    [{ rope_type: 'constructor' }, 'rope_scaling.rope_type'],
    [{ rope_type: 'linear' }, 'rope_scaling.factor'],
    [{ rope_type: 'linear', factor: -1 }, 'rope_scaling.factor'],
    [{ rope_type: 'llama3', factor: 2, low_freq_factor: 1 }, 'rope_scaling.high_freq_factor'],
    [{ rope_type: 'longrope', short_factor: [1, 1], long_factor: [1, 1] }, 'rope_scaling.short_factor'],
    ['linear', 'rope_scaling'],
  ])('a rotation %j', (rope_scaling, field) => {
    expect(refusal(changed('llama', { rope_scaling }))).toMatchObject({
      code: 'model.invalidConfig',
      data: { field },
    });
  });
});

describe('rotations', () => {
  const plain = (dims: number, base: number) =>
    Array.from({ length: dims / 2 }, (_, i) => base ** ((-2 * i) / dims));
  const rotaryOf = (content: unknown) => parse(content).layers[0]!.rotary!;
  const close = (found: Float32Array, expected: readonly number[]) => {
    expect(found).toHaveLength(expected.length);
    expected.forEach((x, i) => {
      expect(found[i]! / x).toBeCloseTo(1, 5);
    });
  };

  it('read the same from both spellings', () => {
    const old = changed('llama', { rope_theta: 777, rope_scaling: { type: 'linear', factor: 3 } });
    const { rope_theta: _theta, rope_scaling: _scaling, ...rest } = recorded.get('llama')!;
    const recent = { ...rest, rope_parameters: { rope_theta: 777, rope_type: 'linear', factor: 3 } };
    expect(parse(recent)).toEqual(parse(old));
    close(
      rotaryOf(old).inverseFrequencies,
      plain(6, 777).map((f) => f / 3),
    );
  });

  it('turn the part of a head that the config names', () => {
    expect(rotaryOf(recorded.get('gpt_neox')).dims).toBe(4);
    expect(rotaryOf(recorded.get('gpt_neox-sequential')).dims).toBe(6);
    expect(rotaryOf(changed('gpt_neox', { rotary_pct: undefined })).dims).toBe(2);
    close(rotaryOf(recorded.get('gpt_neox')).inverseFrequencies, plain(4, 10_000));
  });

  it('of windowed Gemma 3 layers have a base of their own and no scaling, in both spellings', () => {
    const { layers } = parse(recorded.get('gemma3'));
    close(layers[0]!.rotary!.inverseFrequencies, plain(6, 100));
    close(
      layers[2]!.rotary!.inverseFrequencies,
      plain(6, 5000).map((f) => f / 3),
    );
    expect(layers.map(({ window }) => window)).toEqual([5, 5, undefined, 5]);
    const { rope_theta: _a, rope_local_base_freq: _b, rope_scaling: _c, ...rest } = recorded.get('gemma3')!;
    const rope_parameters = {
      sliding_attention: { rope_type: 'default', rope_theta: 100 },
      full_attention: { rope_type: 'linear', factor: 3, rope_theta: 5000 },
    };
    expect(parse({ ...rest, rope_parameters })).toEqual(parse(recorded.get('gemma3')));
  });

  it('that would change with the length of a prompt hold up to the length they were trained on', () => {
    const dynamic = changed('llama', {
      max_position_embeddings: 128,
      rope_scaling: { rope_type: 'dynamic', factor: 4 },
    });
    expect(parse(dynamic).nContext).toBe(128);
    close(rotaryOf(dynamic).inverseFrequencies, plain(6, 500));
    const rope_scaling = { type: 'longrope', short_factor: [1, 2, 3], long_factor: [4, 5, 6] };
    const long = {
      ...changed('phi3', { rope_parameters: undefined, rope_theta: 500, max_position_embeddings: 512 }),
      original_max_position_embeddings: 64,
      rope_scaling,
    };
    expect(parse(long).nContext).toBe(64);
    close(
      rotaryOf(long).inverseFrequencies,
      plain(6, 500).map((f, i) => f / (i + 1)),
    );
    expect(rotaryOf(long).scale).toBeCloseTo(Math.sqrt(1 + Math.log(8) / Math.log(64)), 6);
    expect(parse({ ...long, rope_scaling: { ...rope_scaling, type: 'yarn' } })).toEqual(parse(long));
  });

  it('by YaRN slow the long waves alone, and grow the scores', () => {
    const rope_parameters = {
      rope_type: 'yarn',
      rope_theta: 500,
      factor: 4,
      original_max_position_embeddings: 16,
      beta_fast: 2,
      beta_slow: 0.25,
    };
    const { inverseFrequencies, scale } = rotaryOf(changed('llama', { rope_parameters }));
    // Waves that turn twice or more within 16 positions end at dimension 0.12, those of a quarter turn at 1.12: rounded
    // outwards, the ramp runs from 0 to 2.
    const half = 500 ** (-1 / 3) * (0.5 + 0.5 / 4);
    close(inverseFrequencies, [1, half, 500 ** (-2 / 3) / 4]);
    expect(scale).toBeCloseTo(0.1 * Math.log(4) + 1, 6);
  });
});

describe('special spellings', () => {
  it('read the text part of a Gemma 3 that also sees images', () => {
    const { model_type: _, ...text_config } = recorded.get('gemma3')!;
    expect(parse({ model_type: 'gemma3', text_config, vision_config: {} })).toEqual(
      parse(recorded.get('gemma3')),
    );
  });

  it('take a list of end tokens by its first one, and heads without a count of key-value heads as their own', () => {
    const config = parse(changed('llama', { eos_token_id: [7, 8], num_key_value_heads: null }));
    expect(config).toMatchObject({ eosId: 7, nKeyValueHeads: 4 });
  });

  it('switch windows on for the upper layers of Qwen2 only when they are used', () => {
    const windows = (changes: object) => parse(changed('qwen2', changes)).layers.map(({ window }) => window);
    expect(windows({})).toEqual([undefined, undefined, undefined]);
    expect(windows({ use_sliding_window: true })).toEqual([undefined, 5, 5]);
    const layer_types = ['sliding_attention', 'full_attention', 'full_attention'];
    expect(windows({ use_sliding_window: true, layer_types })).toEqual([5, undefined, undefined]);
  });

  it('tell Gemma’s old "gelu" as the tanh approximation it was trained with', () => {
    expect(parse(changed('gemma', { hidden_act: 'gelu', hidden_activation: null })).activation).toBe(
      'gelu_new',
    );
  });
});

it.each([...recorded.keys()])(
  '%s: any change of any value is accepted or refused with a coded error',
  (name) => {
    const config = recorded.get(name)!;
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom(...Object.keys(config)), fc.jsonValue(), { minKeys: 1, maxKeys: 4 }),
        (changes) => {
          try {
            const { layers, nLayers } = parse({ ...config, ...changes });
            expect(layers).toHaveLength(nLayers);
          } catch (error) {
            if (!(error instanceof EngineError)) throw error;
            expect(['model.invalidConfig', 'model.unsupported']).toContain(error.code);
          }
        },
      ),
      { numRuns: 200, seed: 5 },
    );
  },
);
