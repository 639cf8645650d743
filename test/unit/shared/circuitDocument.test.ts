/** Circuit files: one text for one circuit, lines that diffs read well, and everything of a file checked on the way in. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CircuitDocument } from '../../../src/shared/circuit.ts';
import { sortCircuit, writeCircuit } from '../../../src/shared/circuitDocument.ts';
import { isEngineError } from '../../../src/shared/errors.ts';
import { readCircuit } from '../../../src/shared/readCircuit.ts';
import { tinyCircuit } from '../../fixtures/tinyCircuit.ts';

const path = 'a.circuit.json';

/** The file's text as a value that can be spoilt. */
function content(document: CircuitDocument = tinyCircuit): Record<string, unknown> {
  return JSON.parse(writeCircuit(document));
}

describe('a written circuit', () => {
  it('has one line for each token, node and edge', () => {
    const lines = writeCircuit(tinyCircuit).split('\n');
    const starting = (start: string): number => lines.filter((line) => line.startsWith(start)).length;
    expect(starting('    {"id":1')).toBe(4);
    expect(lines.filter((line) => line.includes('"effect":'))).toHaveLength(8);
    expect(starting('    {"source":')).toBe(4);
    expect(lines.at(-1)).toBe('');
  });

  it('is the same text whatever the order of its parts', () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray([...tinyCircuit.nodes], { minLength: 8 }),
        fc.shuffledSubarray([...tinyCircuit.edges], { minLength: 4 }),
        (nodes, edges) => {
          expect(writeCircuit({ ...tinyCircuit, nodes, edges })).toBe(writeCircuit(tinyCircuit));
        },
      ),
      { numRuns: 30 },
    );
  });

  it('sorts nodes by layer, position, kind, head and index', () => {
    const ids = sortCircuit(tinyCircuit).nodes.map(({ id }) => id);
    expect(ids).toEqual([
      'token 1',
      'neuron',
      'head 0.1 3',
      'head 0.2 3',
      'feature a',
      'error',
      'mlp 1 3',
      'logit',
    ]);
    const edges = sortCircuit(tinyCircuit).edges.map(({ source, target }) => `${source}→${target}`);
    expect(edges).toEqual(['token 1→head 0.1 3', 'token 1→head 0.2 3', 'feature a→logit', 'mlp 1 3→logit']);
  });

  it('keeps six digits of every number', () => {
    const text = writeCircuit(tinyCircuit);
    expect(text).toContain('"clean": 3.14159,');
    expect(text).toContain('"effect":0.123457');
    expect(text).toContain('"effect":-3.33333e-10');
    expect(text).not.toMatch(/\d\.\d{7,}(?!e)/);
  });

  it('comes back as it was, but for the digits, and is then written alike', () => {
    const text = writeCircuit(tinyCircuit);
    const read = readCircuit(path, text);
    expect(writeCircuit(read)).toBe(text);
    const round = (value: number): number => Number(value.toPrecision(6));
    const byId = (document: CircuitDocument) =>
      Object.fromEntries(document.nodes.map((node) => [node.id, { ...node, effect: round(node.effect) }]));
    expect(byId(read)).toEqual(byId(tinyCircuit));
    expect(read.edges).toHaveLength(4);
    expect(read.edges.find(({ target }) => target === 'head 0.2 3')).toEqual(tinyCircuit.edges[1]);
    const { title, keep, labels, supernodes } = read.annotations!;
    expect({ title, keep, labels }).toEqual({
      title: 'Who gets it',
      keep: 0.5,
      labels: tinyCircuit.annotations?.labels,
    });
    expect(supernodes).toEqual([{ id: 'group 1', label: 'movers', nodes: ['head 0.1 3', 'head 0.2 3'] }]);
    expect(read.evaluation).toEqual(tinyCircuit.evaluation);
    expect(read.provenance.saes[0]?.prependBos).toBe(false);
  });

  it('changes one line when one node is pinned', () => {
    const before = writeCircuit(tinyCircuit).split('\n');
    const annotations = { ...tinyCircuit.annotations!, pinned: ['token 1', 'error', 'mlp 1 3'] };
    const after = writeCircuit({ ...tinyCircuit, annotations }).split('\n');
    expect(after.filter((line) => !before.includes(line))).toEqual(['      "error",']);
    expect(after).toHaveLength(before.length + 1);
  });

  it('tells nothing of the machine', () => {
    const task = (file: string): CircuitDocument => ({
      ...tinyCircuit,
      pairs: { kind: 'task', task: { kind: 'file', path: file }, limit: 4 },
    });
    for (const file of [
      '/home/me/ioi.task.jsonl',
      'C:\\me\\ioi.task.jsonl',
      '\\\\server\\x\\ioi.task.jsonl',
    ]) {
      expect(writeCircuit(task(file))).toContain('"path": "ioi.task.jsonl"');
    }
    expect(writeCircuit(task('../tasks/ioi.task.jsonl'))).toContain('"path": "../tasks/ioi.task.jsonl"');
  });

  it('is refused when a number is none', () => {
    const nodes = tinyCircuit.nodes.map((node) => ({ ...node, effect: Number.NaN }));
    expect(() => writeCircuit({ ...tinyCircuit, nodes })).toThrow(
      /Node .+ cannot be used: its effect is NaN/,
    );
  });
});

