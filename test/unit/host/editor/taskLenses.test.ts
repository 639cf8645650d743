/** What stands over a task file, from what is known of it. */
import { describe, expect, it } from 'vitest';
import { taskLenses } from '../../../../src/host/editor/taskLenses.ts';
import { EngineError } from '../../../../src/shared/errors.ts';
import type { TaskCheck } from '../../../../src/shared/taskApi.ts';
import { taskWarning } from '../../../../src/shared/taskProblem.ts';

const behaviour = { pairs: 300, accuracy: 0.974, logitDifference: 3.21, corruptedLogitDifference: -2.5 };
const check: TaskCheck = {
  name: 't',
  metric: 'logitDifference',
  pairs: 300,
  lines: 300,
  problems: [],
  unlisted: 0,
  behaviour,
  templates: [],
};
const titles = (...parameters: Parameters<typeof taskLenses>) =>
  linksOf(...parameters).map(({ title }) => title);
function linksOf(...parameters: Parameters<typeof taskLenses>) {
  const { summary, problems } = taskLenses(...parameters);
  return [summary, ...problems];
}

describe('taskLenses', () => {
  it('tell pairs, behaviour and the model', () => {
    expect(titles({ check, model: 'mini', busy: false })).toEqual([
      '$(checklist)\u00a0300 pairs · accuracy 97 % · mean logit difference +3.21, corrupted −2.5 · mini',
    ]);
    const part = { ...check, behaviour: { ...behaviour, pairs: 200, accuracy: 0 } };
    expect(titles({ check: part, model: 'mini', busy: false })[0]).toContain(
      'accuracy 0 % · mean logit difference +3.21, corrupted −2.5 · first 200 pairs measured',
    );
  });

  it('tell what is still to come', () => {
    expect(titles(undefined)).toEqual(['$(checklist)\u00a0Checking the pairs…']);
    expect(titles({ check: { ...check, pairs: 1, behaviour: undefined }, busy: true })).toEqual([
      expect.stringContaining('1 pair · measuring…'),
    ]);
  });

  it('lead to the problems', () => {
    const [, link] = linksOf({ check: { ...check, lines: 302, unlisted: 2 }, busy: false });
    expect(link).toMatchObject({
      title: '$(error)\u00a02 pairs cannot be used',
      command: 'workbench.actions.view.problems',
    });
    const warned = { ...check, problems: [taskWarning(2, 'samePair', { line: 1 })] };
    expect(titles({ check: warned, busy: false })[1]).toBe('$(warning)\u00a01 warning');
  });

  it('show no icon that a file or a failure brings along', () => {
    const error = new EngineError('file.missing', { path: '/tmp/$(bug)' });
    expect(titles({ error, busy: false })).toEqual([expect.stringContaining('$ (bug)')]);
    expect(titles({ check, model: '$(bug)', busy: false })[0]).toContain('$ (bug)');
  });
});
