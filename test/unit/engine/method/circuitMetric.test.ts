/** Exact runs of circuits: logits against a forward pass by plain loops in which every reader's input is put together by hand. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  CircuitMetric,
  evaluateGraph,
  exactEdgeEffects,
} from '../../../../src/engine/method/circuitMetric.ts';
import { edgesOf, fullGraph, graphSizes } from '../../../../src/engine/method/componentGraph.ts';
import { Transformer } from '../../../../src/engine/model/transformer.ts';
import { seededRandom } from '../../../../src/engine/random.ts';
import { type TinyModel, tinyModelConfig, writeTinyModel } from '../../../fixtures/tinyModel.ts';
import { plainCircuit, plainDifference, tinyPairs } from './plainCircuit.ts';

const { dVocab } = tinyModelConfig;
let tiny: TinyModel;
let model: Transformer;

beforeAll(async () => {
  tiny = await writeTinyModel(6);
  model = await Transformer.open(tiny.folder, { threads: 1 });
});

afterAll(async () => {
  await model?.release();
  await tiny?.remove();
});

const task = { pairs: tinyPairs, metric: 'logitDifference' } as const;

/** The mean metric of the circuit with these edges, by plain loops. */
function plainMetric(names: ReadonlySet<string>): number {
  const values = tinyPairs.map((pair) => {
    const logits = plainCircuit(tiny, pair, (source, reader) => names.has(`${source}->${reader}`));
    return plainDifference(logits, dVocab, pair);
  });
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function namesIn(inGraph: Uint8Array): Set<string> {
  return new Set(edgesOf({ ...fullGraph(model.config), inGraph }, true).map(({ name }) => name));
}

function randomCircuit(seed: string, share: number): Uint8Array {
  const random = seededRandom(seed);
  return fullGraph(model.config).inGraph.map((edge) => (edge === 1 && random.next() < share ? 1 : 0));
}

describe('a circuit that is run exactly', () => {
  it('gives the metric of plain loops, for several circuits side by side', async () => {
    const circuits = [0.2, 0.5, 0.8, 0.95].map((share) => randomCircuit(`circuit ${share}`, share));
    const runs = await CircuitMetric.open(model, tinyPairs, 'logitDifference');
    try {
      const found = await runs.evaluate(circuits);
      const expected = circuits.map((inGraph) => plainMetric(namesIn(inGraph)));
      expected.forEach((value, i) => {
        expect(found[i]).toBeCloseTo(value, 4);
      });
      expect(Math.max(...expected) - Math.min(...expected)).toBeGreaterThan(0.02);
    } finally {
      await runs.release();
    }
  });

  it('is the clean run with all edges, and the corrupted one with none', async () => {
    const graph = fullGraph(model.config);
    const all = await evaluateGraph(model, graph, task);
    expect(all.circuit).toBeCloseTo(all.clean, 4);
    expect(all.faithfulness).toBeCloseTo(1, 3);
    const none = { ...graph, inGraph: new Uint8Array(graph.inGraph.length) };
    const empty = await evaluateGraph(model, none, task);
    expect(empty.circuit).toBeCloseTo(empty.corrupted, 4);
    expect(empty.faithfulness).toBeCloseTo(0, 3);
    expect(all.clean).toBeCloseTo(plainMetric(namesIn(graph.inGraph)), 4);
  });
});

describe('the exact effect of one edge', () => {
  it('is that of plain loops, for every seventh edge', async () => {
    const { sources } = graphSizes(model.config);
    const all = edgesOf(fullGraph(model.config), false);
    const asked = all.filter((_, i) => i % 7 === 0);
    const indices = asked.map(({ source, destination }) => destination * sources + source);
    const found = await exactEdgeEffects(model, task, indices);
    const names = new Set(all.map(({ name }) => name));
    const clean = plainMetric(names);
    asked.forEach(({ name }, i) => {
      const without = new Set(names);
      without.delete(name);
      expect(found[i], name).toBeCloseTo(plainMetric(without) - clean, 4);
    });
    expect(Math.max(...found.map(Math.abs))).toBeGreaterThan(0.005);
  });
});

describe('changes that are taken over', () => {
  it('leave the same state as the whole circuit run anew', async () => {
    const { sources, destinations } = graphSizes(model.config);
    const runs = await CircuitMetric.open(model, tinyPairs.slice(0, 2), 'logitDifference');
    const [runner] = runs.runners;
    const { inGraph } = fullGraph(model.config);
    try {
      let state = runner!.cleanState();
      // From the logits backward, as the search does it: each time other edges into the next reader.
      for (let d = destinations - 1; d >= 0; d -= 2) {
        const removed = Array.from({ length: sources }, (_, i) => i).filter(
          (source) => inGraph[d * sources + source] === 1 && (source + d) % 3 === 0,
        );
        for (const source of removed) inGraph[d * sources + source] = 0;
        state = await runner!.commit(state, inGraph, d, removed);
        const kept = await runs.meanOver(() => runner!.without(state, inGraph, d, [[]]));
        const anew = await runs.evaluate([inGraph]);
        expect(kept[0], `reader ${d}`).toBeCloseTo(anew[0]!, 4);
      }
    } finally {
      await runs.release();
    }
  });
});

describe.each(['gemma2', 'gpt_neox', 'llama', 'olmo2', 'opt'])(
  'circuits of a small model like %s',
  (family) => {
    it('are the two runs at their ends, and the same step by step as at once', async () => {
      const folder = fileURLToPath(new URL(`../../../fixtures/parity/families/${family}`, import.meta.url));
      const own = await Transformer.open(folder);
      onTestFinished(() => own.release());
      const pair = {
        ...tinyPairs[0]!,
        clean: Int32Array.from([3, 17, 42, 8, 17, 60]),
        corrupted: Int32Array.from([3, 9, 42, 51, 17, 2]),
      };
      const whole = fullGraph(own.config).inGraph;
      const runs = await CircuitMetric.open(own, [pair], 'logitDifference');
      onTestFinished(() => runs.release());
      const { clean, corrupted } = runs.ends();
      const random = seededRandom(family);
      const half = whole.map((edge) => (edge === 1 && random.next() < 0.7 ? 1 : 0));
      const found = await runs.evaluate([whole, new Uint8Array(whole.length), half]);
      const tolerance = 1e-3 * Math.abs(clean - corrupted);
      expect(tolerance).toBeGreaterThan(0);
      expect(Math.abs(found[0]! - clean)).toBeLessThan(tolerance);
      expect(Math.abs(found[1]! - corrupted)).toBeLessThan(tolerance);
      const { sources, destinations } = graphSizes(own.config);
      const [runner] = runs.runners;
      const inGraph = whole.slice();
      let state = runner!.cleanState();
      for (let d = destinations - 1; d >= 0; d--) {
        const all = Array.from({ length: sources }, (_, i) => i);
        const removed = all.filter((i) => whole[d * sources + i] === 1 && half[d * sources + i] === 0);
        for (const i of removed) inGraph[d * sources + i] = 0;
        if (removed.length > 0) state = await runner!.commit(state, inGraph, d, removed);
      }
      const last = await runs.meanOver(() => runner!.without(state, inGraph, destinations - 1, [[]]));
      expect(Math.abs(last[0]! - found[2]!)).toBeLessThan(tolerance);
      expect(Math.abs(found[2]! - clean)).toBeGreaterThan(tolerance);
    });
  },
);
