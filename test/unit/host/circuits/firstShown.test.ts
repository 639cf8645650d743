/** Where the slider of a found circuit begins. */

import { describe, expect, it } from 'vitest';
import { firstShown } from '../../../../src/host/circuits/firstShown.ts';
import type { CircuitDocument, CircuitEvaluation } from '../../../../src/shared/circuit.ts';
import { EngineError } from '../../../../src/shared/errors.ts';
import { tinyCircuit } from '../../../fixtures/tinyCircuit.ts';

function circuitOf(count: number): CircuitDocument {
  const nodes = Array.from({ length: count }, (_, i) => ({
    id: `mlp ${i}`,
    kind: 'mlp' as const,
    layer: 0,
    position: 0,
    label: '',
    effect: count - i,
  }));
  return { ...tinyCircuit, nodes, edges: [], annotations: undefined };
}

function evaluationOf(faithfulness: number): CircuitEvaluation {
  return { faithfulness, completeness: 0, full: 1, empty: 0, circuit: faithfulness, complement: 0 };
}

/** Begins a circuit of 200 nodes whose faithfulness `of` tells by the number of nodes. */
async function begin(of: (kept: number) => number) {
  const asked: number[] = [];
  const shown = await firstShown(
    circuitOf(200),
    async (nodes) => {
      asked.push(nodes.length);
      return evaluationOf(of(nodes.length));
    },
    {},
  );
  return { shown, asked };
}

describe('a circuit that was found', () => {
  it('is shown as it is when it can be read', async () => {
    const small = circuitOf(60);
    const measure = (): Promise<never> => Promise.reject(new Error('must not be asked'));
    expect(await firstShown(small, measure, {})).toBe(small);
  });

  it('begins at the fewest nodes that explain enough, with what was measured of them', async () => {
    const { shown, asked } = await begin((kept) => kept / 100);
    const kept = 200 * shown.annotations!.keep;
    // The first with at least 0.8.
    expect(asked).toEqual([8, 12, 18, 27, 41, 62, 93]);
    expect(kept).toBeCloseTo(93);
    expect(shown.evaluation?.faithfulness).toBe(0.93);
  });

  it('begins near what all of it explains, when that is less', async () => {
    const { shown } = await begin((kept) => 0.5 * Math.min(1, kept / 50));
    // Nine tenths of 0.5 are reached at 45 nodes.
    expect(200 * shown.annotations!.keep).toBeCloseTo(62);
  });

  it('begins at few nodes that explain enough, though more of them explain less', async () => {
    const { shown } = await begin((kept) => (kept === 12 || kept > 100 ? 0.9 : 0.1));
    expect(200 * shown.annotations!.keep).toBeCloseTo(12);
  });

  it('begins like every other when nothing explains it, or it cannot be measured', async () => {
    expect((await begin(() => -0.2)).shown.annotations).toBeUndefined();
    const failing = await firstShown(circuitOf(200), () => Promise.reject(new Error('no')), {});
    expect(failing.annotations).toBeUndefined();
  });

  it('is not shown once it is cancelled', async () => {
    const measure = (): Promise<never> => Promise.reject(new EngineError('cancelled', {}));
    await expect(firstShown(circuitOf(200), measure, {})).rejects.toMatchObject({ code: 'cancelled' });
  });
});
