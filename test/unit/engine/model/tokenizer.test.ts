/** The tokenizer: spans cover the text exactly whatever is in it; damaged files are named. */
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  checkPromptLength,
  type Encoding,
  loadTokenizer,
  maxPromptCharacters,
  requireOneToken,
  type Tokenizer,
} from '../../../../src/engine/model/tokenizer.ts';
import { EngineError } from '../../../../src/shared/errors.ts';
import { failure, temporaryFolder } from '../../temporaryFolder.ts';

const recordedFolder = join(import.meta.dirname, '../../../fixtures/parity/tokenizer');
let tokenizer: Tokenizer;

beforeAll(async () => {
  tokenizer = await loadTokenizer(recordedFolder);
});

type Json = Record<string, unknown>;

/** A folder with the recorded tokenizer, changed. */
async function changed(change: (json: Json & { model: Json }) => void): Promise<string> {
  const folder = await temporaryFolder();
  const json = JSON.parse(await readFile(join(recordedFolder, 'tokenizer.json'), 'utf8'));
  change(json);
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(json));
  await copyFile(join(recordedFolder, 'tokenizer_config.json'), join(folder, 'tokenizer_config.json'));
  return folder;
}

/** Starts and ends never decrease, every unit of the text is in a span, and no span leaves the text. */
function expectCovering(text: string, { starts, ends }: Encoding): void {
  let covered = 0;
  let start = 0;
  for (let i = 0; i < starts.length; i++) {
    expect(starts[i]).toBeGreaterThanOrEqual(start);
    expect(starts[i]).toBeLessThanOrEqual(covered);
    expect(ends[i]).toBeGreaterThanOrEqual(covered);
    start = starts[i]!;
    covered = ends[i]!;
  }
  expect(covered).toBe(text.length);
}

const anyText = fc.string({
  unit: fc.oneof(
    fc.constantFrom(
      ' ',
      '\r\n',
      '\0',
      '\ud800',
      '\udc00',
      "'s",
      '<|endoftext|>',
      '🙂',
      '\u0085',
      '\u001b',
      'é',
      'the',
    ),
    fc.string({ unit: 'binary', maxLength: 3 }),
  ),
  maxLength: 60,
});

describe('encode', () => {
  it('covers any text exactly: lone surrogates, controls, line ends and special tokens too', () => {
    const wellFormed = new TextDecoder();
    fc.assert(
      fc.property(anyText, (text) => {
        const encoding = tokenizer.encode(text);
        expect(encoding.exact).toBe(true);
        expect(encoding.encodedUpTo).toBe(text.length);
        expectCovering(text, encoding);
        // The platform's own UTF-8 round trip is the reference for what can come back.
        expect(tokenizer.decode(encoding.ids)).toBe(
          wellFormed.decode(new TextEncoder().encode(`\ufeff${text}`)),
        );
      }),
      { numRuns: 500, seed: 11 },
    );
  });

  it('gives every token of a split character the whole character', () => {
    const { ids, starts, ends } = tokenizer.encode('a𐀀b');
    expect(ids.length).toBe(6);
    expect([...starts]).toEqual([0, 1, 1, 1, 1, 3]);
    expect([...ends]).toEqual([1, 3, 3, 3, 3, 4]);
  });

  it('gives no tokens for an empty text', () => {
    expect(tokenizer.encode('')).toMatchObject({ ids: new Int32Array(), exact: true, encodedUpTo: 0 });
  });

  it('stops at maxTokens with the same tokens as without, and says how far it came', () => {
    const text = 'the model reads the words one by one, naïvely 🙂 '.repeat(3000);
    expect(text.length).toBeGreaterThan(100_000);
    const whole = tokenizer.encode(text);
    expectCovering(text, whole);
    const part = tokenizer.encode(text, { maxTokens: 48 });
    expect([...part.ids]).toEqual([...whole.ids.slice(0, 48)]);
    expect(part.encodedUpTo).toBe(whole.ends[47]);
    expect(tokenizer.encode('the', { maxTokens: 0 }).ids.length).toBe(0);
  });

  it('encodes a word the same the second time, when it is remembered', () => {
    const first = tokenizer.encode('remembered words, remembered');
    expect(tokenizer.encode('remembered words, remembered')).toEqual(first);
  });

  it('refuses a prompt beyond the limit before it works on it', () => {
    const text = 'x'.repeat(maxPromptCharacters + 1);
    expect(() => tokenizer.encode(text)).toThrow('1000001 characters');
    expect(() => checkPromptLength('abc', 2)).toThrow(EngineError);
    expect(() => checkPromptLength('ab', 2)).not.toThrow();
  });
});

