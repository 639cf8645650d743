// Biographies: labels that are true of the text, and pairings of profession and gender as asked for.
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../../src/engine/random.ts';
import { biographies } from '../../../../src/engine/task/biography.ts';
import { professions } from '../../../../src/engine/task/lexicon/professions.ts';

describe('biographies', () => {
  it('labels the gender that the pronouns have and the profession that is named', () => {
    for (const { text, gender, profession } of biographies(seededRandom(1), 500, {
      pairing: 'biased',
      mention: true,
    })) {
      expect(/\b(he|his|him|himself)\b/i.test(text)).toBe(gender === 'male');
      expect(/\b(she|her|herself)\b/i.test(text)).toBe(gender === 'female');
      expect(text).toMatch(new RegExp(`\\b${profession}\\b`));
    }
  });

  it('pairs one profession with one gender when confounded, and half and half when balanced', () => {
    const pair = ['professor', 'nurse'];
    const confounded = biographies(seededRandom(2), 300, {
      pairing: 'confounded',
      professions: pair,
      mention: false,
    });
    expect(
      confounded.every(({ profession, gender }) => (profession === 'nurse') === (gender === 'female')),
    ).toBe(true);
    const balanced = biographies(seededRandom(2), 2000, {
      pairing: 'balanced',
      professions: pair,
      mention: false,
    });
    for (const profession of pair) {
      const own = balanced.filter((biography) => biography.profession === profession);
      const female = own.filter(({ gender }) => gender === 'female').length / own.length;
      expect(Math.abs(female - 0.5)).toBeLessThan(0.06);
    }
  });

  it('follows the listed shares when biased', () => {
    const biased = biographies(seededRandom(3), 14000, { pairing: 'biased', mention: false });
    for (const { text, femaleShare } of professions) {
      const own = biased.filter((biography) => biography.profession === text);
      const female = own.filter(({ gender }) => gender === 'female').length / own.length;
      expect(Math.abs(female - femaleShare)).toBeLessThan(0.06);
    }
  });

  it('does not name the profession when it must not', () => {
    for (const { text, profession } of biographies(seededRandom(4), 500, {
      pairing: 'balanced',
      mention: false,
    })) {
      expect(text).not.toMatch(new RegExp(`\\b${profession}\\b`));
    }
  });

  it('refuses unknown professions and confounding without a leaning', () => {
    const write = (names: string[]) =>
      biographies(seededRandom(1), 5, { pairing: 'confounded', professions: names, mention: false });
    expect(() => write(['wizard'])).toThrow('wizard');
    expect(() => write(['lawyer'])).toThrow('lawyer');
  });

  it('describes every workplace and duty in four words, so that prompts can be exchanged', () => {
    for (const { workplaces, duties } of professions) {
      for (const phrase of [...workplaces, ...duties]) expect(phrase.split(' ')).toHaveLength(4);
    }
  });
});
