/**
 * Gemma Scope 1: `params.npz` in folders such as `layer_20/width_16k/average_l0_71`. What it reads is told by the
 * names of the repository and the folders alone.
 */
import { join } from 'node:path';
import { malformed } from '../../files/fileErrors.ts';
import { openNpz } from '../../files/npz.ts';
import type { SaeConfig, SaeFolder, SaeTensor, SaeTensorName } from '../format.ts';
import { openedSae, type TensorReading, type TensorSource, tensorOf } from '../openedSae.ts';
import { declaredConfig } from './declaredConfig.ts';
import { blockHook, layerIn } from './hookNames.ts';
import { type SaeFormat, wholeFolder } from './saeFormat.ts';

const paramsFile = 'params.npz';

/** The layout of Gemma Scope 1. */
export const gemmaScope: SaeFormat = {
  name: 'Gemma Scope',
  find: async ({ files }) => wholeFolder(files.has(paramsFile)),
  open: openGemmaScope,
};

const names = ['W_enc', 'b_enc', 'W_dec', 'b_dec', 'threshold'] as const;

async function openGemmaScope(path: string): Promise<SaeFolder> {
  const file = await openNpz(join(path, paramsFile));
  const stored = new Map([...file.tensors.keys()].map((name) => [name.toLowerCase(), name]));
  await refuseScaling(file, stored.get('scaling_factor'));
  const site = siteOf(path);
  const tensors = new Map<SaeTensorName, SaeTensor>();
  for (const name of names) {
    const own = stored.get(name.toLowerCase());
    if (own) tensors.set(name, tensorOf(file, own));
  }
  const [dIn, dSae] = widths(file, tensors);
  const width = tensors.get('W_dec')?.shape[1] ?? dIn;
  const { hook, hookOut, embedding } = site;
  if (embedding) scaleEmbedding(tensors, dIn);
  const config: SaeConfig = declaredConfig({
    architecture: 'jumprelu',
    dIn,
    dSae,
    applyBDecToInput: false,
    hookName: hook,
    ...(hookOut && { target: { kind: 'transcoder', hooks: [hookOut], width } }),
    modelName: site.model,
    prependBos: true,
    metadata: { context_size: 1024 },
  });
  return openedSae({ path, format: gemmaScope.name, config, tensors, configFiles: [] });
}

function widths(file: TensorSource, tensors: ReadonlyMap<SaeTensorName, SaeTensor>): [number, number] {
  const shape = tensors.get('W_enc')?.shape;
  if (shape?.length === 2) return [shape[0]!, shape[1]!];
  throw malformed(file.path, 'W_enc', 'a matrix [d_in, d_sae]', shape);
}

/** A repository's name, or its folder in the hub's cache. */
const repository = /(?:^|--)gemma-scope-(2b|9b|27b)-(pt|it)-(\w+)$/;
const siteName = /(?:^|[-_.])(transcoders?|mlp|att|res)(?:[-_.]|$)/;

interface Site {
  readonly hook: string;
  readonly hookOut?: string;
  readonly embedding?: true;
  readonly model?: string;
}

/** Repositories are called `gemma-scope-2b-pt-res`; the folders below say layer, width and sparsity. */
function siteOf(path: string): Site {
  const names = path.split(/[\\/]/);
  const at = names.findLastIndex((name) => repository.test(name));
  const repo = repository.exec(names[at] ?? '');
  const model = repo ? `gemma-2-${repo[1]}${repo[2] === 'it' ? '-it' : ''}` : undefined;
  const place = names.findLastIndex((name) => name === 'embedding' || /^layer_\d{1,4}$/.test(name));
  if (place <= at) throw malformed(path, 'the path', 'a folder such as layer_20', 'none');
  // Of a copy without its repository, the folder right above may say it; those further up are the user's own.
  const kind = repo?.[3] ?? siteName.exec(names[place - 1] ?? '')?.[1];
  if (kind === undefined) {
    const expected = `a folder such as gemma-scope-2b-pt-res, or res, right above ${names[place]}, to say what is read`;
    throw malformed(path, 'the path', expected, names[place - 1] ?? 'none');
  }
  if (names[place] === 'embedding') return { hook: 'hook_embed', embedding: true, model };
  const layer = layerIn(names[place]!)!;
  if (kind.startsWith('transcoder')) {
    // The norm's output with its gain is what the MLP reads, and what these were trained on.
    return { hook: blockHook(layer, 'mlp.hook_in'), hookOut: blockHook(layer, 'hook_mlp_out'), model };
  }
  if (kind.startsWith('mlp')) return { hook: blockHook(layer, 'hook_mlp_out'), model };
  if (kind.startsWith('att')) return { hook: blockHook(layer, 'attn.hook_z'), model };
  return { hook: blockHook(layer, 'hook_resid_post'), model };
}

/** Embedding SAEs were trained before the model multiplies its embeddings by √d_model. */
function scaleEmbedding(tensors: Map<SaeTensorName, SaeTensor>, dIn: number): void {
  const scales = { W_enc: 1 / Math.sqrt(dIn), W_dec: Math.sqrt(dIn) };
  for (const name of ['W_enc', 'W_dec'] as const) {
    const reading: TensorReading = { scale: scales[name] };
    const tensor = tensors.get(name);
    if (tensor) tensors.set(name, { ...tensor, ...reading });
  }
}

async function refuseScaling(file: TensorSource, name: string | undefined): Promise<void> {
  if (!name) return;
  const factors = await file.readFloat32(name);
  if (factors.some((factor) => factor !== 1)) throw malformed(file.path, name, 'ones', 'other factors');
}
