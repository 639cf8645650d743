/** When a model does not do the task of a study, and that its report says so first. */
import { describe, expect, it } from 'vitest';
import type { IoiStudy } from '../../../src/shared/study.ts';
import { studyDoubts } from '../../../src/shared/studyDoubts.ts';
import { studyReport } from '../../../src/shared/studyReport.ts';

const behaviour = (logitDifference: number, accuracy: number, corruptedLogitDifference: number) => ({
  logitDifference,
  accuracy,
  probability: 0.2,
  corruptedLogitDifference,
});

describe('studyDoubts', () => {
  it.each([
    ['GPT-2 small as in the paper', behaviour(3.56, 0.993, 0.02), []],
    ['exchanged answers', behaviour(-11.99, 0, 0.1), ['notPositive', 'belowHalf']],
    ['a model without a difference', behaviour(0, 0.5, 0), ['notPositive']],
    ['a random model', behaviour(0.73, 0.6, 1.06), ['likeAbc']],
    ['a mean above 0 by a few prompts', behaviour(0.4, 0.3, -0.1), ['belowHalf']],
    ['what is not a number', behaviour(Number.NaN, 0.9, 0), ['notPositive']],
  ])('of %s', (_, measured, doubts) => {
    expect(studyDoubts(measured)).toEqual(doubts);
  });
});

describe('the report', () => {
  const study = {
    task: 't',
    pairs: 8,
    smallestTemplate: 1,
    behaviour: behaviour(-11.99, 0, 0.1),
    thresholds: {},
    receivers: { queries: [], values: [], keys: [] },
    heads: [],
  } as unknown as IoiStudy;

  it('begins with what fails', () => {
    const doubtful = studyReport({ ...study, doubts: ['notPositive', 'belowHalf'] }, 'm');
    const [, first] = doubtful.split('\n\n');
    expect(first).toMatch(/^\*\*This model does not do the task\..*\*\* .*not above 0\. IO is above S/);
    expect(studyReport(study, 'm')).not.toContain('does not do the task');
  });

  it('says of one prompt that it is one', () => {
    expect(studyReport(study, 'm')).toContain('the mean over fewest has 1.');
  });
});
