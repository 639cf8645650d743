/** A circuit of the study, tested as a document: the same F as the study's own knock-outs. */
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { evaluateStudyCircuit } from '../../../../../src/engine/method/ioi/evaluateStudyCircuit.ts';
import type { Transformer } from '../../../../../src/engine/model/transformer.ts';
import type { CircuitGraph } from '../../../../../src/shared/circuit.ts';
import { config, mean, openPlainModel, plainMean, plainPairs, plainRun, putHead } from './plainTask.ts';

let model: Transformer;
let folder: string;

beforeAll(async () => {
  ({ model, folder } = await openPlainModel());
});
afterAll(async () => {
  await model.release();
  await rm(folder, { recursive: true, force: true });
});

const task = { name: 'plain', pairs: plainPairs };
const roles = ['other', 'IO', 'S1', 'S1+1', 'S2', 'END'];
const tokens = roles.map((text, id) => ({ id, text: ` ${text}`, start: 0, end: 0 }));
const node = (layer: number, head: number, role: string) => ({
  id: `${layer}.${head} ${role}`,
  kind: 'head' as const,
  layer,
  head,
  position: roles.indexOf(role),
  label: '',
  effect: 0,
});
const graph = {
  tokens,
  method: { name: 'indirect-objects study', parameters: { circuitPairs: plainPairs.length } },
  nodes: [node(0, 1, 'other'), node(1, 2, 'END'), node(2, 0, 'END')],
} as unknown as CircuitGraph;

/** Mean logit difference by plain loops when heads are knocked out where `isOut` says so. */
function plainF(isOut: (layer: number, head: number, role: string) => boolean): number {
  const values = plainPairs.map((pair) => {
    const roleOf = (position: number) =>
      Object.entries(pair.roles).find(([, at]) => at === position)?.[0] ?? 'other';
    return plainRun(pair, pair.clean, (name, { data }) => {
      const layer = Number(/^blocks\.(\d+)\.attn\.hook_z$/.exec(name)?.[1] ?? -1);
      if (layer < 0) return;
      const means = plainMean(pair.template, layer);
      for (let position = 0; position < pair.clean.length; position++) {
        for (let head = 0; head < config.nHeads; head++) {
          if (isOut(layer, head, roleOf(position))) putHead(data, { head, position }, means);
        }
      }
    }).difference;
  });
  return mean(values);
}

test('faithfulness and completeness are those of the knock-outs by plain loops', async () => {
  const kept = ['0.1 other', '2.0 END'];
  const isIn = (layer: number, head: number, role: string) => kept.includes(`${layer}.${head} ${role}`);
  const found = await evaluateStudyCircuit(model, task, { graph, kept });
  const [full, empty] = [plainF(() => false), plainF(() => true)];
  const circuit = plainF((...place) => !isIn(...place));
  const complement = plainF(isIn);
  expect(found.full).toBeCloseTo(full, 3);
  expect(found.empty).toBeCloseTo(empty, 3);
  expect(found.circuit).toBeCloseTo(circuit, 3);
  expect(found.complement).toBeCloseTo(complement, 3);
  expect(found.faithfulness).toBeCloseTo((circuit - empty) / (full - empty), 2);
  expect(found.completeness).toBeCloseTo((complement - empty) / (full - empty), 2);
});

test('a node’s role is told by its id and not by the texts of the columns', async () => {
  const kept = ['0.1 other', '2.0 END'];
  const renamed = { ...graph, tokens: tokens.map((token) => ({ ...token, text: ' S2' })) };
  const found = await evaluateStudyCircuit(model, task, { graph: renamed, kept });
  expect(found).toEqual(await evaluateStudyCircuit(model, task, { graph, kept }));
});

test('a node that is no head of this model is refused', async () => {
  const broken = { ...graph, nodes: [node(7, 0, 'END')] };
  const asked = evaluateStudyCircuit(model, task, { graph: broken, kept: ['7.0 END'] });
  await expect(asked).rejects.toThrow(/node 7\.0 END is no head of this model/);
});
