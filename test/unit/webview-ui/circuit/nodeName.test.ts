/** How nodes are called. */

import { describe, expect, it } from 'vitest';
import { nodeLabel, ownTitle } from '../../../../webview-ui/circuit/nodeName.ts';
import { labelText } from '../../../../webview-ui/lib/tokenText.tsx';
import type { Mark } from '../../../../webview-ui/marks/circuitMark.ts';
import { smallCircuit } from './smallCircuit.ts';

function mark(rest: Partial<Mark>): Mark {
  return { id: 'n', kind: 'error', layer: 0, position: 3, label: '', effect: 1, ...rest };
}

const plain = { underToken: false, pinned: false };
const aggregated = { ...smallCircuit, isAggregated: true as const };

describe('names of nodes', () => {
  it('tell errors of one layer apart', () => {
    expect(ownTitle(mark({ hook: 'blocks.0.hook_attn_out' }))).toBe('SAE error of attention 0');
    expect(ownTitle(mark({ hook: 'blocks.0.hook_mlp_out' }))).toBe('SAE error of MLP 0');
    expect(ownTitle(mark({ hook: 'blocks.0.hook_resid_post' }))).toBe('SAE error of residual stream 0');
  });

  it('call a site without SAE by itself, and errors of transcoders theirs', () => {
    const whole = mark({ hook: 'blocks.2.hook_mlp_out', layer: 2, label: 'MLP 2, whole site, no SAE' });
    expect(ownTitle(whole)).toBe('All of MLP 2');
    expect(ownTitle(mark({ layer: 3, label: 'Error, layer 3' }))).toBe('Transcoder error 3');
  });

  it('give a feature without label its site', () => {
    const feature = { sae: 's', index: 173 };
    const unnamed = mark({
      kind: 'feature',
      layer: 2,
      feature,
      hook: 'blocks.2.hook_resid_post',
      label: 'Feature 173',
    });
    expect(ownTitle(unnamed)).toBe('Feature 173 · resid 2');
    expect(ownTitle({ ...unnamed, label: '173 plural nouns' })).toBe('173 plural nouns');
  });

  it('are spoken without what says nothing', () => {
    const embeddings = mark({
      kind: 'token',
      layer: -1,
      hook: 'hook_embed',
      label: 'Embeddings',
      effect: 16.1,
    });
    expect(nodeLabel(embeddings, aggregated, plain)).toBe('Embeddings, effect +16.1');
    const metric = mark({ kind: 'logit', layer: 4, label: 'logitDifference' });
    expect(nodeLabel(metric, aggregated, plain)).toMatch(/^logit difference, effect/i);
    expect(nodeLabel(mark({ kind: 'token', layer: -1 }), smallCircuit, plain)).toMatch(
      /^Token, on ' ?·?gave/,
    );
  });
});

describe('labels that people write', () => {
  it('keep pictures whole that are joined of several', () => {
    expect(labelText('the 👩‍👧 head')).toBe('the 👩‍👧 head');
  });

  it('show joiners that hide between letters', () => {
    expect(labelText('a\u200db')).toBe('a‹ZWJ›b');
  });
});
