/** Reads and checks `tokenizer.json` and `tokenizer_config.json` before the tokenizer library sees them. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { EngineError, isEngineError } from '../../shared/errors.ts';
import { fileError, malformed, shorten } from '../files/fileErrors.ts';
import { checkJson, readJson } from '../files/json.ts';
import { readOldTokenizer } from './oldTokenizerFiles.ts';

/** Larger ids than this come from damaged files; the library would allocate a list of that length. */
const maxTokenId = 4_000_000;

const tokenId = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(maxTokenId));

const addedTokenSchema = v.looseObject({
  id: tokenId,
  content: v.pipe(v.string(), v.minLength(1)),
  special: v.optional(v.boolean(), false),
  lstrip: v.optional(v.boolean(), false),
  rstrip: v.optional(v.boolean(), false),
  single_word: v.optional(v.boolean(), false),
  /** Whether it is looked for in the normalized text; when left out, special tokens are not. */
  normalized: v.optional(v.boolean()),
});

const part = v.optional(v.nullable(v.looseObject({ type: v.string() })), null);

const tokenizerSchema = v.looseObject({
  added_tokens: v.optional(v.array(addedTokenSchema), []),
  normalizer: part,
  pre_tokenizer: part,
  post_processor: part,
  decoder: part,
  model: v.pipe(
    v.looseObject({ type: v.optional(v.picklist(['BPE', 'WordPiece', 'Unigram', 'WordLevel'])) }),
    v.transform((model): ModelPart => ({ ...model, type: model.type ?? kindOf(model) })),
  ),
});

type ModelPart = {
  readonly type: 'BPE' | 'WordPiece' | 'Unigram' | 'WordLevel';
  readonly [field: string]: unknown;
};

/** Older files do not say of what kind they are. */
function kindOf(model: Record<string, unknown>): ModelPart['type'] {
  if (Array.isArray(model.vocab)) return 'Unigram';
  if (model.merges !== undefined) return 'BPE';
  return model.continuing_subword_prefix === undefined ? 'WordLevel' : 'WordPiece';
}

const specialToken = v.optional(
  v.nullable(
    v.union([
      v.string(),
      v.pipe(
        v.looseObject({ content: v.string() }),
        v.transform((token) => token.content),
      ),
    ]),
  ),
);

const configSchema = v.looseObject({
  bos_token: specialToken,
  eos_token: specialToken,
  add_bos_token: v.optional(v.nullable(v.boolean())),
});

export type TokenizerJson = v.InferOutput<typeof tokenizerSchema>;
export type TokenizerConfig = v.InferOutput<typeof configSchema>;
export type AddedToken = v.InferOutput<typeof addedTokenSchema>;

/** What is known of a tokenizer before it is built; `path` is for messages. */
export interface TokenizerFiles {
  readonly path: string;
  readonly tokenizer: TokenizerJson;
  readonly config: TokenizerConfig;
}

/**
 * The two files of the tokenizer in `folder`; the config may be absent, and older files stand in for the first.
 * @throws tokenizer.missing, file.missing (no such folder), file.malformed.
 */
export async function readTokenizerFiles(folder: string): Promise<TokenizerFiles> {
  await stat(folder).catch((error) => {
    throw fileError(folder, error);
  });
  let path = join(folder, 'tokenizer.json');
  const content = await readJson(path, v.unknown()).catch(async (error) => {
    if (!isEngineError(error, 'file.missing')) throw error;
    const old = await readOldTokenizer(folder);
    if (old === undefined) throw new EngineError('tokenizer.missing', { path: folder });
    path = join(folder, 'vocab.json');
    return old;
  });
  const tokenizer = parseTokenizer(path, content);
  const config = await readJson(join(folder, 'tokenizer_config.json'), configSchema).catch((error) => {
    if (isEngineError(error, 'file.missing')) return {};
    throw error;
  });
  return { path, tokenizer, config };
}

/** The content of a `tokenizer.json`, or of one made from another format. `path` is for messages. @throws file.malformed */
export function parseTokenizer(path: string, content: unknown): TokenizerJson {
  const tokenizer = checkJson(path, content, tokenizerSchema);
  checkVocabulary(path, tokenizer.model);
  return tokenizer;
}

/** Vocabularies hold tens of thousands of entries, so they are checked by hand rather than by the schema. */
function checkVocabulary(path: string, model: TokenizerJson['model']): void {
  const { vocab, merges } = model;
  if (model.type === 'Unigram') {
    if (!Array.isArray(vocab)) throw malformed(path, 'model.vocab', 'a list of texts and scores', vocab);
    if (vocab.length === 0) throw malformed(path, 'model.vocab', 'at least one token', vocab);
    for (const entry of vocab) {
      const pair = Array.isArray(entry) && typeof entry[0] === 'string' && typeof entry[1] === 'number';
      if (!pair) throw malformed(path, 'model.vocab', 'pairs of text and score', entry);
    }
  } else {
    checkVocabularyMap(path, vocab);
  }
  if (model.type === 'BPE' || merges !== undefined) checkMerges(path, model);
}

function checkVocabularyMap(path: string, vocab: unknown): void {
  if (typeof vocab !== 'object' || vocab === null || Array.isArray(vocab))
    throw malformed(path, 'model.vocab', 'an object of token ids', vocab);
  const entries = Object.entries(vocab);
  if (entries.length === 0) throw malformed(path, 'model.vocab', 'at least one token', 'none');
  const taken = new Set<number>();
  for (const [text, id] of entries) {
    const wrong = (expected: string) =>
      malformed(path, `model.vocab[${shorten(JSON.stringify(text), 40)}]`, expected, id);
    const isId = typeof id === 'number' && Number.isInteger(id) && id >= 0 && id <= maxTokenId;
    if (!isId) throw wrong(`a whole number from 0 to ${maxTokenId}`);
    if (taken.has(id)) throw wrong('an id of its own');
    taken.add(id);
  }
}

/** Every merge must join two tokens into a third, as the reference implementation demands; encoding relies on it. */
function checkMerges(path: string, { merges, vocab, ...model }: TokenizerJson['model']): void {
  if (!Array.isArray(merges)) throw malformed(path, 'model.merges', 'a list', merges);
  const prefix = typeof model.continuing_subword_prefix === 'string' ? model.continuing_subword_prefix : '';
  const known = vocab as Record<string, number>;
  for (const [i, merge] of merges.entries()) {
    const wrong = (expected: string, found: unknown) =>
      malformed(path, `model.merges[${i}]`, expected, found);
    const parts: unknown = typeof merge === 'string' ? merge.split(' ') : merge;
    if (!isPair(parts)) throw wrong('two texts', merge);
    if (typeof merge !== typeof merges[0]) throw wrong('the form of the first merge', merge);
    const joined = parts[0] + (parts[1].startsWith(prefix) ? parts[1].slice(prefix.length) : parts[1]);
    const unknown = [...parts, joined].find((token) => !Object.hasOwn(known, token));
    if (unknown !== undefined) throw wrong('tokens of model.vocab', unknown);
  }
}

function isPair(value: unknown): value is [string, string] {
  if (!Array.isArray(value) || value.length !== 2) return false;
  const isText = (half: unknown) => typeof half === 'string' && half !== '';
  return isText(value[0]) && isText(value[1]);
}
