/** Two circuits held against each other: which nodes and edges one has and the other has not, and which have changed. */

import type { CircuitEdge, CircuitGraph, CircuitNode } from './circuit.ts';

/** How a part stands in two circuits: only in the second, only in the first, in both alike, in both but not alike. */
export type Change = 'added' | 'removed' | 'same' | 'changed';

/**
 * When a number counts as changed: it moved by more than `relative` of the larger of its two values, and by more than
 * `absolute` of the largest of its kind in either circuit. The second bound keeps the noise of small nodes out.
 */
export const changeThreshold = { relative: 0.2, absolute: 0.02 } as const;

/** A node in one or both circuits. */
export interface NodeDifference {
  /** What the node is, the same in both circuits: see `componentKeys`. */
  readonly key: string;
  readonly change: Change;
  readonly before?: CircuitNode;
  readonly after?: CircuitNode;
}

/** An edge in one or both circuits; its ends are keys. */
export interface EdgeDifference {
  readonly source: string;
  readonly target: string;
  readonly change: Change;
  readonly before?: number;
  readonly after?: number;
}

/** Everything that is in either circuit. */
export interface CircuitDifference {
  readonly nodes: readonly NodeDifference[];
  readonly edges: readonly EdgeDifference[];
}

/** Nodes of a circuit that take part; all of them when left out. */
export interface ComparedCircuit {
  readonly graph: CircuitGraph;
  readonly kept?: ReadonlySet<string>;
  /** What a position is called, such as `IO`; circuits whose prompts differ in length are matched by roles. */
  readonly roles?: ReadonlyMap<number, string>;
}

/** What changes from `before` to `after`: nodes by layer, position and key, edges in the order of their ends' keys. */
export function compareCircuits(before: ComparedCircuit, after: ComparedCircuit): CircuitDifference {
  const beforeKeys = componentKeys(before.graph, before.roles);
  const afterKeys = componentKeys(after.graph, after.roles);
  return {
    nodes: compareNodes(before, beforeKeys, after, afterKeys),
    edges: compareEdges(before, beforeKeys, after, afterKeys),
  };
}

/**
 * What each node is, apart from the circuit it is in: kind, layer, position (or its role), and head, neuron, feature or
 * token. Keys are distinct within a circuit: the second node of the same description gets `#2`. Features and neurons are
 * told apart by hook, or by the folder name of their dictionary where there is no hook.
 */
export function componentKeys(
  graph: CircuitGraph,
  roles?: ReadonlyMap<number, string>,
): ReadonlyMap<string, string> {
  const seen = new Map<string, number>();
  const keys = new Map<string, string>();
  for (const node of graph.nodes) {
    const described = describe(node, graph, roles);
    const count = (seen.get(described) ?? 0) + 1;
    seen.set(described, count);
    keys.set(node.id, count === 1 ? described : `${described}#${count}`);
  }
  return keys;
}

/** Whether a number has moved by more than the threshold; `largest` is the largest size of its kind. */
export function isChanged(before: number, after: number, largest: number): boolean {
  const moved = Math.abs(after - before);
  const larger = Math.max(Math.abs(before), Math.abs(after));
  return moved > changeThreshold.relative * larger && moved > changeThreshold.absolute * largest;
}

/** What a node is, wherever it stands. */
export function componentOf(node: CircuitNode, graph: CircuitGraph): string {
  return describe(node, { ...graph, isAggregated: true });
}

function describe(node: CircuitNode, graph: CircuitGraph, roles?: ReadonlyMap<number, string>): string {
  const layer = node.kind === 'logit' ? 'logits' : String(node.layer);
  const part = isMetric(node, graph) ? 'metric' : partOf(node);
  return [node.kind, layer, placeOf(node, graph, roles), part].join('|');
}

/** The one end of a circuit is the metric, which methods call by its name or by the answers it is of. */
function isMetric({ kind, label }: CircuitNode, { metric, contrast }: CircuitGraph): boolean {
  if (kind !== 'logit') return false;
  return label === metric.name || contrast !== undefined;
}

function placeOf(node: CircuitNode, graph: CircuitGraph, roles?: ReadonlyMap<number, string>): string {
  // A logit is read at the end, wherever that is.
  if (graph.isAggregated || node.kind === 'logit') return '*';
  return roles?.get(node.position) ?? String(node.position);
}

