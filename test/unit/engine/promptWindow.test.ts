/** Which part of a prompt is read: all of it, or its end, whose start moves in strides. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadTokenizer } from '../../../src/engine/model/tokenizer.ts';
import { openWindow } from '../../../src/engine/promptWindow.ts';
import { EngineError } from '../../../src/shared/errors.ts';
import { wordTokenizer } from './wordTokenizer.ts';

const letters = wordTokenizer([..."abcdefghij.,!?;:'-+=*/()[]{}<>|_~^%$#@&"]);

/** A text of `count` one-character tokens. */
function text(count: number): string {
  return '.,!?;:+=*/'.repeat(Math.ceil(count / 10)).slice(0, count);
}

function code(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof EngineError) return error.code;
    throw error;
  }
  return 'nothing was thrown';
}

describe('openWindow', () => {
  it('takes a prompt that fits as a whole', () => {
    const { ids, strip } = openWindow(text(16), letters, { nContext: 16 });
    expect([...ids]).toEqual([...letters.encode(text(16)).ids]);
    expect(strip).toMatchObject({ used: { start: 0, end: 16 }, truncated: false, exact: true });
    expect(strip.tokens[3]).toEqual({ id: ids[3], text: '?', start: 3, end: 4 });
  });

  it('moves its start by a quarter of the context at a time and ends where the prompt ends', () => {
    const starts = Array.from({ length: 11 }, (_, i) => {
      const count = 15 + i;
      const { ids, strip } = openWindow(text(count), letters, { nContext: 16 });
      expect(strip.truncated).toBe(count > 16);
      expect(strip.used.end).toBe(count);
      expect(strip.tokens.map(({ id }) => id)).toEqual([...ids]);
      expect(strip.tokens[0]!.start).toBe(strip.used.start);
      expect(ids.length).toBe(count - strip.used.start);
      expect(ids.length).toBeLessThanOrEqual(16);
      return strip.used.start;
    });
    expect(starts).toEqual([0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12]);
  });

  it.each([1, 2, 3, 5, 7])('never exceeds nor empties a context of %i tokens', (nContext) => {
    for (let count = 1; count < 30; count++) {
      const { ids } = openWindow(text(count), letters, { nContext });
      expect(ids.length).toBeLessThanOrEqual(nContext);
      expect(ids.length).toBeGreaterThan(0);
      expect(ids.at(-1)).toBe(letters.encode(text(count)).ids.at(-1));
    }
  });

  it('gives offsets into the whole text when it was cut, also among characters of several units', async () => {
    const tokenizer = await loadTokenizer(join(import.meta.dirname, '../../fixtures/parity/tokenizer'));
    const prompt = 'naïve 🙂 café '.repeat(12);
    const { strip, ids } = openWindow(prompt, tokenizer, { nContext: 32 });
    expect(strip.truncated).toBe(true);
    expect(strip.used.end).toBe(prompt.length);
    for (const { start, end, text: shown } of strip.tokens) {
      // Tokens that hold a part of a character only are shown as bytes.
      if (!shown.includes('‹')) expect(shown).toBe(prompt.slice(start, end));
    }
    expect(prompt.slice(strip.used.start).length).toBeGreaterThan(0);
    expect(ids.length).toBe(strip.tokens.length);
  });

  it('puts a beginning-of-sequence token first, which counts and stays when the text is cut', () => {
    for (let count = 1; count < 40; count++) {
      const plain = openWindow(text(count), letters, { nContext: 16 });
      const { ids, strip } = openWindow(text(count), letters, { nContext: 16, bos: 3 });
      expect(strip.tokens[0]).toEqual({ id: 3, text: 'd', start: 0, end: 0, special: true });
      expect(strip.tokens.slice(1).some(({ special }) => special)).toBe(false);
      expect(strip.tokens.map(({ id }) => id)).toEqual([...ids]);
      expect(ids.length).toBeLessThanOrEqual(16);
      expect(strip.truncated).toBe(count > 15);
      expect(strip.tokens[1]!.start).toBe(strip.used.start);
      expect(strip.used.end).toBe(count);
      // Behind it stands what would stand there without it, as far as there is room.
      const behind = [...ids.slice(1)];
      expect([...plain.ids].slice(-behind.length)).toEqual(behind);
    }
  });

  it('leaves a context of one token to the text', () => {
    expect([...openWindow('.,!', letters, { nContext: 1, bos: 3 }).ids]).toEqual([letters.idOf('!')]);
    expect([...openWindow('.,!', letters, { nContext: 2, bos: 3 }).ids]).toEqual([3, letters.idOf('!')]);
  });

  it('tells which tokens are special ones that are written out', () => {
    const marking = { ...letters, isSpecial: (id: number) => id === letters.idOf(',') };
    const { tokens } = openWindow('.,!', marking, { nContext: 16, bos: 1 }).strip;
    expect(tokens.map(({ special, marker }) => [special, marker])).toEqual([
      [true, undefined],
      [undefined, undefined],
      [undefined, true],
      [undefined, undefined],
    ]);
  });

  it('refuses an empty prompt, one without tokens and one of more than a million characters', () => {
    expect(code(() => openWindow('', letters, { nContext: 16 }))).toBe('prompt.empty');
    const silent = { ...letters, encode: () => letters.encode('') };
    expect(code(() => openWindow('\u200b', silent, { nContext: 16 }))).toBe('prompt.empty');
    expect(code(() => openWindow('a'.repeat(1_000_001), letters, { nContext: 16 }))).toBe('prompt.tooLong');
  });
});
