/** Pairs in the tokens of the embedded model: ids, roles, what stands before them, and every reason to leave one out. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadTokenizer, type Tokenizer } from '../../../../src/engine/model/tokenizer.ts';
import { readTaskText } from '../../../../src/engine/task/taskFile.ts';
import { type TaskModel, tokenizeTask } from '../../../../src/engine/task/tokenizeTask.ts';
import { describeTaskProblem } from '../../../../src/shared/taskProblem.ts';

let tokenizer: Tokenizer;

beforeAll(async () => {
  tokenizer = await loadTokenizer(join(import.meta.dirname, '../../../../models/mini'));
});

const pair = {
  clean: 'When Mary and John went to the store, John gave a drink to',
  corrupted: 'When Alice and Tom went to the store, James gave a drink to',
  answer: ' Mary',
  wrongAnswer: ' John',
};

function tokenize(lines: readonly object[], model: Partial<TaskModel> = {}) {
  const { file, problems } = readTaskText(
    't.task.jsonl',
    lines.map((line) => JSON.stringify(line)).join('\n'),
  );
  expect(problems).toEqual([]);
  return tokenizeTask(file, { tokenizer, bos: undefined, nContext: 64, ...model });
}

/** What is wrong with one pair that differs from the good one. */
async function faults(change: object, model: Partial<TaskModel> = {}): Promise<string[]> {
  const { task, problems } = await tokenize([{ ...pair, ...change }], model);
  const errors = problems.filter(({ severity }) => severity === 'error');
  expect(task.pairs).toHaveLength(errors.length === 0 ? 1 : 0);
  return problems.map((problem) => `${problem.severity} ${problem.field}: ${describeTaskProblem(problem)}`);
}

describe('tokenizeTask', () => {
  const roles = { IO: 'Mary', S1: ['John', 1], 'S1+1': 'went', S2: ['John', 2], END: ['to', -1] };

  it('gives ids, answers and the token of each role', async () => {
    const { task, lines, problems } = await tokenize([{ name: 'n' }, { ...pair, roles, template: 'T' }]);
    expect(problems).toEqual([]);
    expect(task.name).toBe('n');
    expect(lines).toEqual([2]);
    const [only] = task.pairs;
    expect(tokenizer.decode(only!.clean)).toBe(pair.clean);
    expect(tokenizer.decode(only!.corrupted)).toBe(pair.corrupted);
    expect(only!.answers.map((id) => tokenizer.tokenText(id))).toEqual([' Mary']);
    expect(only!.wrongAnswers.map((id) => tokenizer.tokenText(id))).toEqual([' John']);
    expect(only!.template).toBe('T');
    const texts = Object.entries(only!.roles).map(([role, at]) => [
      role,
      tokenizer.tokenText(only!.clean[at]!),
    ]);
    expect(Object.fromEntries(texts)).toEqual({
      IO: ' Mary',
      S1: ' John',
      'S1+1': ' went',
      S2: ' John',
      END: ' to',
    });
    expect(only!.roles.END).toBe(only!.clean.length - 1);
    expect(only!.roles.S2! - only!.roles.S1!).toBe(6);
  });

  it('puts the beginning-of-sequence token before both prompts and counts it in positions', async () => {
    const [bare, before] = await Promise.all(
      [undefined, 7].map(async (bos) => (await tokenize([{ ...pair, roles }], { bos })).task.pairs[0]!),
    );
    expect([...before!.clean]).toEqual([7, ...bare!.clean]);
    expect([...before!.corrupted]).toEqual([7, ...bare!.corrupted]);
    for (const [role, at] of Object.entries(bare!.roles)) expect(before!.roles[role]).toBe(at + 1);
  });

  it('takes the last token of a role that is several', async () => {
    const long = { ...pair, roles: { who: 'When Mary', drink: 'a drink' } };
    const { clean, roles: found } = (await tokenize([long])).task.pairs[0]!;
    expect(tokenizer.tokenText(clean[found.who!]!)).toBe(' Mary');
    expect(tokenizer.tokenText(clean[found.drink!]!)).toBe(' drink');
  });

  it('finds nothing wrong with the example of the documentation', async () => {
    const page = readFileSync(join(import.meta.dirname, '../../../../docs/tasks.md'), 'utf8');
    const example = /```jsonl\n([\s\S]*?)```/.exec(page)![1]!;
    const { file, problems } = readTaskText('docs.task.jsonl', example);
    const tokenized = await tokenizeTask(file, { tokenizer, bos: undefined, nContext: 64 });
    expect([...problems, ...tokenized.problems]).toEqual([]);
    expect(tokenized.task.pairs).toHaveLength(2);
  });

  it('keeps sets of answers, each id once', async () => {
    const sets = {
      answer: undefined,
      wrongAnswer: undefined,
      answers: [' Mary', ' Anna', ' Mary'],
      wrongAnswers: [' Tom', ' John'],
    };
    const [only] = (await tokenize([{ ...pair, ...sets }])).task.pairs;
    expect(only!.answers.map((id) => tokenizer.tokenText(id))).toEqual([' Mary', ' Anna']);
    expect(only!.wrongAnswers).toHaveLength(2);
  });
});

