/** How much a search found. */

import { describe, expect, it } from 'vitest';
import { countFound } from '../../../src/shared/foundCounts.ts';
import { smallCircuit } from '../webview-ui/circuit/smallCircuit.ts';

function withParameters(parameters: Record<string, number | string>) {
  return countFound({ ...smallCircuit, method: { name: 'sparse feature circuit', parameters } });
}

describe('countFound', () => {
  it('counts neither tokens nor logits', () => {
    expect(countFound(smallCircuit)).toEqual({ nodes: 5 });
  });

  it('tells those that tests ablate from those that stay as they are', () => {
    expect(withParameters({ testedNodes: 3, activeNodes: 40 })).toEqual({
      nodes: 5,
      tested: 3,
      active: 40,
      free: 2,
    });
  });

  it('takes all nodes for tested where a method ablates any', () => {
    expect(withParameters({ activeNodes: 40 })).toEqual({ nodes: 5, tested: 5, active: 40, free: 0 });
  });

  it('does not believe numbers of a file that cannot be', () => {
    expect(withParameters({ testedNodes: 9, activeNodes: 40 })).toEqual({ nodes: 5 });
    expect(withParameters({ testedNodes: 4, activeNodes: 3 })).toEqual({ nodes: 5 });
    expect(withParameters({ activeNodes: 'many' })).toEqual({ nodes: 5 });
  });
});
