/** Roles: found by words, by occurrence and by characters, carried over to the corrupted prompt, and written back. */
import { describe, expect, it } from 'vitest';
import { alignSpan, locateRole, type RoleText, writeRole } from '../../../../src/engine/task/roles.ts';

const clean = 'When Mary and John went to the store, John gave a drink to';

function words(role: RoleText, text = clean): string {
  const found = locateRole('X', role, text);
  return 'code' in found ? found.code : `${found.start}:${text.slice(found.start, found.end)}`;
}

describe('locateRole', () => {
  it('finds whole words, the chosen occurrence, and characters', () => {
    expect(words('Mary')).toBe('5:Mary');
    expect(words('the store')).toBe('27:the store');
    expect(words(['John', 2])).toBe('38:John');
    expect(words(['to', -1])).toBe('56:to');
    expect(words([4, 10])).toBe('5:Mary');
  });

  it('says why a role is nowhere', () => {
    expect(words('Mar')).toBe('roleMissing');
    expect(words('')).toBe('roleMissing');
    expect(words('John')).toBe('roleSeveral');
    expect(words(['John', 3])).toBe('roleOccurrence');
    expect(words(['John', 0])).toBe('roleOccurrence');
    expect(words([4, 5])).toBe('roleOutside');
    expect(words([50, 90])).toBe('roleOutside');
    expect(words([9, 3])).toBe('roleOutside');
    expect(words([-3, 4])).toBe('roleOutside');
  });

  it('takes letters of every script for parts of words', () => {
    expect(words('ann', 'Johann ann')).toBe('7:ann');
    expect(words('𝒳', '𝒳𝒴 𝒳')).toBe('5:𝒳');
    expect(words('é', 'née é')).toBe('4:é');
  });
});

describe('writeRole', () => {
  it('writes what locateRole finds again', () => {
    const spans = [...clean.matchAll(/\w+/g)].map(({ index, 0: word }) => ({
      start: index,
      end: index + word.length,
    }));
    for (const span of [...spans, { start: 6, end: 9 }]) {
      expect(locateRole('X', writeRole(clean, span), clean)).toEqual(span);
    }
    expect(writeRole(clean, { start: 5, end: 9 })).toBe('Mary');
    expect(writeRole(clean, { start: 38, end: 42 })).toEqual(['John', 2]);
    expect(writeRole(clean, { start: 6, end: 9 })).toEqual([6, 9]);
  });
});

describe('alignSpan', () => {
  const follow = (role: RoleText, corrupted: string, text = clean): string | undefined => {
    const span = locateRole('X', role, text);
    if ('code' in span) throw new Error(span.code);
    const other = alignSpan(text, corrupted, span);
    return other && corrupted.slice(other.start, other.end);
  };

  it('follows words by their order, without the punctuation behind them', () => {
    const other = 'When Ann and Bo went to the market, Carl gave a ring to';
    expect(follow('Mary', other)).toBe('Ann');
    expect(follow(['John', 2], other)).toBe('Carl');
    expect(follow('the store', other)).toBe('market');
    expect(follow(['to', -1], other)).toBe('to');
  });

  it('follows words outside of the part that differs when the prompts differ in their number', () => {
    const other = 'When Mary and her old friend went to the store, John gave a drink to';
    expect(follow('Mary', other)).toBe('Mary');
    expect(follow(['John', 2], other)).toBe('John');
    expect(follow(['John', 1], other)).toBeUndefined();
  });

  it('follows a part of a word that is the same at its start or at its end', () => {
    expect(follow([3, 5], 'in 1701', 'in 1732')).toBe('17');
    expect(follow([3, 7], 'in 1701', 'in 1732')).toBe('1701');
    expect(follow([3, 6], 'in 1701', 'in 1732')).toBeUndefined();
  });

  it('ends with the word where the role does, also when one word continues the other', () => {
    expect(follow('clerk', 'The clerks', 'The clerk')).toBe('clerks');
    expect(follow('clerks', 'The clerk', 'The clerks')).toBe('clerk');
    expect(follow('clerk', 'The clerks, say', 'The clerk, say')).toBe('clerks');
    expect(follow('mother', 'My grandmother-in-law', 'My mother-in-law')).toBe('grandmother');
    expect(follow([4, 9], 'The clerking', 'The clerks')).toBe('clerk');
  });
});
