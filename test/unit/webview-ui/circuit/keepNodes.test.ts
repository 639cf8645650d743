/** Pruning a circuit. */

import { describe, expect, it } from 'vitest';
import { countComponents, keepEdges, keepNodes } from '../../../../webview-ui/circuit/keepNodes.ts';
import { smallCircuit } from './smallCircuit.ts';

function kept(fraction: number, pinned: readonly string[] = []): readonly string[] {
  return [...keepNodes(smallCircuit, fraction, pinned)].sort();
}

describe('keepNodes', () => {
  it('keeps everything at 1 and only the logits at 0', () => {
    expect(kept(1)).toEqual(smallCircuit.nodes.map((node) => node.id).sort());
    expect(kept(0)).toEqual(['y']);
  });

  it('keeps the strongest components by size of effect, whatever its sign', () => {
    expect(kept(0.2)).toEqual(['h1', 'y']);
    expect(kept(0.6)).toEqual(['h0', 'h1', 'm1', 't0', 'y']);
  });

  it('breaks a tie by id', () => {
    expect(kept(0.8)).toContain('f1');
    expect(kept(0.8)).not.toContain('h2');
  });

  it('keeps what is pinned, with its tokens', () => {
    expect(kept(0.2, ['h2'])).toEqual(['h1', 'h2', 't3', 'y']);
  });

  it('takes fractions out of range for their nearest end', () => {
    expect(kept(-3)).toEqual(kept(0));
    expect(kept(7)).toEqual(kept(1));
  });
});

describe('countComponents', () => {
  it('leaves tokens and logits out', () => {
    expect(countComponents(smallCircuit, keepNodes(smallCircuit, 0.6, []))).toEqual({ total: 5, kept: 3 });
  });
});

describe('keepEdges', () => {
  it('drops edges that lost an end, and the lightest beyond the limit', () => {
    const weights = keepEdges(smallCircuit, keepNodes(smallCircuit, 0.6, []), 3).map((edge) => edge.weight);
    expect(weights).toEqual([1.2, 0.9, 0.8]);
  });
});
