/** Writes a circuit as the public JSON of attribution graphs, which circuit-tracer's and Neuronpedia's viewers open. */

import type { CircuitDocument, CircuitNode } from './circuit.ts';
import { sortCircuit } from './circuitDocument.ts';
import { cantorPair, featureTypes, splitNodeId } from './publicGraphIds.ts';

/** A node as the public JSON has it. */
interface PublicNode {
  readonly node_id: string;
  readonly feature: number;
  readonly layer: string;
  readonly ctx_idx: number;
  readonly feature_type: string;
  readonly token_prob: number;
  readonly is_target_logit: boolean;
  readonly run_idx: number;
  readonly reverse_ctx_idx: number;
  readonly jsNodeId: string;
  readonly clerp: string;
  readonly influence?: number;
  readonly activation?: number;
  /** Fovea's own: what cannot be told from the links that are left after pruning. */
  readonly effect?: number;
  readonly missing?: number;
}

/** Vocabulary ids of logits that are no single token, such as a difference of two; above every vocabulary. */
const firstVirtualToken = 10_000_000;

/** The text, and what could not be said in this format. */
export function writePublicGraph(document: CircuitDocument): {
  readonly text: string;
  readonly notes: readonly string[];
} {
  const { nodes, edges } = sortCircuit(document);
  const naming = nameNodes(document, nodes);
  const idOf = (id: string): string => naming.ids.get(id) ?? id;
  const influence = influenceOf(nodes);
  const target = targetLogit(nodes);
  const annotations = document.annotations;
  const groups = annotations?.supernodes ?? [];
  // Viewers draw a group only when its members are pinned.
  const pinned = new Set([...(annotations?.pinned ?? []), ...groups.flatMap((group) => group.nodes)]);
  const graph = {
    metadata: metadataOf(document),
    qParams: {
      pinnedIds: [...pinned].map(idOf),
      supernodes: groups.map(({ label, nodes: members }) => [label, ...members.map(idOf)]),
      linkType: parameter(document, 'linkType', 'both'),
      clickedId: parameter(document, 'clickedId', ''),
      sg_pos: parameter(document, 'sgPos', ''),
    },
    nodes: nodes.map((node) =>
      publicNode(node, idOf(node.id), {
        document,
        influence: influence.get(node.id),
        isTarget: node === target,
      }),
    ),
    links: edges.map(({ source, target: end, weight }) => ({
      source: idOf(source),
      target: idOf(end),
      weight,
    })),
  };
  return { text: `${JSON.stringify(graph, undefined, 1)}\n`, notes: naming.notes };
}

function metadataOf(document: CircuitDocument): object {
  const { method, provenance, tokens, prompt, annotations } = document;
  const sourceSet = parameter(document, 'sourceSet', '');
  const nodeThreshold = numberParameter(document, 'nodeThreshold') ?? 0.8;
  const edgeThreshold = numberParameter(document, 'edgeThreshold');
  return {
    slug: parameter(document, 'slug', slugOf(annotations?.title ?? prompt)),
    scan: parameter(document, 'scan', provenance.model.name),
    transcoder_list: [],
    prompt_tokens: tokens.map(({ text }) => text),
    prompt,
    node_threshold: nodeThreshold,
    schema_version: 1,
    ...(sourceSet !== '' && { feature_details: { neuronpedia_source_set: sourceSet } }),
    info: {
      description: annotations?.title ?? `${method.name}: ${document.metric.name}`,
      generator: { name: 'Fovea', version: provenance.version },
    },
    pruning_settings: {
      node_threshold: nodeThreshold,
      ...(edgeThreshold !== undefined && { edge_threshold: edgeThreshold }),
    },
  };
}

interface Naming {
  readonly ids: ReadonlyMap<string, string>;
  readonly notes: readonly string[];
}

/** Public ids by our own. Ids that have the public form already are kept; an error never takes a feature's. */
function nameNodes(document: CircuitDocument, nodes: readonly CircuitNode[]): Naming {
  const ids = new Map<string, string>();
  const used = new Set<string>();
  const notes: string[] = [];
  const virtual = nodes.filter(({ kind, id }) => kind === 'logit' && !splitNodeId(id));
  // Features first, so that it is the error that gives way.
  const order = [...nodes].sort((a, b) => Number(a.kind === 'error') - Number(b.kind === 'error'));
  for (const node of order) {
    const usual = usualId(node, document, firstVirtualToken + virtual.indexOf(node));
    let id = usual;
    for (let again = 1; used.has(id); again++) id = `${node.kind}_${usual}${again > 1 ? `_${again}` : ''}`;
    used.add(id);
    ids.set(node.id, id);
  }
  if (virtual.length > 0) {
    notes.push(`${virtual.length} of the logits are no single tokens; they have virtual vocabulary ids.`);
  }
  const foreign = nodes.filter(({ kind }) => foreignKinds.has(kind)).length;
  if (foreign > 0) {
    notes.push(`The format has no word for ${foreign} of the nodes (heads, MLPs, neurons and others).`);
  }
  return { ids, notes };
}

const foreignKinds: ReadonlySet<CircuitNode['kind']> = new Set(['head', 'mlp', 'neuron', 'other']);

