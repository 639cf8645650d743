/** What stands over an experiment, in each state; and what is suggested inside it. */
import { describe, expect, it } from 'vitest';
import {
  type ExperimentState,
  experimentLenses,
  wordProgress,
} from '../../../../src/host/experiments/experimentLenses.ts';
import { suggestionsAt } from '../../../../src/host/experiments/experimentSuggestions.ts';
import { newExperimentText } from '../../../../src/host/experiments/newExperimentText.ts';
import { readExperiment } from '../../../../src/shared/experiment/readExperiment.ts';

const uri = { path: '/w/a.fovea.json' } as ExperimentState['uri'];
const results = { path: '/w/a.results.json' } as ExperimentState['uri'];

describe('the line over an experiment', () => {
  const titles = (state: Partial<ExperimentState>): string[] =>
    experimentLenses({ uri, isTrusted: true, ...state }).map(({ title }) => title);

  it('offers to run it, and what was found once it has run', () => {
    expect(titles({})).toEqual(['$(play) Run', 'Estimate', 'Script']);
    expect(titles({ results })).toEqual(['$(play) Run', 'Results', 'Compare…', 'Estimate', 'Script']);
    const found = { results, hasSweep: true, circuits: [{ uri: results, method: 2 }, { uri }] };
    expect(titles(found).slice(1, 5)).toEqual(['Results', 'Sweep', 'Circuit 2', 'Circuit']);
    expect(experimentLenses({ uri, isTrusted: true, ...found })[3]).toMatchObject({
      command: 'vscode.open',
      arguments: [results],
    });
  });

  it('tells what the next run goes on with, and offers to begin anew', () => {
    const links = experimentLenses({ uri, isTrusted: true, kept: { done: 2, total: 4, isUnderWay: true } });
    expect(links.map(({ title }) => title)).toEqual([
      '$(debug-continue) Go On',
      'Start Over',
      'Estimate',
      'Script',
      '2 of 4 methods done, one under way',
    ]);
    expect(links[0]!.arguments).toEqual([uri]);
    expect(links[1]!.arguments).toEqual([uri, 'anew']);
    expect(titles({ kept: { done: 0, total: 1, isUnderWay: true } }).at(-1)).toBe('partly done');
  });

  it('tells how far a run is, and stops it', () => {
    const progress = { done: 3, total: 4, what: 'Patching $(x)' };
    expect(titles({ progress })).toEqual(['$(debug-stop) Cancel', '$(sync~spin) Patching $ (x) · 75 %']);
    expect(titles({ progress: 'starting' })[1]).toBe('$(sync~spin) Starting…');
    expect(wordProgress({ done: 0, total: 0, what: 'edges' })).toBe('edges');
  });

  it('runs nothing in a workspace that is not trusted', () => {
    const links = experimentLenses({ uri, isTrusted: false, results });
    expect(links.map(({ command }) => command)).toEqual(['workbench.trust.manage']);
  });
});

describe('suggestions', () => {
  const around = {
    model: { nLayers: 2, nHeads: 2, nKeyValueHeads: 1 },
    saes: [
      { hook: 'blocks.0.hook_resid_post', kind: 'sae', name: 'layer 0' },
      { hook: 'blocks.0.hook_mlp_in', kind: 'transcoder', name: 'transcoder 0' },
      { hook: 'blocks.9.hook_resid_post', kind: 'sae', name: 'of another model', problem: 'too wide' },
    ],
    tasks: ['a.task.jsonl'],
    models: ['openai-community/gpt2'],
  } as const;
  const at = (...path: (string | number)[]) => suggestionsAt(path, around).map(({ text }) => text);

  it('name what is there: SAEs by kind, heads, tasks and models', () => {
    expect(at('saes', 0)).toEqual(['blocks.0.hook_resid_post']);
    expect(at('method', 1, 'sae')).toEqual(['blocks.0.hook_resid_post']);
    expect(at('transcoders', 3)).toEqual(['blocks.0.hook_mlp_in']);
    expect(at('pairs', 'path')).toEqual(['a.task.jsonl']);
    expect(at('model')).toEqual(['embedded', 'openai-community/gpt2']);
    expect(at('method', 'senders', 0)).toEqual(['0.0', '0.1', 'mlp 0', '1.0', '1.1', 'mlp 1']);
    expect(at('method', 0, 'receivers', 0)).toEqual([
      ...['q:0.0', 'q:0.1', 'k:0.0', 'v:0.0'],
      ...['q:1.0', 'q:1.1', 'k:1.0', 'v:1.0'],
    ]);
    expect(at('name')).toEqual([]);
  });
});

describe('a new experiment', () => {
  it('can be read, and is about the prompts it was made from', () => {
    const pair = {
      kind: 'pair',
      clean: 'a "',
      corrupted: 'b',
      answers: [' c'],
      wrongAnswers: [' d'],
    } as const;
    for (const pairs of [pair, { kind: 'file', path: 'x.task.jsonl' } as const]) {
      const text = newExperimentText({ name: 'n', model: 'embedded', pairs });
      expect(readExperiment('n', text)).toMatchObject({ name: 'n', model: 'embedded', pairs });
    }
  });
});