describe('a file', () => {
  it('of the command line from before annotations opens', () => {
    const old = readFileSync('test/fixtures/oldCircuit.circuit.json', 'utf8');
    const read = readCircuit('old.circuit.json', old);
    expect(read.nodes.length).toBeGreaterThan(5);
    expect(read.annotations).toBeUndefined();
    expect(read.edges.every(({ source }) => read.nodes.some(({ id }) => id === source))).toBe(true);
    expect(writeCircuit(readCircuit(path, writeCircuit(read)))).toBe(writeCircuit(read));
  });

  const faults: readonly (readonly [string, (file: Record<string, never>) => void, RegExp])[] = [
    ['another version', (file) => set(file, 'version', 2), /version should be 1, but is 2/],
    ['no nodes', (file) => set(file, 'nodes', undefined), /nodes should be a list, but is missing/],
    [
      'a node of no kind',
      (file) => set(at(file, 'nodes', 1), 'kind', 'x'),
      /nodes\[1\]\.kind should be "token" or/,
    ],
    [
      'a layer out of the model',
      (file) => set(at(file, 'nodes', 1), 'layer', 99),
      /nodes\[1\]\.layer .* from -1 to 2/,
    ],
    [
      'a position out of the prompt',
      (file) => set(at(file, 'nodes', 1), 'position', 4),
      /nodes\[1\]\.position .* to 3/,
    ],
    [
      'an effect in words',
      (file) => set(at(file, 'nodes', 0), 'effect', 'big'),
      /nodes\[0\]\.effect should be a number, but is "big"/,
    ],
    [
      'two nodes of one id',
      (file) => set(at(file, 'nodes', 1), 'id', 'token 1'),
      /nodes\[1\]\.id should be an id that no other node has/,
    ],
    [
      'an edge to nowhere',
      (file) => set(at(file, 'edges', 0), 'target', 'nobody'),
      /edges\[0\]\.target should be the id of a node, but is "nobody"/,
    ],
    [
      'a slider out of range',
      (file) => set(at(file, 'annotations'), 'keep', 2),
      /annotations\.keep should be a number from 0 to 1/,
    ],
    [
      'pins that are no ids',
      (file) => set(at(file, 'annotations'), 'pinned', [3]),
      /annotations\.pinned\[0\] should be a text/,
    ],
    [
      'a model without a hash',
      (file) => set(at(file, 'provenance', 'model'), 'hash', 5),
      /provenance\.model\.hash should be a text/,
    ],
    [
      'a task at a path of the machine',
      (file) => set(file, 'pairs', { kind: 'task', task: { kind: 'file', path: '/etc/passwd' } }),
      /pairs\.task\.path should be a path that is relative to the circuit’s file/,
    ],
    [
      'a task on another machine',
      (file) => set(file, 'pairs', { kind: 'task', task: { kind: 'file', path: '\\\\evil\\share' } }),
      /pairs\.task\.path should be a path that is relative/,
    ],
  ];

  it.each(faults)('with %s is refused by name', (_name, spoil, message) => {
    const file = content();
    spoil(file as Record<string, never>);
    expect(() => readCircuit(path, JSON.stringify(file))).toThrow(message);
  });

  it('that is no JSON, or not an object, is refused', () => {
    for (const text of ['', '[', '[]', 'null', '"x"', '{"version":1', '['.repeat(200_000)]) {
      expect(() => readCircuit(path, text)).toThrow(/a\.circuit\.json is damaged/);
    }
  });

  it('loses annotations of nodes that are gone, and groups that are empty then', () => {
    const file = content();
    const nodes = file.nodes as { id: string }[];
    const edges = file.edges as { source: string; target: string }[];
    const gone = new Set(['head 0.1 3', 'head 0.2 3', 'mlp 1 3']);
    file.nodes = nodes.filter(({ id }) => !gone.has(id));
    file.edges = edges.filter(({ source, target }) => !gone.has(source) && !gone.has(target));
    const read = readCircuit(path, JSON.stringify(file));
    expect(read.annotations).toMatchObject({
      pinned: ['token 1'],
      labels: { 'feature a': 'a name' },
      supernodes: [],
    });
  });

  it('with ids that are names of every object does no harm', () => {
    const file = content();
    const text = JSON.stringify(file)
      .replaceAll('"feature a"', '"__proto__"')
      .replaceAll('"error"', '"constructor"');
    const fixed = text.replaceAll('"kind":"constructor"', '"kind":"error"');
    const read = readCircuit(path, fixed);
    expect(Object.keys(read.annotations!.labels)).toContain('__proto__');
    expect(writeCircuit(readCircuit(path, writeCircuit(read)))).toBe(writeCircuit(read));
  });

  it('that is spoilt anywhere is read or refused with a message, never worse', () => {
    const text = writeCircuit(tinyCircuit);
    fc.assert(
      fc.property(
        fc.nat(text.length - 1),
        fc.constantFrom('', '9', '"', '}', '[', 'null', '-1e999', '\u0000'),
        (place, piece) => {
          const spoilt = text.slice(0, place) + piece + text.slice(place + 1);
          try {
            readCircuit(path, spoilt);
          } catch (error) {
            expect(isEngineError(error, 'file.malformed')).toBe(true);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

function at(file: Record<string, never>, ...keys: (string | number)[]): Record<string, never> {
  return keys.reduce<Record<string, never>>((value, key) => value[key] ?? {}, file);
}

function set(object: Record<string, never>, key: string, value: unknown): void {
  Object.assign(object, { [key]: value });
}
