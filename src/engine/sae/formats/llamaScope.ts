/**
 * Llama Scope: `hyperparams.json` with `checkpoints/final.safetensors`. Inputs are scaled to a mean norm of √d_model,
 * which the weights take for granted.
 */
import { join } from 'node:path';
import * as v from 'valibot';
import { readJson } from '../../files/json.ts';
import { openSafetensors } from '../../files/safetensors.ts';
import type { SaeFolder } from '../format.ts';
import { constantTensor, openedSae, type TensorSource } from '../openedSae.ts';
import { declaredConfig } from './declaredConfig.ts';
import { knownHook } from './hookNames.ts';
import { linearTensors } from './linearTensors.ts';
import { type SaeFormat, wholeFolder } from './saeFormat.ts';

const configFile = 'hyperparams.json';

/** The layout of Llama Scope. */
export const llamaScope: SaeFormat = {
  name: 'Llama Scope',
  find: async ({ files }) => wholeFolder(files.has(configFile)),
  open: openLlamaScope,
};

const positive = v.pipe(v.number(), v.finite(), v.minValue(Number.MIN_VALUE));
const count = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(100_000_000));

const schema = v.looseObject({
  d_model: count,
  d_sae: count,
  jump_relu_threshold: v.pipe(v.number(), v.finite()),
  dataset_average_activation_norm: v.looseObject({ in: positive, out: v.optional(v.nullable(positive)) }),
  hook_point_in: v.string(),
  hook_point_out: v.optional(v.nullable(v.string())),
  apply_decoder_bias_to_pre_encoder: v.optional(v.nullable(v.boolean())),
});

async function openLlamaScope(path: string): Promise<SaeFolder> {
  const configPath = join(path, configFile);
  const declared = await readJson(configPath, schema);
  const file = await openSafetensors(join(path, 'checkpoints', 'final.safetensors'));
  const { d_model: dIn, d_sae: dSae } = declared;
  const norms = declared.dataset_average_activation_norm;
  const inputScale = Math.sqrt(dIn) / norms.in;
  const hook = knownHook(configPath, 'hook_point_in', declared.hook_point_in);
  const hookOut = knownHook(configPath, 'hook_point_out', declared.hook_point_out ?? declared.hook_point_in);
  const tensors = linearTensors(file);
  // Thresholds apply to the scaled input as well.
  const threshold = declared.jump_relu_threshold * inputScale;
  tensors.set('threshold', constantTensor(configPath, 'jump_relu_threshold', threshold));
  const isTranscoder = hookOut !== hook;
  const width = isTranscoder ? outputWidthOf(file) : dIn;
  const config = declaredConfig({
    architecture: 'jumprelu',
    dIn,
    dSae,
    applyBDecToInput: !isTranscoder && declared.apply_decoder_bias_to_pre_encoder === true,
    inputScale,
    outputScale: isTranscoder ? Math.sqrt(width) / (norms.out ?? norms.in) : inputScale,
    hookName: hook,
    ...(isTranscoder && { target: { kind: 'transcoder', hooks: [hookOut], width } }),
    modelName: 'meta-llama/Llama-3.1-8B',
    prependBos: true,
    metadata: declared,
  });
  return openedSae({ path, format: llamaScope.name, config, tensors, configFiles: [configPath] });
}

function outputWidthOf(file: TensorSource): number {
  return file.tensors.get('decoder.weight')?.shape[0] ?? 0;
}