describe('single tokens', () => {
  it('shows whole characters as text and stray bytes as hex', () => {
    const { ids } = tokenizer.encode('é𐀀');
    expect(Array.from(ids, (id) => tokenizer.tokenText(id)).join('')).toBe('é‹F0›‹90›‹80›‹80›');
    expect(tokenizer.tokenText(tokenizer.encode(' the').ids[0]!)).toBe(' the');
    expect(tokenizer.tokenText(0)).toBe('<|endoftext|>');
    expect(tokenizer.tokenText(10_000)).toBe('');
    expect(tokenizer.decode([-1, 1e9])).toBe('');
  });

  it('finds the id of a single token and lists the pieces of another text', () => {
    expect(tokenizer.tokenText(tokenizer.idOf(' the')!)).toBe(' the');
    expect(requireOneToken(tokenizer, ' the')).toBe(tokenizer.idOf(' the'));
    expect(tokenizer.idOf(' lighthouse')).toBeUndefined();
    expect(tokenizer.pieces(' lighthouse').join('')).toBe(' lighthouse');
    expect(() => requireOneToken(tokenizer, ' lighthouse')).toThrow(/not one token.*" +/);
    expect(() => requireOneToken(tokenizer, '')).toThrow('it is empty');
  });

  it('knows the special tokens', () => {
    expect(tokenizer).toMatchObject({ bosId: 0, eosId: 0, bosPolicy: 'none' });
  });

  it('says so when the tokenizer itself prepends the beginning of sequence', async () => {
    const template = {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<|endoftext|>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [],
      special_tokens: { '<|endoftext|>': { id: '<|endoftext|>', ids: [0], tokens: ['<|endoftext|>'] } },
    };
    const prepending = await loadTokenizer(
      await changed((json) => Object.assign(json, { post_processor: template })),
    );
    expect(prepending.bosPolicy).toBe('prepended');
    expect([...prepending.encode('a').ids]).toEqual([...tokenizer.encode('a').ids]);
  });
});

describe('other tokenizers', () => {
  it('keep exact spans when words are split by another pattern', async () => {
    const pre_tokenizer = {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: '\\d{1,2}|[^\\d]+' }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    };
    const other = await loadTokenizer(await changed((json) => Object.assign(json, { pre_tokenizer })));
    const text = 'the 12345 🙂\ud800 words\r\n';
    const encoding = other.encode(text);
    expect(encoding.exact).toBe(true);
    expectCovering(text, encoding);
    expect(other.encode(text, { maxTokens: 3 }).ids).toEqual(encoding.ids.slice(0, 3));
  });

  it('keep exact spans when the text is changed before it is split', async () => {
    const folder = await changed((json) =>
      Object.assign(json, {
        normalizer: { type: 'Sequence', normalizers: [{ type: 'NFC' }, { type: 'Lowercase' }] },
      }),
    );
    const normalizing = await loadTokenizer(folder);
    const text = 'THE Cafe\u0301 model';
    const encoding = normalizing.encode(text);
    expect(encoding.exact).toBe(true);
    expectCovering(text, encoding);
    const model = encoding.starts.indexOf(text.indexOf(' model'));
    expect(normalizing.tokenText(encoding.ids[model]!).startsWith(' m')).toBe(true);
    const accent = encoding.starts.indexOf(text.indexOf('e\u0301'));
    expect(encoding.ends[accent]).toBe(text.indexOf(' model'));
    expect(normalizing.decode(encoding.ids)).toBe('the caf\u00e9 model');
  });

  it('cover any text when much of it is changed', async () => {
    const normalizer = {
      type: 'Sequence',
      normalizers: [
        { type: 'NFKC' },
        { type: 'Lowercase' },
        { type: 'Strip', strip_left: true, strip_right: true },
      ],
    };
    const normalizing = await loadTokenizer(await changed((json) => Object.assign(json, { normalizer })));
    fc.assert(
      fc.property(anyText, (text) => {
        const encoding = normalizing.encode(text);
        if (encoding.ids.length > 0) expectCovering(text, encoding);
      }),
      { numRuns: 200, seed: 12 },
    );
  });
});

