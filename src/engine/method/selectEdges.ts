/** Makes circuits of scored graphs: strongest edges, a threshold, or greedily from the logits; then drops what hangs loose. */
import {
  type ComponentGraph,
  edgesOf,
  type GraphShape,
  graphSizes,
  readable,
  readersOf,
} from './componentGraph.ts';

/** Which edges to keep, by the size of their scores (Hanna et al. 2024, §3). */
export type EdgeSelection =
  | { readonly kind: 'top'; readonly count: number }
  | { readonly kind: 'threshold'; readonly least: number }
  /** Edges one by one, always into a node that already reaches the logits. */
  | { readonly kind: 'greedy'; readonly count: number };

/** The graph with the selected edges in it, without nodes that the input does not reach or that do not reach the logits. */
export function selectEdges(graph: ComponentGraph, selection: EdgeSelection): ComponentGraph {
  const inGraph =
    selection.kind === 'greedy' ? greedyEdges(graph, selection.count) : strongest(graph, selection);
  return pruneLoose({ ...graph, inGraph });
}

function strongest(graph: ComponentGraph, selection: Exclude<EdgeSelection, { kind: 'greedy' }>): Uint8Array {
  const { sources } = graphSizes(graph.shape);
  const ranked = edgesOf(graph, false).sort((a, b) => Math.abs(b.score) - Math.abs(a.score));
  const kept =
    selection.kind === 'top'
      ? ranked.slice(0, selection.count)
      : ranked.filter(({ score }) => Math.abs(score) >= selection.least);
  const inGraph = new Uint8Array(graph.scores.length);
  for (const { source, destination } of kept) inGraph[destination * sources + source] = 1;
  return inGraph;
}

/** EAP-IG's greedy choice: the strongest edge among all that enter nodes of the circuit, beginning with the logits. */
function greedyEdges({ shape, scores }: ComponentGraph, count: number): Uint8Array {
  const { sources, destinations } = graphSizes(shape);
  const readsInto = destinationsByReader(shape);
  const inGraph = new Uint8Array(scores.length);
  /** Open destinations with their sources, weakest first, so that the strongest is popped. */
  const open = new Map<number, number[]>();
  const enter = (d: number): void => {
    if (open.has(d)) return;
    const size = (source: number) => Math.abs(scores[d * sources + source]!);
    const order = Array.from({ length: readable(shape, d) }, (_, source) => source);
    open.set(
      d,
      order.sort((a, b) => size(a) - size(b)),
    );
  };
  enter(destinations - 1);
  for (let taken = 0; taken < count; taken++) {
    let best: { d: number; size: number } | undefined;
    for (const [d, waiting] of open) {
      const next = waiting.at(-1);
      if (next === undefined) continue;
      const size = Math.abs(scores[d * sources + next]!);
      if (!best || size > best.size) best = { d, size };
    }
    if (!best) break;
    const source = open.get(best.d)!.pop()!;
    inGraph[best.d * sources + source] = 1;
    for (const d of readsInto[source]!) enter(d);
  }
  return inGraph;
}

/** For every source the destinations that its computation reads; none for the input. */
function destinationsByReader(shape: GraphShape): readonly (readonly number[])[] {
  const { sources, destinations } = graphSizes(shape);
  const lists: number[][] = Array.from({ length: sources }, () => []);
  for (let d = 0; d < destinations; d++) for (const source of readersOf(shape, d)) lists[source]!.push(d);
  return lists;
}

/**
 * Takes out, again and again, edges from nodes that nothing in the circuit enters and edges into nodes that lead nowhere:
 * what is left lies on paths from the input to the logits.
 */
export function pruneLoose(graph: ComponentGraph): ComponentGraph {
  const { shape } = graph;
  const { sources, destinations } = graphSizes(shape);
  const inGraph = graph.inGraph.slice();
  for (let hasChanged = true; hasChanged; ) {
    hasChanged = false;
    const { speaks, hears } = connected(shape, inGraph);
    for (let d = 0; d < destinations; d++) {
      const readers = readersOf(shape, d);
      const leads = readers.length === 0 || readers.some((reader) => speaks[reader]);
      for (let source = 0; source < sources; source++) {
        const at = d * sources + source;
        if (inGraph[at] === 0 || (leads && hears[source])) continue;
        inGraph[at] = 0;
        hasChanged = true;
      }
    }
  }
  return { ...graph, inGraph };
}

/** Which sources have an edge out of them, and which have one into what they read. The input hears by itself. */
export function connected(
  shape: GraphShape,
  inGraph: Uint8Array,
): { readonly speaks: Uint8Array; readonly hears: Uint8Array } {
  const { sources, destinations } = graphSizes(shape);
  const speaks = new Uint8Array(sources);
  const hears = new Uint8Array(sources);
  hears[0] = 1;
  for (let d = 0; d < destinations; d++) {
    const readers = readersOf(shape, d);
    for (let source = 0; source < sources; source++) {
      if (inGraph[d * sources + source] === 0) continue;
      speaks[source] = 1;
      for (const reader of readers) hears[reader] = 1;
    }
  }
  return { speaks, hears };
}
