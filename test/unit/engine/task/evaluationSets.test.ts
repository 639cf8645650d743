// Every prompt set: sizes, lengths, answers that are single-token words, and right answers by an independent check.
import { describe, expect, it } from 'vitest';
import { corpus } from '../../../../src/engine/task/corpus.ts';
import { evaluationSets } from '../../../../src/engine/task/evaluationSets.ts';
import { countries } from '../../../../src/engine/task/lexicon/countries.ts';
import { firstNames } from '../../../../src/engine/task/lexicon/names.ts';
import type { PromptPair } from '../../../../src/engine/task/promptSet.ts';
import { charactersOf } from '../../../../src/engine/task/promptSet.ts';
import { singleTokenWords } from '../../../../src/engine/task/singleTokenWords.ts';

const sets = evaluationSets(1);
const byName = new Map(sets.map((set) => [set.name, set.pairs]));
const all = sets.flatMap((set) => set.pairs);

function pairsOf(name: string): readonly PromptPair[] {
  const pairs = byName.get(name);
  if (!pairs) throw new Error(`no set ${name}`);
  return pairs;
}

function wordAt(text: string, pair: PromptPair, role: string): string {
  const { start, end } = charactersOf(text, pair.roles[role]!);
  return text.slice(start, end);
}

describe('evaluationSets', () => {
  it('has 500 indirect-object prompts of each sort and 300 of every other', () => {
    expect(Object.fromEntries(sets.map((set) => [set.name, set.pairs.length]))).toEqual({
      indirectObject: 500,
      'indirectObject.swapped': 500,
      'indirectObject.newTemplates': 500,
      'agreement.simple': 300,
      'agreement.nounpp': 300,
      'agreement.rc': 300,
      'agreement.within_rc': 300,
      twoPeople: 300,
      pronoun: 300,
      repetition: 300,
      greaterThan: 300,
      capitals: 300,
      biography: 300,
      sentiment: 300,
    });
  });

  it('is the same for the same seed', () => {
    expect(evaluationSets(1)).toEqual(sets);
    expect(evaluationSets(2)).not.toEqual(sets);
  });

  it('pairs prompts with as many words, a different text, and answers that differ and are single tokens', () => {
    const single = new Set(singleTokenWords());
    for (const pair of all) {
      expect(pair.corrupted).not.toBe(pair.clean);
      expect(pair.corrupted.split(' ').length).toBe(pair.clean.split(' ').length);
      expect(pair.answer).not.toBe(pair.wrongAnswer);
      expect(single.has(pair.answer)).toBe(true);
      expect(single.has(pair.wrongAnswer)).toBe(true);
      for (const text of [pair.clean, pair.corrupted]) expect(text).not.toMatch(/ {2}|\[|\]| $/);
    }
  });

  it('ends every prompt with the word that has the role END', () => {
    for (const pair of all) expect(pair.roles.END!.end).toBe(pair.clean.split(' ').length);
  });

  it('contains no prompt that the training text contains', () => {
    const documents = corpus({ seed: 99 });
    const training = Array.from({ length: 4000 }, () => documents.next().value).join('\n');
    // A subject alone ("The door") or a fact may be said in training; what is new there is the combination with the answer.
    for (const pair of all) expect(training.includes(`${pair.clean}${pair.answer} `)).toBe(false);
  });
});

describe('indirect-object prompts', () => {
  it.each(['indirectObject', 'indirectObject.swapped', 'indirectObject.newTemplates'])(
    '%s: answers with the name said once, all names held out',
    (name) => {
      const heldOut = new Set(firstNames.filter((first) => first.heldOut).map((first) => first.text));
      const known = new Set(firstNames.map((first) => first.text));
      for (const pair of pairsOf(name)) {
        const names = (pair.clean.match(/\w+/g) ?? []).filter((word) => known.has(word));
        expect(names).toHaveLength(3);
        for (const first of names) expect(heldOut.has(first)).toBe(true);
        const once = names.filter((first) => names.indexOf(first) === names.lastIndexOf(first));
        expect(once.map((first) => ` ${first}`)).toEqual([pair.answer]);
        expect(wordAt(pair.clean, pair, 'IO')).toBe(once[0]);
        expect(wordAt(pair.clean, pair, 'S1')).toBe(wordAt(pair.clean, pair, 'S2'));
        expect(` ${wordAt(pair.clean, pair, 'S2')}`).toBe(pair.wrongAnswer);
        expect(pair.kind).toBe(names[0] === once[0] ? 'indirectObject.abba' : 'indirectObject.baba');
      }
    },
  );

  it('replaces all three names by unrelated ones, or only the second subject', () => {
    for (const pair of pairsOf('indirectObject')) {
      const names = ['IO', 'S1', 'S2'].map((role) => wordAt(pair.corrupted, pair, role));
      expect(new Set([...names, pair.answer.trim(), pair.wrongAnswer.trim()]).size).toBe(5);
    }
    for (const pair of pairsOf('indirectObject.swapped')) {
      expect(` ${wordAt(pair.corrupted, pair, 'S2')}`).toBe(pair.answer);
      expect(` ${wordAt(pair.corrupted, pair, 'S1')}`).toBe(pair.wrongAnswer);
    }
  });

  it('uses both orders about equally', () => {
    const abba = pairsOf('indirectObject').filter((pair) => pair.kind.endsWith('abba')).length;
    expect(abba).toBeGreaterThan(200);
    expect(abba).toBeLessThan(300);
  });
});

