/** Generated tasks: what each kind has to be by its own definition, for the embedded tokenizer and for others. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadTokenizer, type Tokenizer } from '../../../../src/engine/model/tokenizer.ts';
import { generateTask } from '../../../../src/engine/task/generateTask.ts';
import { generators } from '../../../../src/engine/task/generators.ts';
import { firstNames } from '../../../../src/engine/task/lexicon/names.ts';
import { nouns } from '../../../../src/engine/task/lexicon/nouns.ts';
import { loadTask } from '../../../../src/engine/task/loadTask.ts';
import type { TokenPair } from '../../../../src/engine/task/task.ts';
import { readTaskText, type TaskLine, writeTaskFile } from '../../../../src/engine/task/taskFile.ts';
import { tokenizeTask } from '../../../../src/engine/task/tokenizeTask.ts';
import type { TaskGenerator, TaskOptions } from '../../../../src/shared/task.ts';
import { agreementStructures, taskGenerators } from '../../../../src/shared/task.ts';
import { failure } from '../../temporaryFolder.ts';

/**
 * A tokenizer that knows every word: those of more than `longest` letters are two tokens, and digits are tokens one by
 * one. The vocabulary grows as texts come.
 */
function openTokenizer(longest: number): Tokenizer {
  const texts: string[] = [];
  const ids = new Map<string, number>();
  const idFor = (piece: string): number => {
    if (!ids.has(piece)) ids.set(piece, texts.push(piece) - 1);
    return ids.get(piece)!;
  };
  const pieces = (text: string): string[] =>
    [...text.matchAll(/ ?[A-Za-z]+| ?\d|[^A-Za-z\d]/g)].flatMap(([word]) =>
      word.trim().length > longest ? [word.slice(0, longest), word.slice(longest)] : [word],
    );
  return {
    vocabSize: 10_000,
    bosId: undefined,
    eosId: undefined,
    bosPolicy: 'none',
    isSpecial: () => false,
    encode: (text) => {
      const parts = pieces(text);
      const ends = parts.map((_, i) => parts.slice(0, i + 1).join('').length);
      return {
        ids: Int32Array.from(parts, idFor),
        starts: Int32Array.from(parts, (part, i) => ends[i]! - part.length),
        ends: Int32Array.from(ends),
        exact: true,
        encodedUpTo: text.length,
      };
    },
    decode: (list) => Array.from(list, (id) => texts[id]).join(''),
    tokenText: (id) => texts[id] ?? '',
    idOf: (text) => (pieces(text).length === 1 ? idFor(text) : undefined),
    pieces,
  };
}

let mini: Tokenizer;

beforeAll(async () => {
  mini = await loadTokenizer(join(import.meta.dirname, '../../../../models/mini'));
});

async function generate(name: TaskGenerator, options: TaskOptions = {}, tokenizer = mini, count = 60) {
  const model = { tokenizer, bos: undefined, nContext: 128 };
  const file = await generateTask({ name, count, seed: 3, options }, model);
  const { task, problems } = await tokenizeTask(file, model);
  return { file, pairs: task.pairs, problems };
}

function wordsOf(text: string): string[] {
  return text.match(/[A-Za-z]+/g) ?? [];
}

const names = new Set(firstNames.map(({ text }) => text));
const namesIn = (text: string) => wordsOf(text).filter((word) => names.has(word));

/** Within a template, lengths and role positions are equal: means over it are means of the same thing. */
function expectSteadyTemplates(pairs: readonly TokenPair[]): void {
  const shapes = new Map<string, Set<string>>();
  for (const { template, clean, roles } of pairs) {
    const known = shapes.get(template) ?? new Set();
    shapes.set(template, known.add(JSON.stringify([clean.length, roles])));
  }
  for (const [template, known] of shapes) expect(known.size, template).toBe(1);
}

