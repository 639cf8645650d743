/**
 * SAEs of OpenAI on GPT-2 small: `…/LOCATION/autoencoders/LAYER.pt`. TopK ones normalise their input, older ones are
 * plain; nothing but the activation's name tells them apart, in the authors' loader as here.
 */
import { join } from 'node:path';
import { EngineError } from '../../../shared/errors.ts';
import { malformed, shorten } from '../../files/fileErrors.ts';
import type { TensorFile } from '../../files/tensorFile.ts';
import type { SaeConfig, SaeTensor, SaeTensorName } from '../format.ts';
import { tensorOf } from '../openedSae.ts';
import type { CheckpointKind } from './checkpointKind.ts';
import { declaredConfig } from './declaredConfig.ts';
import { blockHook } from './hookNames.ts';

const locations: Readonly<Record<string, string>> = {
  mlp_post_act: 'mlp.hook_post',
  resid_delta_mlp: 'hook_mlp_out',
  resid_delta_attn: 'hook_attn_out',
  resid_post_attn: 'hook_resid_mid',
  resid_post_mlp: 'hook_resid_post',
};

/** The layout of OpenAI's sparse_autoencoder. */
export const openAi: CheckpointKind = {
  name: 'OpenAI',
  has: ['pre_bias', 'latent_bias', 'encoder.weight', 'decoder.weight'],
  read: async (file, path, part) => {
    const tensors = new Map<SaeTensorName, SaeTensor>([
      ['W_enc', tensorOf(file, 'encoder.weight', { transposed: true })],
      ['b_enc', tensorOf(file, 'latent_bias')],
      ['W_dec', tensorOf(file, 'decoder.weight', { transposed: true })],
      ['b_dec', tensorOf(file, 'pre_bias')],
    ]);
    const [dSae = 0, dIn = 0] = tensors.get('W_enc')!.shape;
    const config = declaredConfig({
      ...activationOf(file),
      dIn,
      dSae,
      applyBDecToInput: true,
      hookName: hookOf(path, part),
      modelName: 'gpt2-small',
      prependBos: false,
    });
    return { config, tensors };
  },
};

function activationOf(
  file: TensorFile,
): Pick<SaeConfig, 'architecture' | 'k' | 'signed' | 'normalizeActivations'> {
  const name = file.values.get('activation') ?? 'ReLU';
  if (name === 'ReLU') return { architecture: 'standard', normalizeActivations: 'none' };
  if (name !== 'TopK') {
    const architecture = shorten(String(name), 40);
    throw new EngineError('sae.unsupported', { path: file.path, architecture, supported: 'ReLU, TopK' });
  }
  const k = Number(file.values.get('activation_state_dict.k'));
  if (!Number.isInteger(k) || k < 1)
    throw malformed(file.path, 'activation_state_dict.k', 'a whole number above 0', k);
  const after = file.values.get('activation_state_dict.postact_fn') ?? 'ReLU';
  const signed = after === 'Identity' ? { signed: true } : {};
  return { architecture: 'topk', k, ...signed, normalizeActivations: 'layer_norm' };
}

function hookOf(path: string, part: string): string {
  const location = Object.keys(locations).find((name) => path.includes(name) || part.includes(name));
  const layer = /(\d{1,4})\.pt$/.exec(part)?.[1];
  if (location && layer) return blockHook(Number(layer), locations[location]!);
  const expected = `a path such as ${Object.keys(locations)[4]}/autoencoders/8.pt`;
  throw malformed(join(path, part), 'the path', expected, join(path, part));
}