describe('agreement prompts', () => {
  const irregularPlurals = [
    'men',
    'women',
    'children',
    'wolves',
    'foxes',
    'boxes',
    'knives',
    'babies',
    'mice',
  ];
  const isPlural = (noun: string) => irregularPlurals.includes(noun) || /[^s]s$/.test(noun);
  const isPluralVerb = (verb: string) => ['are', 'were', 'have', 'do'].includes(verb) || !verb.endsWith('s');

  it.each(['simple', 'nounpp', 'rc', 'within_rc'])(
    '%s: the verb agrees with its subject, in both texts',
    (structure) => {
      for (const pair of pairsOf(`agreement.${structure}`)) {
        const role = structure === 'within_rc' ? 'N2' : 'N1';
        expect(isPluralVerb(pair.answer.trim())).toBe(isPlural(wordAt(pair.clean, pair, role)));
        expect(isPluralVerb(pair.wrongAnswer.trim())).toBe(isPlural(wordAt(pair.corrupted, pair, role)));
        if (pair.roles.V1) {
          expect(isPluralVerb(wordAt(pair.clean, pair, 'V1'))).toBe(isPlural(wordAt(pair.clean, pair, 'N2')));
        }
      }
    },
  );

  it('changes one word only, and the other noun has either number', () => {
    for (const structure of ['nounpp', 'rc', 'within_rc']) {
      const pairs = pairsOf(`agreement.${structure}`);
      for (const pair of pairs) {
        const corrupted = pair.corrupted.split(' ');
        expect(pair.clean.split(' ').filter((word, index) => word !== corrupted[index])).toHaveLength(1);
      }
      const same = pairs.filter(
        (pair) => isPlural(wordAt(pair.clean, pair, 'N1')) === isPlural(wordAt(pair.clean, pair, 'N2')),
      ).length;
      expect(same).toBeGreaterThan(110);
      expect(same).toBeLessThan(190);
    }
  });
});

describe('the other prompts', () => {
  it('pronouns follow the gender of the name in each text', () => {
    const female = ['she', 'her', 'herself'];
    for (const pair of pairsOf('pronoun')) {
      const genderOf = (text: string) =>
        firstNames.find((name) => name.text === wordAt(text, pair, 'N'))?.gender;
      expect(genderOf(pair.clean)).toBe(female.includes(pair.answer.trim()) ? 'female' : 'male');
      expect(genderOf(pair.corrupted)).toBe(female.includes(pair.wrongAnswer.trim()) ? 'female' : 'male');
    }
  });

  it('repetitions are answered by looking up what followed the last word before, in each text', () => {
    for (const pair of pairsOf('repetition')) {
      for (const [text, answer] of [
        [pair.clean, pair.answer],
        [pair.corrupted, pair.wrongAnswer],
      ] as const) {
        const words = text.split(' ');
        expect(` ${words[words.indexOf(words.at(-1) as string) + 1]}`).toBe(answer);
      }
      expect(` ${wordAt(pair.clean, pair, 'first')}`).toBe(pair.answer);
      expect(wordAt(pair.clean, pair, 'beforeFirst')).toBe(wordAt(pair.clean, pair, 'END'));
    }
  });

  it('years that may end a span are all later ones, and no others', () => {
    for (const pair of pairsOf('greaterThan')) {
      const [, century, start, end] = /year (\d\d)(\d\d) to the year (\d\d)$/.exec(
        pair.clean,
      ) as unknown as string[];
      expect(end).toBe(century);
      expect(pair.answers!.every((answer) => Number(answer) > Number(start))).toBe(true);
      expect(pair.wrongAnswers!.every((answer) => Number(answer) <= Number(start))).toBe(true);
      expect(pair.answers!.length + pair.wrongAnswers!.length).toBe(100);
      expect(pair.answers).toContain(pair.answer);
      expect(pair.wrongAnswers).toContain(pair.wrongAnswer);
    }
  });

  it('capitals belong to the country asked about', () => {
    const facts = new Map(
      countries.flatMap(({ text, capital }) => [[text, capital] as const, [capital, text] as const]),
    );
    for (const pair of pairsOf('capitals')) {
      expect(` ${facts.get(wordAt(pair.clean, pair, 'GIVEN'))}`).toBe(pair.answer);
      expect(` ${facts.get(wordAt(pair.corrupted, pair, 'GIVEN'))}`).toBe(pair.wrongAnswer);
    }
  });
});
