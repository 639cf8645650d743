/** Sparse feature circuits as the circuit panel's nodes and edges, and back again. */

import type { CircuitEdge, CircuitNode } from '../../../shared/circuit.ts';
import type { FeatureRef, Token } from '../../../shared/domain.ts';
import { EngineError } from '../../../shared/errors.ts';
import { formatText, quoteToken } from '../../../shared/format.ts';
import { featureLabel } from '../featureNodes.ts';
import type { EffectTable, SparseNode } from './effectTable.ts';
import type { SparseEdge } from './sparseEdges.ts';
import { type SparseSite, unitsOf } from './sparseSites.ts';

export interface GraphContext {
  /** Tokens of the prompt that the circuit is shown on. */
  readonly tokens: readonly Token[];
  readonly nLayers: number;
  /** The metric's name, and its value on the clean prompts. */
  readonly metric: { readonly name: string; readonly clean: number };
  labelOf(feature: FeatureRef): { readonly label?: string; readonly labelSource?: string };
}

/** Id of the node that stands for the metric. */
const metricNode = 'y';

/**
 * Nodes with their effects, the metric's own, and edges among them; those into the metric are the last stream's effects.
 * The table and `edges` say what the metric gains when a node takes its corrupted value, as the paper does; circuits say
 * what goes with a node, so that signs turn round here. Without `edges`, nodes stand alone.
 */
export function graphOf(
  table: EffectTable,
  nodes: readonly SparseNode[],
  edges: readonly SparseEdge[] | undefined,
  context: GraphContext,
): { readonly nodes: readonly CircuitNode[]; readonly edges: readonly CircuitEdge[] } {
  const drawn = nodes.map((node) => drawNode(table, node, context));
  const { tokens, nLayers, metric } = context;
  const position = tokens.length - 1;
  const last = table.sites.length - 1;
  const among = (edges ?? []).map(({ source, target, weight }) => ({
    source: drawn[source]!.id,
    target: drawn[target]!.id,
    weight: -weight,
  }));
  const outward = nodes.flatMap(({ site }, i) =>
    edges && site === last ? [{ source: drawn[i]!.id, target: metricNode, weight: drawn[i]!.effect }] : [],
  );
  const y: CircuitNode = {
    id: metricNode,
    kind: 'logit',
    layer: nLayers,
    position,
    label: metric.name,
    effect: metric.clean,
  };
  return { nodes: [...drawn, y], edges: [...among, ...outward] };
}

function drawNode(table: EffectTable, node: SparseNode, context: GraphContext): CircuitNode {
  const site = table.sites[node.site]!;
  const { hook, layer, place, dictionary, sae } = site;
  const isSummed = table.positions === undefined;
  const position = isSummed ? context.tokens.length - 1 : node.place;
  const at = isSummed ? 'all' : `${position}`;
  const common = { layer, position, hook, effect: -table.effect(node) };
  if (node.unit === dictionary.width) {
    const isToken = site.kind === 'embedding';
    const text = isSummed ? undefined : context.tokens[position]?.text;
    const label = errorLabel(site, text, table.sites);
    const kind = isToken ? 'token' : 'error';
    return { ...common, id: `${kind}${shortName(site)}@${at}`, kind, layer: isToken ? -1 : layer, label };
  }
  if (sae === undefined) {
    const id = `neuron${shortName(site)}.${node.unit}@${at}`;
    return {
      ...common,
      id,
      kind: 'neuron',
      neuron: node.unit,
      label: `${place.replace('hook_', '')} coordinate ${node.unit}`,
    };
  }
  const feature = { sae, index: node.unit };
  const { label, labelSource } = context.labelOf(feature);
  return {
    ...common,
    id: `feature${shortName(site)}.${node.unit}@${at}`,
    kind: 'feature',
    feature,
    label: featureLabel(node.unit, label),
    ...(labelSource !== undefined && { labelSource }),
  };
}

function errorLabel(
  { kind, layer, dictionary }: SparseSite,
  token: string | undefined,
  sites: readonly SparseSite[],
): string {
  const names = { embedding: 'Embeddings', attention: 'Attention', mlp: 'MLP', residual: 'Residual stream' };
  if (kind === 'embedding') return token === undefined ? names.embedding : quoteToken(token);
  return dictionary.width === 0
    ? `${names[kind]} ${layer}, ${sites.some(({ sae }) => sae !== undefined) ? 'whole site, no SAE' : 'whole site'}`
    : `SAE error, ${names[kind].toLowerCase()} ${layer}`;
}

function shortName({ kind, layer, place }: SparseSite): string {
  return kind === 'embedding' ? '.embed' : `${layer}.${place.replace('hook_', '')}`;
}

/**
 * The kept nodes of a graph that was made by `graphOf`, but for the metric's own. `positions` is absent when nodes stand for all.
 * @throws request.invalid for a node that is none of the sites'
 */
export function nodesOfGraph(
  sites: readonly SparseSite[],
  nodes: readonly CircuitNode[],
  positions?: number,
): SparseNode[] {
  const places = new Map(sites.map(({ hook }, index) => [hook, index]));
  return nodes.flatMap(({ id, hook, feature, neuron, kind, position }) => {
    if (kind === 'logit') return [];
    const site = hook === undefined ? undefined : places.get(hook);
    if (site === undefined) throw outOfPlace(id, `there are no nodes at ${hook ?? 'no hook'}`);
    const unit = feature?.index ?? neuron ?? sites[site]!.dictionary.width;
    const isKnown = Number.isInteger(unit) && unit >= 0 && unit < unitsOf(sites[site]!);
    if (!isKnown) throw outOfPlace(id, `${hook} has no feature, neuron or error of that number`);
    const place = positions === undefined ? 0 : position;
    if (place < 0 || place >= (positions ?? 1)) {
      throw outOfPlace(id, `its prompts have ${positions} tokens, and no position ${position}`);
    }
    return [{ site, unit, place }];
  });
}

function outOfPlace(id: string, reason: string): EngineError {
  return new EngineError('request.invalid', { what: `The circuit's node ${formatText(id)}`, reason });
}
