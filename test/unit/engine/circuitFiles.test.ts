/** Circuits in the files of other tools: told apart by content, mapped edge by edge, refused where they cannot be mapped. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readCircuitFile, writeCircuitFile } from '../../../src/engine/circuitFiles.ts';
import { openTensorFile } from '../../../src/engine/files/openTensorFile.ts';
import { writeTorch } from '../../../src/engine/files/torchWriter.ts';
import type { Value } from '../../../src/engine/graph/value.ts';
import { readAutoCircuit } from '../../../src/engine/method/autoCircuitFile.ts';
import {
  edgesOf,
  fullGraph,
  type GraphShape,
  strongestEdges,
} from '../../../src/engine/method/componentGraph.ts';
import { writeEapIg } from '../../../src/engine/method/eapIgFile.ts';
import type { CircuitDocument } from '../../../src/shared/circuit.ts';
import { writeCircuit } from '../../../src/shared/circuitDocument.ts';
import { tinyCircuit } from '../../fixtures/tinyCircuit.ts';
import { temporaryFolder } from '../temporaryFolder.ts';

const shape: GraphShape = { nLayers: 2, nHeads: 2, nKeyValueHeads: 2, dModel: 8, parallel: false };
const path = async (name: string): Promise<string> => join(await temporaryFolder(), name);

/** A value for every edge that tells it from all others. */
function scored(of: GraphShape) {
  const graph = fullGraph(of);
  for (let i = 0; i < graph.scores.length; i++) {
    if (graph.inGraph[i] === 1) graph.scores[i] = ((i * 37) % 101) / 16 - 3 || 0.5;
  }
  return graph;
}

/** auto-circuit's scores by hand: `[head, source]` for q, k, v, `[source]` for MLPs and the end, sources in their order. */
function pruneScoresByHand(numberOf: (source: string, target: string) => number): Record<string, Value> {
  const sources = ['input', 'a0.h0', 'a0.h1', 'm0', 'a1.h0', 'a1.h1', 'm1'];
  const row = (target: string, count: number) =>
    sources.slice(0, count).map((source) => numberOf(source, target));
  const tensor = (rows: number[][], flat = false): Value => ({
    dtype: 'float32',
    dims: flat ? [rows[0]!.length] : [rows.length, rows[0]!.length],
    data: Float32Array.from(rows.flat()),
  });
  const tensors: Record<string, Value> = {};
  for (const [layer, before] of [1, 4].entries()) {
    for (const part of ['q', 'k', 'v']) {
      const heads = [0, 1].map((head) => row(`a${layer}.h${head}<${part}>`, before));
      tensors[`blocks.${layer}.hook_${part}_input`] = tensor(heads);
    }
    tensors[`blocks.${layer}.hook_mlp_in`] = tensor([row(`m${layer}`, before + 2)], true);
  }
  tensors['blocks.1.hook_resid_post'] = tensor([row('logits', 7)], true);
  return tensors;
}

/** A number that depends on both names. */
function made(source: string, target: string): number {
  const hash = [...`${source}>${target}`].reduce((sum, c) => (sum * 31 + c.charCodeAt(0)) % 997, 7);
  return (hash - 498) / 64;
}

