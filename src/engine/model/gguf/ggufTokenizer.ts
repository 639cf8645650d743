/** Makes the tokenizer that a GGUF file's metadata describe, in the form of a `tokenizer.json` and its config. */
import { EngineError } from '../../../shared/errors.ts';
import { malformed, shorten } from '../../files/fileErrors.ts';
import { parseTokenizer, type TokenizerFiles } from '../tokenizerFile.ts';
import type { GgufMetadata } from './ggufMetadata.ts';
import { sentencePieceMerges } from './sentencePieceMerges.ts';
import { type WordSplit, wordSplitOf, wordSplits } from './wordSplits.ts';

/** What a token is, in the file's `token_type`: for what has none, a marker like the end of a text, a word of its own. */
const [unknownToken, controlToken, userToken] = [2, 3, 4];

const key = (name: string) => `tokenizer.ggml.${name}`;

/** The texts of the vocabulary by id, and what the file says of each. */
interface GgufVocabulary {
  readonly tokens: readonly string[];
  readonly types: Float64Array | undefined;
  readonly scores: Float64Array | undefined;
}

/**
 * Byte-level BPE (`gpt2`) and SentencePiece's BPE with byte fallback (`llama`).
 * @throws model.unsupported for other kinds, file.malformed.
 */
export function ggufTokenizer(metadata: GgufMetadata): TokenizerFiles {
  const { path } = metadata;
  const vocabulary = readVocabulary(metadata);
  const kind = metadata.text(key('model'));
  const config = (addsBos: boolean) => ({
    bos_token: tokenText(metadata, vocabulary, 'bos_token_id'),
    eos_token: tokenText(metadata, vocabulary, 'eos_token_id'),
    add_bos_token: metadata.flag(key('add_bos_token')) ?? addsBos,
  });
  if (kind === 'llama') {
    const json = sentencePiece(metadata, vocabulary);
    return { path, tokenizer: parseTokenizer(path, json), config: config(true) };
  }
  if (kind !== 'gpt2')
    throw unsupported(metadata, `a tokenizer of the kind ${kind ?? 'unknown'}`, 'gpt2 or llama');
  const name = metadata.text(key('pre')) ?? 'default';
  const split = wordSplitOf(name, metadata.architecture, config(false).bos_token);
  if (!split) throw unsupported(metadata, `words split as for ${name}`, [...wordSplits.keys()].join(', '));
  const tokenizer = parseTokenizer(path, byteLevel(metadata, vocabulary, split));
  return { path, tokenizer, config: config(split.addsBos) };
}

function readVocabulary(metadata: GgufMetadata): GgufVocabulary {
  const tokens = metadata.texts(key('tokens'));
  if (!tokens || tokens.length === 0)
    throw malformed(metadata.path, key('tokens'), 'a list of texts', tokens);
  const lists = ['token_type', 'scores'].map((name) => {
    const list = metadata.numbers(key(name));
    if (list && list.length !== tokens.length) {
      throw malformed(
        metadata.path,
        key(name),
        `one number for each of ${tokens.length} tokens`,
        `${list.length} of them`,
      );
    }
    return list;
  });
  return { tokens, types: lists[0], scores: lists[1] };
}

function byteLevel(metadata: GgufMetadata, vocabulary: GgufVocabulary, split: WordSplit): unknown {
  const merges = metadata.texts(key('merges'));
  if (!merges) throw malformed(metadata.path, key('merges'), 'a list of texts', merges);
  return {
    added_tokens: addedTokens(vocabulary),
    normalizer: null,
    pre_tokenizer: split.preTokenizer,
    post_processor: null,
    decoder: { type: 'ByteLevel' },
    model: {
      type: 'BPE',
      vocab: idsByText(vocabulary.tokens),
      merges,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: split.wholeWords,
    },
  };
}

function sentencePiece(metadata: GgufMetadata, { tokens, types, scores }: GgufVocabulary): unknown {
  const isGemma = metadata.architecture.startsWith('gemma');
  // Gemma's files spell tokens of several spaces with spaces, all others with the mark for one.
  const texts = isGemma
    ? tokens.map((text) => (/^ {2,}$/.test(text) ? text.replaceAll(' ', '▁') : text))
    : tokens;
  const stored = metadata.texts(key('merges'));
  if (!stored && !scores && !isGemma)
    throw malformed(metadata.path, key('scores'), 'a list of numbers', undefined);
  const ids = idsByText(texts);
  // Gemma's scores do not follow the order in which pieces were learned; the order of its tokens does.
  const rank = isGemma ? (id: number) => -id : (id: number) => scores![id]!;
  const addsSpace = metadata.flag(key('add_space_prefix')) ?? true;
  return {
    added_tokens: addedTokens({ tokens: texts, types, scores }),
    ...(isGemma ? plainSpaces : markedSpaces(metadata.architecture, addsSpace)),
    post_processor: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        ...(addsSpace && !isGemma ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
      ],
    },
    model: {
      type: 'BPE',
      vocab: ids,
      merges: stored ?? sentencePieceMerges(texts, ids, rank),
      unk_token: tokenText(metadata, { tokens: texts, types, scores }, 'unknown_token_id'),
      fuse_unk: true,
      byte_fallback: true,
    },
  };
}

const spaceToMark = { type: 'Replace', pattern: { String: ' ' }, content: '▁' };

/** Gemma puts no space before a text. */
const plainSpaces = { normalizer: spaceToMark, pre_tokenizer: null };

/** Phi 3 always puts a space before a text, Llama only before one that does not begin with one. */
function markedSpaces(architecture: string, addsSpace: boolean): Record<string, unknown> {
  if (architecture === 'phi3' && addsSpace) {
    const normalizers = [{ type: 'Prepend', prepend: '▁' }, spaceToMark];
    return { normalizer: { type: 'Sequence', normalizers }, pre_tokenizer: null };
  }
  const scheme = addsSpace ? 'first' : 'never';
  const metaspace = { type: 'Metaspace', replacement: '▁', prepend_scheme: scheme, split: false };
  return { normalizer: null, pre_tokenizer: metaspace };
}

/** Tokens that are found in a text as they are written, before it is split into words. */
function addedTokens({ tokens, types }: GgufVocabulary): unknown[] {
  const added: unknown[] = [];
  for (const [id, content] of tokens.entries()) {
    const special = types?.[id] === controlToken || types?.[id] === unknownToken;
    if (content === '' || !(special || types?.[id] === userToken)) continue;
    added.push({ id, content, special, normalized: false, lstrip: false, rstrip: false, single_word: false });
  }
  return added;
}

/** Of tokens with one text the last one counts, as in the reference. */
function idsByText(tokens: readonly string[]): Record<string, number> {
  const ids: Record<string, number> = Object.create(null);
  for (const [id, text] of tokens.entries()) ids[text] = id;
  return ids;
}

/** The text of the token that the file names as its begin, end or unknown token. */
function tokenText(metadata: GgufMetadata, { tokens }: GgufVocabulary, name: string): string | null {
  const id = metadata.id(key(name));
  if (id === undefined) return null;
  const text = tokens[id];
  if (text === undefined) throw malformed(metadata.path, key(name), `below ${tokens.length}`, id);
  return text === '' ? null : text;
}

function unsupported({ path, architecture }: GgufMetadata, what: string, supported: string): EngineError {
  return new EngineError('model.unsupported', {
    path,
    architecture: shorten(`${architecture} with ${what}`, 120),
    supported,
  });
}
