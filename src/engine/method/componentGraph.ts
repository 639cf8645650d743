/**
 * The graph of heads and MLPs that edge methods share (Conmy et al. 2023; Syed et al. 2023; Hanna et al. 2024): what writes
 * into the residual stream (sources), what reads from it (destinations), and a score for every pair.
 */

/** What of a model decides on the graph. A `ModelConfig` fits. */
export interface GraphShape {
  readonly nLayers: number;
  readonly nHeads: number;
  /** Query heads that share keys and values share one destination for each, too. */
  readonly nKeyValueHeads: number;
  readonly dModel: number;
  /** The MLP of a layer does not read what its heads wrote. */
  readonly parallel: boolean;
}

/** A node that writes: the embeddings, a head, or an MLP. */
export type GraphSource =
  | { readonly kind: 'input' }
  | { readonly kind: 'head'; readonly layer: number; readonly head: number }
  | { readonly kind: 'mlp'; readonly layer: number };

/** An input that is read from the stream. `head` of keys and values counts key-value heads. */
export type GraphDestination =
  | { readonly kind: 'q' | 'k' | 'v'; readonly layer: number; readonly head: number }
  | { readonly kind: 'mlp'; readonly layer: number }
  | { readonly kind: 'logits' };

/**
 * Scores and membership of all edges, `[destination, source]` row-major; pairs that are no edge have 0 in both.
 * Sources and destinations are numbered as in `sourceAt` and `destinationAt`, in the order of the forward pass.
 */
export interface ComponentGraph {
  readonly shape: GraphShape;
  /** Estimated (or exact) change of the metric when the edge alone carries its corrupted value. */
  readonly scores: Float64Array;
  /** 1 where the edge belongs to the circuit. */
  readonly inGraph: Uint8Array;
}

export interface GraphSizes {
  readonly sources: number;
  readonly destinations: number;
}

export function graphSizes({ nLayers, nHeads, nKeyValueHeads }: GraphShape): GraphSizes {
  return {
    sources: 1 + nLayers * (nHeads + 1),
    destinations: nLayers * (nHeads + 2 * nKeyValueHeads + 1) + 1,
  };
}

/** Pairs of sources and destinations that have a place in memory: more than a model of 48 layers of 25 heads has. */
const mostPairs = 5_000_000;

/** Whether a graph of this shape is small enough. Files can declare any. */
export function hasRoom(shape: GraphShape): boolean {
  const { sources, destinations } = graphSizes(shape);
  return sources * destinations <= mostPairs;
}

/** A graph with all edges in it, and scores of 0. */
export function fullGraph(shape: GraphShape): ComponentGraph {
  const { sources, destinations } = graphSizes(shape);
  const inGraph = new Uint8Array(sources * destinations);
  for (let d = 0; d < destinations; d++) inGraph.fill(1, d * sources, d * sources + readable(shape, d));
  return { shape, scores: new Float64Array(sources * destinations), inGraph };
}

/** Number of a source: the input first, then per layer its heads and its MLP. */
export function sourceIndex({ nHeads }: GraphShape, source: GraphSource): number {
  if (source.kind === 'input') return 0;
  return 1 + source.layer * (nHeads + 1) + (source.kind === 'head' ? source.head : nHeads);
}

export function sourceAt({ nHeads }: GraphShape, index: number): GraphSource {
  if (index === 0) return { kind: 'input' };
  const layer = Math.floor((index - 1) / (nHeads + 1));
  const head = (index - 1) % (nHeads + 1);
  return head === nHeads ? { kind: 'mlp', layer } : { kind: 'head', layer, head };
}

/** Number of a destination: per layer all queries, keys, values and the MLP; the logits last. */
export function destinationIndex(shape: GraphShape, destination: GraphDestination): number {
  const { nLayers, nHeads, nKeyValueHeads } = shape;
  const perLayer = nHeads + 2 * nKeyValueHeads + 1;
  if (destination.kind === 'logits') return nLayers * perLayer;
  const start = destination.layer * perLayer;
  if (destination.kind === 'mlp') return start + perLayer - 1;
  const before = { q: 0, k: nHeads, v: nHeads + nKeyValueHeads }[destination.kind];
  return start + before + destination.head;
}

export function destinationAt(shape: GraphShape, index: number): GraphDestination {
  const { nLayers, nHeads, nKeyValueHeads } = shape;
  const perLayer = nHeads + 2 * nKeyValueHeads + 1;
  const layer = Math.floor(index / perLayer);
  if (layer === nLayers) return { kind: 'logits' };
  const at = index % perLayer;
  if (at === perLayer - 1) return { kind: 'mlp', layer };
  if (at < nHeads) return { kind: 'q', layer, head: at };
  const other = at - nHeads;
  const kind = other < nKeyValueHeads ? 'k' : 'v';
  return { kind, layer, head: other % nKeyValueHeads };
}

