/** Elimination, completeness and minimality on a tiny random model, held against plain recomputation. */
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  circuitCompleteness,
  circuitMinimality,
} from '../../../../../src/engine/method/ioi/circuitCriteria.ts';
import { everyNode } from '../../../../../src/engine/method/ioi/circuitNodes.ts';
import { eliminateNodes } from '../../../../../src/engine/method/ioi/eliminateNodes.ts';
import {
  type CircuitNode,
  KnockOutRuns,
  nodeKey,
  onlyCircuit,
  withoutNodes,
} from '../../../../../src/engine/method/ioi/knockOuts.ts';
import type { Transformer } from '../../../../../src/engine/model/transformer.ts';
import { seededRandom } from '../../../../../src/engine/random.ts';
import { config, openPlainModel, plainPairs } from './plainTask.ts';

let model: Transformer;
let folder: string;
let runs: KnockOutRuns;
let whole: number;

beforeAll(async () => {
  ({ model, folder } = await openPlainModel());
  runs = await KnockOutRuns.of(model, plainPairs);
  whole = await runs.logitDifference(withoutNodes([]));
});
afterAll(async () => {
  await model.release();
  await rm(folder, { recursive: true, force: true });
});

const nodes: readonly CircuitNode[] = [
  { layer: 0, head: 0, role: 'END' },
  { layer: 1, head: 2, role: 'END' },
  { layer: 1, head: 1, role: 'S2' },
  { layer: 2, head: 0, role: 'END' },
];

const request = () => ({
  nodes,
  model: whole,
  randomSets: 4,
  greedy: { runs: 1, steps: 2, candidates: nodes.length },
  nodeEffect: 0.01,
  sets: [],
  classOf: ({ layer }: CircuitNode) => (layer === 1 ? ('induction' as const) : ('other' as const)),
  random: seededRandom(5),
});

/** |F(C∖K) − F(M∖K)| / |F(M)| without any of the bookkeeping. */
async function incompleteness(removed: readonly CircuitNode[]): Promise<number> {
  const circuit = await runs.logitDifference(onlyCircuit(nodes.filter((node) => !removed.includes(node))));
  const other = await runs.logitDifference(withoutNodes(removed));
  return Math.abs(circuit - other) / Math.abs(whole);
}

test('all nodes together are the whole model', async () => {
  const all = everyNode(config);
  expect(all).toHaveLength(9 * 6);
  expect(await runs.logitDifference(onlyCircuit(all))).toBeCloseTo(whole, 5);
});

test('completeness compares circuit and model without random sets, classes and greedy sets', async () => {
  const found = await circuitCompleteness(runs, request());
  expect(found.random).toHaveLength(4);
  expect(new Set(found.random.map(({ removed }) => removed.length)).size).toBeGreaterThan(1);
  for (const removal of found.random) {
    expect(removal.incompleteness).toBeCloseTo(
      await incompleteness(removal.removed as readonly CircuitNode[]),
      4,
    );
  }
  const induction = found.byClass.find((removal) => removal.class === 'induction')!;
  expect(induction.removed).toEqual(nodes.filter(({ layer }) => layer === 1));
  // With every node a candidate, a greedy search is two plain loops.
  let removed: readonly CircuitNode[] = [];
  let worst = 0;
  for (let step = 0; step < 2; step++) {
    const open = nodes.filter((node) => !removed.includes(node));
    const values = await Promise.all(open.map((node) => incompleteness([...removed, node])));
    const highest = Math.max(...values);
    removed = [...removed, open[values.indexOf(highest)]!];
    worst = Math.max(worst, highest);
  }
  expect(found.greedy!.incompleteness).toBeCloseTo(worst, 4);
});

test('minimality finds for every node a set for which it matters, and says how much', async () => {
  const found = await circuitMinimality(runs, request());
  expect(found.map(({ node }) => node)).toEqual(nodes);
  for (const { node, removed, effect } of found) {
    expect(removed).not.toContain(node);
    const rest = nodes.filter((other) => !removed.includes(other));
    const change =
      (await runs.logitDifference(onlyCircuit(rest))) -
      (await runs.logitDifference(onlyCircuit(rest.filter((other) => other !== node))));
    expect(effect).toBeCloseTo(Math.abs(change / whole), 4);
  }
});

test('elimination leaves a faithful circuit from which no further node can go', async () => {
  const limits = { model: whole, nodeEffect: 0.05, faithfulness: 0.2 };
  const { nodes: kept } = await eliminateNodes(runs, limits);
  expect(kept.length).toBeGreaterThan(0);
  expect(kept.length).toBeLessThan(everyNode(config).length);
  const value = await runs.logitDifference(onlyCircuit(kept));
  expect(Math.abs(value - whole) / Math.abs(whole)).toBeLessThanOrEqual(0.2);
  expect(new Set(kept.map(nodeKey)).size).toBe(kept.length);
});