describe('auto-circuit’s prune scores', () => {
  it('become the edges of heads and MLPs that they are of', async () => {
    const file = await path('scores.pt');
    await writeTorch(file, pruneScoresByHand(made));
    const { document, format, notes } = await readCircuitFile(file);
    expect(format).toBe('autoCircuit');
    expect(notes).toEqual([]);
    expect(document.nLayers).toBe(2);
    const edge = (source: string, target: string) =>
      document.edges.find((one) => one.source === source && one.target === target);
    expect(edge('a0.h1', 'a1.h0')?.parts).toEqual({
      q: made('a0.h1', 'a1.h0<q>'),
      k: made('a0.h1', 'a1.h0<k>'),
      v: made('a0.h1', 'a1.h0<v>'),
    });
    expect(edge('m0', 'm1')?.weight).toBe(made('m0', 'm1'));
    expect(edge('input', 'logits')?.weight).toBe(made('input', 'logits'));
    expect(edge('a1.h1', 'm1')?.weight).toBe(made('a1.h1', 'm1'));
    expect(edge('m1', 'a1.h0')).toBeUndefined();
    // 4 heads × (q, k, v) read 1, 1, 4, 4 sources; the MLPs 3 and 6; the logits 7. In the circuit q, k, v are one edge.
    expect(document.edges).toHaveLength(1 + 1 + 4 + 4 + 3 + 6 + 7);
  });

  it('are written as the numbers they were', async () => {
    const [from, to] = [await path('in.pt'), await path('out.pt')];
    const tensors = pruneScoresByHand(made);
    await writeTorch(from, tensors);
    const { document } = await readCircuitFile(from);
    await writeCircuitFile({ path: to, format: 'autoCircuit', document });
    const written = await openTensorFile(to);
    expect([...written.tensors.keys()].sort()).toEqual(Object.keys(tensors).sort());
    for (const [name, { data, dims }] of Object.entries(tensors)) {
      expect(written.tensors.get(name)?.shape).toEqual(dims);
      expect(await written.readFloat32(name)).toEqual(data);
    }
  });

  it('with an axis of positions are added up, and with one score for a whole head cut in three', async () => {
    const file = await path('scores.pt');
    const tensors = pruneScoresByHand(made);
    const attention: Value = {
      dtype: 'float32',
      dims: [2, 4],
      data: Float32Array.of(3, 6, 9, 12, 0, 0, 0, 0),
    };
    const mlp: Value = { dtype: 'float32', dims: [2, 3], data: Float32Array.of(1, 2, 3, 10, 20, 30) };
    for (const part of ['q', 'k', 'v']) delete tensors[`blocks.1.hook_${part}_input`];
    await writeTorch(file, { ...tensors, 'blocks.1.hook_attn_in': attention, 'blocks.0.hook_mlp_in': mlp });
    const { document, notes } = await readCircuitFile(file);
    const into = (target: string) =>
      document.edges.filter((edge) => edge.target === target).map(({ weight }) => weight);
    expect(into('m0')).toEqual([11, 22, 33]);
    expect(document.edges.find(({ source, target }) => source === 'm0' && target === 'a1.h0')).toMatchObject({
      weight: 12,
      parts: { q: 4, k: 4, v: 4 },
    });
    expect(notes.join(' ')).toMatch(/by position.*a third is given to each/);
  });

  it.each([
    [
      'of a module that is no part of the graph',
      { 'blocks.0.attn.hook_z': [2, 1] },
      /blocks\.0\.attn\.hook_z should be scores of/,
    ],
    [
      'of another number of sources',
      { 'blocks.1.hook_mlp_in': [5] },
      /blocks\.1\.hook_mlp_in\.shape should be 6 sources, but is 5/,
    ],
    [
      'of a stream that is not the last',
      { 'blocks.0.hook_resid_post': [7] },
      /blocks\.0\.hook_resid_post should be the output of the last layer/,
    ],
    [
      'of other heads',
      { 'blocks.1.hook_k_input': [3, 4] },
      /blocks\.1\.hook_k_input\.shape should be 2 heads, but is 3/,
    ],
  ] as const)('%s are refused by name', async (_name, change, message) => {
    const file = await path('scores.pt');
    const bad = Object.entries(change).map(([name, dims]): [string, Value] => {
      const length = (dims as readonly number[]).reduce((a, b) => a * b, 1);
      return [name, { dtype: 'float32', dims: [...dims], data: new Float32Array(length) }];
    });
    await writeTorch(file, { ...pruneScoresByHand(made), ...Object.fromEntries(bad) });
    await expect(readCircuitFile(file)).rejects.toThrow(message);
  });

  it('with layers that have no modules are refused before anything of their size is made', async () => {
    const file = await path('scores.pt');
    const tensors = pruneScoresByHand(made);
    const { 'blocks.1.hook_resid_post': _, ...rest } = tensors;
    const far = {
      'blocks.2000.hook_mlp_in': { dtype: 'float32', dims: [3], data: new Float32Array(3) },
    } as const;
    await writeTorch(file, { ...rest, ...far });
    await expect(readCircuitFile(file)).rejects.toThrow(/blocks\.2 should be hook_q_input/);
    const { 'blocks.0.hook_v_input': __, ...without } = tensors;
    await writeTorch(file, without);
    await expect(readCircuitFile(file)).rejects.toThrow(/blocks\.0 should be hook_q_input/);
  });

  it('of more pairs than any model here has are refused', async () => {
    const file = await path('scores.pt');
    const wide: Value = { dtype: 'float32', dims: [2400, 1], data: new Float32Array(2400) };
    const parts = ['q', 'k', 'v'].map((part): [string, Value] => [`blocks.0.hook_${part}_input`, wide]);
    const mlp: Value = { dtype: 'float32', dims: [1], data: Float32Array.of(1) };
    await writeTorch(file, { ...Object.fromEntries(parts), 'blocks.0.hook_mlp_in': mlp });
    await expect(readCircuitFile(file)).rejects.toThrow(/layers and heads of a model/);
    const cfg = { n_layers: 2400, n_heads: 1, parallel_attn_mlp: true, d_model: 1 };
    await writeFile(file, JSON.stringify({ cfg, nodes: {}, edges: {} }));
    await expect(readCircuitFile(file)).rejects.toThrow(/layers and heads of a model/);
  });

  it('are not read on once that is cancelled', async () => {
    const file = await path('scores.pt');
    await writeTorch(file, pruneScoresByHand(made));
    const tensors = await openTensorFile(file);
    const signal = AbortSignal.abort();
    await expect(readAutoCircuit(tensors, undefined, signal)).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('of another model than the open one are refused', async () => {
    const file = await path('scores.pt');
    await writeTorch(file, pruneScoresByHand(made));
    const open = { name: 'big', hash: 'x', shape: { ...shape, nHeads: 4, nKeyValueHeads: 4 } };
    await expect(readCircuitFile(file, open)).rejects.toThrow(
      /2 layers of 4 heads, as the open model has, but is/,
    );
  });
});

describe('EAP-IG’s JSON', () => {
  it('is read without the model, and written again as it was', async () => {
    const [from, to] = [await path('in.json'), await path('out.json')];
    const graph = scored(shape);
    for (let i = 0; i < graph.inGraph.length; i += 2) graph.inGraph[i] = 0;
    const text = writeEapIg(graph);
    await writeFile(from, text);
    const { document, format } = await readCircuitFile(from);
    expect(format).toBe('eapIg');
    expect(document.provenance.model).toEqual({ name: 'unknown', hash: '' });
    await writeCircuitFile({ path: to, format: 'eapIg', document });
    const [before, after] = [JSON.parse(text), JSON.parse(await readFile(to, 'utf8'))];
    expect(after.cfg).toEqual(before.cfg);
    const kept = (file: typeof before) =>
      Object.fromEntries(
        Object.entries(file.edges).filter(([, edge]) => (edge as { in_graph: boolean }).in_graph),
      );
    expect(kept(after)).toEqual(kept(before));
  });

  it('of a model whose heads share keys comes back with the shared edges', async () => {
    const shared: GraphShape = { ...shape, nKeyValueHeads: 1 };
    const [from, to] = [await path('in.json'), await path('out.json')];
    const text = writeEapIg(scored(shared));
    await writeFile(from, text);
    const { document } = await readCircuitFile(from, { name: 'm', hash: 'h', shape: shared });
    expect(document.provenance.model).toEqual({ name: 'm', hash: 'h' });
    await writeCircuitFile({ path: to, format: 'eapIg', document, shape: shared });
    const [before, after] = [JSON.parse(text).edges, JSON.parse(await readFile(to, 'utf8')).edges];
    for (const [name, edge] of Object.entries(before)) {
      expect(after[name].score, name).toBeCloseTo((edge as { score: number }).score, 12);
    }
  });

  it('with scores and no circuit shows the strongest edges and says so', async () => {
    const large: GraphShape = { ...shape, nLayers: 4, nHeads: 4, nKeyValueHeads: 4 };
    const graph = scored(large);
    const file = await path('in.json');
    await writeFile(file, writeEapIg({ ...graph, inGraph: new Uint8Array(graph.inGraph.length) }));
    const { document, notes } = await readCircuitFile(file);
    const sizes = edgesOf(graph, true)
      .map(({ score }) => Math.abs(score))
      .sort((a, b) => b - a);
    expect(notes.join(' ')).toMatch(/^The file has scores and no circuit: the strongest 200 of \d+ edges/);
    const parts = document.edges.flatMap(({ weight, parts: by }) => (by ? Object.values(by) : [weight]));
    expect(parts).toHaveLength(200);
    expect(Math.min(...parts.map(Math.abs))).toBe(sizes[199]);
  });
});

describe('strongestEdges', () => {
  it('keeps as many edges as asked, as sorting all of them does', () => {
    const graph = scored(shape);
    const ranked = edgesOf(graph, true).sort((a, b) => Math.abs(b.score) - Math.abs(a.score));
    for (const count of [0, 1, 5, 12, ranked.length, ranked.length + 3]) {
      const kept = edgesOf(strongestEdges(graph, count), true).map(({ name }) => name);
      const expected = ranked.slice(0, count).map(({ name }) => name);
      expect(kept.sort()).toEqual(expected.sort());
    }
  });
});

describe('files that are told apart', () => {
  it('by content: Fovea’s own, the public graph, and others by name', async () => {
    const own = await path('x.json');
    await writeCircuitFile({ path: own, format: 'fovea', document: tinyCircuit });
    expect((await readCircuitFile(own)).format).toBe('fovea');
    const graph = await path('y.circuit.json');
    await writeCircuitFile({ path: graph, format: 'attributionGraph', document: tinyCircuit });
    expect((await readCircuitFile(graph)).format).toBe('attributionGraph');
    const other = await path('z.json');
    await writeFile(other, '{"a": 1}');
    await expect(readCircuitFile(other)).rejects.toThrow(
      /z\.json.*the content should be a circuit of Fovea, an attribution graph/,
    );
    const weights = await path('w.pt');
    await writeTorch(weights, { weight: { dtype: 'float32', dims: [1], data: Float32Array.of(1) } });
    await expect(readCircuitFile(weights)).rejects.toThrow(
      /tensors should be prune scores of auto-circuit.*weight/,
    );
    await expect(readCircuitFile(await path('gone.json'))).rejects.toMatchObject({ code: 'file.missing' });
  });

  it('behind any number of blanks', async () => {
    const file = await path('x.circuit.json');
    await writeFile(file, `\ufeff${' \n'.repeat(5000)}${writeCircuit(tinyCircuit)}`);
    expect((await readCircuitFile(file)).format).toBe('fovea');
  });

  it('and names its task’s file from where it is written', async () => {
    const folder = await temporaryFolder();
    const task = { kind: 'file', path: join(folder, 'tasks', 'ioi.task.jsonl') } as const;
    const document: CircuitDocument = { ...tinyCircuit, pairs: { kind: 'task', task } };
    const file = join(folder, 'circuits', 'a.circuit.json');
    await writeCircuitFile({ path: file, format: 'fovea', document });
    const { pairs } = (await readCircuitFile(file)).document;
    expect(pairs).toEqual({ kind: 'task', task: { kind: 'file', path: '../tasks/ioi.task.jsonl' } });
    expect(await readFile(file, 'utf8')).not.toContain(folder);
  });
});

describe('a circuit that a format cannot say', () => {
  it.each(['eapIg', 'autoCircuit'] as const)(
    'is refused for %s, with what it has too much',
    async (format) => {
      const large = { ...shape, nHeads: 4, nKeyValueHeads: 4 };
      const request = { path: await path('x'), format, document: tinyCircuit, shape: large };
      await expect(writeCircuitFile(request)).rejects.toThrow(
        /the format knows heads, MLPs, the input and the logits, and this circuit has \w+ nodes/,
      );
    },
  );

  it('or whose model is not known is refused with what to do', async () => {
    const nodes = tinyCircuit.nodes.filter(({ kind }) => kind === 'mlp' || kind === 'logit');
    const edges = tinyCircuit.edges.slice(0, 1);
    const document = { ...tinyCircuit, nodes, edges };
    const request = { path: await path('x'), format: 'eapIg', document } as const;
    await expect(writeCircuitFile(request)).rejects.toThrow(
      /how many heads the model has; give the model: --model FOLDER on the command line/,
    );
    await expect(writeCircuitFile({ ...request, shape })).resolves.toBeDefined();
  });
});
