/** A task's check: behaviour against logits compared one by one, by template, and the limits of what is listed. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { floatsOf } from '../../../../src/engine/graph/value.ts';
import { Transformer } from '../../../../src/engine/model/transformer.ts';
import { checkTask, measurePairs } from '../../../../src/engine/task/checkTask.ts';
import { metricValue } from '../../../../src/engine/task/metric.ts';
import { readTaskText } from '../../../../src/engine/task/taskFile.ts';
import { tokenizeTask } from '../../../../src/engine/task/tokenizeTask.ts';
import type { Progress } from '../../../../src/shared/domain.ts';
import { failure } from '../../temporaryFolder.ts';
import { wordTokenizer } from '../wordTokenizer.ts';

const vocabulary = Array.from({ length: 101 }, (_, id) => ` w${id}`);
const tokenizer = wordTokenizer(vocabulary);
const text = (ids: readonly number[]) => ids.map((id) => ` w${id}`).join('');

/** Pairs of two lengths and two templates. */
const cases = Array.from({ length: 40 }, (_, i) => {
  const clean = Array.from({ length: 2 + (i % 2) }, (_unused, p) => (i * 13 + p * 29 + 5) % 101);
  const corrupted = [(clean[0]! + 1) % 101, ...clean.slice(1)];
  return { clean, corrupted, answer: i, wrong: i + 50, template: i < 10 ? 'first' : 'second' };
});
const file = cases
  .map(({ clean, corrupted, answer, wrong, template }) =>
    JSON.stringify({
      clean: text(clean),
      corrupted: text(corrupted),
      answer: ` w${answer}`,
      wrongAnswer: ` w${wrong}`,
      template,
    }),
  )
  .join('\n');

let transformer: Transformer;
const model = (bos?: number) => ({ transformer, tokenizer, bos, nContext: 16 });

beforeAll(async () => {
  transformer = await Transformer.open(join(import.meta.dirname, '../../../fixtures/parity/gpt2'));
});
afterAll(() => transformer?.release());

async function difference(ids: readonly number[], answer: number, wrong: number): Promise<number> {
  const { logits } = await transformer.run({ tokens: [Int32Array.from(ids)] });
  const last = floatsOf(logits!).slice(-101);
  return last[answer]! - last[wrong]!;
}

function average(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

describe('checkTask', () => {
  it('measures clean and corrupted prompts as running each of them does, whole and by template', async () => {
    const clean = [];
    const corrupted = [];
    for (const one of cases) {
      clean.push(await difference([7, ...one.clean], one.answer, one.wrong));
      corrupted.push(await difference([7, ...one.corrupted], one.answer, one.wrong));
    }
    const steps: Progress[] = [];
    const read = readTaskText('t.task.jsonl', file);
    const found = await checkTask(read, model(7), { report: (step) => steps.push(step) });
    expect(found).toMatchObject({
      name: 't',
      metric: 'logitDifference',
      pairs: 40,
      lines: 40,
      problems: [],
      unlisted: 0,
    });
    const { behaviour, templates } = found;
    expect(behaviour!.pairs).toBe(40);
    expect(behaviour!.logitDifference).toBeCloseTo(average(clean), 4);
    expect(behaviour!.corruptedLogitDifference).toBeCloseTo(average(corrupted), 4);
    expect(behaviour!.accuracy).toBeCloseTo(clean.filter((value) => value > 0).length / 40, 9);
    expect(templates.map(({ template, pairs }) => [template, pairs])).toEqual([
      ['first', 10],
      ['second', 30],
    ]);
    expect(templates[0]!.logitDifference).toBeCloseTo(average(clean.slice(0, 10)), 4);
    expect(templates[1]!.corruptedLogitDifference).toBeCloseTo(average(corrupted.slice(10)), 4);
    expect(steps.at(-1)).toMatchObject({ done: 80, total: 80 });
  });

  it('measures no more pairs than it should, and none of a task without pairs', async () => {
    const read = readTaskText('t.task.jsonl', file);
    const some = await checkTask(read, model(), { measure: 3 });
    expect(some.behaviour!.pairs).toBe(3);
    expect((await checkTask(read, model(), { measure: 0 })).behaviour).toBeUndefined();
    const none = await checkTask(readTaskText('t.task.jsonl', '{"clean": 1}\n\n{"clean": 2}'), model());
    expect(none).toMatchObject({ pairs: 0, lines: 2, templates: [] });
    expect(none.behaviour).toBeUndefined();
    expect(none.problems.map(({ line }) => line)).toEqual([1, 1, 3, 3]);
  });

  it('puts problems of reading and of tokens in the order of the lines, and lists so many', async () => {
    const bad = [
      { clean: ' w1 w2', corrupted: ' w3', answer: ' w4', wrongAnswer: ' w5' },
      { clean: ' w1' },
      { clean: ' w1', corrupted: ' w2', answer: ' w4', wrongAnswer: ' w4' },
    ];
    const lines = Array.from({ length: 600 }, (_, i) => JSON.stringify({ ...bad[i % 3], note: `${i}` }));
    const found = await checkTask(readTaskText('t.task.jsonl', lines.join('\n')), model());
    expect(found.problems.length + found.unlisted).toBeGreaterThan(500);
    expect(found.problems).toHaveLength(500);
    const order = found.problems.map(({ line }) => line);
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    expect(new Set(found.problems.slice(0, 3).map(({ code }) => code))).toContain('unequalWords');
    expect(found.pairs).toBe(0);
  });

  it('can be cancelled', async () => {
    const read = readTaskText('t.task.jsonl', file);
    expect((await failure(checkTask(read, model(), { signal: AbortSignal.abort() }))).code).toBe('cancelled');
  });
});

describe('measurePairs', () => {
  it('gives every metric of every pair in the order of the pairs', async () => {
    const { task } = await tokenizeTask(readTaskText('t.task.jsonl', file).file, model());
    const metrics = ['probability', 'crossEntropy'] as const;
    const found = await measurePairs(transformer, task.pairs, 'corrupted', metrics);
    for (const at of [0, 1, 17, 39]) {
      const pair = task.pairs[at]!;
      const { logits } = await transformer.run({ tokens: [pair.corrupted] });
      const last = floatsOf(logits!).slice(-101);
      metrics.forEach((metric, i) => {
        expect(found[i]![at]).toBeCloseTo(metricValue(metric, last, pair), 5);
      });
    }
  });
});
