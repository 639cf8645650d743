/** The graph of heads and MLPs: numbers, names, selection, pruning, the panel's form, and EAP-IG's files. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { circuitOfGraph } from '../../../../src/engine/method/componentCircuit.ts';
import {
  type ComponentGraph,
  destinationAt,
  destinationIndex,
  destinationName,
  edgeCount,
  edgesOf,
  fullGraph,
  type GraphShape,
  graphSizes,
  sourceAt,
  sourceIndex,
} from '../../../../src/engine/method/componentGraph.ts';
import { edgeAt, readEapIg, writeEapIg } from '../../../../src/engine/method/eapIgFile.ts';
import { correlation, rankCorrelation } from '../../../../src/engine/method/rankCorrelation.ts';
import { pruneLoose, selectEdges } from '../../../../src/engine/method/selectEdges.ts';
import { seededRandom } from '../../../../src/engine/random.ts';
import { EngineError } from '../../../../src/shared/errors.ts';

const plain: GraphShape = { nLayers: 2, nHeads: 3, nKeyValueHeads: 3, dModel: 12, parallel: false };
const grouped: GraphShape = { nLayers: 2, nHeads: 4, nKeyValueHeads: 2, dModel: 8, parallel: true };

/** A graph with random scores, and with these edges in it. */
function graphWith(shape: GraphShape, seed: string, names: readonly string[] = []): ComponentGraph {
  const random = seededRandom(seed);
  const graph = fullGraph(shape);
  const inGraph = new Uint8Array(graph.inGraph.length);
  for (const name of names) inGraph[edgeAt(name, shape)!] = 1;
  return { shape, scores: graph.scores.map((_, i) => graph.inGraph[i]! * random.normal()), inGraph };
}

const namesIn = (graph: ComponentGraph) => edgesOf(graph, true).map(({ name }) => name);

describe('numbers and names', () => {
  it.each([plain, grouped])('lead from every source and destination back to it', (shape) => {
    const { sources, destinations } = graphSizes(shape);
    for (let i = 0; i < sources; i++) expect(sourceIndex(shape, sourceAt(shape, i))).toBe(i);
    for (let i = 0; i < destinations; i++) expect(destinationIndex(shape, destinationAt(shape, i))).toBe(i);
    const edges = edgesOf(fullGraph(shape), false);
    expect(edges).toHaveLength(edgeCount(shape));
    for (const { name, source, destination } of edges) {
      expect(edgeAt(name, shape)).toBe(destination * sources + source);
    }
  });

  it('count as many edges as EAP-IG does for GPT-2 small', () => {
    const shape = { nLayers: 12, nHeads: 12, nKeyValueHeads: 12, dModel: 768, parallel: false };
    expect(edgeCount(shape)).toBe(32_491);
    expect(graphSizes(shape)).toEqual({ sources: 157, destinations: 445 });
  });

  it('give heads that share keys one reader, called by the first of them', () => {
    const name = (kind: 'q' | 'k', head: number) => destinationName(grouped, { kind, layer: 1, head });
    expect([name('q', 3), name('k', 1)]).toEqual(['a1.h3<q>', 'a1.h2<k>']);
    expect(edgeAt('m0->a1.h3<k>', grouped)).toBe(edgeAt('m0->a1.h2<k>', grouped));
    expect(edgeAt('m0->a1.h1<k>', grouped)).not.toBe(edgeAt('m0->a1.h2<k>', grouped));
  });

  it('let an MLP hear the heads of its layer only where they do not work side by side', () => {
    expect(edgeAt('a1.h0->m1', plain)).toBeDefined();
    expect(edgeAt('a1.h0->m1', grouped)).toBeUndefined();
    expect(edgeAt('a0.h0->m1', grouped)).toBeDefined();
  });
});

