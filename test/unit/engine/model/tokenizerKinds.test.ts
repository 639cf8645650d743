/** Tokenizers of every kind: any text is covered, ids are the library's where that is right, bad parts are refused. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildTokenizer, type Tokenizer } from '../../../../src/engine/model/tokenizer.ts';
import { parseTokenizer } from '../../../../src/engine/model/tokenizerFile.ts';
import { EngineError } from '../../../../src/shared/errors.ts';

type Json = Record<string, unknown>;

const folder = join(import.meta.dirname, '../../../fixtures/parity/tokenizers');

function fileOf(name: string): Json & { model: Json; added_tokens: Json[] } {
  return JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')).tokenizer;
}

function build(content: unknown, config: Json = {}): Tokenizer {
  return buildTokenizer({
    path: 'tokenizer.json',
    tokenizer: parseTokenizer('tokenizer.json', content),
    config,
  });
}

const unit = fc.oneof(
  fc.constantFrom(
    ' ',
    '  ',
    '\t',
    '\r\n',
    '\0',
    '\ud800',
    '\udc00',
    '🙂',
    '\u0301',
    '\u0323',
    'é',
    '\u00a0',
    '\u200d',
  ),
  fc.constantFrom(
    '</s>',
    '<s>',
    '<|endoftext|>',
    '▁',
    'ㅎ',
    '\u1100',
    '\u1161',
    '½',
    'ﬁ',
    'the',
    "'s",
    '12',
    '.',
    '日',
  ),
  fc.string({ unit: 'binary', maxLength: 3 }),
);
const anyText = fc.string({ unit, maxLength: 30 });

const kinds = [
  'gpt-neox',
  'llama-3',
  'qwen-2',
  'smollm-2',
  'phi-4',
  'falcon',
  'roberta',
  'llama-2',
  'mistral',
  'gemma',
];
const otherKinds = [
  't5',
  'xlnet',
  'unigram-bytes',
  'bert-uncased',
  'bert-cased',
  'unknown-fused',
  'unknown-dropped',
];

describe.each([...kinds, ...otherKinds])('%s', (name) => {
  const tokenizer = build(fileOf(name));

  it('covers any text, and its spans never go back', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const { ids, starts, ends, exact } = tokenizer.encode(text);
        expect(exact).toBe(true);
        if (ids.length === 0) return;
        let [start, covered] = [0, 0];
        for (let i = 0; i < ids.length; i++) {
          expect(starts[i]).toBeGreaterThanOrEqual(start);
          expect(starts[i]).toBeLessThanOrEqual(covered);
          expect(ends[i]).toBeGreaterThanOrEqual(Math.max(covered, starts[i]!));
          [start, covered] = [starts[i]!, ends[i]!];
        }
        expect(covered).toBe(text.length);
      }),
      { numRuns: 150, seed: 21 },
    );
  });

  it('stops early with the same tokens', () => {
    const text = 'the model reads 12 words, naïvely 🙂 '.repeat(5);
    const whole = tokenizer.encode(text);
    const part = tokenizer.encode(text, { maxTokens: 7 });
    expect([...part.ids]).toEqual([...whole.ids.slice(0, 7)]);
    expect(part.encodedUpTo).toBe(whole.ends[6]);
  });
});

describe('a tokenizer that loses nothing', () => {
  it.each(['gpt-neox', 'llama-3', 'smollm-2', 'falcon', 'llama-2', 'gemma'])(
    '%s gives any text back',
    (name) => {
      const tokenizer = build(fileOf(name));
      fc.assert(
        fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (text) => {
          // SentencePiece writes a space as this mark, and what is composed stays composed.
          const asked = text.replaceAll('▁', '').normalize('NFC');
          expect(tokenizer.decode(tokenizer.encode(asked).ids)).toBe(asked);
        }),
        { numRuns: 150, seed: 22 },
      );
    },
  );
});

describe('ids', () => {
  // Words of one script with single spaces are what the library splits as the reference does.
  const words = fc.array(fc.stringMatching(/^[a-z]{1,9}$/), { maxLength: 60 }).map((list) => list.join(' '));

  it.each(['gpt-neox', 'llama-3', 'qwen-2', 'llama-2', 'gemma', 'bert-uncased'])(
    'of %s are the library’s',
    (name) => {
      const content = fileOf(name);
      const tokenizer = build(content);
      const library = new LibraryTokenizer(structuredClone(content), {});
      fc.assert(
        fc.property(words, (text) => {
          const expected = text === '' ? [] : library.encode(text, { add_special_tokens: false }).ids;
          expect([...tokenizer.encode(text).ids]).toEqual(expected);
        }),
        { numRuns: 100, seed: 23 },
      );
    },
  );

  it('do not change when a long word is cut where no merge joins', () => {
    const content = fileOf('llama-2');
    const library = new LibraryTokenizer(structuredClone(content), {});
    const tokenizer = build(content);
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('t', 'h', 'e', 'a', 'n', 'd', ' ', 's'), minLength: 100 }),
        (text) => {
          expect([...tokenizer.encode(text).ids]).toEqual(
            library.encode(text, { add_special_tokens: false }).ids,
          );
        },
      ),
      { numRuns: 60, seed: 24 },
    );
  });
});

describe('answers', () => {
  it('are taken as they are written, and with a space where only that is a token', () => {
    const tokenizer = build(fileOf('llama-2'));
    const [begins, continues] = [tokenizer.idOf(' the')!, tokenizer.idOf('e')!];
    expect(tokenizer.tokenText(begins)).toBe(' the');
    expect(tokenizer.tokenText(continues)).toBe('e');
    expect(tokenizer.tokenText(tokenizer.idOf(' e')!)).toBe(' e');
    expect(tokenizer.idOf('waves and')).toBeUndefined();
    const bare = [...Array(tokenizer.vocabSize).keys()].filter((id) => {
      const text = tokenizer.tokenText(id);
      return text.startsWith(' ') && tokenizer.idOf(text) === id && tokenizer.idOf(text.slice(1)) === id;
    });
    expect(bare.length).toBeGreaterThan(0);
  });

  it('name every token that its text can name', () => {
    for (const name of ['llama-2', 'mistral', 'gemma', 'llama-3', 'roberta', 't5']) {
      const tokenizer = build(fileOf(name));
      const texts = Array.from({ length: tokenizer.vocabSize }, (_, id) => tokenizer.tokenText(id));
      const named = texts.filter((text) => /^ ?[a-z]+$/.test(text));
      expect(named.length).toBeGreaterThan(40);
      for (const text of named)
        expect(tokenizer.tokenText(tokenizer.idOf(text) ?? -1), `${name}${text}`).toBe(text);
    }
  });
});

describe('tokens as people read them', () => {
  it('are text, and bytes in hex where they are no character', () => {
    const llama = build(fileOf('llama-2'));
    const pieces = llama.pieces('the 🙃');
    expect(pieces.slice(-4)).toEqual(['‹F0›', '‹9F›', '‹99›', '‹83›']);
    expect(llama.tokenText(llama.idOf('\n')!)).toBe('\n');
    expect(llama.isSpecial(llama.encode('<s>').ids[0]!)).toBe(true);
    expect(llama.tokenText(llama.encode('<s>').ids[0]!)).toBe('<s>');
    expect(llama.isSpecial(llama.idOf(' the')!)).toBe(false);
    const bert = build(fileOf('bert-cased'));
    expect(bert.pieces('letters').join('')).toBe('letters');
  });
});

describe('the beginning of sequence', () => {
  const template = {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
  };

  it.each([
    ['gpt-neox', {}, 'none', '<|endoftext|>'],
    ['llama-3', {}, 'prepended', '<|begin_of_text|>'],
    ['opt', {}, 'prepended', '</s>'],
    ['bert-cased', {}, 'prepended', '[CLS]'],
    ['llama-2', {}, 'none', undefined],
    ['llama-2', { bos_token: '<s>' }, 'none', '<s>'],
    ['llama-2', { bos_token: '<s>', add_bos_token: true }, 'prepended', '<s>'],
    // Nobody says which token that would be.
    ['llama-2', { add_bos_token: true }, 'none', undefined],
    // As in transformers 5, the post-processor of the file counts.
    ['llama-3', { add_bos_token: false }, 'prepended', '<|begin_of_text|>'],
  ] as const)('of %s with %j is %s: %s', (name, config, policy, text) => {
    const tokenizer = build(fileOf(name), config);
    expect(tokenizer.bosPolicy).toBe(policy);
    expect(tokenizer.bosId === undefined ? undefined : tokenizer.tokenText(tokenizer.bosId)).toBe(text);
  });

  it('is found in a sequence of post-processors, and only where the token exists', () => {
    const post_processor = { type: 'Sequence', processors: [{ type: 'ByteLevel' }, template] };
    expect(build({ ...fileOf('llama-2'), post_processor }).bosPolicy).toBe('prepended');
    expect(build({ ...fileOf('smollm-2'), post_processor }).bosPolicy).toBe('none');
  });
});

describe('a hostile tokenizer', () => {
  const text = `${'a'.repeat(60)}!`;

  it('cannot hang the engine with a pattern, and fails at once from then on', () => {
    const pre_tokenizer = {
      type: 'Split',
      pattern: { Regex: '(a+)+$' },
      behavior: 'Isolated',
      invert: false,
    };
    const tokenizer = build({ ...fileOf('gemma'), pre_tokenizer });
    expect(() => tokenizer.encode(text)).toThrow('takes longer');
    expect(() => tokenizer.encode('a')).toThrow('takes longer');
  });

  it('cannot hang it with a pattern of its normalizer either', () => {
    const normalizer = { type: 'Replace', pattern: { Regex: '(a|aa)+$' }, content: '' };
    expect(() => build({ ...fileOf('gemma'), normalizer }).encode(text)).toThrow('takes longer');
  });

  it('cannot make texts grow without end', () => {
    const step = { type: 'Replace', pattern: { String: 'a' }, content: 'a'.repeat(200) };
    const normalizer = { type: 'Sequence', normalizers: Array.from({ length: 20 }, () => step) };
    expect(() => build({ ...fileOf('gemma'), normalizer }).encode(text)).toThrow('longer than');
  });

  let nested: Json = { type: 'NFC' };
  for (let i = 0; i < 2000; i++) nested = { type: 'Sequence', normalizers: [nested] };
  const replace = (pattern: unknown, content: unknown = '') => ({ type: 'Replace', pattern, content });
  const split = (pattern: unknown, behavior: unknown = 'Isolated') => ({ type: 'Split', pattern, behavior });
  const cases: readonly [string, Json, string][] = [
    ['a pattern that is none', { pre_tokenizer: split({ Regex: '(' }) }, 'pre_tokenizer.pattern'],
    ['a pattern without end', { pre_tokenizer: split({ Regex: 'a'.repeat(5000) }) }, 'pre_tokenizer.pattern'],
    ['a giant repetition', { pre_tokenizer: split({ Regex: 'a{99999}' }) }, 'pre_tokenizer.pattern'],
    ['an empty pattern', { normalizer: replace({ String: '' }) }, 'normalizer.pattern'],
    ['no pattern', { normalizer: replace(null) }, 'normalizer.pattern'],
    ['a giant replacement', { normalizer: replace({ String: 'a' }, 'b'.repeat(1000)) }, 'normalizer.content'],
    ['an unknown behavior', { pre_tokenizer: split({ String: 'a' }, 'Vanish') }, 'pre_tokenizer.behavior'],
    ['normalizers in each other', { normalizer: nested }, 'normalizer'],
    ['an unknown normalizer', { normalizer: { type: 'Magic' } }, 'normalizer.type'],
    ['a list that is none', { normalizer: { type: 'Sequence', normalizers: 5 } }, 'normalizer.normalizers'],
    [
      'a table outside itself',
      { normalizer: { type: 'Precompiled', precompiled_charsmap: '/////w==' } },
      'normalizer.precompiled_charsmap',
    ],
    [
      'an unknown token outside the vocabulary',
      { model: { type: 'BPE', vocab: { a: 0 }, merges: [], unk_token: 'u' } },
      'model.unk_token',
    ],
    [
      'marks inside words',
      { model: { type: 'BPE', vocab: { a: 0 }, merges: [], end_of_word_suffix: '</w>' } },
      'model.end_of_word_suffix',
    ],
    ['a list for a map', { model: { type: 'BPE', vocab: [['a', 0]], merges: [] } }, 'model.vocab'],
    [
      'an unknown piece outside the list',
      { model: { type: 'Unigram', vocab: [['a', 0]], unk_id: 5 } },
      'model.unk_id',
    ],
  ];
  it.each(cases)('is refused with %s', (_, change, field) => {
    const attempt = () => build({ ...fileOf('gemma'), ...change });
    expect(attempt).toThrow(EngineError);
    try {
      attempt();
    } catch (error) {
      expect(error).toMatchObject({ code: 'file.malformed', data: { path: 'tokenizer.json', field } });
    }
  });
});