describe('every generator', () => {
  it('is in the documentation with its options and their values', () => {
    const page = readFileSync(join(import.meta.dirname, '../../../../docs/tasks.md'), 'utf8');
    for (const [name, { options }] of Object.entries(generators)) {
      expect(page).toContain(`| \`${name}\` `);
      for (const [option, allowed] of Object.entries(options)) {
        const row = new RegExp(`^\\| \`${option}\` .*$`, 'm').exec(page)?.[0];
        const values = 'usual' in allowed ? [allowed.usual] : allowed;
        for (const value of values) expect(row, option).toContain(`\`${value}\``);
      }
    }
  });

  it.each(taskGenerators)(
    '%s: all pairs can be run, differ, keep their roles in place, and come again',
    async (name) => {
      const { file, pairs, problems } = await generate(name);
      expect(problems).toEqual([]);
      expect(pairs).toHaveLength(60);
      expect(new Set(pairs.map(({ clean, corrupted }) => `${clean}|${corrupted}`)).size).toBeGreaterThan(25);
      expectSteadyTemplates(pairs);
      for (const { clean, corrupted, roles } of pairs) {
        expect(corrupted.length).toBe(clean.length);
        expect(roles.END).toBe(clean.length - 1);
      }
      expect((await generate(name)).file).toEqual(file);
      const other = await generateTask(
        { name, count: 60, seed: 4 },
        { tokenizer: mini, bos: undefined, nContext: 128 },
      );
      expect(other.lines).not.toEqual(file.lines);
    },
  );

  it('is a file that can be saved and read again as it was', async () => {
    for (const name of taskGenerators) {
      const { file } = await generate(name, {}, mini, 20);
      expect(readTaskText('x.task.jsonl', writeTaskFile(file))).toEqual({
        file,
        problems: [],
        faultyHeaders: [],
      });
    }
  });

  it('works for a tokenizer that splits long words and writes digits one by one', async () => {
    const tokenizer = openTokenizer(6);
    for (const name of taskGenerators) {
      const { pairs, problems, file } = await generate(name, {}, tokenizer, 25);
      expect(problems).toEqual([]);
      expect(pairs).toHaveLength(25);
      expectSteadyTemplates(pairs);
      for (const line of file.lines) {
        for (const answer of [...line.answers, ...line.wrongAnswers])
          expect(answer.trim().length).toBeLessThanOrEqual(6);
        for (const found of namesIn(`${line.clean} ${line.corrupted}`))
          expect(found.length).toBeLessThanOrEqual(6);
      }
    }
  });

  it('is loaded by methods with its metric', async () => {
    const model = { tokenizer: mini, bos: undefined, nContext: 128 };
    const loaded = await loadTask({ kind: 'generator', name: 'greaterThan', count: 5, seed: 1 }, model);
    expect(loaded.metric).toBe('probabilityDifference');
    expect(loaded.task).toMatchObject({ name: 'greaterThan' });
    expect(loaded.task.pairs).toHaveLength(5);
  });
});

describe('ioi', () => {
  /** The words at the roles' tokens, in the clean prompt. */
  function roleWords({ clean, roles }: TokenPair): Record<string, string> {
    return Object.fromEntries(Object.entries(roles).map(([role, at]) => [role, mini.tokenText(clean[at]!)]));
  }

  it('answers with the name said once; ABC counterfactuals have three other names and keep every other word', async () => {
    const { file, pairs } = await generate('ioi');
    file.lines.forEach((line, i) => {
      const [io, s] = [line.answers[0]!.trim(), line.wrongAnswers[0]!.trim()];
      expect(namesIn(line.clean).filter((name) => name === io)).toHaveLength(1);
      expect(namesIn(line.clean).filter((name) => name === s)).toHaveLength(2);
      const others = namesIn(line.corrupted);
      expect(new Set([...others, io, s]).size).toBe(5);
      const plain = (text: string) => text.replace(/[A-Za-z]+/g, (word) => (names.has(word) ? '*' : word));
      expect(plain(line.corrupted)).toBe(plain(line.clean));
      const found = roleWords(pairs[i]!);
      expect([found.IO, found.S1, found.S2, found.END]).toEqual([` ${io}`, ` ${s}`, ` ${s}`, ' to']);
      const { roles } = pairs[i]!;
      expect(roles['S1+1']).toBe(roles.S1! + 1);
      expect(roles.S1).toBeLessThan(roles.S2!);
      expect(line.template.startsWith('ABBA')).toBe(roles.IO! < roles.S1!);
    });
    expect(new Set(file.lines.map(({ template }) => template.slice(0, 4)))).toEqual(
      new Set(['ABBA', 'BABA']),
    );
  });

  it('can swap the answer instead, and keep to one order and to the words of training', async () => {
    const { file } = await generate('ioi', { counterfactual: 'swapped', order: 'baba', split: 'train' });
    const heldOut = new Set(firstNames.filter((name) => name.heldOut).map(({ text }) => text));
    for (const { clean, corrupted, answers, wrongAnswers, template } of file.lines) {
      const [io, s] = [answers[0]!.trim(), wrongAnswers[0]!.trim()];
      expect(template).toMatch(/^BABA: /);
      expect(namesIn(clean)).toEqual([s, io, s]);
      expect(namesIn(corrupted)).toEqual([s, io, io]);
      expect(namesIn(clean).some((name) => heldOut.has(name))).toBe(false);
    }
  });
});

