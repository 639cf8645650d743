/** Checkpoints of two linear layers with a ReLU between: those of Goodfire, and of DeepSeek's distilled model. */
import { join } from 'node:path';
import { malformed } from '../../files/fileErrors.ts';
import type { TensorFile } from '../../files/tensorFile.ts';
import type { CheckpointContent, CheckpointKind } from './checkpointKind.ts';
import { declaredConfig } from './declaredConfig.ts';
import { blockHook } from './hookNames.ts';
import { linearTensors } from './linearTensors.ts';

/** SAEs of Goodfire, such as `Llama-3.1-8B-Instruct-SAE-l19.pth`. */
export const goodfire: CheckpointKind = {
  name: 'Goodfire',
  has: ['encoder_linear.weight', 'decoder_linear.weight'],
  read: async (file, path, part) => read(file, path, part, ['encoder_linear', 'decoder_linear']),
};

/** SAEs on DeepSeek-R1-Distill-Llama-8B. */
export const deepSeek: CheckpointKind = {
  name: 'DeepSeek',
  has: ['encoder.weight', 'encoder.bias', 'decoder.weight', 'decoder.bias'],
  read: async (file, path, part) => read(file, path, part, ['encoder', 'decoder']),
};

function read(file: TensorFile, path: string, part: string, layers: [string, string]): CheckpointContent {
  const tensors = linearTensors(file, layers);
  const [dSae = 0, dIn = 0] = tensors.get('W_enc')!.shape;
  const layer = /(?:^|[^a-z])l(?:ayer)?[_-]?(\d{1,4})(?!\d)/i.exec(part)?.[1];
  if (layer === undefined)
    throw malformed(join(path, part), 'the file name', 'one with a layer, such as l19', part);
  const model = /^(.+?)-SAE-l\d+/.exec(part)?.[1];
  const config = declaredConfig({
    architecture: 'standard',
    dIn,
    dSae,
    applyBDecToInput: false,
    hookName: blockHook(Number(layer), 'hook_resid_post'),
    modelName: model,
    prependBos: true,
  });
  return { config, tensors };
}