describe('selection', () => {
  it('prunes what the input does not reach and what does not reach the logits', () => {
    const names = [
      'input->a0.h0<q>',
      'a0.h0->a1.h1<v>',
      'a1.h1->logits',
      'a0.h2->logits',
      'input->m0',
      'm0->a1.h0<k>',
    ];
    const kept = pruneLoose(graphWith(plain, 'prune', names));
    expect(namesIn(kept)).toEqual(['input->a0.h0<q>', 'a0.h0->a1.h1<v>', 'a1.h1->logits']);
  });

  it('keeps the strongest edges by size, or all above a threshold', () => {
    const graph = graphWith(plain, 'strongest');
    const sizes = edgesOf(graph, false).map(({ score }) => Math.abs(score));
    const least = sizes.sort((a, b) => b - a)[39]!;
    const top = selectEdges(graph, { kind: 'top', count: 40 });
    expect(namesIn(top)).toEqual(namesIn(selectEdges(graph, { kind: 'threshold', least })));
    expect(namesIn(top).length).toBeLessThanOrEqual(40);
    expect(namesIn(top).length).toBeGreaterThan(20);
    for (const { score } of edgesOf(top, true)) expect(Math.abs(score)).toBeGreaterThanOrEqual(least);
  });

  it('grows greedily from the logits: each edge the strongest into what it has', () => {
    const graph = graphWith(plain, 'greedy');
    for (const count of [1, 5, 20, 60]) {
      const reached = new Set(['logits']);
      const kept = new Set<string>();
      const all = edgesOf(graph, false).sort((a, b) => Math.abs(b.score) - Math.abs(a.score));
      const nodeOf = (name: string) => name.split('->')[1]!.replace(/<.>/, '');
      for (let i = 0; i < count; i++) {
        const next = all.find(({ name }) => !kept.has(name) && reached.has(nodeOf(name)))!;
        kept.add(next.name);
        reached.add(next.name.split('->')[0]!);
      }
      const expected = pruneLoose(graphWith(plain, 'greedy', [...kept]));
      expect(namesIn(selectEdges(graph, { kind: 'greedy', count }))).toEqual(namesIn(expected));
    }
  });
});

describe("the panel's form", () => {
  it('has the nodes of the circuit, and one edge for the queries, keys and values of a head', () => {
    const names = ['input->a0.h0<q>', 'input->a0.h0<k>', 'a0.h0->m1', 'm1->logits'];
    const graph = graphWith(plain, 'panel', names);
    const { nodes, edges } = circuitOfGraph(graph, 5, { name: 'difference', clean: 2 }, 1);
    expect(nodes.map(({ id, kind, layer }) => [id, kind, layer])).toEqual([
      ['input', 'token', -1],
      ['a0.h0', 'head', 0],
      ['m1', 'mlp', 1],
      ['logits', 'logit', 2],
    ]);
    const score = (name: string) => graph.scores[edgeAt(name, plain)!]!;
    expect(edges).toEqual([
      {
        source: 'input',
        target: 'a0.h0',
        weight: score(names[0]!) + score(names[1]!),
        parts: { q: score(names[0]!), k: score(names[1]!) },
      },
      { source: 'a0.h0', target: 'm1', weight: score('a0.h0->m1') },
      { source: 'm1', target: 'logits', weight: score('m1->logits') },
    ]);
    const out = edgesOf(graph, false).filter(({ name }) => name.startsWith('a0.h0->'));
    expect(nodes[1]!.effect).toBeCloseTo(
      out.reduce((sum, edge) => sum + edge.score, 0),
      10,
    );
  });
});

