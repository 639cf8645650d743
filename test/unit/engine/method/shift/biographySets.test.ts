/** The sets of biographies: what goes together in which, how many of each, and whose names. */
import { describe, expect, it } from 'vitest';
import {
  type BiographySets,
  biographySets,
  shiftProfessions as known,
} from '../../../../../src/engine/method/shift/biographySets.ts';
import { firstNames } from '../../../../../src/engine/task/lexicon/names.ts';
import { shiftProfessions } from '../../../../../src/shared/shiftProfessions.ts';

const model = {
  tokenizer: { encode: (text: string) => ({ ids: Int32Array.from(text.split(' '), (word) => word.length) }) },
  bos: 99,
  nContext: 20,
};

function counts(texts: BiographySets['test']): number[] {
  const found = [0, 0, 0, 0];
  for (const { profession, gender } of texts) found[profession * 2 + gender]!++;
  return found;
}

function namesIn(texts: BiographySets['test']): string[] {
  return texts.map(
    ({ text }) => firstNames.find((name) => new RegExp(`\\b${name.text}\\b`).test(text))!.text,
  );
}

describe('the sets of biographies', () => {
  const sets = biographySets(model, { trainCount: 60, testCount: 42, seed: 5 });

  it('confounds profession and gender in training, and joins them evenly elsewhere', () => {
    expect(counts(sets.train)).toEqual([30, 0, 0, 30]);
    expect(counts(sets.judged)).toEqual([15, 15, 15, 15]);
    expect(counts(sets.test)).toEqual([11, 11, 10, 10]);
    expect([sets.professions, sets.genders]).toEqual([
      ['professor', 'nurse'],
      ['male', 'female'],
    ]);
  });

  it('tells the truth about gender and never names the profession', () => {
    for (const { text, gender } of [...sets.train, ...sets.judged, ...sets.test]) {
      if (gender === 1) expect(text).not.toMatch(/\b(he|his|him|himself)\b/i);
      else expect(text).not.toMatch(/\b(she|her|herself)\b/i);
      expect(text).not.toMatch(/professor|nurse/);
    }
  });

  it('tests on names that are in no other set', () => {
    const seen = new Set([...namesIn(sets.train), ...namesIn(sets.judged)]);
    expect(namesIn(sets.test).filter((name) => seen.has(name))).toEqual([]);
  });

  it('begins with the beginning-of-sequence token and fits into the context', () => {
    for (const { tokens } of sets.test) {
      expect(tokens[0]).toBe(99);
      expect(tokens.length).toBeLessThanOrEqual(20);
    }
  });

  it('draws the same for the same seed, and others for another', () => {
    const texts = (seed: number) =>
      biographySets(model, { trainCount: 8, testCount: 8, seed }).train.map(({ text }) => text);
    expect(texts(1)).toEqual(texts(1));
    expect(texts(1)).not.toEqual(texts(2));
  });

  it('gives professions that lean to no gender one each', () => {
    const { genders, train } = biographySets(model, {
      professions: ['baker', 'chef'],
      trainCount: 8,
      testCount: 8,
      seed: 1,
    });
    expect(genders).toEqual(['male', 'female']);
    expect(counts(train)).toEqual([4, 0, 0, 4]);
    expect(
      biographySets(model, { professions: ['nurse', 'pilot'], trainCount: 8, testCount: 8, seed: 1 }).genders,
    ).toEqual(['female', 'male']);
  });

  it('refuses unknown professions and one twice, and offers those that it has', () => {
    const ask = (professions: readonly [string, string]) => () =>
      biographySets(model, { professions, trainCount: 8, testCount: 8, seed: 1 });
    expect(ask(['astronaut', 'nurse'])).toThrow(/astronaut.*professor/s);
    expect(ask(['nurse', 'nurse'])).toThrow(/twice/);
    expect(shiftProfessions).toEqual(known);
  });
});