function partOf(node: CircuitNode): string {
  switch (node.kind) {
    case 'head':
      return String(node.head ?? node.label);
    case 'feature':
      return `${node.hook ?? folderName(node.feature?.sae)}:${node.feature?.index ?? node.label}`;
    case 'neuron':
      return `${node.hook ?? ''}:${node.neuron ?? node.label}`;
    case 'error':
      return node.hook ?? '';
    case 'mlp':
    case 'token':
      return '';
    default:
      return node.label;
  }
}

function folderName(sae: string | undefined): string {
  return sae?.split(/[\\/]/).pop() ?? '';
}

function compareNodes(
  before: ComparedCircuit,
  beforeKeys: ReadonlyMap<string, string>,
  after: ComparedCircuit,
  afterKeys: ReadonlyMap<string, string>,
): readonly NodeDifference[] {
  const first = nodesByKey(before, beforeKeys);
  const second = nodesByKey(after, afterKeys);
  const largest = largestOf([...first.values(), ...second.values()].filter(isMeasured).map((n) => n.effect));
  const out: NodeDifference[] = [];
  for (const [key, node] of first) {
    const other = second.get(key);
    if (!other) out.push({ key, change: 'removed', before: node });
    else {
      const changed = isChanged(node.effect, other.effect, largest);
      out.push({ key, change: changed ? 'changed' : 'same', before: node, after: other });
    }
  }
  for (const [key, node] of second) if (!first.has(key)) out.push({ key, change: 'added', after: node });
  return out.sort(byPlace);
}

/** Logits' effects are the metric itself; they would hide what components do. */
function isMeasured(node: CircuitNode): boolean {
  return node.kind !== 'logit';
}

function nodesByKey(
  { graph, kept }: ComparedCircuit,
  keys: ReadonlyMap<string, string>,
): ReadonlyMap<string, CircuitNode> {
  const nodes = graph.nodes.filter(({ id }) => !kept || kept.has(id));
  return new Map(nodes.map((node) => [keys.get(node.id)!, node]));
}

function compareEdges(
  before: ComparedCircuit,
  beforeKeys: ReadonlyMap<string, string>,
  after: ComparedCircuit,
  afterKeys: ReadonlyMap<string, string>,
): readonly EdgeDifference[] {
  const first = edgesByKey(before, beforeKeys);
  const second = edgesByKey(after, afterKeys);
  const largest = largestOf([...first.values(), ...second.values()].map(({ weight }) => weight));
  const out: EdgeDifference[] = [];
  for (const [key, edge] of first) {
    const { source, target, weight } = edge;
    const other = second.get(key);
    if (!other) out.push({ source, target, change: 'removed', before: weight });
    else {
      const changed = isChanged(weight, other.weight, largest);
      out.push({ source, target, change: changed ? 'changed' : 'same', before: weight, after: other.weight });
    }
  }
  for (const [key, { source, target, weight }] of second) {
    if (!first.has(key)) out.push({ source, target, change: 'added', after: weight });
  }
  return out.sort((a, b) => compareText(a.source, b.source) || compareText(a.target, b.target));
}

/** Edges between nodes that take part, with keys for their ends; of the same two ends, weights add up. */
function edgesByKey(
  { graph, kept }: ComparedCircuit,
  keys: ReadonlyMap<string, string>,
): ReadonlyMap<string, CircuitEdge> {
  const edges = new Map<string, CircuitEdge>();
  for (const edge of graph.edges) {
    if (kept && !(kept.has(edge.source) && kept.has(edge.target))) continue;
    const source = keys.get(edge.source);
    const target = keys.get(edge.target);
    if (source === undefined || target === undefined) continue;
    const key = `${source}→${target}`;
    const weight = (edges.get(key)?.weight ?? 0) + edge.weight;
    edges.set(key, { source, target, weight });
  }
  return edges;
}

function largestOf(values: readonly number[]): number {
  let largest = 0;
  for (const value of values) if (Math.abs(value) > largest) largest = Math.abs(value);
  return largest;
}

function byPlace(a: NodeDifference, b: NodeDifference): number {
  const first = a.after ?? a.before!;
  const second = b.after ?? b.before!;
  return first.layer - second.layer || first.position - second.position || compareText(a.key, b.key);
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
