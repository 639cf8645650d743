/** What keeps an experiment from being run is found beforehand: all of it at once, and without a model what shows without one. */
import { realpath } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { checkExperiment } from '../../../../src/shared/experiment/checkExperiment.ts';
import type { Experiment, ExperimentMethod } from '../../../../src/shared/experiment/experiment.ts';
import { partsOf } from '../../../../src/shared/experiment/readExperiment.ts';
import { runExperiment } from '../../../../src/shared/experiment/runExperiment.ts';
import { topKHook } from '../../../fixtures/tinyModel.ts';
import { wordPair as pairs } from '../../../fixtures/wordExperiments.ts';
import { experimentOf as experiment, tinyExperiments } from './tinyExperiments.ts';

const at = tinyExperiments();

describe('a check', () => {
  const check = async (it: object) =>
    (await checkExperiment(partsOf(it), at.places)).map(
      ({ path, severity, message }) => `${severity} ${path.join('.')}: ${message}`,
    );

  it('has nothing to say of what can be run', async () => {
    expect(await check(experiment({ kind: 'patch', sweep: 'resid_pre' }, { saes: [topKHook] }))).toEqual([]);
  });

  it('finds answers of several tokens, names that are not there, and layers that the model lacks', async () => {
    const found = await check({
      saes: ['nowhere'],
      pairs: { ...pairs, answers: [' antidisestablishment'] },
      method: [
        { kind: 'patch', sweep: 'resid_pre', layers: [0, 77] },
        { kind: 'patchPaths', senders: ['0.99'], receivers: ['q:1.0', 'k:5.0'] },
      ],
    });
    expect(found.join('\n')).toMatch(/error saes\.0: .*nowhere/);
    expect(found.join('\n')).toMatch(/error pairs\.answers\.0: .*is not one token/);
    expect(found.join('\n')).toMatch(/error method\.0\.layers\.1: .*layers 0 to/);
    expect(found.join('\n')).toMatch(/error method\.1\.senders\.0:/);
    expect(found.join('\n')).toMatch(/error method\.1\.receivers\.1:/);
    expect(found).toHaveLength(5);
  });

  it('warns of tasks some of whose pairs cannot be used, and refuses those that are not there', async () => {
    const lens = { kind: 'ablate', sweep: 'mlp_out', value: 'zero' } as const;
    const task = (path: string) => experiment(lens, { pairs: { kind: 'file', path } });
    expect((await check(task('a.task.jsonl'))).join()).toMatch(
      /^warning pairs\.path: 1 of 3 pairs cannot be used/,
    );
    expect((await check(task('b.task.jsonl'))).join()).toMatch(/^error pairs\.path: .*b\.task\.jsonl/);
    const single = await check({
      pairs: { kind: 'generator', name: 'ioi', count: 2 },
      method: { kind: 'logitLens' },
    });
    expect(single.join()).toContain('error method.kind: This method looks at one pair');
  });

  it('finds what is wrong in every part, whatever else is wrong', async () => {
    const found = await check({
      seed: 'one',
      colour: 'red',
      model: './nowhere',
      saes: ['./none'],
      pairs: { kind: 'file', path: 'b.task.jsonl' },
      method: [
        { kind: 'pach', sweep: 'resid_pre' },
        { kind: 'ablate', sweep: 'resid', value: 'zero' },
        { kind: 'logitLens', tuned: './lens' },
      ],
    });
    expect(found.map((problem) => problem.split(':')[0]!).sort()).toEqual(
      [
        'error colour',
        'error method.0.kind',
        'error method.1.sweep',
        'error method.2.kind',
        'error method.2.tuned',
        'error model',
        'error pairs.path',
        'error saes.0',
        'error seed',
      ].sort(),
    );
    expect(found.join('\n')).toMatch(/method\.0\.kind: kind should be one of patch, .*but is "pach"\./);
    expect(await check({ model: 'embedded' })).toEqual([expect.stringMatching(/^error method: /)]);
    expect(await check([])).toEqual(['error : the file should be an object, but is a list.']);
  });

  it('tells what shows without a model when that is not to be opened', async () => {
    const parts = partsOf({
      saes: ['./none', 'blocks.9.hook_x'],
      pairs: { ...pairs, answers: ['two words'] },
      method: { kind: 'patch', sweep: 'resid_pre', layers: [77] },
    });
    const opened: string[] = [];
    const watched = { ...at.places, opened: ({ name }: { readonly name: string }) => void opened.push(name) };
    const found = await checkExperiment(parts, watched, {}, false);
    expect(found.map(({ path }) => path)).toEqual([['saes', 0]]);
    expect(opened).toEqual([]);
  });

  it('finds positions that pairs of several lengths do not share, and roles that they lack', async () => {
    const method = [
      { kind: 'patch', sweep: 'resid_pre' },
      { kind: 'patch', sweep: 'resid_pre', roles: ['END', 'S9'] },
      { kind: 'patch', sweep: 'attn_out_all_pos' },
      { kind: 'ablate', sweep: 'attn_head_pattern_dest_src_pos', roles: ['END'], value: 'zero' },
      { kind: 'ablateFeatures', sae: topKHook, features: [1], by: 'position', value: 'zero' },
      { kind: 'patchPaths', positions: ['S2', 0, 900] },
      { kind: 'patchPaths' },
      { kind: 'sparseFeatureCircuit', aggregation: 'position' },
    ] as const;
    const mini = { model: await realpath('models/mini'), saes: [] };
    const generated = { ...mini, pairs: { kind: 'generator', name: 'ioi', count: 4, seed: 1 } };
    const found = await check({ ...generated, method });
    const where = found.map((problem) => problem.split(':')[0]);
    expect(where).toEqual([
      'error method.0.sweep',
      'error method.1.roles.1',
      'error method.3.sweep',
      'error method.4.by',
      'error method.5.positions.2',
      'error method.7.aggregation',
    ]);
    // What is found beforehand is what the run refuses.
    const runs = (one: ExperimentMethod) =>
      runExperiment({ ...generated, method: one } as Experiment, at.places).then(
        () => 'runs',
        (error: Error) => error.message,
      );
    expect(await runs(method[0])).toContain('the pairs differ in length');
    expect(await runs(method[1])).toContain('The role S9');
    expect(await runs(method[5])).toContain('Position 900');
    expect(await runs(method[2])).toBe('runs');
  });
});
