/** The public JSON of attribution graphs: the published schema, circuit-tracer's own names of nodes, and the way back. */
import { readFileSync } from 'node:fs';
import Ajv from 'ajv';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CircuitDocument } from '../../../src/shared/circuit.ts';
import { isEngineError } from '../../../src/shared/errors.ts';
import { cantorPair, cantorUnpair, featureIndex } from '../../../src/shared/publicGraphIds.ts';
import { readPublicGraph } from '../../../src/shared/publicGraphReader.ts';
import { writePublicGraph } from '../../../src/shared/publicGraphWriter.ts';
import { tinyCircuit } from '../../fixtures/tinyCircuit.ts';

/** Written by circuit-tracer 0.5.0: test/parity/record_public_graph.py. */
const recorded = readFileSync('test/fixtures/parity/publicGraph.json', 'utf8');
const validate = new Ajv({ strict: false }).compile(
  JSON.parse(readFileSync('test/fixtures/attributionGraphSchema.json', 'utf8')),
);

function exported(document: CircuitDocument) {
  return JSON.parse(writePublicGraph(document).text);
}

function spoil(change: (graph: ReturnType<typeof exported>) => void): string {
  const graph = JSON.parse(recorded);
  change(graph);
  return JSON.stringify(graph);
}

describe('pairing', () => {
  it('is Cantor’s: (x + y)(x + y + 1) / 2 + y, and back', () => {
    expect(cantorPair(3, 1234)).toBe(((3 + 1234) * (3 + 1234 + 1)) / 2 + 1234);
    // The example of circuit-tracer's documentation: layer 23, feature 12237.
    expect(cantorPair(0, 253)).toBe(32384);
    fc.assert(
      fc.property(fc.nat(200), fc.nat(50_000_000), (layer, index) => {
        expect(cantorUnpair(cantorPair(layer, index))).toEqual([layer, index]);
      }),
    );
  });

  it('is told from a layer with five digits behind it', () => {
    expect(featureIndex(23, 2305458, '23_5458_7')).toBe(5458);
    expect(featureIndex(23, cantorPair(23, 5458), '23_5458_7')).toBe(5458);
    expect(featureIndex(23, 2305458, 'n17')).toBe(5458);
    expect(featureIndex(23, cantorPair(23, 5458), 'n17')).toBe(5458);
    // 5 is the pairing of (0, 2), and also feature 5 of layer 0 in the old way: the id knows.
    expect(featureIndex(0, 5, '0_5_3')).toBe(5);
    expect(featureIndex(0, 5, '0_2_3')).toBe(2);
  });
});

