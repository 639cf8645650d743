/** The BPE trainer: deterministic, complete over bytes, keeps listed words whole, loads elsewhere. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PreTrainedTokenizer } from '@xenova/transformers';
import { describe, expect, it } from 'vitest';
import { loadTokenizer } from '../../../../src/engine/model/tokenizer.ts';
import { endOfText, trainBpe, writeBpeTokenizer } from '../../../../src/engine/training/bpe.ts';
import { isEngineError } from '../../../../src/shared/errors.ts';
import { failure, temporaryFolder } from '../../temporaryFolder.ts';

const texts = [
  'the cat sat on the mat and the cat saw the rat',
  'When Mary and John went to the store, John gave a drink to Mary.',
  "it's 1984 and they've 12 naïve cafés 🙂",
  `first${endOfText}second the the the`,
];
const singleTokens = [' Bartholomew', ' Mary', ' Xanthippe', 'Zürich'];

function countPairs(split: readonly (readonly string[])[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of split) {
    for (const [i, symbol] of word.slice(1).entries()) {
      const pair = `${word[i]} ${symbol}`;
      counts.set(pair, (counts.get(pair) ?? 0) + 1);
    }
  }
  return counts;
}

/** Merges by the textbook: count all pairs of all words afresh, take the most frequent, first by ids among equals. */
function slowMerges(words: readonly string[], count: number): string[] {
  const ids = new Map([...new Set(words.join(''))].sort().map((symbol, id) => [symbol, id]));
  const rank = (pair: string) => pair.split(' ').reduce((sum, symbol) => sum * 1000 + ids.get(symbol)!, 0);
  const merges: string[] = [];
  const split = words.map((word) => [...word]);
  while (merges.length < count) {
    const ordered = [...countPairs(split)].sort(([a, m], [b, n]) => n - m || rank(a) - rank(b));
    const best = ordered[0]![0];
    const joined = best.replace(' ', '');
    merges.push(best);
    if (!ids.has(joined)) ids.set(joined, ids.size);
    for (const word of split) {
      for (let i = 1; i < word.length; i++)
        if (`${word[i - 1]} ${word[i]}` === best) word.splice(i - 1, 2, joined);
    }
  }
  return merges;
}

describe('trainBpe', () => {
  it('merges as counting afresh each time does', async () => {
    const words = 'ababd abdc cabab bcbcd aaab abcabcd cabda ababab bcacd daab ccab'.split(' ');
    // Every text is one word, so that the slow count sees the same words.
    const { merges } = await trainBpe(words, { vocabSize: 257 + 12 });
    expect(merges.map((pair) => pair.join(' '))).toEqual(slowMerges(words, 12));
  });

  it('gives the special token, all bytes and as many entries as asked, each once', async () => {
    const { tokens, merges } = await trainBpe(texts, { vocabSize: 320, singleTokens });
    expect(tokens.length).toBe(320);
    expect(new Set(tokens).size).toBe(320);
    expect(tokens[0]).toBe(endOfText);
    expect(tokens.slice(1, 257).every((token) => token.length === 1)).toBe(true);
    expect(merges.length).toBeGreaterThanOrEqual(320 - 257);
  });

  it('gives the same files again', async () => {
    const read = async () => {
      const folder = await temporaryFolder();
      await writeBpeTokenizer(folder, await trainBpe(texts, { vocabSize: 300 }), { contextLength: 128 });
      return readFile(join(folder, 'tokenizer.json'), 'utf8');
    };
    expect(await read()).toBe(await read());
  });

  it('stops early when nothing is left to merge', async () => {
    const { tokens } = await trainBpe(['ab ab'], { vocabSize: 1000 });
    expect(tokens.slice(257)).toEqual(['ab', 'Ġab']);
  });

  it('refuses a list that does not fit and a listed text of several words', async () => {
    await expect(trainBpe(texts, { vocabSize: 260, singleTokens })).rejects.toThrow('no room');
    await expect(trainBpe(texts, { vocabSize: 400, singleTokens: ['two words'] })).rejects.toThrow(
      'not a single word',
    );
  });

  it('learns first tokens before all others, in their order, and merges numbers no further', async () => {
    const firstTokens = [' 1', ' 17', '32', '00'];
    const text = ' 1732 1732 1732 5555 5555 the the';
    const { tokens, merges } = await trainBpe([text], { vocabSize: 280, firstTokens });
    expect(merges.slice(0, 4)).toEqual([
      ['Ġ', '1'],
      ['Ġ1', '7'],
      ['3', '2'],
      ['0', '0'],
    ]);
    expect(tokens.slice(257, 261)).toEqual(['Ġ1', 'Ġ17', '32', '00']);
    expect(tokens.slice(261).filter((token) => /\d/.test(token))).toEqual([]);
    expect(tokens.slice(261)).toContain('Ġthe');
  });

  it('refuses first tokens that are not two earlier ones, and single numbers that no first token makes', async () => {
    const train = (firstTokens: string[], numbers: string[] = []) =>
      trainBpe(texts, { vocabSize: 300, firstTokens, singleTokens: numbers });
    await expect(train([' 17'])).rejects.toThrow('not two earlier tokens');
    await expect(train([' 1', ' 1'])).rejects.toThrow('not two earlier tokens');
    await expect(train([' 1'], [' 1984'])).rejects.toThrow('" 1984" is not among the first tokens');
    await expect(train([' 1', ' 17'], [' 17', '4'])).resolves.toBeDefined();
  });

  it('can be cancelled', async () => {
    const words = Array.from({ length: 400 }, (_, i) => `w${i.toString(3)}x${(i * 7).toString(5)}`);
    const controller = new AbortController();
    const training = trainBpe(words, {
      vocabSize: 2000,
      signal: controller.signal,
      report: () => controller.abort(),
    });
    expect(isEngineError(await failure(training), 'cancelled')).toBe(true);
  });
});

