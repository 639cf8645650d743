/** Faithfulness and completeness against plain runs in which everything outside (or inside) a circuit is put aside by hand. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { floatsOf } from '../../../../src/engine/graph/value.ts';
import { evaluateCircuit } from '../../../../src/engine/method/circuitEvaluation.ts';
import type { RunRequest } from '../../../../src/engine/model/transformer.ts';
import type { CircuitNode } from '../../../../src/shared/circuit.ts';
import type { PlainHook } from '../../../fixtures/plainGpt2.ts';
import { cleanIds, openTinyCircuit, otherIds, type TinyCircuit } from './tinyCircuit.ts';

const [dModel, dHead, nHeads] = [12, 4, 3];
let circuit: TinyCircuit;

beforeAll(async () => {
  circuit = await openTinyCircuit(8);
});

afterAll(() => circuit?.close());

function node(kind: 'head' | 'mlp', layer: number, position: number, head?: number): CircuitNode {
  return { id: `${kind}${layer}.${head}@${position}`, kind, layer, position, head, label: '', effect: 0 };
}

const everything = cleanIds.flatMap((_, position) =>
  [0, 1].flatMap((layer) => [
    ...Array.from({ length: nHeads }, (_head, head) => node('head', layer, position, head)),
    node('mlp', layer, position),
  ]),
);

/** Where a node's values lie: its hook, and the range of its data. */
function placeOf({ kind, layer, position, head }: CircuitNode): [hook: string, start: number, end: number] {
  if (kind === 'mlp') return [`blocks.${layer}.hook_mlp_out`, position * dModel, (position + 1) * dModel];
  const start = (position * nHeads + head!) * dHead;
  return [`blocks.${layer}.attn.hook_z`, start, start + dHead];
}

/** The metric when the nodes that `isOut` names have their baseline's values. */
function metricWithout(isOut: (candidate: CircuitNode) => boolean, hasBaseline: boolean): number {
  const places = everything.filter(isOut).map(placeOf);
  const put: PlainHook = (name, { data }) => {
    const here = places.filter(([hook]) => hook === name);
    if (here.length === 0) return;
    const other = hasBaseline ? circuit.value(name, otherIds) : new Float64Array(data.length);
    for (const [, start, end] of here) data.set(other.subarray(start, end), start);
  };
  return circuit.metric(cleanIds, put);
}

describe.each([true, false])('evaluateCircuit with a counterfactual: %s', (hasBaseline) => {
  const evaluate = (kept: readonly CircuitNode[]) =>
    evaluateCircuit(circuit.inputs(hasBaseline ? {} : { counterfactual: undefined }), kept);

  it('is 1 and 0 for everything, and 0 and 1 for nothing', async () => {
    const all = await evaluate(everything);
    expect(all.full).toBeCloseTo(circuit.metric(cleanIds), 4);
    expect(all.empty).toBeCloseTo(
      metricWithout(() => true, hasBaseline),
      4,
    );
    expect(Math.abs(all.full - all.empty)).toBeGreaterThan(0.1);
    expect(all.faithfulness).toBeCloseTo(1, 4);
    expect(all.completeness).toBeCloseTo(0, 4);
    const none = await evaluate([]);
    expect(none.faithfulness).toBeCloseTo(0, 4);
    expect(none.completeness).toBeCloseTo(1, 4);
  });

  it.each([
    ['all but one head', everything.filter(({ id }) => id !== 'head1.2@5')],
    ['one MLP alone', everything.filter(({ id }) => id === 'mlp0.undefined@3')],
    ['every third node', everything.filter((_, i) => i % 3 === 0)],
  ])('runs %s as a plain run does', async (_, kept) => {
    const inside = new Set(kept.map(({ id }) => id));
    const circuitMetric = metricWithout(({ id }) => !inside.has(id), hasBaseline);
    const complement = metricWithout(({ id }) => inside.has(id), hasBaseline);
    const found = await evaluate(kept);
    expect(found.circuit).toBeCloseTo(circuitMetric, 4);
    expect(found.complement).toBeCloseTo(complement, 4);
    const empty = metricWithout(() => true, hasBaseline);
    const whole = circuit.metric(cleanIds) - empty;
    expect(found.faithfulness).toBeCloseTo((circuitMetric - empty) / whole, 3);
    expect(found.completeness).toBeCloseTo((complement - empty) / whole, 3);
  });

  it('takes no account of tokens, features, and nodes that the model does not have', async () => {
    const strange = [
      { ...node('mlp', 0, 1), kind: 'token' as const },
      { ...node('mlp', 0, 2), kind: 'feature' as const },
      node('mlp', 7, 0),
      node('mlp', 1, 99),
      node('head', 1, 99, 0),
    ];
    expect(await evaluate(strange)).toEqual(await evaluate([]));
  });
});

it('has no ratios when the components make no difference but rounding', async () => {
  const inputs = circuit.inputs();
  const { answer } = inputs.contrast;
  const model = Object.create(inputs.model, {
    run: {
      value: async (request: RunRequest) => {
        const result = await inputs.model.run(request);
        const logits = floatsOf(result.logits!).fill(0);
        const rows = request.tokens!.length === 1 ? [3e-7] : [1e-7, 2e-7, 0];
        rows.forEach((value, row) => {
          logits[row * inputs.model.config.dVocab + answer] = value;
        });
        return result;
      },
    },
  });
  const found = await evaluateCircuit({ ...inputs, model }, everything.slice(0, 5));
  expect(found.full).toBeCloseTo(3e-7, 12);
  expect(found.faithfulness).toBeNaN();
  expect(found.completeness).toBeNaN();
});
