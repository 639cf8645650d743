/** Ids, places and decoded text of the pipelines of public models against what the Rust tokenizers recorded. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildTokenizer, type Tokenizer } from '../../src/engine/model/tokenizer.ts';
import { parseTokenizer } from '../../src/engine/model/tokenizerFile.ts';

interface Recorded {
  /** For every text: ids, and start and end of each in turn, in UTF-16 units. */
  readonly texts: readonly (readonly [readonly number[], readonly number[]])[];
  readonly decoded: readonly string[];
  readonly tokenizer: unknown;
}

type Span = readonly [number, number];

const folder = join(import.meta.dirname, '../fixtures/parity/tokenizers');
const read = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8'));
const texts: readonly string[] = read('texts.json');
const names = readdirSync(folder)
  .filter((name) => name !== 'texts.json')
  .map((name) => name.replace('.json', ''));

/** Nothing is changed, dropped or put in, so that the places are the same without exception. */
const plain = new Set(['opt', 'llama-3', 'smollm-2', 'phi-4', 'falcon', 'deepseek', 'gemma']);
/** What they decode is the text; the others lose something or are decoded with spaces between tokens. */
const reversible = new Set([...plain, 'gpt-neox', 'qwen-2', 'llama-2', 'mistral']);

/** Where unknown characters leave no token, the recorded places count only those that do, and are wrong. */
const miscounted = new Set(['unknown-dropped']);

describe('the recorded tokenizers', () => {
  it('are those of the supported families and of the other kinds', () => {
    expect(names.length).toBe(20);
    expect(texts.length).toBeGreaterThan(60);
  });
});

interface Opened {
  readonly recorded: Recorded;
  readonly tokenizer: Tokenizer;
}

function open(name: string): Opened {
  const recorded: Recorded = read(`${name}.json`);
  const json = parseTokenizer(name, recorded.tokenizer);
  return { recorded, tokenizer: buildTokenizer({ path: name, tokenizer: json, config: {} }) };
}

/** For every text: ours and the recorded places, and the tokens. */
function forEachText({ recorded, tokenizer }: Opened, see: (places: Places) => void): void {
  texts.forEach((text, i) => {
    const { ids, starts, ends, exact } = tokenizer.encode(text);
    expect(exact).toBe(true);
    const ours = Array.from(ids, (_, t): Span => [starts[t]!, ends[t]!]);
    const shown = Array.from(ids, (id) => tokenizer.tokenText(id));
    see({ text, ours, theirs: pairs(recorded.texts[i]![1]), shown });
  });
}

interface Places {
  readonly text: string;
  readonly ours: readonly Span[];
  readonly theirs: readonly Span[];
  /** The tokens as people read them. */
  readonly shown: readonly string[];
}

describe('ids are those of Hugging Face tokenizers', () => {
  it.each(names)('%s', (name) => {
    const { recorded, tokenizer } = open(name);
    for (const [i, text] of texts.entries())
      expect([...tokenizer.encode(text).ids], JSON.stringify(text)).toEqual(recorded.texts[i]![0]);
  });
});

describe('places are those of Hugging Face tokenizers', () => {
  it.each(names.filter((name) => plain.has(name)))('%s', (name) => {
    forEachText(open(name), ({ text, ours, theirs }) => expect(ours, JSON.stringify(text)).toEqual(theirs));
  });

  it.each(names.filter((name) => !plain.has(name) && !miscounted.has(name)))(
    '%s, but for what they leave out',
    (name) => {
      forEachText(open(name), ({ text, ours, theirs, shown }) => {
        const free = uncovered(text, theirs);
        ours.forEach((span, t) => {
          const fits =
            agrees(span, theirs[t]!, free, shown[t]!) ||
            isOneCharacter(text.slice(...span)) ||
            (name === 'unigram-bytes' && within(span, theirs[t]!, free));
          expect(fits, `${JSON.stringify(text)} token ${t}: ${span} instead of ${theirs[t]}`).toBe(true);
        });
      });
    },
  );
});

describe('what is decoded is what Hugging Face tokenizers decode', () => {
  it.each(names.filter((name) => reversible.has(name)))('%s', (name) => {
    const { recorded, tokenizer } = open(name);
    for (const [i] of texts.entries())
      expect(tokenizer.decode(recorded.texts[i]![0])).toBe(recorded.decoded[i]);
  });
});

function pairs(flat: readonly number[]): Span[] {
  return Array.from({ length: flat.length / 2 }, (_, t): Span => [flat[2 * t]!, flat[2 * t + 1]!]);
}

/** Marks that change their order when they are composed share the place of their character. */
function isOneCharacter(text: string): boolean {
  return /^.\p{M}{2,}$/u.test(text);
}

/** The bytes of several unknown characters in a row all have the place of the whole row in the recording. */
function within([start, end]: Span, [from, to]: Span, free: readonly boolean[]): boolean {
  return from <= start && (end <= to || free.slice(to, end).every(Boolean));
}

/** `[unit]`: whether no recorded token covers it, or it is a combining mark, which they count to one token of several. */
function uncovered(text: string, spans: readonly Span[]): boolean[] {
  const free = Array.from({ length: text.length }, (_, i) => /\p{M}/u.test(text[i]!));
  free.forEach((_, i) => {
    if (!spans.some(([start, end]) => start <= i && i < end)) free[i] = true;
  });
  return free;
}

/**
 * A token has the recorded place, or that and text beside it that no recorded token covers: dropped white space, and
 * characters that were composed with the one before. A space that was put in stands for such text or for nothing, where
 * the recorded place is the character after it.
 */
function agrees([start, end]: Span, [from, to]: Span, free: readonly boolean[], text: string): boolean {
  const allFree = (a: number, b: number) => free.slice(a, b).every(Boolean);
  if (start <= from && end >= to && allFree(start, from) && allFree(to, end)) return true;
  return text === ' ' && end <= from && allFree(start, from);
}
