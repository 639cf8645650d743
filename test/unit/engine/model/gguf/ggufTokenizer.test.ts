/** Tokenizers in GGUF files give the ids that the reference libraries give (test/parity/record_gguf_tokenizers.py). */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openGguf } from '../../../../../src/engine/files/gguf.ts';
import { GgufMetadata } from '../../../../../src/engine/model/gguf/ggufMetadata.ts';
import { ggufTokenizer } from '../../../../../src/engine/model/gguf/ggufTokenizer.ts';
import { wordSplits } from '../../../../../src/engine/model/gguf/wordSplits.ts';
import { buildTokenizer, type Tokenizer } from '../../../../../src/engine/model/tokenizer.ts';
import type { EngineError } from '../../../../../src/shared/errors.ts';
import { ggufFile, type TypedValue } from '../../../../fixtures/ggufFile.ts';
import { failure, temporaryFolder } from '../../../temporaryFolder.ts';

interface Vocabulary {
  readonly tokens: readonly string[];
  readonly types: readonly number[];
  readonly merges?: readonly string[];
  readonly scores?: readonly number[];
}

const recorded: {
  readonly texts: readonly string[];
  readonly byteLevel: Vocabulary;
  readonly sentencePiece: Vocabulary;
  readonly ids: Readonly<Record<string, readonly (readonly number[])[]>>;
} = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../../../fixtures/parity/gguf/tokenizers.json'), 'utf8'),
);

type Fields = Readonly<Record<string, TypedValue | undefined>>;

const text = (value: string): TypedValue => ({ type: 'string', value });
const id = (value: number): TypedValue => ({ type: 'uint32', value });
const flag = (value: boolean): TypedValue => ({ type: 'bool', value });

/** The metadata of a vocabulary; `changes` replace fields of `tokenizer.ggml.`, or leave them out. */
function fields({ tokens, types, merges, scores }: Vocabulary, changes: Fields): Record<string, TypedValue> {
  const all: Fields = {
    model: text(merges ? 'gpt2' : 'llama'),
    tokens: { type: 'array', of: 'string', values: tokens },
    token_type: { type: 'array', of: 'int32', values: types },
    ...(merges && { merges: { type: 'array', of: 'string', values: merges } }),
    ...(scores && { scores: { type: 'array', of: 'float32', values: scores }, unknown_token_id: id(0) }),
    bos_token_id: id(1),
    eos_token_id: id(2),
    ...changes,
  };
  const given = Object.entries(all).flatMap(([key, value]) =>
    value ? [[`tokenizer.ggml.${key}`, value]] : [],
  );
  return Object.fromEntries(given);
}

async function tokenizerOf(
  vocabulary: Vocabulary,
  changes: Fields = {},
  architecture = 'llama',
): Promise<Tokenizer> {
  const path = join(await temporaryFolder(), 'a.gguf');
  const metadata = { 'general.architecture': text(architecture), ...fields(vocabulary, changes) };
  await writeFile(path, ggufFile({ metadata }));
  return buildTokenizer(ggufTokenizer(new GgufMetadata(await openGguf(path))));
}

function idsOf(tokenizer: Tokenizer): number[][] {
  return recorded.texts.map((words) => [...tokenizer.encode(words).ids]);
}

const { byteLevel, sentencePiece } = recorded;
const splits = Object.keys(recorded.ids).filter((name) => wordSplits.has(name));
const architectures = Object.keys(recorded.ids).filter((name) => !wordSplits.has(name));

describe('a tokenizer of a GGUF file', () => {
  it.each(splits)('splits words as %s does', async (pre) => {
    expect(idsOf(await tokenizerOf(byteLevel, { pre: text(pre) }))).toEqual(recorded.ids[pre]);
  });

  it('is tested with ways of splitting words that differ from each other', () => {
    expect(new Set(splits.map((name) => JSON.stringify(recorded.ids[name]))).size).toBeGreaterThan(4);
  });

  it.each(architectures)('of SentencePiece is read as that of %s', async (architecture) => {
    expect(idsOf(await tokenizerOf(sentencePiece, {}, architecture))).toEqual(recorded.ids[architecture]);
  });

  it('puts no space before a text when the file says so', async () => {
    const tokenizer = await tokenizerOf(sentencePiece, { add_space_prefix: flag(false) });
    expect(tokenizer.pieces('the').join('')).toBe('the');
    expect(tokenizer.decode(tokenizer.encode('the lamp').ids)).toBe('the lamp');
  });

  it.each<[string, Vocabulary, Fields, string]>([
    ['by default for SentencePiece', sentencePiece, {}, 'prepended'],
    ['by default for Llama 3', byteLevel, { pre: text('llama-bpe') }, 'prepended'],
    ['when the file says so', byteLevel, { pre: text('gpt-2'), add_bos_token: flag(true) }, 'prepended'],
  ])('begins a text with the beginning-of-sequence token %s', async (_, vocabulary, changes, policy) => {
    const tokenizer = await tokenizerOf(vocabulary, changes);
    expect(tokenizer.bosPolicy).toBe(policy);
    expect(tokenizer.bosId).toBe(1);
    expect(tokenizer.eosId).toBe(2);
  });

  it.each<[string, Vocabulary, Fields]>([
    ['by default for GPT-2', byteLevel, { pre: text('gpt-2') }],
    ['when the file says so', sentencePiece, { add_bos_token: flag(false) }],
  ])('begins a text without it %s', async (_, vocabulary, changes) => {
    expect((await tokenizerOf(vocabulary, changes)).bosPolicy).toBe('none');
  });

  it('without a named split is told by what the file holds', async () => {
    const llama3 = await tokenizerOf(byteLevel, { bos_token_id: id(2) });
    expect(idsOf(llama3)).toEqual(recorded.ids['llama-bpe']);
    expect(idsOf(await tokenizerOf(byteLevel))).toEqual(recorded.ids['gpt-2']);
    expect(idsOf(await tokenizerOf(byteLevel, {}, 'qwen2'))).toEqual(recorded.ids.qwen2);
  });

  it.each<[string, Fields, EngineError['code'], RegExp]>([
    [
      'of a kind nobody knows here',
      { model: text('bert') },
      'model.unsupported',
      /tokenizer of the kind bert/,
    ],
    ['without a kind', { model: undefined }, 'model.unsupported', /kind unknown/],
    ['split in a way nobody knows', { pre: text('new') }, 'model.unsupported', /words split as for new/],
    ['without tokens', { tokens: undefined }, 'file.malformed', /tokenizer\.ggml\.tokens/],
    [
      'with numbers for tokens',
      { tokens: { type: 'array', of: 'int32', values: [1] } },
      'file.malformed',
      /tokens/,
    ],
    [
      'with too few types',
      { token_type: { type: 'array', of: 'int32', values: [1] } },
      'file.malformed',
      /token_type/,
    ],
    ['without merges', { merges: undefined }, 'file.malformed', /tokenizer\.ggml\.merges/],
    [
      'with a merge of nothing',
      { merges: { type: 'array', of: 'string', values: ['q'] } },
      'file.malformed',
      /merges/,
    ],
    [
      'with a merge to no token',
      { merges: { type: 'array', of: 'string', values: ['q z'] } },
      'file.malformed',
      /qz/,
    ],
    [
      'that begins with no token',
      { bos_token_id: id(1e6) },
      'file.malformed',
      /bos_token_id should be below/,
    ],
  ])('%s is refused', async (_, changes, code, words) => {
    const error = await failure(tokenizerOf(byteLevel, { pre: text('gpt-2'), ...changes }));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(words);
  });
});
