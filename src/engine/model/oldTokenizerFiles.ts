/**
 * Makes the content of a `tokenizer.json` for repositories that are older than that format: GPT-2 and its kin (OPT among
 * them) keep a byte-level BPE in `vocab.json` and `merges.txt`.
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { isEngineError } from '../../shared/errors.ts';
import { fileError, malformed } from '../files/fileErrors.ts';
import { readJson } from '../files/json.ts';

/** Larger lists of merges belong to no tokenizer of this kind. */
const maxMergesBytes = 64 * 2 ** 20;

/** Families whose tokenizer this is where the config does not name its class. */
const gpt2Kin = new Set(['gpt2', 'gpt_neo', 'opt']);

const loose = v.record(v.string(), v.unknown());

/**
 * The tokenizer of `folder`; undefined when it has no such files, or they are another kind's, which splits words
 * otherwise (Qwen2's have the same names).
 * @throws file.malformed, file.unreadable
 */
export async function readOldTokenizer(folder: string): Promise<unknown> {
  const read = (name: string) => optionalJson(join(folder, name));
  const [vocab, config = {}, model = {}] = await Promise.all(
    ['vocab.json', 'tokenizer_config.json', 'config.json'].map(read),
  );
  const merges = await readMerges(join(folder, 'merges.txt'));
  if (!vocab || !merges || !isGpt2Kind(config.tokenizer_class, model.model_type)) return undefined;
  const added = { ...((await read('added_tokens.json')) ?? {}) };
  const named = { ...((await read('special_tokens_map.json')) ?? {}), ...config };
  const special = specialTokens(named);
  const known = { ...vocab, ...added };
  const ids = [...new Set([...Object.keys(added), ...special])].filter((text) => Object.hasOwn(known, text));
  return {
    added_tokens: ids.map((content) => ({
      id: known[content],
      content,
      special: special.has(content),
      lstrip: false,
      rstrip: false,
      single_word: false,
      normalized: false,
    })),
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: config.add_prefix_space === true, use_regex: true },
    post_processor: null,
    decoder: { type: 'ByteLevel' },
    model: { type: 'BPE', vocab, merges, fuse_unk: false, byte_fallback: false },
  };
}

function isGpt2Kind(tokenizerClass: unknown, modelType: unknown): boolean {
  if (typeof tokenizerClass === 'string') return /^GPT2Tokenizer(Fast)?$/.test(tokenizerClass);
  return typeof modelType === 'string' && gpt2Kin.has(modelType);
}

/** The texts that configs name as special: beginning, end, unknown, padding. */
function specialTokens(named: Readonly<Record<string, unknown>>): ReadonlySet<string> {
  const texts = ['bos_token', 'eos_token', 'unk_token', 'pad_token'].map((field) => textOf(named[field]));
  return new Set(['<|endoftext|>', ...texts].filter((text) => text !== undefined && text !== '') as string[]);
}

function textOf(token: unknown): string | undefined {
  if (typeof token === 'string') return token;
  const content =
    typeof token === 'object' && token !== null && 'content' in token ? token.content : undefined;
  return typeof content === 'string' ? content : undefined;
}

async function optionalJson(path: string): Promise<Record<string, unknown> | undefined> {
  return readJson(path, loose).catch((error: unknown) => {
    if (isEngineError(error, 'file.missing')) return undefined;
    throw error;
  });
}

/** One merge a line, behind a line that names the version. */
async function readMerges(path: string): Promise<readonly string[] | undefined> {
  const size = await stat(path).then(
    (stats) => stats.size,
    () => undefined,
  );
  if (size === undefined) return undefined;
  if (size > maxMergesBytes) throw malformed(path, 'file size', `at most ${maxMergesBytes} bytes`, size);
  const text = await readFile(path, 'utf8').catch((error) => {
    throw fileError(path, error);
  });
  const lines = text.split(/\r?\n/);
  return lines.filter((line, i) => line !== '' && !(i === 0 && line.startsWith('#version')));
}
