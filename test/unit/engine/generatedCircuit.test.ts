/** A circuit found on generated pairs, saved and opened again: its file says how to write the same pairs. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import { writeCircuit } from '../../../src/shared/circuitDocument.ts';
import type { ModelInfo } from '../../../src/shared/domain.ts';
import { readCircuit } from '../../../src/shared/readCircuit.ts';
import type { PromptPairs } from '../../../src/shared/task.ts';

let engine: Engine;
let model: ModelInfo;

beforeAll(async () => {
  engine = new Engine();
  model = await engine.openModel({ path: 'models/mini', bos: 'auto' });
}, 60_000);

afterAll(() => engine?.closeModel({ model: model.id }));

it.each([{ structure: 'nounpp' }, { structure: 'simple' }])(
  'is evaluated on the same pairs of agreement %j',
  async (options) => {
    const pairs: PromptPairs = {
      kind: 'task',
      task: { kind: 'generator', name: 'agreement', count: 3, seed: 11, options },
    };
    const found = await engine.attributeEdges({
      model: model.id,
      pairs,
      method: 'eap',
      edges: { kind: 'top', count: 300 },
    });
    const document = { ...found.circuit, pairs, taskMetric: found.metric, isAggregated: true } as const;
    const graph = readCircuit('found.circuit.json', writeCircuit(document));
    expect(graph.pairs).toEqual(pairs);
    const kept = graph.nodes.map(({ id }) => id);
    const evaluation = await engine.evaluateCircuit({ model: model.id, graph, kept });
    expect(evaluation.full).toBeCloseTo(found.clean, 4);
    expect(evaluation.empty).toBeCloseTo(found.corrupted, 4);
    expect(evaluation.circuit).toBeCloseTo(found.kept, 3);
  },
  60_000,
);