describe('a pair that cannot be run', () => {
  it.each([
    ['inside', 'went to the big store', '"the" is " the", but "the big" is " the" + '],
    ['at the end', 'went to the store now', '"store" is " store", but "store now" is'],
  ])('has a word more %s: it is named with the one before it', async (_, changed, words) => {
    const prompts = { clean: 'Mary went to the store', corrupted: `Mary ${changed}` };
    expect((await faults(prompts))[0]).toContain(words);
  });

  it('has prompts of unequal length: the word that is to blame is named with its pieces', async () => {
    const pieces = tokenizer
      .pieces(' Xylophia')
      .map((piece) => JSON.stringify(piece))
      .join(' + ');
    expect(pieces).toContain(' + ');
    const [fault] = await faults({ corrupted: pair.corrupted.replace('Alice', 'Xylophia') });
    expect(fault).toContain(`"Mary" is " Mary", but "Xylophia" is ${pieces}`);
    const length = tokenizer.encode(pair.clean).ids.length;
    expect((await faults({ corrupted: `${pair.corrupted} Mary` }))[0]).toContain(
      `error corrupted: The clean prompt has ${length} tokens and the corrupted one ${length + 1}; they differ from "Mary" and "Alice" on.`,
    );
  });

  it('is the same twice', async () => {
    expect(await faults({ corrupted: pair.clean })).toEqual([
      expect.stringMatching(/^error corrupted: Both prompts are the same/),
    ]);
  });

  it('has an answer of several tokens, whose pieces are shown', async () => {
    const fault = await faults({ answer: ' Mary John' });
    expect(fault).toEqual([
      expect.stringMatching(/^error answer: " Mary John" is not one token .*" Mary" \+ " John"/),
    ]);
  });

  it('has an answer on both sides', async () => {
    const both = { wrongAnswer: undefined, wrongAnswers: [' John', ' Mary'] };
    expect(await faults(both)).toEqual([
      expect.stringMatching(/" Mary" is among the answers and among the wrong ones/),
    ]);
  });

  it('is longer than the model reads, with the beginning-of-sequence token counted', async () => {
    const { length } = tokenizer.encode(pair.clean).ids;
    expect(await faults({}, { nContext: length })).toEqual([]);
    expect(await faults({}, { nContext: length, bos: 1 })).toEqual([
      expect.stringMatching(new RegExp(`^error clean: .*more tokens than the ${length - 1}`)),
      expect.stringMatching(/^error corrupted: /),
    ]);
  });

  it('has roles that do not fit', async () => {
    const role = (text: unknown) => faults({ roles: { IO: text } });
    expect(await role('Maria')).toEqual([
      expect.stringMatching(/^error roles: Role IO: "Maria" are no whole words/),
    ]);
    expect(await role('John')).toEqual([expect.stringMatching(/"John" occurs 2 times.*\["John", 1\]/)]);
    expect(await role([40, 90])).toEqual([expect.stringMatching(/characters 40 to 90 .* has 58/)]);
    expect(await role([5, 7])).toEqual([
      expect.stringMatching(/in "clean", "Ma" is only a part of the token " Mary"/),
    ]);
  });

  it('has a role at different tokens: lengths that make up for each other elsewhere do not hide it', async () => {
    const clean = 'Then Mary and Xylophia gave to';
    const corrupted = 'Then Xylophia and Mary gave to';
    const cut = (text: string) => tokenizer.pieces(text).length;
    expect(cut(clean), 'the test needs equal lengths').toBe(cut(corrupted));
    const found = await faults({ clean, corrupted, roles: { middle: 'and', END: 'to' } });
    expect(found).toEqual([
      expect.stringMatching(/^error roles: Role middle is token \d+ of the clean prompt, but token \d+/),
    ]);
  });
});

describe('a warning', () => {
  it('is given for an answer that lacks its space, and the pair stays', async () => {
    const [fault] = await faults({ answer: 'a' }, {});
    const glued = tokenizer.idOf('a') !== undefined && tokenizer.idOf(' a') !== undefined;
    expect(glued, 'the test needs both tokens').toBe(true);
    expect(fault).toMatch(/^warning answer: "a" continues the last word.*" a"/);
  });
});
