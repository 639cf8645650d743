/** Component graphs as circuits of their own and back: what files of edge scores are turned into, and written from. */

import type { CircuitDocument, CircuitEdge, CircuitNode } from '../../shared/circuit.ts';
import { EngineError } from '../../shared/errors.ts';
import { circuitOfGraph, scoreSign } from './componentCircuit.ts';
import {
  type ComponentGraph,
  destinationIndex,
  edgesOf,
  type GraphShape,
  graphSizes,
  hasRoom,
  readable,
  sourceIndex,
  strongestEdges,
} from './componentGraph.ts';

/** What a file of edge scores does not say itself. */
export interface GraphOrigin {
  /** The tool whose file it is. */
  readonly tool: string;
  /** The open model, when its shape is that of the graph. */
  readonly model?: { readonly name: string; readonly hash: string };
}

/** Edges that a panel still draws; files have a score for every pair of components. */
const mostEdges = 2000;

/** A circuit of the graph's edges, without prompts: such files have scores only. Stronger edges first when there are too many. */
export function documentOfGraph(
  graph: ComponentGraph,
  { tool, model }: GraphOrigin,
): { readonly document: CircuitDocument; readonly notes: readonly string[] } {
  const { shape } = graph;
  const notes: string[] = [];
  const shown = strongest(graph, notes);
  const intoLogits = edgesOf(shown, true).filter(
    ({ destination }) => destination === graphSizes(shape).destinations - 1,
  );
  const total = intoLogits.reduce((sum, { score }) => sum + score, 0);
  const method = { name: 'imported', parameters: { tool, ...shapeParameters(shape) } };
  const sign = scoreSign(method);
  const document: CircuitDocument = {
    version: 1,
    prompt: '',
    tokens: [],
    nLayers: shape.nLayers,
    method,
    metric: { name: 'score', clean: Number.NaN, baseline: Number.NaN },
    isAggregated: true,
    ...circuitOfGraph(shown, 0, { name: 'Logits', clean: sign * total }, sign),
    provenance: {
      version: tool,
      model: model ? { name: model.name, hash: model.hash } : { name: 'unknown', hash: '' },
      saes: [],
      bos: 'none',
      precision: 'unknown',
    },
  };
  return { document, notes };
}

function strongest(graph: ComponentGraph, notes: string[]): ComponentGraph {
  const edges = graph.inGraph.reduce((sum, isIn) => sum + isIn, 0);
  if (edges <= mostEdges) return graph;
  notes.push(`The file has ${edges} edges; the strongest ${mostEdges} are in the circuit.`);
  return strongestEdges(graph, mostEdges);
}

function shapeParameters(shape: GraphShape): Record<string, number | boolean> {
  const { nHeads, nKeyValueHeads, dModel, parallel } = shape;
  return { nHeads, nKeyValueHeads, dModel, parallel };
}

/**
 * The shape of the model that a circuit is of: the given one, or what its parameters say.
 * @throws request.invalid when neither is known, or they are of different models
 */
export function shapeOfDocument(document: CircuitDocument, shape: GraphShape | undefined): GraphShape {
  const { nLayers, method } = document;
  const { nHeads, nKeyValueHeads, dModel, parallel } = method.parameters;
  if (shape) {
    if (shape.nLayers === nLayers) return shape;
    throw refusal(`it is of a model of ${nLayers} layers, and the open one has ${shape.nLayers}`);
  }
  if (
    isCount(nHeads) &&
    isCount(nKeyValueHeads) &&
    nKeyValueHeads > 0 &&
    nHeads % nKeyValueHeads === 0 &&
    isCount(dModel) &&
    typeof parallel === 'boolean'
  ) {
    const own = { nLayers, nHeads, nKeyValueHeads, dModel, parallel };
    if (hasRoom(own)) return own;
  }
  throw refusal(
    'the format needs to know how many heads the model has; give the model: --model FOLDER on the command line, or open it in the window',
  );
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/**
 * The component graph of a circuit's edges; all of them are in it. Nodes at several positions are taken together.
 * @throws request.invalid for a circuit of anything but heads, MLPs, the input and the logits
 */
export function graphOfDocument(
  document: CircuitDocument,
  shape: GraphShape,
): { readonly graph: ComponentGraph; readonly notes: readonly string[] } {
  const { sources, destinations } = graphSizes(shape);
  const scores = new Float64Array(sources * destinations);
  const inGraph = new Uint8Array(sources * destinations);
  const nodes = new Map(document.nodes.map((node) => [node.id, node]));
  for (const node of document.nodes) checkNode(node, shape);
  const sign = scoreSign(document.method);
  let split = 0;
  for (const edge of document.edges) {
    const source = sourceOf(nodes.get(edge.source)!, shape);
    const target = nodes.get(edge.target)!;
    if (target.kind === 'head' && !edge.parts) split++;
    for (const [destination, score] of destinationsOf(target, edge, shape)) {
      if (source === undefined || source >= readable(shape, destination)) {
        throw refusal(`nothing runs from ${edge.source} to ${edge.target} in a model of this shape`);
      }
      scores[destination * sources + source]! += sign * score;
      inGraph[destination * sources + source] = 1;
    }
  }
  return { graph: { shape, scores, inGraph }, notes: graphNotes(document, split) };
}

function graphNotes(document: CircuitDocument, split: number): string[] {
  const notes: string[] = [];
  if (split > 0) {
    notes.push(
      `${split} edges into heads do not say how they are read; a third each is written for queries, keys and values.`,
    );
  }
  if (!document.isAggregated) notes.push('The format has no positions; edges at all of them are added up.');
  return notes;
}

function checkNode({ kind, layer, head, label }: CircuitNode, shape: GraphShape): void {
  if (kind === 'token' || kind === 'logit') return;
  const isKnown =
    (kind === 'mlp' || (kind === 'head' && head !== undefined && head < shape.nHeads)) &&
    layer >= 0 &&
    layer < shape.nLayers;
  if (isKnown) return;
  const what =
    kind === 'head' || kind === 'mlp' ? `${label}, which the model does not have` : `${kind} nodes`;
  throw refusal(`the format knows heads, MLPs, the input and the logits, and this circuit has ${what}`);
}

function sourceOf(node: CircuitNode, shape: GraphShape): number | undefined {
  if (node.kind === 'token') return 0;
  if (node.kind === 'logit') return undefined;
  const { layer, head } = node;
  return sourceIndex(shape, head === undefined ? { kind: 'mlp', layer } : { kind: 'head', layer, head });
}

/** Where an edge enters: numbers of destinations, each with its part of the score. */
function destinationsOf(
  { kind, layer, head }: CircuitNode,
  { weight, parts }: CircuitEdge,
  shape: GraphShape,
): (readonly [number, number])[] {
  if (kind === 'logit') return [[destinationIndex(shape, { kind: 'logits' }), weight]];
  if (kind === 'mlp') return [[destinationIndex(shape, { kind: 'mlp', layer }), weight]];
  if (kind !== 'head' || head === undefined) throw refusal('edges run into its tokens');
  const group = shape.nHeads / shape.nKeyValueHeads;
  const given = parts ?? { q: weight / 3, k: weight / 3, v: weight / 3 };
  return (['q', 'k', 'v'] as const).flatMap((part) => {
    const score = given[part];
    if (score === undefined) return [];
    const at = part === 'q' ? head : Math.floor(head / group);
    return [[destinationIndex(shape, { kind: part, layer, head: at }), score] as const];
  });
}

function refusal(reason: string): EngineError {
  return new EngineError('request.invalid', { what: 'This circuit', reason });
}
