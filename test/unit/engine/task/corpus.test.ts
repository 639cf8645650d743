// The training text: repeatable, varied, grammatical where that can be checked, and free of what is held out.
import { beforeAll, describe, expect, it } from 'vitest';
import { corpus, mixture, textKinds } from '../../../../src/engine/task/corpus.ts';
import { objects, places } from '../../../../src/engine/task/lexicon/fillers.ts';
import { firstNames } from '../../../../src/engine/task/lexicon/names.ts';
import { nouns } from '../../../../src/engine/task/lexicon/nouns.ts';

function take(seed: number, count: number, options: Partial<Parameters<typeof corpus>[0]> = {}): string[] {
  const documents = corpus({ seed, ...options });
  return Array.from({ length: count }, () => documents.next().value);
}

const heldOutNames = new Set(firstNames.filter((name) => name.heldOut).map((name) => name.text));
const giving =
  /\b(?:gave|handed|passed|offered|showed|brought|sent|lent|give|hand|pass|offer|show|bring|send|lend)\b/;

describe('corpus', () => {
  let documents: string[];
  beforeAll(() => {
    documents = take(1, 20000);
  }, 120_000);

  it('gives the same documents for the same seed and others for another', () => {
    expect(take(4, 200)).toEqual(take(4, 200));
    expect(take(4, 200)).not.toEqual(take(5, 200));
  });

  it('never gives anything to a held-out name', () => {
    const receivers = documents.flatMap((document) =>
      document
        .split(/[.!?] /)
        .filter((sentence) => giving.test(sentence))
        .flatMap((sentence) => [...sentence.matchAll(/\bto ([A-Z]\w+)/g)].map((match) => match[1] as string)),
    );
    expect(receivers.length).toBeGreaterThan(5000);
    expect(receivers.filter((name) => heldOutNames.has(name))).toEqual([]);
  });

  it('never repeats one of two joined names before the other when these are held out', () => {
    const shape = /\b([A-Z]\w+) and ([A-Z]\w+)\b.*\b(?:\1|\2)\b[^.!?]*\bto (?:\1|\2)\b/;
    const joined = documents.flatMap((document) => shape.exec(document)?.slice(1) ?? []);
    expect(joined.length).toBeGreaterThan(5000);
    expect(joined.filter((name) => heldOutNames.has(name))).toEqual([]);
  });

  it('never has held-out places or objects in a sentence of giving', () => {
    const heldOut = [...places, ...objects].filter((filler) => filler.heldOut).map((filler) => filler.text);
    const given = documents.filter((document) => /\b(?:gave|handed|lent) an? \w+ to\b/.test(document));
    expect(given.length).toBeGreaterThan(1000);
    const objectsGiven = given.flatMap((document) => [
      ...document.matchAll(/(?:gave|handed|lent) an? (\w+) to/g),
    ]);
    for (const match of objectsGiven) expect(heldOut).not.toContain(match[1]);
    const placesOfGiving = documents.flatMap((document) => [
      ...document.matchAll(/\b[A-Z]\w+ and [A-Z]\w+ went to the (\w+)/g),
    ]);
    expect(placesOfGiving.length).toBeGreaterThan(500);
    for (const match of placesOfGiving) expect(heldOut).not.toContain(match[1]);
  });

  it('never has held-out nouns beside a relative clause about them', () => {
    const heldOut = new Set(
      nouns.filter((noun) => noun.heldOut).flatMap((noun) => [noun.singular, noun.plural]),
    );
    const relative = documents.flatMap((document) => [
      ...document.matchAll(/\b[Tt]he (\w+) that the (\w+)/g),
    ]);
    expect(relative.length).toBeGreaterThan(1500);
    for (const match of relative) {
      expect(heldOut.has(match[1] as string)).toBe(false);
      expect(heldOut.has(match[2] as string)).toBe(false);
    }
  });

  it('teaches every name and noun somewhere', () => {
    const words = new Map<string, number>();
    for (const document of documents) {
      for (const word of document.match(/\w+/g) ?? []) words.set(word, (words.get(word) ?? 0) + 1);
    }
    for (const name of firstNames) expect(words.get(name.text) ?? 0).toBeGreaterThan(20);
    for (const noun of nouns) {
      expect(words.get(noun.singular) ?? 0).toBeGreaterThan(20);
      expect(words.get(noun.plural) ?? 0).toBeGreaterThan(20);
    }
  });

  it('keeps to the weights of the mixture', () => {
    const only = take(2, 300, { mixture: { greaterThan: 1 } });
    for (const document of only) expect(document).toMatch(/\d{4}/);
    const years = documents.filter((document) => /\d{4}/.test(document)).length / documents.length;
    const total = Object.values(mixture).reduce((sum, weight) => sum + weight, 0);
    // Fifteen documents in a hundred are two draws.
    expect(Math.abs(years - (1.15 * mixture.greaterThan) / total)).toBeLessThan(0.012);
    expect(() => corpus({ seed: 1, mixture: {} }).next()).toThrow(RangeError);
  });

  it('is varied, and its documents are short', () => {
    expect(new Set(documents).size).toBeGreaterThan(19000);
    const lengths = documents.map((document) => document.split(' ').length);
    expect(Math.max(...lengths)).toBeLessThan(110);
    const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
    expect(mean).toBeGreaterThan(15);
    expect(mean).toBeLessThan(40);
  });

  it('has single spaces, no open slots and the right article', () => {
    for (const document of documents) {
      expect(document).toMatch(/^["A-Z]/);
      expect(document).not.toMatch(/ {2}|^ | $|\[|\]|undefined|\n/);
      expect(document).not.toMatch(/\b[Aa] [aeiou]\w|\b[Aa]n (?!hour)[^aeiou]/);
    }
  });

  it('writes every kind of text from a held-out split too', () => {
    for (const name of Object.keys(textKinds)) {
      expect(
        take(3, 20, { mixture: { [name]: 1 }, split: 'heldOut' }).every((document) => document.length > 5),
      ).toBe(true);
    }
  });
});
