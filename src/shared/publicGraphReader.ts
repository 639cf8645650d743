/** Reads the public JSON of attribution graphs, as circuit-tracer, Neuronpedia and others write it, into a circuit. */

import type {
  CircuitAnnotations,
  CircuitDocument,
  CircuitEdge,
  CircuitNode,
  CircuitNodeKind,
  Supernode,
} from './circuit.ts';
import type { Token } from './domain.ts';
import { FieldReader } from './fieldReader.ts';
import { firstKeep } from './firstAnnotations.ts';
import { influenceOnLogits } from './graphInfluence.ts';
import { splitNodeId } from './publicGraphIds.ts';
import {
  mostInGraph,
  nodeOf,
  type RawNode,
  readRawNode,
  toldMeasures,
  uniqueNames,
} from './publicGraphNodes.ts';

/** What a file holds, and what of it could not be read as it is. */
export interface PublicGraph {
  readonly document: CircuitDocument;
  readonly notes: readonly string[];
}

/** Whether content is a public graph and not one of Fovea's own files, by its keys. */
export function isPublicGraph(content: FieldReader): boolean {
  return content.has('metadata') && content.has('nodes') && content.has('links');
}

/** @throws file.malformed naming the first field that is wrong */
export function readPublicGraph(path: string, text: string): PublicGraph {
  return readPublicContent(FieldReader.parse(path, text));
}

/** As `readPublicGraph`, for content that has been parsed. */
export function readPublicContent(file: FieldReader): PublicGraph {
  const metadata = file.get('metadata');
  const raw = file.get('nodes').list(mostInGraph.nodes, readRawNode);
  const tokens = readTokens(metadata, raw);
  const nLayers = layersOf(raw);
  const names = uniqueNames(raw);
  const notes: string[] = [];
  const edges = readLinks(file, raw, names, notes);
  const sourceSet = metadata.maybe('feature_details', (it) =>
    it.maybe('neuronpedia_source_set', (set) => set.text(200)),
  );
  const positions = Math.max(1, tokens.length);
  const plain = raw.map((node, i) => nodeOf(node, names[i]!, { nLayers, positions, tokens, sourceSet }));
  const isTold = raw.some((node) => toldMeasures(node).effect !== undefined);
  const nodes = isTold ? plain : withEffects({ nodes: plain, edges }, notes);
  const unknown = new Set(raw.filter(({ kind }) => kind === 'other').map(({ type }) => type));
  if (unknown.size > 0)
    notes.push(`Nodes of these types are shown as they are: ${[...unknown].slice(0, 10).join(', ')}.`);
  return { document: describe(file, { nodes, edges, tokens, nLayers, sourceSet, raw, names }), notes };
}

/**
 * The nodes with their influence over the links that the file has. The cumulative influence in such files is not taken
 * apart again: nodes that pruning dropped lie between those that are there.
 */
function withEffects(graph: Pick<CircuitDocument, 'nodes' | 'edges'>, notes: string[]): CircuitNode[] {
  const influence = influenceOnLogits(graph);
  if (!influence) {
    notes.push('Its links run in a circle, so the nodes’ effects are not known; they are shown as 0.');
    return [...graph.nodes];
  }
  notes.push('The nodes’ effects are their influence over the links that the file has.');
  return graph.nodes.map((node) =>
    node.kind === 'logit' ? node : { ...node, effect: influence.get(node.id) ?? 0 },
  );
}

function describe(
  file: FieldReader,
  graph: Pick<CircuitDocument, 'nodes' | 'edges' | 'tokens' | 'nLayers'> & {
    readonly sourceSet: string | undefined;
    readonly raw: readonly RawNode[];
    readonly names: readonly string[];
  },
): CircuitDocument {
  const metadata = file.get('metadata');
  const { nodes, edges, tokens, nLayers } = graph;
  const target = graph.raw.findIndex((node) => node.field.get('is_target_logit').value === true);
  const logit = nodes[target] ?? nodes.find(({ kind }) => kind === 'logit');
  return {
    version: 1,
    prompt: metadata.get('prompt').text(mostInGraph.prompt),
    tokens,
    nLayers,
    method: { name: 'attribution graph', parameters: readParameters(file, graph.sourceSet) },
    metric: metricOf(logit),
    nodes,
    edges,
    provenance: {
      version: readGenerator(metadata),
      // No hash: such files do not say which weights they were made with.
      model: { name: metadata.get('scan').text(), hash: '' },
      saes: [],
      bos: tokens[0]?.special ? 'prepended' : 'none',
      precision: 'unknown',
    },
    annotations: readAnnotations(file, graph.raw, graph.names),
  };
}

/** What the graph explains; logits that are no single tokens have no probability. */
function metricOf(logit: CircuitNode | undefined): CircuitDocument['metric'] {
  const { label = 'output', probability = 0 } = logit ?? {};
  if (probability > 0) return { name: `probability of "${label}"`, clean: probability, baseline: 0 };
  return { name: label, clean: Number.NaN, baseline: Number.NaN };
}

function readGenerator(metadata: FieldReader): string {
  const generator = metadata.maybe('info', (info) =>
    info.maybe('generator', (it) => it.maybe('name', (name) => name.text(200))),
  );
  return generator ?? 'another tool';
}

