/** Reads `*.circuit.json` files, which people edit, merge and send around: everything in them is checked. */

import type {
  CircuitAnnotations,
  CircuitDocument,
  CircuitEdge,
  CircuitEvaluation,
  CircuitGraph,
  CircuitNode,
  Supernode,
} from './circuit.ts';
import { circuitNodeKinds, isRelativePath } from './circuitDocument.ts';
import type { Token } from './domain.ts';
import { FieldReader } from './fieldReader.ts';
import { readPairs, readProvenance } from './readOrigin.ts';
import { taskMetrics } from './task.ts';

/** Circuits beyond these bounds are not drawn by anybody. */
const most = { nodes: 100_000, edges: 1_000_000, tokens: 100_000, prompt: 1_000_000, layers: 10_000 };

/** Texts of files that are read are at most so long, in bytes. */
export const maxCircuitBytes = 64 * 2 ** 20;

/**
 * Reads a file's text. Annotations of nodes that are not there any more are left out.
 * @throws file.malformed naming the first field that is wrong
 */
export function readCircuit(path: string, text: string): CircuitDocument {
  return readCircuitContent(FieldReader.parse(path, text));
}

/** As `readCircuit`, for content that has been parsed. */
export function readCircuitContent(file: FieldReader): CircuitDocument {
  file.get('version').oneOf([1]);
  const nLayers = file.get('nLayers').count({ max: most.layers });
  const tokens = file.get('tokens').list(most.tokens, readToken);
  const bounds = { nLayers, positions: Math.max(1, tokens.length) };
  const nodes = file.get('nodes').list(most.nodes, (node) => readNode(node, bounds));
  const ids = uniqueIds(file, nodes);
  const method = file.get('method');
  const metric = file.get('metric');
  return {
    version: 1,
    prompt: file.get('prompt').text(most.prompt),
    ...found(
      'counterfactual',
      file.maybe('counterfactual', (it) => it.text(most.prompt)),
    ),
    tokens,
    nLayers,
    method: { name: method.get('name').text(), parameters: readParameters(method) },
    metric: {
      name: metric.get('name').text(),
      clean: metric.get('clean').measure(),
      baseline: metric.get('baseline').measure(),
    },
    ...readQuestion(file),
    nodes,
    edges: file.get('edges').list(most.edges, (edge) => readEdge(edge, ids)),
    provenance: readProvenance(file.get('provenance')),
    ...found(
      'annotations',
      file.maybe('annotations', (it) => readAnnotations(it, ids)),
    ),
    ...found('evaluation', file.maybe('evaluation', readEvaluation)),
  };
}

/** What a circuit needs to be evaluated again. */
function readQuestion(
  file: FieldReader,
): Pick<CircuitGraph, 'pairs' | 'taskMetric' | 'contrast' | 'isAggregated'> {
  return {
    ...found(
      'pairs',
      file.maybe('pairs', (it) => readPairs(it, isRelativePath)),
    ),
    ...found(
      'taskMetric',
      file.maybe('taskMetric', (it) => it.oneOf(taskMetrics)),
    ),
    ...found(
      'contrast',
      file.maybe('contrast', (it) => ({
        answer: it.get('answer').text(),
        wrong: it.get('wrong').text(),
        ...found(
          'position',
          it.maybe('position', (at) => at.count({ min: -most.tokens, max: most.tokens })),
        ),
      })),
    ),
    ...(file.maybe('isAggregated', (it) => it.flag()) && { isAggregated: true }),
  };
}

function readParameters(method: FieldReader): CircuitGraph['method']['parameters'] {
  const read = (value: FieldReader): string | number | boolean => {
    if (typeof value.value === 'boolean') return value.value;
    return typeof value.value === 'string' ? value.text() : value.number();
  };
  const parameters = method.maybe('parameters', (it) => it.entries(200));
  const known = (parameters ?? []).filter(([, { value }]) => value !== null);
  return Object.fromEntries(known.map(([key, value]) => [key, read(value)]));
}

function readToken(token: FieldReader): Token {
  return {
    id: token.get('id').count(),
    text: token.get('text').text(),
    start: token.get('start').count(),
    end: token.get('end').count(),
    ...(token.maybe('special', (it) => it.flag()) && { special: true }),
    ...(token.maybe('marker', (it) => it.flag()) && { marker: true }),
  };
}

