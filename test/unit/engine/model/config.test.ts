/** The model config: recorded files are read, missing and absurd values are named. */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseModelConfig, readModelConfig } from '../../../../src/engine/model/config.ts';
import { EngineError } from '../../../../src/shared/errors.ts';
import { failure, temporaryFolder } from '../../temporaryFolder.ts';

const recordedFolder = join(import.meta.dirname, '../../../fixtures/parity/gpt2');
const recorded = JSON.parse(readFileSync(join(recordedFolder, 'config.json'), 'utf8'));

function parseError(content: unknown): EngineError {
  try {
    parseModelConfig('/m/config.json', content);
  } catch (error) {
    if (error instanceof EngineError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('readModelConfig', () => {
  it('reads what Hugging Face saved', async () => {
    expect(await readModelConfig(recordedFolder)).toEqual({
      family: 'gpt2',
      nLayers: 3,
      nHeads: 4,
      nKeyValueHeads: 4,
      dModel: 32,
      dHead: 8,
      dMlp: 128,
      dVocab: 101,
      nContext: 48,
      norm: { kind: 'layerNorm', place: 'before', epsilon: 1e-5 },
      positions: 'learned',
      layers: [0, 1, 2].map(() => ({ scoreScale: 1 / Math.sqrt(8), window: undefined, rotary: undefined })),
      activation: 'gelu_new',
      gated: false,
      parallel: false,
      queryKeyNorm: undefined,
      clipQkv: undefined,
      scoreCap: undefined,
      logitCap: undefined,
      embeddingScale: 1,
      tiedEmbeddings: true,
      biases: { qkv: true, attentionOut: true, mlp: true },
      bosId: 100,
      eosId: 100,
    });
  });

  it('takes the switches of the family into account', () => {
    const switches = {
      n_inner: 100,
      activation_function: 'relu',
      tie_word_embeddings: false,
      scale_attn_weights: false,
      scale_attn_by_inverse_layer_idx: true,
      layer_norm_epsilon: 1e-6,
    };
    expect(parseModelConfig('c', { ...recorded, ...switches })).toMatchObject({
      dMlp: 100,
      activation: 'relu',
      tiedEmbeddings: false,
      layers: [{ scoreScale: 1 }, { scoreScale: 1 / 2 }, { scoreScale: 1 / 3 }],
      norm: { epsilon: 1e-6 },
    });
  });

  it('fills in what old configs leave out', () => {
    const { n_layer, n_head, n_embd, n_positions, vocab_size } = recorded;
    const old = { architectures: ['GPT2LMHeadModel'], n_layer, n_head, n_embd, n_positions, vocab_size };
    expect(parseModelConfig('c', old)).toEqual({
      ...parseModelConfig('c', recorded),
      bosId: undefined,
      eosId: undefined,
    });
  });

  it('names the file when it is missing or no JSON', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'config.json');
    expect(await failure(readModelConfig(folder))).toMatchObject({ code: 'file.missing', data: { path } });
    await writeFile(path, '{"model_type": "gpt2",');
    expect(await failure(readModelConfig(folder))).toMatchObject({ code: 'file.malformed', data: { path } });
  });

  it('says which families run when it is another one', () => {
    const error = parseError({ ...recorded, model_type: 'mamba' });
    expect(error).toMatchObject({
      code: 'model.unsupported',
      data: { architecture: 'mamba', supported: expect.stringMatching(/^gpt2, gpt_neo, .*olmo2$/) },
    });
    expect(parseError({})).toMatchObject({
      code: 'model.invalidConfig',
      data: { field: 'model_type', found: 'missing' },
    });
    expect(parseError('gpt2').code).toBe('model.invalidConfig');
  });

  it.each([
    ['n_layer', undefined],
    ['n_layer', 0],
    ['n_layer', -3],
    ['n_layer', 1e9],
    ['n_head', 2.5],
    ['n_head', 5],
    ['n_embd', '32'],
    ['n_embd', null],
    ['n_embd', 33],
    ['n_positions', 1e300],
    ['vocab_size', Number.NaN],
    ['vocab_size', [101]],
    ['n_inner', -1],
    ['activation_function', 'softplus'],
    ['activation_function', '__proto__'],
    ['layer_norm_epsilon', 0],
    ['layer_norm_epsilon', '1e-5'],
    ['tie_word_embeddings', 'yes'],
    ['add_cross_attention', true],
    ['bos_token_id', -1],
  ])('names %s when it is %j', (field, value) => {
    const error = parseError({ ...recorded, [field]: value });
    const named = field === 'n_head' && value === 5 ? 'n_embd' : field;
    expect(error).toMatchObject({
      code: 'model.invalidConfig',
      data: { path: '/m/config.json', field: named },
    });
    expect(error.message).toContain('Correct the config');
  });

  it('accepts or refuses any change of any value with a coded error', () => {
    const keys = Object.keys(recorded);
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom(...keys), fc.jsonValue(), { minKeys: 1, maxKeys: 4 }),
        (changes) => {
          try {
            const config = parseModelConfig('c', { ...recorded, ...changes });
            expect(config.dHead * config.nHeads).toBe(config.dModel);
          } catch (error) {
            if (!(error instanceof EngineError)) throw error;
            expect(['model.invalidConfig', 'model.unsupported']).toContain(error.code);
          }
        },
      ),
      { numRuns: 500, seed: 3 },
    );
  });
});
