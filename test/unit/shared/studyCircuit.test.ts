/** The circuit of a study as a document: nodes at their roles, paths as edges with their sign, classes as groups. */
import { describe, expect, it } from 'vitest';
import { writeCircuit } from '../../../src/shared/circuitDocument.ts';
import type { IoiHeadClass, IoiStudy, StudiedHead, StudyNode } from '../../../src/shared/study.ts';
import { studyCircuitDocument } from '../../../src/shared/studyCircuit.ts';
import { studyReport } from '../../../src/shared/studyReport.ts';

const none = { IO: 0, S1: 0, S2: 0 };

function head(
  layer: number,
  number: number,
  name: IoiHeadClass | undefined,
  effects: Partial<StudiedHead['effects']> = {},
): StudiedHead {
  return {
    layer,
    head: number,
    ...(name && { class: name }),
    attention: none,
    copyScore: 0,
    negativeCopyScore: 0,
    previousToken: 0,
    duplicateToken: 0,
    induction: 0,
    effects: { logits: 0, logitsKnockedOut: 0, queries: 0, values: 0, keys: 0, ...effects },
    inhibition: none,
  };
}

const nodes: readonly StudyNode[] = [
  { layer: 0, head: 0, role: 'S1+1' },
  { layer: 1, head: 0, role: 'S2' },
  { layer: 2, head: 0, role: 'END' },
  { layer: 3, head: 0, role: 'END' },
  { layer: 3, head: 1, role: 'END' },
];

const study: IoiStudy = {
  provenance: {
    version: '1.2.3',
    model: { name: 'mini', hash: 'abcdef0123456789' },
    bos: 'none',
    precision: 'float32',
    seed: 7,
  },
  task: 'ioi',
  pairs: 8,
  smallestTemplate: 4,
  behaviour: { logitDifference: 4, accuracy: 1, probability: 0.5, corruptedLogitDifference: 0 },
  thresholds: {
    directEffect: 0.03,
    pathEffect: 0.02,
    backupEffect: 0.02,
    copyScore: 0.75,
    attention: 0.2,
    repetition: 0.3,
    nodeEffect: 0.01,
    faithfulness: 0.05,
  },
  receivers: {
    queries: [
      { layer: 3, head: 0 },
      { layer: 3, head: 1 },
    ],
    values: [{ layer: 2, head: 0 }],
    keys: [{ layer: 1, head: 0 }],
  },
  heads: [
    head(0, 0, 'previousToken', { keys: -0.1 }),
    head(1, 0, 'induction', { values: -0.2 }),
    head(2, 0, 'sInhibition', { queries: -0.5 }),
    head(3, 0, 'nameMover', { logits: -0.6 }),
    head(3, 1, 'nameMover', { logits: 0.3 }),
  ],
  circuit: {
    nodes,
    allNodes: 48,
    model: 4,
    circuit: 3.9,
    empty: 0.1,
    unfaithfulness: 0.025,
    completeness: { random: [], byClass: [] },
    minimality: nodes.map((node, i) => ({ node, removed: [], effect: 0.1 * (i + 1) })),
  },
};

describe('the circuit of a study', () => {
  const document = studyCircuitDocument(study, {
    pairs: { kind: 'task', task: { kind: 'generator', name: 'ioi', count: 8, seed: 1 } },
  })!;

  it('has a column for every role and a node for every head at its role', () => {
    expect(document.tokens.map(({ text }) => text)).toEqual(['other', 'IO', 'S1', 'S1+1', 'S2', 'END']);
    const places = document.nodes.map(({ id, layer, position }) => [id, layer, position]);
    expect(places).toEqual([
      ['0.0 S1+1', 0, 3],
      ['1.0 S2', 1, 4],
      ['2.0 END', 2, 5],
      ['3.0 END', 3, 5],
      ['3.1 END', 3, 5],
      ['logits', 4, 5],
    ]);
    for (const { text, start, end } of document.tokens) expect(document.prompt.slice(start, end)).toBe(text);
  });

  it('takes what path patching measured as edges: a path that helps is positive, shared among its receivers', () => {
    const edges = Object.fromEntries(
      document.edges.map(({ source, target, weight }) => [`${source}→${target}`, weight]),
    );
    expect(edges['3.0 END→logits']).toBeCloseTo(2.4, 10);
    expect(edges['3.1 END→logits']).toBeCloseTo(-1.2, 10);
    expect(edges['2.0 END→3.0 END']).toBeCloseTo(1, 10);
    expect(edges['2.0 END→3.1 END']).toBeCloseTo(1, 10);
    expect(edges['1.0 S2→2.0 END']).toBeCloseTo(0.8, 10);
    expect(edges['0.0 S1+1→1.0 S2']).toBeCloseTo(0.4, 10);
    expect(document.edges).toHaveLength(6);
    expect(document.edges.find(({ target }) => target === '3.0 END')?.parts).toEqual({
      q: expect.closeTo(1, 10),
    });
  });

  it('gives nodes what they matter by, and those against the answer a sign', () => {
    const effects = Object.fromEntries(document.nodes.map(({ id, effect }) => [id, effect]));
    expect(effects['3.0 END']).toBeCloseTo(1.6, 10);
    expect(effects['3.1 END']).toBeCloseTo(-2, 10);
  });

  it('groups the heads of a class, and can be written', () => {
    expect(document.annotations?.supernodes).toEqual([
      { id: 'nameMover END', label: 'Name mover', nodes: ['3.0 END', '3.1 END'] },
    ]);
    expect(JSON.parse(writeCircuit(document)).method.name).toBe('indirect-objects study');
  });

  it('is not there before the study has one', () => {
    const { circuit: _, ...without } = study;
    expect(studyCircuitDocument(without)).toBeUndefined();
  });
});

it('the report says which model its numbers come from', () => {
  const report = studyReport(study, 'mini');
  expect(report).toContain(
    'mini abcdef012345, float32, no beginning-of-sequence token, seed 7, Fovea 1.2.3.',
  );
});
