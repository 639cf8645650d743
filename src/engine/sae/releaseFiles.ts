/** Which files of a repository an SAE of a public release is made of, by the loader of SAELens that reads the release. */
import type { NamedFiles } from '../../shared/hubApi.ts';
import type { ReleasedSae } from '../../shared/saeApi.ts';

/** The files of one SAE, and what tells it from others in its folder. */
export type ReleaseFiles = Pick<ReleasedSae, 'files' | 'part' | 'problem'>;

type Layout = (path: string) => ReleaseFiles;

/** A folder that is one SAE. */
function folder(names: readonly string[], optional: readonly string[] = []): Layout {
  return (path) => {
    const inside = (name: string) => `${path}/${name}`;
    return { files: named(path, names.map(inside), { optional: optional.map(inside) }) };
  };
}

/** A file among others in a folder, and what it needs beside it. `besides` is told the file without its ending. */
function file(besides: (stem: string) => readonly string[], anyOf: readonly string[] = []): Layout {
  return (path) => {
    const at = path.lastIndexOf('/') + 1;
    const place = path.slice(0, Math.max(0, at - 1));
    const neighbours = anyOf.map((name) => path.slice(0, at) + name);
    const files = [path, ...besides(path.replace(/\.\w+$/, ''))];
    return { files: named(place, files, { anyOf: neighbours }), part: path.slice(at) };
  };
}

function named(
  place: string,
  files: readonly string[],
  { optional = [], anyOf = [] }: Pick<NamedFiles, 'optional' | 'anyOf'>,
): NamedFiles {
  const more = { ...(anyOf.length > 0 && { anyOf }), ...(optional.length > 0 && { optional }) };
  return { kind: 'files', folder: place, files, ...more };
}

/** Paths are the number of the layer. */
const layerOfMany: Layout = (layer) => ({
  files: named('', ['config.yaml', `W_enc_${layer}.safetensors`, `W_dec_${layer}.safetensors`], {}),
  part: `W_enc_${layer}.safetensors`,
});

const alone = file(() => []);
const temporal = folder(['conf.yaml', 'latest_ckpt.safetensors']);

/** By the name that SAELens gives the loader; see `sae_lens/loading/pretrained_sae_loaders.py`. */
const layouts: Readonly<Record<string, Layout>> = {
  sae_lens: folder(['cfg.json', 'sae_weights.safetensors'], ['sparsity.safetensors', 'features.json']),
  sparsify: folder(['cfg.json', 'sae.safetensors']),
  gemma_2: folder(['params.npz']),
  gemma_2_transcoder: folder(['params.npz']),
  // Some folders came without a config; their names say as much.
  gemma_3: folder(['params.safetensors'], ['config.json']),
  dictionary_learning_1: folder(['ae.pt', 'config.json']),
  llama_scope: folder(['hyperparams.json', 'checkpoints/final.safetensors']),
  llama_scope_r1_distill: folder(['config.json', 'sae_weights.safetensors']),
  connor_rob_hook_z: file((stem) => [`${stem}_cfg.json`]),
  // Repositories have the config of the run, under one of two spellings, and most of them one of their own.
  mwhanna_transcoder: file(() => [], ['wandb-config.yaml', 'wanb-config.yaml', 'config.yaml']),
  mntss_clt_layer_transcoder: layerOfMany,
  goodfire: alone,
  deepseek_r1: alone,
  qwen_scope: alone,
  temporal: (path) => ({
    ...temporal(path),
    problem: 'its features at a position depend on the positions before, which Fovea does not compute',
  }),
};

/** The files of the SAE that a release lists under `path`. A loader that is not known gives a problem. */
export function filesOf(loader: string, path: string): ReleaseFiles {
  const layout = Object.hasOwn(layouts, loader) ? layouts[loader] : undefined;
  if (layout) return layout(path);
  return { files: named(path, [], {}), problem: `its layout, ${loader}, is not known` };
}
