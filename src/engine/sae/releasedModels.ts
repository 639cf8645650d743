/** Tells whether an open model is the one that a release of SAEs was made for. */
import type { ModelInfo } from '../../shared/domain.ts';

type Named = Pick<ModelInfo, 'name' | 'path' | 'nLayers' | 'dModel' | 'dVocab'>;

/** Layers and width of models that are often kept under other names. */
const shapes: Readonly<Record<string, readonly [nLayers: number, dModel: number]>> = {
  'gpt2-small': [12, 768],
  'pythia-70m-deduped': [6, 512],
  'gemma-2b': [18, 2048],
  'gemma-2-2b': [26, 2304],
  'gemma-2-9b': [42, 3584],
  'gemma-2-27b': [46, 4608],
  'gemma-3-270m': [18, 640],
  'gemma-3-1b': [26, 1152],
  'gemma-3-4b': [34, 2560],
  'gemma-3-12b': [48, 3840],
  'gemma-3-27b': [62, 5376],
  'qwen3-0.6b': [28, 1024],
  'qwen3-1.7b': [28, 2048],
  'qwen3-4b': [36, 2560],
  'qwen3-8b': [36, 4096],
  'qwen3-14b': [40, 5120],
  'qwen2.5-7b': [28, 3584],
  'llama-3.1-8b': [32, 4096],
  'llama-3.3-70b': [80, 8192],
  'mistral-7b': [32, 4096],
};

/** Vocabularies that tell models of one shape apart. */
const vocabularies: Readonly<Record<string, readonly number[]>> = {
  'gpt2-small': [50257],
  'llama-3.1-8b': [128256],
  'mistral-7b': [32000, 32768],
};

/**
 * How well the model fits what a release calls its model: 3 for the same name, 2 for another tuning of the same
 * model, 1 for one of the same shape, 0 when it is another.
 */
export function modelMatch(model: Named, released: string): number {
  const wanted = plainName(released);
  const own = namesOf(model);
  if (own.includes(wanted)) return 3;
  const base = withoutTuning(wanted);
  if (own.some((name) => withoutTuning(name) === base)) return 2;
  return hasShape(model, base) ? 1 : 0;
}

/** The names a model goes by: its own, its folder's, and its repository's in the hub's cache. */
function namesOf({ name, path }: Named): string[] {
  const repository = /models--[^/\\]+?--([^/\\]+)/.exec(path)?.[1];
  const folder = path.split(/[/\\]/).at(-1) ?? '';
  return [name, folder, ...(repository ? [repository] : [])].map(plainName);
}

const aliases: Readonly<Record<string, string>> = { gpt2: 'gpt2-small' };

/** Without owner, file ending and quantization, in small letters. */
function plainName(name: string): string {
  const plain = name
    .toLowerCase()
    .replace(/^.*[/\\]/, '')
    .replace(/\.gguf$/, '')
    .replace(/[-.](f16|f32|bf16|q\d\w*)$/, '')
    .replace(/^meta-llama-/, 'llama-');
  return aliases[plain] ?? plain;
}

function withoutTuning(name: string): string {
  return name.replace(/-(it|pt|instruct|chat|base|hf)$/, '');
}

function hasShape({ nLayers, dModel, dVocab }: Named, base: string): boolean {
  const shape = shapes[base];
  if (!shape || shape[0] !== nLayers || shape[1] !== dModel) return false;
  return vocabularies[base]?.includes(dVocab) ?? true;
}