describe('the written tokenizer', () => {
  it('keeps every listed word as one token and round-trips any text', async () => {
    const folder = await temporaryFolder();
    await writeBpeTokenizer(folder, await trainBpe(texts, { vocabSize: 320, singleTokens }), {
      contextLength: 128,
    });
    const tokenizer = await loadTokenizer(folder);
    expect(tokenizer).toMatchObject({ vocabSize: 320, bosId: 0, eosId: 0, bosPolicy: 'none' });
    for (const word of singleTokens) expect(tokenizer.pieces(word)).toEqual([word]);
    for (const text of [...texts, 'Unseen: Ωmega\r\n\t🙃 <|endoftext|>']) {
      const encoding = tokenizer.encode(text);
      expect(encoding.exact).toBe(true);
      expect(tokenizer.decode(encoding.ids)).toBe(text);
    }
  });

  it('splits years as the first tokens say, here and in transformers', async () => {
    const folder = await temporaryFolder();
    const centuries = Array.from({ length: 9 }, (_, i) => ` ${11 + i}`);
    const endings = Array.from({ length: 100 }, (_, i) => String(i).padStart(2, '0'));
    const years = ' 1100 1732 1999 1717 1911 1811';
    // The text is full of years, so that plain counting would merge them whole.
    const trained = await trainBpe([...texts, years.repeat(50)], {
      vocabSize: 420,
      firstTokens: [' 1', ...centuries, ...endings],
    });
    await writeBpeTokenizer(folder, trained, { contextLength: 128 });
    const read = async (name: string) => JSON.parse(await readFile(join(folder, name), 'utf8'));
    const theirs = new PreTrainedTokenizer(await read('tokenizer.json'), await read('tokenizer_config.json'));
    const ours = await loadTokenizer(folder);
    expect(ours.pieces(years)).toEqual(years.match(/ \d\d|\d\d/g));
    expect(theirs.encode(years)).toEqual([...ours.encode(years).ids]);
    for (let year = 1100; year < 2000; year++) {
      const text = ` ${year}`;
      expect(ours.pieces(text)).toEqual([text.slice(0, 3), text.slice(3)]);
    }
  });

  it('encodes alike in transformers', async () => {
    const folder = await temporaryFolder();
    await writeBpeTokenizer(folder, await trainBpe(texts, { vocabSize: 320, singleTokens }), {
      contextLength: 128,
    });
    const read = async (name: string) => JSON.parse(await readFile(join(folder, name), 'utf8'));
    const theirs = new PreTrainedTokenizer(await read('tokenizer.json'), await read('tokenizer_config.json'));
    const ours = await loadTokenizer(folder);
    for (const text of [...texts, ...singleTokens])
      expect([...ours.encode(text).ids]).toEqual(theirs.encode(text));
  });
});
