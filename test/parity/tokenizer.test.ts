/** Ids, offsets and decoded text against what the Rust tokenizers recorded. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadTokenizer, type Tokenizer } from '../../src/engine/model/tokenizer.ts';

interface Recorded {
  readonly vocabSize: number;
  readonly texts: readonly {
    readonly text: string;
    readonly ids: readonly number[];
    readonly utf16Offsets: readonly (readonly [number, number])[];
    /** Unpaired surrogates where `text` has U+FFFD; encodes alike. */
    readonly textWithLoneSurrogates?: string;
  }[];
}

const folder = join(import.meta.dirname, '../fixtures/parity/tokenizer');
const recorded: Recorded = JSON.parse(readFileSync(join(folder, 'recorded.json'), 'utf8'));
let tokenizer: Tokenizer;

beforeAll(async () => {
  tokenizer = await loadTokenizer(folder);
});

describe('the tokenizer against Hugging Face tokenizers', () => {
  it('has as many tokens, and texts with unpaired surrogates to compare', () => {
    expect(recorded.texts.some((entry) => entry.textWithLoneSurrogates !== undefined)).toBe(true);
    expect(recorded.texts.length).toBeGreaterThan(10);
    expect(tokenizer.vocabSize).toBe(recorded.vocabSize);
  });

  it.each(recorded.texts.map((entry) => [JSON.stringify(entry.text), entry] as const))(
    'encodes %s alike',
    (_, entry) => {
      for (const text of [entry.text, entry.textWithLoneSurrogates ?? entry.text]) {
        const encoding = tokenizer.encode(text);
        expect([...encoding.ids]).toEqual(entry.ids);
        const offsets = Array.from(encoding.ids, (_id, i) => [encoding.starts[i], encoding.ends[i]]);
        expect(offsets).toEqual(entry.utf16Offsets);
        expect(encoding.exact).toBe(true);
      }
      expect(tokenizer.decode(entry.ids)).toBe(entry.text);
    },
  );
});