describe("EAP-IG's files", () => {
  it.each([plain, grouped])('come back as they were written', (shape) => {
    const graph = selectEdges(graphWith(shape, 'file'), { kind: 'top', count: 30 });
    const back = readEapIg('a.json', writeEapIg(graph), shape);
    expect(back.inGraph).toEqual(graph.inGraph);
    back.scores.forEach((score, i) => {
      expect(score).toBeCloseTo(graph.scores[i]!, 12);
    });
  });

  it('name every head of a group, and every node', () => {
    const graph = graphWith(grouped, 'written', ['input->a0.h2<k>', 'a0.h2->logits']);
    const { cfg, nodes, edges } = JSON.parse(writeEapIg(graph));
    expect(cfg).toEqual({ n_layers: 2, n_heads: 4, parallel_attn_mlp: true, d_model: 8 });
    expect(edges['input->a0.h3<k>'].in_graph).toBe(true);
    expect(edges['input->a0.h2<k>'].in_graph).toBe(true);
    expect(edges['input->a0.h1<k>'].in_graph).toBe(false);
    expect(nodes['a0.h2'].in_graph && nodes.input.in_graph && nodes.logits.in_graph).toBe(true);
    expect(nodes.m1.in_graph).toBe(false);
    expect(Object.keys(nodes)).toHaveLength(1 + 2 * 5 + 1);
  });

  const cfg = { n_layers: 2, n_heads: 3, parallel_attn_mlp: false, d_model: 12 };
  it.each([
    ['{', 'JSON'],
    ['[]', 'an object'],
    [JSON.stringify({ cfg: { ...cfg, n_heads: 8 }, edges: {} }), 'cfg.n_heads'],
    [JSON.stringify({ cfg: { ...cfg, n_layers: '2' }, edges: {} }), 'cfg.n_layers'],
    [JSON.stringify({ cfg, edges: [] }), 'edges'],
    [JSON.stringify({ cfg, edges: { 'm1->m0': { in_graph: true } } }), 'm1->m0'],
    [JSON.stringify({ cfg, edges: { 'm0->a1.h0': { in_graph: true } } }), 'm0->a1.h0'],
    [JSON.stringify({ cfg, edges: { 'm00->logits': { in_graph: true } } }), 'm00->logits'],
    [JSON.stringify({ cfg, edges: { 'm0->logits': { in_graph: 1 } } }), 'in_graph'],
    [JSON.stringify({ cfg, edges: { 'm0->logits': { in_graph: true, score: 'x' } } }), 'score'],
    [JSON.stringify({ cfg, edges: { 'm0->logits': null } }), 'm0->logits'],
  ])('are refused with the field that is wrong: %s', (text, named) => {
    expect(() => readEapIg('bad.json', text, plain)).toThrow(named);
    expect(() => readEapIg('bad.json', text, plain)).toThrow(EngineError);
  });

  it('only ever fail as damaged files, whatever they hold', () => {
    const anything = fc.oneof(
      fc.string(),
      fc.json(),
      fc
        .record({ cfg: fc.constant(cfg), edges: fc.dictionary(fc.string(), fc.jsonValue()) })
        .map((x) => JSON.stringify(x)),
    );
    fc.assert(
      fc.property(anything, (text) => {
        try {
          readEapIg('bad.json', text, plain);
        } catch (error) {
          expect(error).toBeInstanceOf(EngineError);
        }
      }),
      { numRuns: 300, seed: 4 },
    );
  });
});

describe('correlation of ranks', () => {
  it('is that of a worked example, with ties sharing their rank', () => {
    // Ranks 1 2.5 2.5 4 and 1 3 2 4: covariance 4.5, variances 4.5 and 5.
    expect(rankCorrelation([1, 2, 2, 9], [0, 7, 5, 8])).toBeCloseTo(4.5 / Math.sqrt(4.5 * 5), 12);
    expect(rankCorrelation([1, 2, 3], [-1, -10, -100])).toBeCloseTo(-1, 12);
    expect(rankCorrelation([1, 1], [1, 2])).toBeNaN();
  });

  it('in value follow Pearson by hand, which outliers carry', () => {
    expect(correlation([1, 2, 3], [2, 4, 6])).toBeCloseTo(1, 12);
    expect(correlation([1, 2, 6], [3, 1, 2])).toBeCloseTo(-1 / Math.sqrt(14 * 2), 12);
    expect(correlation([5, 5], [1, 2])).toBeNaN();
    expect(() => correlation([1], [1, 2])).toThrow(/cannot be paired/);
  });
});
