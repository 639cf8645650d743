/** Turns a circuit of the component graph into the nodes and edges of the circuit panel. */
import type { CircuitEdge, CircuitGraph, CircuitNode } from '../../shared/circuit.ts';
import { formatHead } from '../../shared/format.ts';
import {
  type ComponentGraph,
  destinationAt,
  edgesOf,
  type GraphSource,
  nodeScores,
  readersOf,
  sourceAt,
  sourceName,
} from './componentGraph.ts';

/**
 * Nodes with an edge in the circuit, and their edges; scores into the queries, keys and values of a head add up to one
 * edge. Nodes stand for all positions at once; `position` is where they are drawn. `metric` names the logit node, and
 * `sign` is what scores are multiplied by; see `scoreSign`.
 */
export function circuitOfGraph(
  graph: ComponentGraph,
  position: number,
  metric: { readonly name: string; readonly clean: number },
  sign: 1 | -1,
): { readonly nodes: readonly CircuitNode[]; readonly edges: readonly CircuitEdge[] } {
  const { shape } = graph;
  const effects = nodeScores(graph);
  const weights = new Map<string, CircuitEdge>();
  const used = new Set<number>();
  let hasLogits = false;
  for (const { source, destination, score } of edgesOf(graph, true)) {
    used.add(source);
    const { kind } = destinationAt(shape, destination);
    const isLogits = kind === 'logits';
    hasLogits ||= isLogits;
    const readers = readersOf(shape, destination);
    const targets = isLogits ? ['logits'] : readers.map((reader) => sourceName(sourceAt(shape, reader)));
    for (const reader of readers) used.add(reader);
    for (const target of targets) {
      const from = sourceName(sourceAt(shape, source));
      const key = `${from}->${target}`;
      const part = (sign * score) / targets.length;
      const before = weights.get(key);
      const parts = kind === 'mlp' || isLogits ? undefined : { ...before?.parts, [kind]: part };
      const weight = (before?.weight ?? 0) + part;
      weights.set(key, { source: from, target, weight, ...(parts && { parts }) });
    }
  }
  const nodes = [...used]
    .sort((a, b) => a - b)
    .map((index) => nodeOf(sourceAt(shape, index), sign * effects[index]!, position));
  if (hasLogits) {
    const { name, clean } = metric;
    nodes.push({ id: 'logits', kind: 'logit', layer: shape.nLayers, position, label: name, effect: clean });
  }
  return { nodes, edges: [...weights.values()] };
}

/**
 * How the scores of a method become a circuit's weights, which say what of the metric goes with an edge: EAP's scores say
 * what the metric gains when an edge is corrupted, so that edges that carry the answer are negative there. ACDC's are
 * what corrupting costs; what the scores of other tools mean is theirs, and stays.
 */
export function scoreSign({ name, parameters }: CircuitGraph['method']): 1 | -1 {
  return name.startsWith('eap') || (name === 'imported' && parameters.tool !== 'auto-circuit') ? -1 : 1;
}

function nodeOf(source: GraphSource, effect: number, position: number): CircuitNode {
  const id = sourceName(source);
  if (source.kind === 'input') return { id, kind: 'token', layer: -1, position: 0, label: 'Input', effect };
  const { layer } = source;
  if (source.kind === 'mlp') return { id, kind: 'mlp', layer, position, label: `MLP ${layer}`, effect };
  const { head } = source;
  return { id, kind: 'head', layer, head, position, label: `Head ${formatHead(layer, head)}`, effect };
}
