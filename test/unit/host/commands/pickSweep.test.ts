/** What a sweep's picks ask the engine for: every kind of component, and every kind of ablation. */
import { describe, expect, it } from 'vitest';
import { pickSweep } from '../../../../src/host/commands/pickSweep.ts';
import type { CommandServices } from '../../../../src/host/services.ts';
import type { PromptPairs } from '../../../../src/shared/patchingApi.ts';
import { answerPicks } from '../../../fixtures/quickPicks.ts';

const sae = { id: '/saes/a', name: 'blocks.1.hook_resid_post' };
const services = { models: { sae } } as unknown as CommandServices;
const noSae = { models: { sae: undefined } } as unknown as CommandServices;
const task: PromptPairs = { kind: 'task', task: { kind: 'file', path: '/t.task.jsonl' } };
const pair: PromptPairs = {
  kind: 'pair',
  clean: 'a',
  corrupted: 'b',
  answers: [' x'],
  wrongAnswers: [' y'],
};
const sweep = (name: string) => ({ kind: 'sweep', name, roles: ['S'] });
const features = (by: 'all' | 'position', strongest: number) => ({
  kind: 'features',
  sae: '/saes/a',
  features: { strongest },
  error: true,
  by,
});

describe('pickSweep', () => {
  it.each([
    ['Ablate every head', sweep('attn_head_out_all_pos')],
    ['Ablate every attention output', sweep('attn_out_all_pos')],
    ['Ablate every MLP', sweep('mlp_out_all_pos')],
    ['Ablate every head, by position', sweep('attn_head_out_by_pos')],
    ['Ablate every attention output, by position', sweep('attn_out')],
    ['Ablate every MLP, by position', sweep('mlp_out')],
    ['Ablate the residual stream before every layer', sweep('resid_pre')],
    ['Ablate the residual stream between attention and MLP', sweep('resid_mid')],
    ['Ablate the residual stream after every layer', sweep('resid_post')],
    ['Ablate streams, attention and MLPs together', sweep('block_every')],
    ['Ablate the 100 features that differ most and the SAE error', features('all', 100)],
    ['Ablate the 20 features that differ most and the SAE error, by position', features('position', 20)],
  ])('%s', async (label, target) => {
    answerPicks([label, 'Zero']);
    const question = await pickSweep(services, { pairs: task, roles: ['S'] });
    expect(question).toEqual({ method: 'ablate', pairs: task, target, ablation: { kind: 'zero' } });
  });

  it.each([
    ['Mean over the corrupted prompts', { kind: 'mean', over: 'task', reference: 'corrupted' }],
    ['Mean over the clean prompts', { kind: 'mean', over: 'task', reference: 'clean' }],
    ['Mean per position', { kind: 'mean', over: 'position', reference: 'corrupted' }],
    ['Mean per template', { kind: 'mean', over: 'template', reference: 'corrupted' }],
    [
      'Another corrupted prompt (resample)',
      { kind: 'resample', reference: 'corrupted', seed: expect.any(Number) },
    ],
  ])('ablates a task by: %s', async (label, ablation) => {
    answerPicks(['Ablate the 100 features', label]);
    const question = await pickSweep(services, { pairs: task });
    expect(question).toMatchObject({ method: 'ablate', target: { kind: 'features' }, ablation });
  });

  it('offers no means over many pairs for one', async () => {
    const { offered } = answerPicks(['Ablate every MLP', 'Zero']);
    await pickSweep(services, { pairs: pair });
    expect(offered[1]).toEqual(['Zero', 'Mean over the corrupted prompts']);
  });

  it('patches features in the direction that was chosen', async () => {
    answerPicks(['The 100 features that differ most', 'Noising']);
    const question = await pickSweep(services, { pairs: pair });
    expect(question).toEqual({
      method: 'patch',
      pairs: pair,
      target: features('all', 100),
      direction: 'noising',
    });
  });

  it('offers no features without an SAE, and asks nothing when the user backs out', async () => {
    const { offered } = answerPicks(['Ablate every MLP']);
    expect(await pickSweep(noSae, { pairs: task })).toBeUndefined();
    expect(offered[0]?.filter((label) => /feature/.test(label))).toEqual([]);
  });
});
