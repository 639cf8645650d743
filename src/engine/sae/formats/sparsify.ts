/** EleutherAI sparsify: `cfg.json` and `sae.safetensors` in a folder named after the module that is read. */
import { basename, dirname, join } from 'node:path';
import * as v from 'valibot';
import { isEngineError } from '../../../shared/errors.ts';
import { malformed } from '../../files/fileErrors.ts';
import { readJson } from '../../files/json.ts';
import { openSafetensors } from '../../files/safetensors.ts';
import type { SaeFolder, SaeTensor, SaeTensorName } from '../format.ts';
import { openedSae, tensorOf } from '../openedSae.ts';
import { declaredConfig } from './declaredConfig.ts';
import { blockHook, hookOfModule, layerIn } from './hookNames.ts';
import { type SaeFormat, wholeFolder } from './saeFormat.ts';

const configFile = 'cfg.json';
const weightsFile = 'sae.safetensors';

/** The layout of sparsify. */
export const sparsify: SaeFormat = {
  name: 'sparsify',
  find: async ({ files }) => wholeFolder(files.has(configFile) && files.has(weightsFile)),
  open: openSparsify,
};

const whole = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(100_000_000));

const schema = v.looseObject({
  activation: v.optional(v.picklist(['topk', 'groupmax']), 'topk'),
  expansion_factor: v.optional(whole, 32),
  num_latents: v.optional(v.nullable(whole), 0),
  k: v.optional(whole, 32),
  signed: v.optional(v.boolean(), false),
  skip_connection: v.optional(v.boolean(), false),
  transcode: v.optional(v.boolean(), false),
  d_in: whole,
});

const runSchema = v.looseObject({
  model: v.optional(v.unknown()),
  dataset: v.optional(v.unknown()),
  ctx_len: v.optional(v.unknown()),
});

async function openSparsify(path: string): Promise<SaeFolder> {
  const configPath = join(path, configFile);
  const declared = await readJson(configPath, schema);
  const file = await openSafetensors(join(path, weightsFile));
  const { d_in: dIn, activation, k, transcode } = declared;
  const dSae = declared.num_latents || dIn * declared.expansion_factor;
  if (k < 1 || k > dSae || (activation === 'groupmax' && dSae % k !== 0))
    throw malformed(configPath, 'k', `a whole number from 1 to ${dSae} that groups can be made of`, k);
  const tensors = new Map<SaeTensorName, SaeTensor>([
    ['W_enc', tensorOf(file, 'encoder.weight', { transposed: true })],
    ['b_enc', tensorOf(file, 'encoder.bias')],
    ['W_dec', tensorOf(file, 'W_dec')],
    ['b_dec', tensorOf(file, 'b_dec')],
  ]);
  if (declared.skip_connection) tensors.set('W_skip', tensorOf(file, 'W_skip'));
  const { hook, hookOut } = hooksOf(path, transcode);
  const run = await readRun(dirname(path));
  const config = declaredConfig({
    architecture: activation,
    dIn,
    dSae,
    k,
    ...(declared.signed && { signed: true }),
    // Transcoders never subtract it, whatever else the config says.
    applyBDecToInput: !transcode,
    hookName: hook,
    ...(hookOut && { target: { kind: 'transcoder', hooks: [hookOut], width: dIn } }),
    modelName: typeof run.model === 'string' ? run.model : undefined,
    metadata: { context_size: run.ctx_len, dataset_path: run.dataset },
  });
  return openedSae({ path, format: sparsify.name, config, tensors, configFiles: [configPath] });
}

/** The folder is called as the module is: `layers.12`, `layers.12.mlp`, `h.5.attn`, `embed_tokens`. */
function hooksOf(path: string, transcode: boolean): { hook: string; hookOut?: string } {
  const name = basename(path);
  const output = hookOfModule(name.replace(/^layers_(\d+)/, 'layers.$1'));
  if (!output) throw malformed(path, 'the folder name', 'a module such as layers.12.mlp', name);
  if (!transcode) return { hook: output };
  const layer = layerIn(name) ?? 0;
  if (output.endsWith('hook_mlp_out')) return { hook: blockHook(layer, 'mlp.hook_in'), hookOut: output };
  if (output.endsWith('hook_resid_post')) {
    return { hook: blockHook(layer, 'hook_resid_pre'), hookOut: output };
  }
  throw malformed(path, 'the folder name', 'a block or an MLP, which is what transcoders imitate', name);
}

/** The folder above may hold the config of the run. */
async function readRun(folder: string): Promise<v.InferOutput<typeof runSchema>> {
  try {
    return await readJson(join(folder, 'config.json'), runSchema);
  } catch (error) {
    if (isEngineError(error, 'file.missing') || isEngineError(error, 'file.malformed')) return {};
    throw error;
  }
}