function readNode(
  node: FieldReader,
  { nLayers, positions }: { readonly nLayers: number; readonly positions: number },
): CircuitNode {
  const count = (value: FieldReader): number => value.count();
  const number = (value: FieldReader): number => value.number();
  const text = (value: FieldReader): string => value.text();
  return {
    id: node.get('id').text(1000),
    kind: node.get('kind').oneOf(circuitNodeKinds),
    layer: node.get('layer').count({ min: -1, max: nLayers }),
    position: node.get('position').count({ max: positions - 1 }),
    ...found('head', node.maybe('head', count)),
    ...found('feature', node.maybe('feature', readFeature)),
    ...found('hook', node.maybe('hook', text)),
    ...found('neuron', node.maybe('neuron', count)),
    label: node.get('label').text(),
    ...found('labelSource', node.maybe('labelSource', text)),
    effect: node.get('effect').number(),
    ...found('activation', node.maybe('activation', number)),
    ...found('influence', node.maybe('influence', number)),
    ...found(
      'missing',
      node.maybe('missing', (it) => it.number({ min: 0 })),
    ),
    ...found('probability', node.maybe('probability', number)),
  };
}

function readFeature(feature: FieldReader): { readonly sae: string; readonly index: number } {
  return { sae: feature.get('sae').text(1000), index: feature.get('index').count() };
}

function readEdge(edge: FieldReader, ids: ReadonlySet<string>): CircuitEdge {
  const end = (key: 'source' | 'target'): string => {
    const id = edge.get(key);
    if (!ids.has(id.text(1000))) throw id.fault('the id of a node');
    return id.text(1000);
  };
  const number = (value: FieldReader): number => value.number();
  const parts = edge.maybe('parts', (it) => ({
    ...found('q', it.maybe('q', number)),
    ...found('k', it.maybe('k', number)),
    ...found('v', it.maybe('v', number)),
  }));
  return {
    source: end('source'),
    target: end('target'),
    weight: edge.get('weight').number(),
    ...found('parts', parts),
  };
}

function uniqueIds(file: FieldReader, nodes: readonly CircuitNode[]): ReadonlySet<string> {
  const ids = new Set<string>();
  nodes.forEach(({ id }, i) => {
    if (ids.has(id)) {
      throw new FieldReader(file.path, `nodes[${i}].id`, id).fault('an id that no other node has');
    }
    ids.add(id);
  });
  return ids;
}

function readAnnotations(file: FieldReader, ids: ReadonlySet<string>): CircuitAnnotations {
  const labels = file.maybe('labels', (it) => it.entries(most.nodes)) ?? [];
  return {
    ...found(
      'title',
      file.maybe('title', (it) => it.text()),
    ),
    keep: file.maybe('keep', (it) => it.number({ min: 0, max: 1 })) ?? 1,
    pinned: [...new Set(readIds(file, 'pinned', ids))],
    labels: Object.fromEntries(labels.flatMap(([id, it]) => (ids.has(id) ? [[id, it.text()]] : []))),
    supernodes: readSupernodes(file, ids),
  };
}

/** Groups; a node that several of them name stays in the first, and a group without nodes goes. */
function readSupernodes(file: FieldReader, ids: ReadonlySet<string>): Supernode[] {
  const free = new Set(ids);
  const used = new Set<string>();
  const groups = file.maybe('supernodes', (it) =>
    it.list(10_000, (group) => {
      const id = group.get('id');
      if (used.has(id.text(1000))) throw id.fault('an id that no other group has');
      used.add(id.text(1000));
      const members = readIds(group, 'nodes', free);
      for (const member of members) free.delete(member);
      return { id: id.text(1000), label: group.get('label').text(), nodes: [...new Set(members)] };
    }),
  );
  return (groups ?? []).filter(({ nodes }) => nodes.length > 0);
}

function readIds(file: FieldReader, key: string, known: ReadonlySet<string>): string[] {
  const ids = file.maybe(key, (it) => it.list(most.nodes, (id) => id.text(1000))) ?? [];
  return ids.filter((id) => known.has(id));
}

function readEvaluation(file: FieldReader): CircuitEvaluation {
  const measure = (key: Exclude<keyof CircuitEvaluation, 'kind'>): number => file.get(key).measure();
  const kind = file.maybe('kind', (it) => it.oneOf(['ablation', 'graphScores'] as const));
  return {
    ...found('kind', kind),
    faithfulness: measure('faithfulness'),
    completeness: measure('completeness'),
    full: measure('full'),
    empty: measure('empty'),
    circuit: measure('circuit'),
    complement: measure('complement'),
  };
}

/** An object with the key, or without it when there is no value: files and tests tell the two apart. */
function found<K extends string, T>(key: K, value: T | undefined): { readonly [P in K]?: T } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]: T });
}