function readParameters(
  file: FieldReader,
  sourceSet: string | undefined,
): CircuitDocument['method']['parameters'] {
  const metadata = file.get('metadata');
  const text = (value: FieldReader): string => value.text();
  const view = file.get('qParams');
  const parameters = {
    slug: metadata.get('slug').text(),
    scan: metadata.get('scan').text(),
    sourceSet,
    nodeThreshold: metadata.maybe('node_threshold', (it) => it.number()),
    edgeThreshold: metadata.maybe('pruning_settings', (it) =>
      it.maybe('edge_threshold', (at) => at.number()),
    ),
    linkType: view.maybe('linkType', text),
    clickedId: view.maybe('clickedId', text),
    sgPos: view.maybe('sg_pos', text),
  };
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== '');
  return Object.fromEntries(given as [string, string | number][]);
}

/** Logits stand two above the last layer in circuit-tracer's files. */
function layersOf(raw: readonly RawNode[]): number {
  const layersBy = (wanted: (kind: CircuitNodeKind) => boolean): number =>
    raw.reduce((highest, { kind, layer }) => (wanted(kind) ? Math.max(highest, layer) : highest), -1);
  return Math.max(1, layersBy((kind) => kind !== 'logit') + 1, layersBy((kind) => kind === 'logit') - 1);
}

function readTokens(metadata: FieldReader, raw: readonly RawNode[]): Token[] {
  const prompt = metadata.get('prompt').text(mostInGraph.prompt);
  const ids = new Map<number, number>();
  for (const { kind, id, position } of raw) {
    if (kind === 'token') ids.set(position, splitNodeId(id)?.middle ?? 0);
  }
  let at = 0;
  return metadata.get('prompt_tokens').list(mostInGraph.tokens, (token, position) => {
    const text = token.text();
    const start = at;
    // What the prompt does not say, such as a beginning-of-sequence token, stands for no text.
    const isWritten = prompt.startsWith(text, at);
    if (isWritten) at += text.length;
    const special = !isWritten && position === 0;
    return { id: ids.get(position) ?? 0, text, start, end: at, ...(special && { special: true }) };
  });
}

/** Links by the nodes' unique names. An id of two nodes is resolved by what can be: nothing runs into an error. */
function readLinks(
  file: FieldReader,
  raw: readonly RawNode[],
  names: readonly string[],
  notes: string[],
): CircuitEdge[] {
  const byId = new Map<string, number[]>();
  raw.forEach(({ id }, i) => {
    byId.set(id, [...(byId.get(id) ?? []), i]);
  });
  const seen = new Set<string>();
  let guessed = 0;
  const edges = file.get('links').list(mostInGraph.edges, (link) => {
    const nodesOf = (key: 'source' | 'target'): readonly number[] => {
      const nodes = byId.get(link.get(key).text(500));
      if (!nodes) throw link.get(key).fault('the node_id of a node');
      return nodes;
    };
    const targets = nodesOf('target');
    const target = targets.find((i) => raw[i]!.kind !== 'error') ?? targets[0]!;
    const sources = nodesOf('source');
    const possible = sources.filter((i) => raw[i]!.layer < raw[target]!.layer);
    const fresh = possible.filter((i) => !seen.has(`${i} ${target}`));
    const source = fresh.find((i) => raw[i]!.kind === 'feature') ?? fresh[0] ?? possible[0] ?? sources[0]!;
    if (possible.length > 1) guessed++;
    if (sources.length > 1) seen.add(`${source} ${target}`);
    return { source: names[source]!, target: names[target]!, weight: link.get('weight').number() };
  });
  if (guessed > 0) {
    notes.push(
      `${guessed} links start at ids that a feature and an error share; the first link of each is taken to be the feature’s.`,
    );
  }
  return edges;
}

function readAnnotations(
  file: FieldReader,
  raw: readonly RawNode[],
  names: readonly string[],
): CircuitAnnotations {
  const view = file.get('qParams');
  // Only features, tokens and logits are pinned by people: of two nodes with one id, the first that is no error.
  const nameOf = new Map<string, string>();
  raw.forEach(({ id, kind }, i) => {
    if (!nameOf.has(id) || kind === 'feature') nameOf.set(id, names[i]!);
  });
  const known = (ids: readonly string[]): string[] => ids.flatMap((id) => nameOf.get(id) ?? []);
  const pinned = view.maybe('pinnedIds', (it) => it.list(mostInGraph.nodes, (id) => id.text(500))) ?? [];
  const free = new Set(names);
  const groups = view.maybe('supernodes', (it) =>
    it.list(10_000, (group, i): Supernode => {
      const [label = '', ...ids] = group.list(mostInGraph.nodes, (part) => part.text(1000));
      const members = [...new Set(known(ids))].filter((id) => free.delete(id));
      return { id: `group ${i + 1}`, label, nodes: members };
    }),
  );
  return {
    keep: firstKeep(raw),
    pinned: [...new Set(known(pinned))],
    labels: {},
    supernodes: (groups ?? []).filter(({ nodes }) => nodes.length > 0),
  };
}