function usualId(node: CircuitNode, document: CircuitDocument, virtualToken: number): string {
  const { kind, layer, position, feature } = node;
  if (kind === 'feature' && feature) return `${layer}_${feature.index}_${position}`;
  if (kind === 'error') return `0_${layer}_${position}`;
  if (kind === 'token') return `E_${document.tokens[position]?.id ?? 0}_${position}`;
  if (splitNodeId(node.id)) return node.id;
  if (kind === 'logit') return `${document.nLayers + 1}_${virtualToken}_${position}`;
  return node.id;
}

function publicNode(
  node: CircuitNode,
  id: string,
  about: {
    readonly document: CircuitDocument;
    readonly influence: number | undefined;
    readonly isTarget: boolean;
  },
): PublicNode {
  const { kind, position, activation, probability } = node;
  return {
    node_id: id,
    ...placeOf(node, id, about.document),
    ctx_idx: position,
    feature_type: typeOf(node),
    token_prob: probability ?? 0,
    is_target_logit: about.isTarget,
    run_idx: 0,
    reverse_ctx_idx: 0,
    clerp: clerpOf(node, about.document),
    ...(kind !== 'logit' && about.influence !== undefined && { influence: about.influence }),
    ...(activation !== undefined && { activation }),
    ...(kind !== 'logit' && { effect: node.effect }),
    ...(node.missing !== undefined && { missing: node.missing }),
  };
}

function placeOf(
  { kind, layer, position, feature, head, neuron }: CircuitNode,
  id: string,
  { nLayers }: CircuitDocument,
): Pick<PublicNode, 'feature' | 'layer' | 'jsNodeId'> {
  const vocabulary = splitNodeId(id)?.middle ?? 0;
  if (kind === 'token') return { feature: position, layer: 'E', jsNodeId: `E_${vocabulary}-${position}` };
  if (kind === 'logit') {
    return { feature: vocabulary, layer: String(nLayers + 1), jsNodeId: `L_${vocabulary}-${position}` };
  }
  if (kind === 'feature' && feature) {
    const { index } = feature;
    return { feature: cantorPair(layer, index), layer: String(layer), jsNodeId: `${layer}_${index}-0` };
  }
  if (kind === 'error') return { feature: -1, layer: String(layer), jsNodeId: `${layer}_${position}-0` };
  return { feature: head ?? neuron ?? -1, layer: String(layer), jsNodeId: `${id}-0` };
}

/** The type that an imported file gave a node stays; nodes of Fovea's own kinds have names of their own. */
function typeOf({ kind, labelSource }: CircuitNode): string {
  if (kind === 'other' && labelSource?.startsWith(typePrefix)) return labelSource.slice(typePrefix.length);
  return featureTypes[kind];
}

/** How the type of a node that Fovea has no kind for is kept: in the source of its label. */
export const typePrefix = 'type ';

/** Labels: those given by hand first, then those that have a source. A logit's says its token and probability. */
function clerpOf(node: CircuitNode, { annotations }: CircuitDocument): string {
  const labels = annotations?.labels ?? {};
  if (Object.hasOwn(labels, node.id)) return labels[node.id] ?? '';
  const { kind, label, labelSource, probability } = node;
  if (kind === 'logit' && labelSource === undefined) {
    // A leading space is shown as a dot here; other tools write it as it is.
    const token = label.replace(/^·(?=.)/, ' ');
    return `Output "${token}" (p=${(probability ?? 0).toFixed(3)})`;
  }
  const isNamed = labelSource !== undefined || foreignKinds.has(kind) || kind === 'bias';
  return isNamed ? label : '';
}

/**
 * Cumulative influence, 0 to 1, by which viewers prune: the node's own where it is known, else the share of all effect that
 * the node and all stronger ones have together.
 */
function influenceOf(nodes: readonly CircuitNode[]): ReadonlyMap<string, number> {
  const inner = nodes.filter(({ kind }) => kind !== 'logit');
  if (inner.some(({ influence }) => influence !== undefined)) {
    return new Map(inner.flatMap(({ id, influence }) => (influence === undefined ? [] : [[id, influence]])));
  }
  const sorted = [...inner].sort((a, b) => Math.abs(b.effect) - Math.abs(a.effect));
  const total = sorted.reduce((sum, { effect }) => sum + Math.abs(effect), 0);
  let sum = 0;
  return new Map(
    sorted.map(({ id, effect }) => {
      sum += Math.abs(effect);
      return [id, total > 0 ? Math.min(1, sum / total) : 1] as const;
    }),
  );
}

function targetLogit(nodes: readonly CircuitNode[]): CircuitNode | undefined {
  const logits = nodes.filter(({ kind }) => kind === 'logit');
  return logits.sort((a, b) => (b.probability ?? 0) - (a.probability ?? 0))[0];
}

function parameter({ method }: CircuitDocument, name: string, otherwise: string): string {
  const value = Object.hasOwn(method.parameters, name) ? method.parameters[name] : undefined;
  return typeof value === 'string' && value !== '' ? value : otherwise;
}

function numberParameter({ method }: CircuitDocument, name: string): number | undefined {
  const value = Object.hasOwn(method.parameters, name) ? method.parameters[name] : undefined;
  return typeof value === 'number' ? value : undefined;
}

/** A name for a file and an address: lower-case letters, digits and hyphens. */
function slugOf(text: string): string {
  const plain = text.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  return plain.replace(/^-|-$/g, '').slice(0, 60).replace(/-$/, '') || 'circuit';
}