describe('a graph of circuit-tracer', () => {
  const { document, notes } = readPublicGraph('dog.json', recorded);
  const node = (id: string) => document.nodes.find((one) => one.id === id)!;

  it('follows the schema that this test knows it by', () => {
    expect(validate(JSON.parse(recorded))).toBe(true);
  });

  it('is read node by node', () => {
    expect(document.nLayers).toBe(8);
    expect(document.tokens.map(({ text, start, end, special }) => ({ text, start, end, special }))).toEqual([
      { text: '<bos>', start: 0, end: 0, special: true },
      { text: 'The', start: 0, end: 3, special: undefined },
      { text: ' dog', start: 3, end: 7, special: undefined },
    ]);
    expect(document.tokens[2]?.id).toBe(3290);
    expect(node('3_1234_2')).toMatchObject({
      kind: 'feature',
      layer: 3,
      position: 2,
      feature: { index: 1234 },
      activation: 12.25,
      influence: 0.3,
    });
    expect(node('7_98303_2').feature?.index).toBe(98303);
    expect(node('E_464_1')).toMatchObject({ kind: 'token', layer: -1, position: 1 });
    expect(node('9_262_2')).toMatchObject({ kind: 'logit', layer: 8, label: ' the', probability: 0.625 });
    expect(node('9_60001_2')).toMatchObject({ kind: 'logit', label: ' a - an' });
    expect(document.metric).toMatchObject({ clean: 0.625 });
  });

  it('keeps a feature and an error of one id apart', () => {
    expect(node('0_7_2')).toMatchObject({ kind: 'feature', layer: 0, feature: { index: 7 } });
    expect(node('0_7_2 error')).toMatchObject({ kind: 'error', layer: 7, position: 2 });
    // The feature's and the error's links to the logit have the same ends in the file; the feature's comes first.
    const toLogit = document.edges.filter(({ target }) => target === '9_262_2');
    expect(toLogit.find(({ source }) => source === '0_7_2')?.weight).toBe(0.5);
    expect(toLogit.find(({ source }) => source === '0_7_2 error')?.weight).toBe(-0.375);
    // Nothing of layer 7 reaches layer 3.
    expect(document.edges.find(({ target }) => target === '3_1234_2')).toBeDefined();
    expect(
      document.edges.find(({ source, target }) => source === '0_7_2' && target === '3_1234_2')?.weight,
    ).toBe(0.75);
    expect(notes.join(' ')).toMatch(/2 links start at ids that a feature and an error share/);
  });

  it('gives each node its influence over the links of the file, by adding up all paths', () => {
    const shareOf = (source: string, target: string): number => {
      const into = document.edges.filter((edge) => edge.target === target);
      const size = (edges: typeof into) => edges.reduce((sum, { weight }) => sum + Math.abs(weight), 0);
      return size(into.filter((edge) => edge.source === source)) / size(into);
    };
    const influence = (id: string): number =>
      document.edges
        .filter(({ source }) => source === id)
        .reduce((sum, { target }) => {
          const end = node(target);
          const own = end.kind === 'logit' ? (end.probability ?? 0) : influence(target);
          return sum + shareOf(id, target) * own;
        }, 0);
    const inner = document.nodes.filter(({ kind }) => kind !== 'logit');
    expect(inner.some(({ effect }) => effect > 0)).toBe(true);
    for (const { id, effect } of inner) expect(effect).toBeCloseTo(influence(id), 12);
    expect(notes.join(' ')).toMatch(/influence over the links/);
  });

  it('brings pins and groups with it', () => {
    expect(document.annotations).toMatchObject({
      pinned: ['3_1234_2', '9_262_2'],
      supernodes: [{ label: 'animals', nodes: ['3_1234_2', '7_98303_2'] }],
    });
  });

  it('is written with the same ids, fields, pins and links', () => {
    const original = JSON.parse(recorded);
    const again = exported(document);
    expect(validate(again), JSON.stringify(validate.errors)).toBe(true);
    const fields = [
      'feature',
      'layer',
      'ctx_idx',
      'feature_type',
      'jsNodeId',
      'clerp',
      'token_prob',
      'is_target_logit',
    ];
    const facts = (graph: typeof original, id: (node: typeof original) => string) =>
      Object.fromEntries(
        graph.nodes.map((one: typeof original) => [
          `${id(one)} ${one.feature_type}`,
          fields.map((field) => one[field]).concat(one.influence ?? null, one.activation ?? null),
        ]),
      );
    // The one error whose id a feature has gives way, so that links say which they mean.
    const clash = (one: typeof original) =>
      one.feature_type.endsWith('error') && one.node_id === '0_7_2' ? 'error_0_7_2' : one.node_id;
    expect(facts(again, (one) => one.node_id)).toEqual(facts(original, clash));
    expect(again.metadata).toMatchObject({
      slug: 'dog',
      scan: 'tiny-8',
      prompt: 'The dog',
      node_threshold: 0.8,
      schema_version: 1,
    });
    expect(again.metadata.prompt_tokens).toEqual(original.metadata.prompt_tokens);
    expect(again.qParams.clickedId).toBe('3_1234_2');
    expect(again.qParams.supernodes).toEqual([['animals', '3_1234_2', '7_98303_2']]);
    expect([...again.qParams.pinnedIds].sort()).toEqual(['3_1234_2', '7_98303_2', '9_262_2']);
    expect(again.links).toHaveLength(original.links.length);
    const sum = (links: { weight: number }[]) => links.reduce((total, { weight }) => total + weight, 0);
    expect(sum(again.links)).toBeCloseTo(sum(original.links), 9);
  });

  it('comes back from our own export as it was', () => {
    const again = readPublicGraph('again.json', writePublicGraph(document).text).document;
    const plain = ({ nodes, edges }: CircuitDocument) => ({
      nodes: nodes
        .map(({ id, kind, ...rest }) => ({ ...rest, kind, id: kind === 'error' ? '' : id }))
        .sort(byText),
      weights: edges.map(({ target, weight }) => ({ target, weight })).sort(byText),
    });
    expect(plain(again)).toEqual(plain(document));
  });
});

