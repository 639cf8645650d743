/** Scores of a prompt set against logits that were compared by hand, prompt by prompt. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { floatsOf } from '../../../../src/engine/graph/value.ts';
import { Transformer } from '../../../../src/engine/model/transformer.ts';
import { answerDifference, measureTask } from '../../../../src/engine/task/measure.ts';
import type { PromptPair } from '../../../../src/engine/task/promptSet.ts';
import type { Progress } from '../../../../src/shared/domain.ts';
import { EngineError } from '../../../../src/shared/errors.ts';
import { failure } from '../../temporaryFolder.ts';
import { wordTokenizer } from '../wordTokenizer.ts';

const vocabulary = Array.from({ length: 101 }, (_, id) => ` w${id}`);
const tokenizer = wordTokenizer(vocabulary);

function pair(
  ids: readonly number[],
  answers: readonly number[],
  wrongAnswers: readonly number[],
): PromptPair {
  const words = (list: readonly number[]) => list.map((id) => vocabulary[id]!);
  const several = answers.length > 1 ? { answers: words(answers), wrongAnswers: words(wrongAnswers) } : {};
  const clean = words(ids).join('');
  const [answer, wrongAnswer] = [vocabulary[answers[0]!]!, vocabulary[wrongAnswers[0]!]!];
  return { kind: 'test', template: 't', clean, corrupted: clean, roles: {}, answer, wrongAnswer, ...several };
}

/** Prompts of three lengths, more than fit into one batch of one length. */
const cases = Array.from({ length: 70 }, (_, i) => {
  const length = i < 66 ? 3 : 2 + (i % 3);
  const ids = Array.from({ length }, (_unused, p) => (i * 13 + p * 29 + 5) % 101);
  const several = i % 5 === 0;
  const [answers, wrong] = several
    ? [
        [i, 100 - i],
        [(i + 7) % 101, (i + 19) % 101],
      ]
    : [[i], [(i + 31) % 101]];
  return { ids, answers: answers!, wrong: wrong! };
});

let model: Transformer;

beforeAll(async () => {
  model = await Transformer.open(join(import.meta.dirname, '../../../fixtures/parity/gpt2'));
});

afterAll(() => model?.release());

describe('measureTask', () => {
  it('gives the mean difference and the share of right answers over prompts of all lengths', async () => {
    const differences: number[] = [];
    for (const { ids, answers, wrong } of cases) {
      const logits = floatsOf((await model.run({ tokens: [Int32Array.from(ids)] })).logits!).slice(-101);
      const odds = (set: readonly number[]) =>
        Math.log(set.reduce((sum, id) => sum + Math.exp(logits[id]!), 0));
      differences.push(odds(answers) - odds(wrong));
    }
    const pairs = cases.map(({ ids, answers, wrong }) => pair(ids, answers, wrong));
    const steps: Progress[] = [];
    const score = await measureTask(model, tokenizer, pairs, { report: (step) => steps.push(step) });
    expect(score.prompts).toBe(70);
    expect(score.logitDifference).toBeCloseTo(differences.reduce((a, b) => a + b, 0) / 70, 4);
    expect(score.accuracy).toBeCloseTo(differences.filter((d) => d > 0).length / 70, 9);
    expect(score.accuracy).toBeGreaterThan(0.2);
    expect(score.accuracy).toBeLessThan(0.8);
    expect(steps.length).toBeGreaterThanOrEqual(4);
    expect(steps.at(-1)).toMatchObject({ done: 70, total: 70 });
  });

  it('puts a beginning-of-sequence token before every prompt when there is one', async () => {
    const some = cases.slice(0, 5);
    const bare = some.map(({ ids, answers, wrong }) => pair(ids, answers, wrong));
    const written = some.map(({ ids, answers, wrong }) => pair([42, ...ids], answers, wrong));
    const expected = await measureTask(model, tokenizer, written);
    const found = await measureTask(model, tokenizer, bare, { bos: 42 });
    expect(found).toEqual(expected);
    expect(found).not.toEqual(await measureTask(model, tokenizer, bare));
  });

  it('can be cancelled', async () => {
    const signal = AbortSignal.abort();
    const pairs = [pair([1, 2], [3], [4])];
    expect((await failure(measureTask(model, tokenizer, pairs, { signal }))).code).toBe('cancelled');
  });
});

describe('answerDifference', () => {
  it('is a difference of logits, or of log-sums over sets of answers', () => {
    const logits = Float32Array.from({ length: 101 }, (_, id) => id / 10);
    expect(answerDifference(logits, pair([1], [50], [20]), tokenizer)).toBeCloseTo(3, 5);
    const expected = Math.log(Math.exp(5) + Math.exp(1)) - Math.log(Math.exp(2) + Math.exp(3));
    expect(answerDifference(logits, pair([1], [50, 10], [20, 30]), tokenizer)).toBeCloseTo(expected, 5);
    const large = logits.map((logit) => logit + 900);
    expect(answerDifference(large, pair([1], [50, 10], [20, 30]), tokenizer)).toBeCloseTo(expected, 3);
  });

  it('refuses an answer that is several tokens', () => {
    const wrong = { ...pair([1], [2], [3]), answer: ' w2 w3' };
    const compare = () => answerDifference(new Float32Array(101), wrong, tokenizer);
    expect(compare).toThrow(EngineError);
    expect(compare).toThrow('" w2" + " w3"');
  });
});
