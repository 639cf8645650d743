/** Nodes of the public JSON of attribution graphs: read one by one, given ids that are unique, and made nodes of a circuit. */

import type { CircuitNode, CircuitNodeKind } from './circuit.ts';
import type { Token } from './domain.ts';
import type { FieldReader } from './fieldReader.ts';
import { featureIndex, featureTypes } from './publicGraphIds.ts';
import { typePrefix } from './publicGraphWriter.ts';

/** Bounds of what is read. */
export const mostInGraph = {
  nodes: 100_000,
  edges: 1_000_000,
  tokens: 100_000,
  prompt: 1_000_000,
  layers: 10_000,
};

/** A node of the file, before it has an id of its own. */
export interface RawNode {
  readonly field: FieldReader;
  readonly id: string;
  readonly type: string;
  readonly kind: CircuitNodeKind;
  /** −1 for tokens; what the file says for logits. */
  readonly layer: number;
  readonly position: number;
  readonly feature: number;
}

/** The facts of one node. @throws file.malformed */
export function readRawNode(field: FieldReader): RawNode {
  const type = field.get('feature_type').text(200);
  const kind = kinds.get(type) ?? 'other';
  // Some nodes have no feature: an id of its own is not needed to draw them.
  const feature = field.has('feature') ? field.get('feature').count({ min: -1 }) : -1;
  return {
    field,
    id: field.get('node_id').text(500),
    type,
    kind,
    layer: readLayer(field.get('layer')),
    position: field.get('ctx_idx').count({ max: mostInGraph.tokens }),
    feature,
  };
}

const kinds: ReadonlyMap<string, CircuitNodeKind> = new Map(
  (Object.keys(featureTypes) as CircuitNodeKind[]).map((kind) => [featureTypes[kind], kind]),
);

function readLayer(layer: FieldReader): number {
  if (typeof layer.value === 'number') return layer.count({ min: -1, max: mostInGraph.layers });
  const text = layer.text(20);
  if (text === 'E') return -1;
  if (!/^-?\d{1,5}$/.test(text) || Number(text) < -1) throw layer.fault('a layer’s number, or "E"');
  return Number(text);
}

/** Ids that are unique: the second node of the same id, an error beside a feature, carries its type as well. */
export function uniqueNames(raw: readonly RawNode[]): string[] {
  const used = new Set<string>();
  const features = new Set(raw.flatMap(({ kind, id }) => (kind === 'feature' ? [id] : [])));
  return raw.map(({ field, id, kind }) => {
    const name = kind !== 'feature' && features.has(id) ? `${id} ${kind}` : id;
    if (used.has(name)) throw field.get('node_id').fault('an id that no other node of this type has');
    used.add(name);
    return name;
  });
}

/** What Fovea's own files tell beyond the public schema, where the sums that it stands for are not in the file. */
export function toldMeasures({
  field,
}: RawNode): Pick<CircuitNode, 'missing'> & { readonly effect?: number } {
  const effect = field.maybe('effect', (it) => it.number());
  const missing = field.maybe('missing', (it) => it.number({ min: 0 }));
  return { ...(effect !== undefined && { effect }), ...(missing !== undefined && { missing }) };
}

/** The node as circuits have it; its effect is what the file tells, a logit's its probability, others' 0. @throws file.malformed for a position that the prompt does not have */
export function nodeOf(
  raw: RawNode,
  name: string,
  about: {
    readonly nLayers: number;
    readonly positions: number;
    readonly tokens: readonly Token[];
    readonly sourceSet: string | undefined;
  },
): CircuitNode {
  const { field, id, type, kind, layer, position, feature } = raw;
  const { nLayers, positions } = about;
  if (position >= positions) throw field.get('ctx_idx').fault(`a position below ${positions}`);
  const index = kind === 'feature' ? featureIndex(layer, feature, id) : undefined;
  const number = (key: string): number | undefined => field.maybe(key, (it) => it.number());
  const activation = number('activation');
  const influence = number('influence');
  const probability = kind === 'logit' ? (number('token_prob') ?? 0) : undefined;
  return {
    id: name,
    kind,
    layer: placedLayer(kind, layer, nLayers),
    position,
    ...(kind === 'head' && feature >= 0 && { head: feature }),
    ...(kind === 'neuron' && feature >= 0 && { neuron: feature }),
    ...(index !== undefined && {
      feature: { sae: about.sourceSet ? `${layer}-${about.sourceSet}` : `transcoder ${layer}`, index },
    }),
    ...labelOf(field.maybe('clerp', (it) => it.text()) ?? '', {
      kind,
      type,
      layer,
      index,
      token: about.tokens[position]?.text,
    }),
    effect: kind === 'logit' ? (probability ?? 0) : 0,
    ...(activation !== undefined && { activation }),
    ...(influence !== undefined && { influence }),
    ...(probability !== undefined && { probability }),
    ...toldMeasures(raw),
  };
}

function placedLayer(kind: CircuitNodeKind, layer: number, nLayers: number): number {
  if (kind === 'token') return -1;
  return kind === 'logit' ? nLayers : Math.min(layer, nLayers - 1);
}

/** Where labels of such files come from, as the node's card says it. */
const clerpSource = 'the imported graph';

function labelOf(
  clerp: string,
  about: {
    readonly kind: CircuitNodeKind;
    readonly type: string;
    readonly layer: number;
    readonly index: number | undefined;
    readonly token: string | undefined;
  },
): Pick<CircuitNode, 'label' | 'labelSource'> {
  const { kind, type, layer, index, token } = about;
  if (kind === 'logit') {
    const [, output] = /^Output "([\s\S]*)" \(p=[\d.]+\)$/.exec(clerp) ?? [];
    if (output !== undefined) return { label: output };
    return clerp === '' ? { label: 'Output' } : { label: clerp, labelSource: clerpSource };
  }
  if (kind === 'other') return { label: clerp || type, labelSource: `${typePrefix}${type}` };
  if (clerp !== '') return { label: clerp, labelSource: clerpSource };
  if (kind === 'token') return { label: token ?? '' };
  if (kind === 'feature') return { label: String(index) };
  return { label: kind === 'error' ? `Error ${layer}` : type };
}
