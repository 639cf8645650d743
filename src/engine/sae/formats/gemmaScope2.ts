/**
 * Gemma Scope 2: `config.json` beside `params.safetensors`; cross-layer transcoders hold one
 * `params_layer_N.safetensors` for each layer.
 */
import { join } from 'node:path';
import * as v from 'valibot';
import { EngineError, isEngineError } from '../../../shared/errors.ts';
import { malformed, shorten } from '../../files/fileErrors.ts';
import { readJson } from '../../files/json.ts';
import { openSafetensors, type Safetensors } from '../../files/safetensors.ts';
import type { SaeFolder, SaeTarget, SaeTensor, SaeTensorName } from '../format.ts';
import { openedSae, tensorOf } from '../openedSae.ts';
import { type LayerOfMany, laterDecoder, laterTarget, ownBias, ownSkip } from './crossLayer.ts';
import { declaredConfig } from './declaredConfig.ts';
import { blockHook, hookOfModule, layerIn } from './hookNames.ts';
import type { SaeFormat } from './saeFormat.ts';

const paramsFile = 'params.safetensors';
const configFile = 'config.json';
const layerFile = /^params_layer_(\d{1,4})\.safetensors$/;

/** The layout of Gemma Scope 2. */
export const gemmaScope2: SaeFormat = {
  name: 'Gemma Scope 2',
  find: async ({ files }) => {
    if (files.has(paramsFile)) return [undefined];
    return [...files].filter((name) => layerFile.test(name));
  },
  open: openGemmaScope2,
};

const schema = v.looseObject({
  architecture: v.string(),
  model_name: v.optional(v.string()),
  hf_hook_point_in: v.optional(v.nullable(v.string())),
  hf_hook_point_out: v.optional(v.nullable(v.string())),
});

type Declared = v.InferOutput<typeof schema>;

const skip = 'affine_skip_connection';

const stored = {
  W_enc: 'w_enc',
  b_enc: 'b_enc',
  W_dec: 'w_dec',
  b_dec: 'b_dec',
  threshold: 'threshold',
} as const;

async function openGemmaScope2(path: string, part: string | undefined): Promise<SaeFolder> {
  const declared = await readDeclared(path);
  const file = await openSafetensors(join(path, part ?? paramsFile));
  const layer = part === undefined ? undefined : Number(layerFile.exec(part)?.[1]);
  const { hook, hookOut } = hooksOf(path, declared, layer);
  const tensors = new Map<SaeTensorName, SaeTensor>();
  for (const [name, own] of Object.entries(stored)) tensors.set(name as SaeTensorName, tensorOf(file, own));
  const [dIn, dSae] = shapeOf(file, 'w_enc', 2) as [number, number];
  const target = layer === undefined ? targetOf(file, hook, hookOut) : addCrossLayer(file, tensors, layer);
  if (layer === undefined && file.tensors.has(skip)) {
    // Used as `x · A` with `A [d_in, d_out]`, as its authors and circuit-tracer do.
    tensors.set('W_skip', tensorOf(file, skip, { transposed: true }));
  }
  const config = declaredConfig({
    architecture: 'jumprelu',
    dIn,
    dSae,
    applyBDecToInput: false,
    hookName: hook,
    ...(target && { target }),
    modelName: declared.model_name,
    prependBos: true,
    metadata: declared,
  });
  const configFiles = declared.isInferred ? [] : [join(path, configFile)];
  return openedSae({ path, part, format: gemmaScope2.name, config, tensors, configFiles });
}

/** Some folders came without a config; their names say as much. */
async function readDeclared(path: string): Promise<Declared & { isInferred?: true }> {
  const configPath = join(path, configFile);
  const declared = await readJson(configPath, schema).catch((error) => {
    if (isEngineError(error, 'file.missing')) return { architecture: 'jump_relu', isInferred: true } as const;
    throw error;
  });
  if (declared.architecture === 'jump_relu') return declared;
  const architecture = shorten(declared.architecture, 40);
  throw new EngineError('sae.unsupported', { path: configPath, architecture, supported: 'jump_relu' });
}

function hooksOf(
  path: string,
  declared: Declared,
  part: number | undefined,
): { hook: string; hookOut?: string } {
  const layer = part ?? layerIn(path);
  const given = (name: string | null | undefined) => (name ? hookOfModule(name) : undefined);
  if (part === undefined && given(declared.hf_hook_point_in)) {
    return { hook: given(declared.hf_hook_point_in)!, hookOut: given(declared.hf_hook_point_out) };
  }
  const folder = /transcoder|clt|resid_post|attn_out|mlp_out/.exec(path)?.[0];
  if (layer === undefined || (!folder && part === undefined)) {
    const expected = 'the name of a hook such as model.layers.12.output';
    throw malformed(join(path, configFile), 'hf_hook_point_in', expected, declared.hf_hook_point_in);
  }
  if (folder === 'resid_post') return { hook: blockHook(layer, 'hook_resid_post') };
  if (folder === 'attn_out') return { hook: blockHook(layer, 'attn.hook_z') };
  if (folder === 'mlp_out') return { hook: blockHook(layer, 'hook_mlp_out') };
  return { hook: blockHook(layer, 'mlp.hook_in'), hookOut: blockHook(layer, 'hook_mlp_out') };
}

/** One that writes where it reads is an SAE, even when its config names the hook twice. */
function targetOf(file: Safetensors, hook: string, hookOut: string | undefined): SaeTarget | undefined {
  if (!hookOut || hookOut === hook) return undefined;
  return { kind: 'transcoder', hooks: [hookOut], width: shapeOf(file, 'w_dec', 2)[1]! };
}

/** Decoders of all layers are stored, `[d_sae, layer, d]`; those below the encoder's layer are not used. */
function addCrossLayer(file: Safetensors, tensors: Map<SaeTensorName, SaeTensor>, layer: number): SaeTarget {
  const [, nLayers, width] = shapeOf(file, 'w_dec', 3) as [number, number, number];
  if (layer >= nLayers) throw malformed(file.path, 'w_dec', `decoders of more than ${layer} layers`, nLayers);
  const place: LayerOfMany = { layer, nLayers, width };
  tensors.set('W_dec', laterDecoder(file, 'w_dec', 0, place));
  tensors.set('b_dec', ownBias(file, 'b_dec', place));
  if (file.tensors.has(skip)) tensors.set('W_skip', ownSkip(file, skip, place));
  return laterTarget(place);
}

function shapeOf(file: Safetensors, name: string, rank: number): readonly number[] {
  const shape = file.tensors.get(name)?.shape;
  if (shape?.length === rank) return shape;
  throw malformed(file.path, name, `a tensor of ${rank} dimensions`, shape);
}
