/** Which files of a repository a model consists of: config, tokenizer, and one set of safetensors weights. */
import { EngineError } from '../../shared/errors.ts';

/** Names of the weights' index and of its shards, as transformers writes them. */
export const weightsIndex = 'model.safetensors.index.json';
const single = 'model.safetensors';
const shard = /^model-\d{5,6}-of-\d{5,6}\.safetensors$/;

const besides = new Set([
  'config.json',
  'generation_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
]);
const tokenizer = /^tokenizer[\w.-]*\.json$/;

/** Files of a byte-level BPE that stand in for a tokenizer.json. */
const oldTokenizer = ['vocab.json', 'merges.txt'];

/** Weights in formats that are not read, or not from the hub. */
const otherWeights = /\.(bin|pt|pth|ckpt|h5|msgpack|onnx|safetensors|gguf)$/i;

/** The files at the top of a repository or snapshot that are weights; none when there are no safetensors of a model. */
export function weightFiles(names: readonly string[]): readonly string[] {
  if (names.includes(single)) return [single];
  const shards = names.filter((name) => shard.test(name));
  return shards.length > 0 && names.includes(weightsIndex) ? [weightsIndex, ...shards] : [];
}

/**
 * The files of a model among `names`, which lie at the top of the repository.
 * @throws hub.noSafetensors when it holds other weights or none, hub.notFound when it has no config.json or tokenizer.
 */
export function modelFiles(repo: string, names: readonly string[]): readonly string[] {
  const weights = weightFiles(names);
  if (weights.length === 0) {
    const found = names.filter((name) => otherWeights.test(name));
    const gguf = found.filter((name) => /\.gguf$/i.test(name));
    throw new EngineError('hub.noSafetensors', { repo, found: listed(found), gguf });
  }
  if (!names.includes('config.json'))
    throw new EngineError('hub.notFound', { repo, what: 'file config.json' });
  const hasTokenizer = names.includes('tokenizer.json');
  // Better said before gigabytes are fetched than after.
  if (!hasTokenizer && !oldTokenizer.every((name) => names.includes(name))) {
    throw new EngineError('hub.notFound', {
      repo,
      what: 'file tokenizer.json, without which no text can be read',
    });
  }
  const small = names.filter(
    (name) => besides.has(name) || tokenizer.test(name) || (!hasTokenizer && oldTokenizer.includes(name)),
  );
  return [...small, ...weights];
}

function listed(found: readonly string[]): string {
  if (found.length === 0) return 'no weights';
  return found.length <= 4
    ? found.join(', ')
    : `${found.slice(0, 3).join(', ')} and ${found.length - 3} more`;
}
