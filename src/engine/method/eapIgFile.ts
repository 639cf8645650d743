/**
 * Component graphs as EAP-IG's JSON files: `{cfg, nodes, edges}` with edges called `a0.h1->a2.h3<q>`. There every query head has
 * a key and a value input of its own. Where a model's heads share them, a shared edge is written for each head, with an equal
 * part of its score, and read back as their sum.
 */
import * as v from 'valibot';
import type { EngineError } from '../../shared/errors.ts';
import { malformed, shorten } from '../files/fileErrors.ts';
import { parseJson } from '../files/parseJson.ts';
import {
  type ComponentGraph,
  destinationAt,
  destinationIndex,
  type GraphDestination,
  type GraphShape,
  type GraphSource,
  graphSizes,
  hasRoom,
  readable,
  sourceAt,
  sourceIndex,
  sourceName,
} from './componentGraph.ts';
import { connected } from './selectEdges.ts';

/** The file's text. */
export function writeEapIg(graph: ComponentGraph): string {
  const { shape, scores, inGraph } = graph;
  const { nLayers, nHeads, parallel, dModel } = shape;
  const { sources, destinations } = graphSizes(shape);
  const { speaks, hears } = connected(shape, inGraph);
  const nodes: Record<string, { in_graph: boolean }> = {};
  for (let i = 0; i < sources; i++) {
    nodes[sourceName(sourceAt(shape, i))] = { in_graph: speaks[i] === 1 && hears[i] === 1 };
  }
  nodes.logits = { in_graph: inGraph.subarray((destinations - 1) * sources).includes(1) };
  const edges: Record<string, { score: number; in_graph: boolean }> = {};
  for (let d = 0; d < destinations; d++) {
    const readers = readerNames(shape, destinationAt(shape, d));
    for (let i = 0; i < readable(shape, d); i++) {
      const at = d * sources + i;
      const edge = { score: scores[at]! / readers.length, in_graph: inGraph[at] === 1 };
      for (const reader of readers) edges[`${sourceName(sourceAt(shape, i))}->${reader}`] = edge;
    }
  }
  const cfg = { n_layers: nLayers, n_heads: nHeads, parallel_attn_mlp: parallel, d_model: dModel };
  return `${JSON.stringify({ cfg, nodes, edges })}\n`;
}

function readerNames({ nHeads, nKeyValueHeads }: GraphShape, place: GraphDestination): string[] {
  if (place.kind === 'logits') return ['logits'];
  if (place.kind === 'mlp') return [`m${place.layer}`];
  const group = place.kind === 'q' ? 1 : nHeads / nKeyValueHeads;
  return Array.from({ length: group }, (_, i) => `a${place.layer}.h${place.head * group + i}<${place.kind}>`);
}

/** Edges of the largest model that is run, and some. */
const mostEdges = 4_000_000;

const count = v.pipe(v.number('a number'), v.integer('a whole number'), v.minValue(1, 'at least 1'));

const schema = v.object({
  cfg: v.object({
    n_layers: count,
    n_heads: count,
    parallel_attn_mlp: v.boolean('true or false'),
    d_model: count,
  }),
  edges: v.custom<Record<string, unknown>>(isRecord, 'an object of edges'),
});

const edgeSchema = v.object({
  score: v.optional(v.nullable(v.pipe(v.number('a number'), v.finite('a finite number')))),
  in_graph: v.boolean('true or false'),
});

/**
 * Reads a file into a graph of this model. Edges that the file leaves out are not in the circuit.
 * @throws file.malformed, also for a graph of another model, or one that names an edge that the model does not have.
 */
export function readEapIg(path: string, text: string, shape: GraphShape): ComponentGraph {
  const { cfg, edges } = readOutline(path, text);
  checkShape(path, cfg, shape);
  const { sources, destinations } = graphSizes(shape);
  const scores = new Float64Array(sources * destinations);
  const inGraph = new Uint8Array(sources * destinations);
  for (const [name, content] of Object.entries(edges)) {
    const at = edgeAt(name, shape);
    if (at === undefined) throw malformed(path, `edges["${shorten(name)}"]`, 'an edge of this model', name);
    const edge = v.safeParse(edgeSchema, content);
    if (!edge.success) throw firstIssue(path, edge.issues, content, `edges["${shorten(name)}"]`);
    scores[at]! += edge.output.score ?? 0;
    if (edge.output.in_graph) inGraph[at] = 1;
  }
  return { shape, scores, inGraph };
}