/** How many sources, counted from the first, a destination reads: those that were written before it. */
export function readable(shape: GraphShape, destination: number): number {
  const { nLayers, nHeads, parallel } = shape;
  const place = destinationAt(shape, destination);
  if (place.kind === 'logits') return 1 + nLayers * (nHeads + 1);
  const before = 1 + place.layer * (nHeads + 1);
  return place.kind === 'mlp' && !parallel ? before + nHeads : before;
}

/** Sources whose computation reads a destination: one head, the heads that share a key or value, an MLP; none for logits. */
export function readersOf(shape: GraphShape, destination: number): readonly number[] {
  const place = destinationAt(shape, destination);
  if (place.kind === 'logits') return [];
  if (place.kind === 'mlp') return [sourceIndex(shape, place)];
  const { layer, kind } = place;
  const group = kind === 'q' ? 1 : shape.nHeads / shape.nKeyValueHeads;
  return Array.from({ length: group }, (_, i) =>
    sourceIndex(shape, { kind: 'head', layer, head: place.head * group + i }),
  );
}

/** A source's name in EAP-IG's files: `input`, `a0.h1`, `m3`. */
export function sourceName(source: GraphSource): string {
  if (source.kind === 'input') return 'input';
  return source.kind === 'mlp' ? `m${source.layer}` : `a${source.layer}.h${source.head}`;
}

/** A destination's name: `a2.h3<q>`, `m1`, `logits`. Shared keys and values carry the name of their group's first head. */
export function destinationName({ nHeads, nKeyValueHeads }: GraphShape, place: GraphDestination): string {
  if (place.kind === 'logits') return 'logits';
  if (place.kind === 'mlp') return `m${place.layer}`;
  const head = place.kind === 'q' ? place.head : (place.head * nHeads) / nKeyValueHeads;
  return `a${place.layer}.h${head}<${place.kind}>`;
}

/** One edge as people read it, with its numbers. */
export interface GraphEdge {
  /** As in EAP-IG's files: `a0.h1->a2.h3<q>`. */
  readonly name: string;
  readonly source: number;
  readonly destination: number;
  readonly score: number;
}

/** All edges of the model, or those in the circuit alone, in the order of destinations and sources. */
export function edgesOf(graph: ComponentGraph, onlyInGraph: boolean): GraphEdge[] {
  const { shape, scores, inGraph } = graph;
  const { sources, destinations } = graphSizes(shape);
  const names = Array.from({ length: sources }, (_, source) => sourceName(sourceAt(shape, source)));
  const edges: GraphEdge[] = [];
  for (let destination = 0; destination < destinations; destination++) {
    const end = readable(shape, destination);
    const target = destinationName(shape, destinationAt(shape, destination));
    for (let source = 0; source < end; source++) {
      const at = destination * sources + source;
      if (onlyInGraph && inGraph[at] === 0) continue;
      edges.push({ name: `${names[source]}->${target}`, source, destination, score: scores[at]! });
    }
  }
  return edges;
}

/** The graph with its strongest edges alone in it; of equal ones, the first. */
export function strongestEdges(graph: ComponentGraph, count: number): ComponentGraph {
  const sizes = graph.scores.map((score, at) => (graph.inGraph[at] === 1 ? Math.abs(score) : -1));
  const least = count < 1 ? Number.POSITIVE_INFINITY : Math.max(0, sizes.toSorted().at(-count) ?? 0);
  let left = count - sizes.reduce((above, size) => above + Number(size > least), 0);
  const inGraph = Uint8Array.from(sizes, (size) => Number(size > least || (size === least && left-- > 0)));
  return { ...graph, inGraph };
}

/** How many edges a model of this shape has. */
export function edgeCount(shape: GraphShape): number {
  let count = 0;
  for (let d = graphSizes(shape).destinations - 1; d >= 0; d--) count += readable(shape, d);
  return count;
}

/**
 * The effect of whole nodes, `[source]`: all readers of a stream add up, so a node's effect by attribution patching is
 * the sum of the scores of the edges that leave it.
 */
export function nodeScores({ shape, scores }: ComponentGraph): Float64Array {
  const { sources, destinations } = graphSizes(shape);
  const result = new Float64Array(sources);
  for (let d = 0; d < destinations; d++) {
    for (let source = 0; source < sources; source++) result[source]! += scores[d * sources + source]!;
  }
  return result;
}
