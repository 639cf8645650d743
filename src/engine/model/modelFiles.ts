/** What a model comes down to, whether it lies in a folder or in one GGUF file: config, weights, tokenizer. */
import { createHash } from 'node:crypto';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import * as v from 'valibot';
import { EngineError } from '../../shared/errors.ts';
import { fileError, shorten } from '../files/fileErrors.ts';
import { readJson } from '../files/json.ts';
import { openSafetensorsFolder } from '../files/safetensorsFolder.ts';
import { sampleWeights } from '../files/weightsSample.ts';
import { defaultStorage } from '../storage.ts';
import { alignedWeights } from './alignedWeights.ts';
import { openGgufModel } from './gguf/openGgufModel.ts';
import { type PlaceOptions, placedWeights } from './placedWeights.ts';
import { readTokenizerFiles, type TokenizerFiles } from './tokenizerFile.ts';
import { ModelWeights } from './weights.ts';
import { widenedWeights } from './widenedWeights.ts';

export interface ModelFiles {
  /** Real path of the folder or file; the model's id. */
  readonly id: string;
  /** The same as it was asked for, absolute: what a link of the Hugging Face cache leads to has no name. */
  readonly path: string;
  /** For people: `owner/name` for one of the Hugging Face cache, else the folder's or file's name. */
  readonly name: string;
  /** The content of `config.json`, or the same made from a GGUF file's metadata; `path` is for messages. */
  readonly config: { readonly path: string; readonly content: unknown };
  readonly weights: ModelWeights;
  /** First 16 hex digits of a SHA-256 that changes with config or weights. */
  readonly hash: string;
  /**
   * The content of `tokenizer.json` and `tokenizer_config.json`, or the same made from a GGUF file's metadata.
   * @throws tokenizer.missing, file.malformed, file.unreadable.
   */
  readTokenizer(): Promise<TokenizerFiles>;
}

/** Weights that are not used where they lie are converted into `storage`; the user's cache folder when left out. */
export interface ModelFilesOptions extends Partial<PlaceOptions> {
  /** Looks at config and weights before anything is converted; the weights hold places and shapes only. */
  readonly check?: (config: ModelFiles['config'], weights: ModelWeights) => void;
}

/** The same with a folder for conversions. */
export type FoundOptions = ModelFilesOptions & PlaceOptions;

/**
 * Opens the model at `path`: a folder as Hugging Face writes it, with its weights in one `.safetensors` file or in
 * several, or a GGUF file (or a folder that holds nothing else). Weights are not read, but those of a quantised file, of
 * a large one in 16 bits, and of one that the runtime could not map are converted when it is opened first; that is
 * reported and can be cancelled.
 * @throws file.missing, file.unreadable, file.malformed, model.notSafetensors, model.unsupported, model.tooLarge before
 * anything is converted, disk.full, cancelled.
 */
export async function openModelFiles(path: string, options: ModelFilesOptions = {}): Promise<ModelFiles> {
  const conversion = { ...options, storage: options.storage ?? defaultStorage() };
  try {
    const real = await realpath(path);
    const asked = resolve(path);
    if ((await stat(real)).isFile()) {
      return { ...(await openGgufModel(real, conversion)), path: asked, name: ggufName(asked) };
    }
    const only = await onlyGguf(real);
    const files = await (only === undefined ? openFolder(real, conversion) : openGgufModel(only, conversion));
    return { ...files, id: real, path: asked, name: modelName(asked) };
  } catch (error) {
    throw fileError(path, error);
  }
}

/** The GGUF file of a folder without a config of its own, as repositories of such files are. */
async function onlyGguf(folder: string): Promise<string | undefined> {
  const names = await readdir(folder);
  const found = names.filter((name) => /\.gguf$/i.test(name));
  if (found.length === 0 || names.includes('config.json')) return undefined;
  if (found.length === 1) return join(folder, found[0]!);
  const reason = `it holds ${found.length} GGUF files; open one of them: ${shorten(found.sort().join(', '), 200)}`;
  throw new EngineError('request.invalid', { what: folder, reason });
}

async function openFolder(path: string, options: FoundOptions): Promise<ModelFiles> {
  const configPath = join(path, 'config.json');
  const content = await readJson(configPath, v.unknown());
  const source = await openSafetensorsFolder(path);
  const hashed = source.files.includes(source.path) ? [] : [source.path];
  const config = { path: configPath, content };
  const stored = new ModelWeights(source);
  options.check?.(config, stored);
  const { float32Bytes, widenedBytes } = stored;
  const places = {
    size: { path: source.path, float32Bytes, widenedBytes },
    inPlace: () => alignedWeights(path, source, options),
    converted: () => widenedWeights(path, source, options),
  };
  return {
    id: path,
    path,
    name: modelName(path),
    config,
    weights: new ModelWeights(await placedWeights(places, options), stored.storedPrecision),
    hash: await hashOf([configPath, ...hashed], source.files),
    readTokenizer: () => readTokenizerFiles(path),
  };
}

function ggufName(path: string): string {
  return basename(path).replace(/\.gguf$/i, '');
}

/** The folder's name; for a folder of the Hugging Face cache (`models--owner--name/snapshots/…`) the repository's. */
function modelName(path: string): string {
  const repository = basename(dirname(dirname(path)));
  const isCached = basename(dirname(path)) === 'snapshots' && repository.startsWith('models--');
  return isCached ? repository.slice('models--'.length).replace('--', '/') : basename(path);
}

/** SHA-256 over `texts` in full, and each weights file's header and a sample of its data: cheap, and another one after retraining. */
async function hashOf(texts: readonly string[], weights: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const path of texts) hash.update(await readFile(path));
  for (const path of weights) await sampleWeights(path, (piece) => hash.update(piece));
  return hash.digest('hex').slice(0, 16);
}
