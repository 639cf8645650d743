/** What stands over a prompt: short enough for half an editor, in full in the tooltip. */
import { describe, expect, it } from 'vitest';
import {
  contrastTitle,
  otherName,
  promptSummary,
  shortName,
} from '../../../../src/host/editor/promptSummary.ts';
import type { Token } from '../../../../src/shared/domain.ts';

const tokens: readonly Token[] = [
  { id: 0, text: '<s>', start: 0, end: 0, special: true },
  { id: 1, text: 'one', start: 0, end: 3 },
];

describe('promptSummary', () => {
  it('names the SAE by layer and site, and by its hook in the tooltip', () => {
    const found = promptSummary('mini', 'blocks.2.hook_resid_post', tokens);
    expect(found.title).toMatch(/^mini · 2 tokens · L2 resid_post$/);
    expect(found.tooltip).toMatch(/^mini · blocks\.2\.hook_resid_post · 2 tokens with <s>/);
  });

  it('says that there is no SAE, and shortens long names', () => {
    const { title, tooltip } = promptSummary('owner/a-model-of-a-very-long-name', undefined, tokens);
    expect(title).toMatch(/^a-model-of-a-very… · 2 tokens · no SAE$/);
    expect(tooltip).toContain('owner/a-model-of-a-very-long-name');
  });

  it('leaves room for four actions in half an editor', () => {
    const long = 'x'.repeat(200);
    const { title } = promptSummary(long, `blocks.10.${long}`, tokens);
    const contrast = contrastTitle({ answer: ` ${long}`, wrong: long }, -3.25);
    expect(title.length).toBeLessThan(60);
    expect(contrast.title.length).toBeLessThan(40);
    expect(contrast.tooltip).toContain(long);
    expect(shortName(long)).toHaveLength(18);
  });

  it('calls another prompt by its file without the ending, and one without a file typed', () => {
    expect(otherName({ name: 'ioi/abc.prompt.txt', text: '', uri: 'file:///ioi/abc.prompt.txt' })).toBe(
      'abc',
    );
    expect(otherName({ name: 'typed prompt', text: '' })).toBe('typed');
  });

  it('shows no icon that a name brings along', () => {
    expect(promptSummary('$(bug)', '$(bug)', tokens).title).not.toContain('$(');
    expect(contrastTitle({ answer: '$(bug)', wrong: 'b' }, undefined).title).toBe('"$ (bug)" − "b"');
  });
});
