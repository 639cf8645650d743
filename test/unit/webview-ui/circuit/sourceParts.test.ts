/** Where a circuit's numbers come from, in words. */

import { describe, expect, it } from 'vitest';
import type { CircuitGraph } from '../../../../src/shared/circuit.ts';
import { foundLine } from '../../../../webview-ui/circuit/foundLine.ts';
import { sourceParts } from '../../../../webview-ui/circuit/sourceParts.ts';
import { smallCircuit } from './smallCircuit.ts';

function words(change: Partial<CircuitGraph>): readonly string[] {
  return sourceParts({ ...smallCircuit, ...change }).map(({ text }) => text);
}

const sparse = { name: 'sparse feature circuit', parameters: { basis: 'features', effects: 'ig', pairs: 6 } };

describe('sourceParts', () => {
  it('tell a corrupted prompt from activations of zero', () => {
    const zero = { name: 'gradient attribution', parameters: { baseline: 'zero' } };
    expect(words({ method: zero })).toEqual([
      'tiny',
      'against activations of zero',
      'gradient attribution',
      'no BOS',
    ]);
    expect(words({ counterfactual: 'Mary gave a drink to' })).toContain('against “Mary gave a drink to”');
  });

  it('show the end of a long corrupted prompt, and all of it for the pointer', () => {
    const counterfactual = `${'When '.repeat(30)}Mary gave a drink to`;
    const part = sourceParts({ ...smallCircuit, counterfactual })[1];
    expect(part?.text).toMatch(/^against “….*Mary gave a drink to”$/);
    expect(part?.title).toContain(counterfactual);
  });

  it('name task, pairs, effects, SAEs and seed', () => {
    const task = { kind: 'generator', name: 'agreement', count: 8, seed: 3 } as const;
    const saes = [
      { hook: 'blocks.0.hook_mlp_out', hash: 'a' },
      { hook: 'blocks.1.hook_mlp_out', hash: 'b' },
    ];
    const provenance = { ...smallCircuit.provenance, saes, bos: 'prepended' as const };
    expect(words({ method: sparse, pairs: { kind: 'task', task }, provenance })).toEqual([
      'tiny',
      '6 pairs of generated agreement',
      'feature circuit by integrated gradients',
      'with BOS',
      '2 SAEs',
      'seed 3',
    ]);
    const file = { kind: 'file', path: '/home/me/ioi.task.jsonl' } as const;
    const one = { ...sparse, parameters: { pairs: 1 } };
    expect(words({ method: one, pairs: { kind: 'task', task: file } })[1]).toBe('1 pair of ioi.task.jsonl');
  });

  it('make hidden characters of files visible', () => {
    const model = { name: 'tiny\u202eevil', hash: '' };
    expect(words({ provenance: { ...smallCircuit.provenance, model } })[0]).toBe('tiny‹202E›evil');
  });
});

describe('foundLine', () => {
  it('tells what was found, what is never ablated, and what is shown', () => {
    const method = { ...sparse, parameters: { testedNodes: 3, activeNodes: 2699 } };
    expect(foundLine({ ...smallCircuit, method }, 2, false)).toBe(
      'Found 3 of 2,699 active nodes and 2 in lower layers that are never ablated · shown: the 2 strongest',
    );
  });

  it('does not call pinned nodes the strongest', () => {
    expect(foundLine(smallCircuit, 2, true)).toBe('Found 5 nodes · shown: 2');
    expect(foundLine(smallCircuit, 5, true)).toBe('Found 5 nodes · shown: all');
  });
});