describe('a tokenizer that cannot be used', () => {
  it('is missing when the folder has no tokenizer.json, and the folder is named when it is gone', async () => {
    const folder = await temporaryFolder();
    const error = await failure(loadTokenizer(folder));
    expect(error).toMatchObject({ code: 'tokenizer.missing', data: { path: folder } });
    expect(error.message).toContain('save_pretrained');
    expect((await failure(loadTokenizer(join(folder, 'gone')))).code).toBe('file.missing');
  });

  it('is malformed when truncated', async () => {
    const folder = await temporaryFolder();
    const text = await readFile(join(recordedFolder, 'tokenizer.json'), 'utf8');
    await writeFile(join(folder, 'tokenizer.json'), text.slice(0, text.length / 2));
    expect(await failure(loadTokenizer(folder))).toMatchObject({
      code: 'file.malformed',
      data: { path: join(folder, 'tokenizer.json') },
    });
  });

  const cases: readonly [string, (json: Json & { model: Json }) => void, string][] = [
    ['no model', (json) => Reflect.deleteProperty(json, 'model'), 'model'],
    [
      'an unknown kind of model',
      (json) => Object.assign(json, { model: { type: 'Oracle', vocab: { a: 0 } } }),
      'model.type',
    ],
    ['no vocabulary', (json) => Reflect.deleteProperty(json.model, 'vocab'), 'model.vocab'],
    ['an empty vocabulary', (json) => Object.assign(json.model, { vocab: {} }), 'model.vocab'],
    [
      'an id that is no number',
      (json) => Object.assign(json.model, { vocab: { a: '0' } }),
      'model.vocab["a"]',
    ],
    [
      'an id beyond all vocabularies',
      (json) => Object.assign(json.model, { vocab: { a: 2 ** 40 } }),
      'model.vocab["a"]',
    ],
    [
      'two tokens with one id',
      (json) => Object.assign(json.model, { vocab: { a: 0, b: 0 } }),
      'model.vocab["b"]',
    ],
    ['merges that are no list', (json) => Object.assign(json.model, { merges: 'a b' }), 'model.merges'],
    ['a merge of three', (json) => Object.assign(json.model, { merges: ['a b c'] }), 'model.merges[0]'],
    [
      'a merge outside the vocabulary',
      (json) => Object.assign(json.model, { merges: ['t h', 'qq zz'] }),
      'model.merges[1]',
    ],
    [
      'an added token without text',
      (json) => Object.assign(json, { added_tokens: [{ id: 0 }] }),
      'added_tokens.0.content',
    ],
    [
      'an unknown pre-tokenizer',
      (json) => Object.assign(json, { pre_tokenizer: { type: 'Magic' } }),
      'pre_tokenizer.type',
    ],
  ];
  it.each(cases)('is malformed with %s', async (_, change, field) => {
    const folder = await changed(change);
    const path = join(folder, 'tokenizer.json');
    expect(await failure(loadTokenizer(folder))).toMatchObject({
      code: 'file.malformed',
      data: { path, field },
    });
  });

  it('names the config when that is damaged', async () => {
    const folder = await changed(() => undefined);
    await writeFile(join(folder, 'tokenizer_config.json'), '{"bos_token": 5}');
    expect(await failure(loadTokenizer(folder))).toMatchObject({ data: { field: 'bos_token' } });
  });
});