describe('agreement', () => {
  const plural = new Set(nouns.map((noun) => noun.plural));
  const nounsIn = (text: string) =>
    wordsOf(text).filter((word) => plural.has(word) || nouns.some(({ singular }) => singular === word));

  it.each(agreementStructures)(
    '%s: the counterfactual changes the number of the noun that agrees, and only that',
    async (structure) => {
      const { file } = await generate('agreement', { structure }, mini, 40);
      for (const { clean, corrupted } of file.lines) {
        const [before, after] = [nounsIn(clean), nounsIn(corrupted)];
        const changed = before.flatMap((noun, i) => (noun === after[i] ? [] : [i]));
        expect(changed).toEqual([structure === 'within_rc' ? 1 : 0]);
        const [from, to] = [before[changed[0]!]!, after[changed[0]!]!];
        expect(plural.has(from)).not.toBe(plural.has(to));
        expect(clean.replace(from, '*')).toBe(corrupted.replace(to, '*'));
      }
    },
  );

  it.each(agreementStructures)('%s: singular and plural nouns come about as often', async (structure) => {
    const { file } = await generate('agreement', { structure }, mini, 100);
    const changed = structure === 'within_rc' ? 1 : 0;
    const plurals = file.lines.filter(({ clean }) => plural.has(nounsIn(clean)[changed]!)).length;
    // Far beyond five standard deviations of a fair coin on either side.
    expect(plurals).toBeGreaterThan(25);
    expect(plurals).toBeLessThan(75);
    const regular = file.lines.filter(
      ({ clean, corrupted }) => `${nounsIn(clean)[changed]!}s` === nounsIn(corrupted)[changed],
    );
    expect(regular.length).toBeGreaterThan(0);
  });
});

describe('greaterThan', () => {
  const years = ({ clean, corrupted }: TaskLine) =>
    [clean, corrupted].map((text) => Number(/year (\d{4}) to/.exec(text)![1]));

  it('asks for the last two digits where those are one token', async () => {
    for (const line of (await generate('greaterThan')).file.lines) {
      const [start, other] = years(line);
      expect(other! % 100).toBe(1);
      expect(line.answers.map(Number).every((ending) => ending > start! % 100)).toBe(true);
      expect(line.wrongAnswers.map(Number).every((ending) => ending <= start! % 100)).toBe(true);
      expect(line.answers.length + line.wrongAnswers.length).toBe(100);
    }
  });

  it('asks for the decade where every digit is a token', async () => {
    for (const line of (await generate('greaterThan', {}, openTokenizer(12))).file.lines) {
      const decade = Math.floor((years(line)[0]! % 100) / 10);
      expect(line.answers.map(Number).every((digit) => digit > decade)).toBe(true);
      expect(line.wrongAnswers.map(Number).every((digit) => digit < decade)).toBe(true);
      expect(line.answers.length + line.wrongAnswers.length).toBe(9);
    }
  });
});

describe('induction', () => {
  it.each(['lexicon', 'vocabulary'])('%s: the answer followed the same word before', async (words) => {
    const { file } = await generate('induction', { words, length: '12' }, mini, 30);
    for (const { clean, corrupted, answers, wrongAnswers } of file.lines) {
      const follower = (text: string) => {
        const all = text.split(' ');
        return ` ${all[all.indexOf(all.at(-1)!) + 1]}`;
      };
      expect(follower(clean)).toBe(answers[0]);
      expect(follower(corrupted)).toBe(wrongAnswers[0]);
      expect(clean.split(' ').length).toBeGreaterThan(12);
    }
  });
});

describe('what cannot be generated', () => {
  const model = () => ({ tokenizer: mini, bos: undefined, nContext: 128 });
  const attempt = (change: object, other: object = {}) =>
    failure(
      (async () =>
        generateTask({ name: 'ioi', count: 3, seed: 1, ...change } as never, { ...model(), ...other }))(),
    );

  it('is told with what would do', async () => {
    expect((await attempt({ name: 'toString' })).message).toMatch(/"toString".*Choose one of ioi, agreement/);
    expect((await attempt({ count: 0 })).message).toMatch(/from 1 to/);
    expect((await attempt({ seed: Number.NaN })).message).toMatch(/seed/);
    expect((await attempt({ options: { color: 'red' } })).message).toMatch(
      /"color".*takes split, counterfactual, order/,
    );
    expect((await attempt({ options: { order: 'abc' } })).message).toMatch(
      /"abc" of "order".*mixed, abba, baba/,
    );
    expect((await attempt({ name: 'induction', options: { length: '2' } })).message).toMatch(/from 4 to 200/);
    expect(
      (await attempt({ count: 9000, name: 'agreement', options: { structure: 'simple' } })).message,
    ).toMatch(/Only \d+ of 9000 different pairs/);
  });

  it('because it was cancelled meanwhile ends soon, and lets others run before', async () => {
    const controller = new AbortController();
    const work = failure(generateTask({ name: 'bios', count: 5000, seed: 1 }, model(), controller.signal));
    await new Promise((resolve) => setTimeout(resolve, 1));
    controller.abort();
    expect((await work).code).toBe('cancelled');
  });

  it('for want of single tokens is told with what is lacking', async () => {
    const { message } = await attempt({}, { tokenizer: openTokenizer(3) });
    expect(message).toMatch(/splits too many of its words. Of the \w+ only \d+ can be used/);
    expect((await attempt({}, { nContext: 5 })).message).toMatch(/Only 0 of 3/);
  });
});