describe('an export', () => {
  it('of heads, MLPs and neurons follows the schema, with names where people gave them', () => {
    const { text, notes } = writePublicGraph(tinyCircuit);
    const graph = JSON.parse(text);
    expect(validate(graph), JSON.stringify(validate.errors)).toBe(true);
    const labelled = graph.nodes.find((one: { clerp: string }) => one.clerp === 'a name');
    expect(labelled).toMatchObject({ node_id: '1_77_1', jsNodeId: '1_77-0', feature: cantorPair(1, 77) });
    expect(notes.join(' ')).toMatch(/no word for 4 of the nodes/);
    const back = readPublicGraph('x.json', text).document;
    expect(back.nodes.map(({ kind }) => kind).sort()).toEqual(
      tinyCircuit.nodes.map(({ kind }) => kind).sort(),
    );
    expect(back.nodes.find(({ kind, layer }) => kind === 'head' && layer === 0)).toMatchObject({ head: 1 });
  });

  it('names the token of a logit with its space, as other tools do', () => {
    const nodes = [{ ...tinyCircuit.nodes[0]!, id: '3_262_3', label: '·the', probability: 0.25 }];
    const [logit] = exported({ ...tinyCircuit, nodes, edges: [], annotations: undefined }).nodes;
    expect(logit).toMatchObject({ node_id: '3_262_3', clerp: 'Output " the" (p=0.250)', token_prob: 0.25 });
  });

  it('tells viewers how to prune when no influence is known: the strongest first, up to 1', () => {
    const graph = exported(tinyCircuit);
    const inner = graph.nodes.filter((one: { feature_type: string }) => one.feature_type !== 'logit');
    const total = 1 / 3 + 1e-9 / 3 + 2 + 0.123456789 + 0.5 + 0.25 + 0.75;
    const strongest = inner.find((one: { node_id: string }) => one.node_id === 'head 0.1 3');
    expect(strongest.influence).toBeCloseTo(2 / total, 9);
    expect(Math.max(...inner.map((one: { influence: number }) => one.influence))).toBeCloseTo(1, 12);
  });
});

describe('a file', () => {
  it('with types that nobody here knows shows them as they are, and keeps them', () => {
    const text = spoil((graph) => {
      graph.nodes[4].feature_type = 'lorsa';
      graph.nodes[5].feature_type = 'bias';
      graph.nodes[5].clerp = 'b';
    });
    const { document, notes } = readPublicGraph('x.json', text);
    expect(document.nodes.find(({ id }) => id === '3_1234_2')?.kind).toBe('other');
    expect(document.nodes.find(({ id }) => id === '7_98303_2')).toMatchObject({ kind: 'bias', label: 'b' });
    expect(notes.join(' ')).toContain('lorsa');
    const types = exported(document).nodes.map((one: { feature_type: string }) => one.feature_type);
    expect(types).toContain('lorsa');
    expect(types).toContain('bias');
  });

  it('with layers as numbers, features that are null, and labels is read', () => {
    const text = spoil((graph) => {
      graph.nodes[4].layer = 3;
      graph.nodes[6].feature = null;
      graph.nodes[4].clerp = 'about <dogs>';
      graph.nodes[3].influence = null;
    });
    const { document } = readPublicGraph('x.json', text);
    expect(document.nodes.find(({ id }) => id === '3_1234_2')?.label).toBe('about <dogs>');
    expect(
      exported(document).nodes.find((one: { node_id: string }) => one.node_id === '3_1234_2').clerp,
    ).toBe('about <dogs>');
  });

  it('without view, labels and page ids, as other tools write it, is read', () => {
    const text = spoil((graph) => {
      delete graph.qParams;
      for (const one of graph.nodes) {
        delete one.clerp;
        delete one.jsNodeId;
      }
      graph.nodes[8].layer = '8';
      graph.nodes[9].layer = '8';
    });
    const { document } = readPublicGraph('x.json', text);
    expect(document.nLayers).toBe(8);
    expect(document.nodes.find(({ id }) => id === '9_262_2')).toMatchObject({ layer: 8, label: 'Output' });
  });

  it.each([
    [
      'no slug',
      (graph: ReturnType<typeof exported>) => delete graph.metadata.slug,
      /metadata\.slug should be a text, but is missing/,
    ],
    ['a node without an id', (graph) => delete graph.nodes[1].node_id, /nodes\[1\]\.node_id/],
    [
      'a position out of the prompt',
      (graph) => (graph.nodes[4].ctx_idx = 3),
      /nodes\[4\]\.ctx_idx should be a position below 3/,
    ],
    [
      'a layer in words',
      (graph) => (graph.nodes[4].layer = 'top'),
      /nodes\[4\]\.layer should be a layer’s number/,
    ],
    [
      'a link to nowhere',
      (graph) => (graph.links[2].target = 'x'),
      /links\[2\]\.target should be the node_id of a node/,
    ],
    [
      'a weight that is no number',
      (graph) => (graph.links[2].weight = null),
      /links\[2\]\.weight should be a number/,
    ],
    [
      'two features of one id',
      (graph) => graph.nodes.push(graph.nodes[4]),
      /nodes\[10\]\.node_id should be an id that no other/,
    ],
  ])('with %s is refused by name', (_name, change, message) => {
    expect(() => readPublicGraph('x.json', spoil(change))).toThrow(message);
  });

  it('that is spoilt anywhere is read or refused with a message', () => {
    fc.assert(
      fc.property(
        fc.nat(recorded.length - 1),
        fc.constantFrom('', '9', '"', '}', 'null', '\\u0000'),
        (place, piece) => {
          try {
            readPublicGraph('x.json', recorded.slice(0, place) + piece + recorded.slice(place + 1));
          } catch (error) {
            expect(isEngineError(error, 'file.malformed')).toBe(true);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

function byText(a: unknown, b: unknown): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
}
