/** What is said of pairs that a result leaves out, and of what rests on few prompts. */
import { describe, expect, it } from 'vitest';
import { fewPromptsWarning } from '../../../src/shared/fewPrompts.ts';
import { describeLeftOut, leftOutPairs } from '../../../src/shared/leftOutPairs.ts';
import { taskError, taskWarning } from '../../../src/shared/taskProblem.ts';

const check = { name: 't', metric: 'logitDifference', unlisted: 0, templates: [] } as const;
const missing = (line: number) => taskError(line, 'noAnswer', { field: 'answer' }, 'answer');

describe('pairs that are left out', () => {
  it('are counted, with the first reason of each line', () => {
    const problems = [taskWarning(1, 'samePair', { line: 3 }), missing(2), taskError(2, 'sameTexts', {})];
    const found = leftOutPairs({ ...check, pairs: 1, lines: 2, problems })!;
    expect(found).toMatchObject({ leftOut: 1, of: 2, reasons: [{ line: 2 }] });
    expect(describeLeftOut(found)).toBe(
      '1 of 2 pairs left out: line 2: "answer" is missing. Add a text, or a list of texts as "answers".',
    );
  });

  it('are not all named when there are many', () => {
    const problems = Array.from({ length: 9 }, (_, i) => missing(i + 1));
    const said = describeLeftOut(leftOutPairs({ ...check, pairs: 1, lines: 10, problems })!);
    expect(said.split('\n')).toHaveLength(4);
    expect(said).toMatch(/and 6 more$/);
  });

  it('are none when every pair can be run, whatever the warnings', () => {
    const problems = [taskWarning(2, 'samePair', { line: 1 })];
    expect(leftOutPairs({ ...check, pairs: 2, lines: 2, problems })).toBeUndefined();
  });
});

describe('the warning of few prompts', () => {
  it('comes below five, and says that one prompt is no mean', () => {
    expect(fewPromptsWarning(undefined)).toBeUndefined();
    expect(fewPromptsWarning(5)).toBeUndefined();
    expect(fewPromptsWarning(4)).toContain('rest on 4 prompts');
    expect(fewPromptsWarning(1)).toContain('patching that prompt in');
  });
});