/** The shape that a file declares; heads are taken to have keys and values of their own. @throws file.malformed */
export function shapeOfEapIg(path: string, text: string): GraphShape {
  const {
    n_layers: nLayers,
    n_heads: nHeads,
    d_model: dModel,
    parallel_attn_mlp: parallel,
  } = readOutline(path, text).cfg;
  const shape = { nLayers, nHeads, nKeyValueHeads: nHeads, dModel, parallel };
  // All pairs of components have a place in memory.
  if (!hasRoom(shape))
    throw malformed(path, 'cfg', 'the layers and heads of a model', `${nLayers} × ${nHeads}`);
  return shape;
}

function readOutline(path: string, text: string): v.InferOutput<typeof schema> {
  let content: unknown;
  try {
    content = parseJson(text);
  } catch (error) {
    throw malformed(path, 'the file', 'JSON', (error as Error).message);
  }
  const outline = v.safeParse(schema, content);
  if (!outline.success) throw firstIssue(path, outline.issues, content, '');
  const { length } = Object.keys(outline.output.edges);
  if (length > mostEdges) throw malformed(path, 'edges', `at most ${mostEdges} edges`, length);
  return outline.output;
}

function checkShape(path: string, cfg: v.InferOutput<typeof schema>['cfg'], shape: GraphShape): void {
  const expected: Readonly<Record<keyof typeof cfg, number | boolean>> = {
    n_layers: shape.nLayers,
    n_heads: shape.nHeads,
    parallel_attn_mlp: shape.parallel,
    d_model: shape.dModel,
  };
  for (const field of Object.keys(expected) as (keyof typeof cfg)[]) {
    if (cfg[field] === expected[field]) continue;
    const wanted = `${expected[field]}, as the open model has it`;
    throw malformed(path, `cfg.${field}`, wanted, cfg[field]);
  }
}

/** Index of a named edge in `ComponentGraph.scores`; undefined when the model has none of this name. */
export function edgeAt(name: string, shape: GraphShape): number | undefined {
  const [from, to, ...rest] = name.split('->');
  const source = readSource(from ?? '', shape);
  const reader = readReader(to ?? '', shape);
  if (!source || !reader || rest.length > 0) return undefined;
  const [i, d] = [sourceIndex(shape, source), destinationIndex(shape, reader)];
  return i < readable(shape, d) ? d * graphSizes(shape).sources + i : undefined;
}

const number = '(0|[1-9]\\d{0,4})';
const headPattern = new RegExp(`^a${number}\\.h${number}$`);
const mlpPattern = new RegExp(`^m${number}$`);
const readerPattern = /^(.+)<([qkv])>$/;

function readSource(name: string, { nLayers, nHeads }: GraphShape): GraphSource | undefined {
  if (name === 'input') return { kind: 'input' };
  const mlp = mlpPattern.exec(name);
  if (mlp) return Number(mlp[1]) < nLayers ? { kind: 'mlp', layer: Number(mlp[1]) } : undefined;
  const parts = headPattern.exec(name);
  if (!parts) return undefined;
  const [layer, head] = [Number(parts[1]), Number(parts[2])];
  return layer < nLayers && head < nHeads ? { kind: 'head', layer, head } : undefined;
}

function readReader(name: string, shape: GraphShape): GraphDestination | undefined {
  if (name === 'logits') return { kind: 'logits' };
  const [, node = name, part] = readerPattern.exec(name) ?? [];
  const place = readSource(node, shape);
  if (place?.kind === 'mlp') return part === undefined ? place : undefined;
  if (place?.kind !== 'head' || part === undefined) return undefined;
  const group = part === 'q' ? 1 : shape.nHeads / shape.nKeyValueHeads;
  return { kind: part as 'q' | 'k' | 'v', layer: place.layer, head: Math.floor(place.head / group) };
}

function isRecord(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function firstIssue(
  path: string,
  [issue]: readonly [v.BaseIssue<unknown>, ...v.BaseIssue<unknown>[]],
  content: unknown,
  inside: string,
): EngineError {
  const field = [inside, v.getDotPath(issue)].filter(Boolean).join('.') || 'the file';
  const expected = issue.kind === 'schema' && issue.type === 'object' ? 'an object' : issue.message;
  return malformed(path, field, expected, issue.path ? issue.input : content);
}
