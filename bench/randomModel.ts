/** Folders with random weights in the shapes of GPT-2 small and of an SAE for it: speed does not depend on what weights mean. */

import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeSafetensors } from '../src/engine/files/safetensors.ts';
import { type FloatValue, floatValue } from '../src/engine/graph/value.ts';
import { byteCharacters } from '../src/engine/model/byteLevel.ts';
import { type Random, seededRandom } from '../src/engine/random.ts';
import { writeSaeLens } from '../src/engine/sae/formats/saelens.ts';

/** GPT-2 small (Radford et al. 2019). */
export const gpt2Small = { nLayers: 12, nHeads: 12, dModel: 768, dVocab: 50257, nContext: 1024 } as const;

/** As many features as the residual-stream SAEs published for GPT-2 small, at one of their hooks. */
export const saeShape = { dSae: 24576, hook: 'blocks.8.hook_resid_pre' } as const;

/** Writes the model with its SAE into `folder`, unless it is there. About 650 MB. */
export async function randomModelFolder(folder: string): Promise<string> {
  // Written last, so that an interrupted write is begun anew.
  const done = join(folder, 'config.json');
  if (existsSync(done)) return folder;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const random = seededRandom('gpt2-small');
  await writeSafetensors(join(folder, 'model.safetensors'), modelWeights(random));
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(byteTokenizer(gpt2Small.dVocab)));
  await writeRandomSae(join(folder, 'saes', saeShape.hook), random.fork('sae'));
  await writeFile(done, JSON.stringify(modelConfig()));
  return folder;
}

function modelConfig(): Record<string, unknown> {
  const { nLayers, nHeads, dModel, dVocab, nContext } = gpt2Small;
  return {
    model_type: 'gpt2',
    vocab_size: dVocab,
    n_positions: nContext,
    n_embd: dModel,
    n_layer: nLayers,
    n_head: nHeads,
    n_inner: 4 * dModel,
    activation_function: 'gelu_new',
    layer_norm_epsilon: 1e-5,
    tie_word_embeddings: true,
  };
}

function modelWeights(random: Random): Record<string, FloatValue> {
  const { nLayers, dModel, dVocab, nContext } = gpt2Small;
  const weights: Record<string, FloatValue> = {};
  const put = (name: string, dims: readonly number[], width: number, center = 0) => {
    weights[name] = draw(random.fork(name), dims, width, center);
  };
  put('wte.weight', [dVocab, dModel], 0.035);
  put('wpe.weight', [nContext, dModel], 0.035);
  for (let layer = 0; layer < nLayers; layer++) {
    for (const norm of ['ln_1', 'ln_2', 'ln_f'].slice(0, layer === 0 ? 3 : 2)) {
      const at = norm === 'ln_f' ? norm : `h.${layer}.${norm}`;
      put(`${at}.weight`, [dModel], 0.1, 1);
      put(`${at}.bias`, [dModel], 0.1);
    }
    const linears = [
      ['attn.c_attn', dModel, 3 * dModel],
      ['attn.c_proj', dModel, dModel],
      ['mlp.c_fc', dModel, 4 * dModel],
      ['mlp.c_proj', 4 * dModel, dModel],
    ] as const;
    for (const [name, from, to] of linears) {
      put(`h.${layer}.${name}.weight`, [from, to], 0.035);
      put(`h.${layer}.${name}.bias`, [to], 0.035);
    }
  }
  return weights;
}

/** Uniform numbers in `center` ± `width`. */
export function draw(random: Random, dims: readonly number[], width: number, center = 0): FloatValue {
  const data = new Float32Array(dims.reduce((product, dim) => product * dim, 1));
  for (let i = 0; i < data.length; i++) data[i] = center + (2 * random.next() - 1) * width;
  return floatValue(data, dims);
}

/** One token for each byte, so that one character typed is one token more; the other ids are never typed. */
function byteTokenizer(size: number): Record<string, unknown> {
  const vocab: Record<string, number> = {};
  for (const [id, character] of byteCharacters.entries()) vocab[character] = id;
  for (let id = byteCharacters.length; id < size; id++) vocab[`Ġtoken${id}`] = id;
  return {
    version: '1.0',
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      fuse_unk: false,
      byte_fallback: false,
      vocab,
      merges: [],
    },
  };
}

async function writeRandomSae(folder: string, random: Random): Promise<void> {
  const { dModel } = gpt2Small;
  const { dSae, hook } = saeShape;
  const weights = {
    W_enc: draw(random.fork('W_enc'), [dModel, dSae], 0.06),
    b_enc: draw(random.fork('b_enc'), [dSae], 0.06),
    W_dec: draw(random.fork('W_dec'), [dSae, dModel], 0.06),
    b_dec: draw(random.fork('b_dec'), [dModel], 0.06),
  };
  await mkdir(folder, { recursive: true });
  const config = {
    architecture: 'standard',
    dIn: dModel,
    dSae,
    rescaleByDecoderNorm: false,
    applyBDecToInput: true,
    normalizeActivations: 'none',
    reshapeActivations: 'none',
    finetuningScalingFactor: false,
    dtype: 'float32',
    hookName: hook,
    prependBos: false,
    metadata: {},
    extra: {},
  } as const;
  await writeSaeLens(folder, config, weights);
}
