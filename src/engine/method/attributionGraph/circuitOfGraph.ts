/** An attribution graph as the circuit that people see. */

import type { CircuitEdge, CircuitNode } from '../../../shared/circuit.ts';
import type { FeatureRef, HookName, Token } from '../../../shared/domain.ts';
import { quoteToken } from '../../../shared/format.ts';
import { blockHookName } from '../../model/hooks.ts';
import { featureLabel } from '../featureNodes.ts';
import type { FoundGraph } from './attributionGraph.ts';
import { leastInput, rowTotals } from './influence.ts';
import type { TranscoderSet } from './transcoderSet.ts';

/** What nodes are called by. */
export interface NodeNames {
  readonly tokens: readonly Token[];
  readonly nLayers: number;
  readonly set: TranscoderSet;
  tokenText(id: number): string;
}

/**
 * The nodes and edges that pruning kept. A node's `effect` is its influence on the logits and its `influence` the share
 * that it and all stronger nodes have together; edges carry the direct effects themselves. Ids are those of the public
 * schema, but for errors, whose public ids are not unique.
 */
export function circuitOfGraph(
  found: FoundGraph,
  names: NodeNames,
): { readonly nodes: CircuitNode[]; readonly edges: CircuitEdge[] } {
  const { pruned } = found;
  const missing = missingInputs(found);
  const nodes = new Map(
    pruned.nodes.map((node) => {
      const without = missing.get(node);
      const measured = {
        effect: pruned.influence[node]!,
        influence: pruned.cumulative[node]!,
        ...(without !== undefined && { missing: without }),
      };
      return [node, { ...nodeAt(found, names, node), ...measured }] as const;
    }),
  );
  for (const [node, logit] of logitsOf(found))
    nodes.set(node, { ...nodes.get(node)!, effect: logit.probability });
  const edges = pruned.edges.map(({ source, target, weight }) => ({
    source: nodes.get(source)!.id,
    target: nodes.get(target)!.id,
    weight,
  }));
  return { nodes: [...nodes.values()], edges };
}

/** Of every node that was traced: the absolute direct effects on it whose edges pruning dropped. */
function missingInputs({ traced: { rows }, pruned }: FoundGraph): ReadonlyMap<number, number> {
  const kept = new Map<number, number>();
  for (const { target, weight } of pruned.edges) kept.set(target, (kept.get(target) ?? 0) + Math.abs(weight));
  return new Map(
    [...rowTotals(rows)].map((total, row) => {
      const target = rows.targets[row]!;
      const left = total - (kept.get(target) ?? 0);
      // Less is what rounding leaves.
      return [target, total > leastInput && left > 1e-9 * total ? left : 0] as const;
    }),
  );
}

type PlainNode = Omit<CircuitNode, 'effect' | 'influence'>;

function nodeAt(found: FoundGraph, names: NodeNames, node: number): PlainNode {
  const { features, errors, tokens } = found.traced.ranges;
  if (node < features) return featureNode(found, names, node);
  if (node < features + errors) return errorNode(names, node - features);
  if (node < features + errors + tokens) return tokenNode(names, node - features - errors);
  return logitNode(found, names, node - features - errors - tokens);
}

function featureNode({ sources, traced }: FoundGraph, { set }: NodeNames, node: number): PlainNode {
  const { layer, position, index, activation } = sources.features[traced.features[node]!]!;
  const feature: FeatureRef = { sae: set.byLayer[layer]!.id, index };
  const { label, labelSource } = set.labelOf(feature);
  return {
    id: `${layer}_${index}_${position}`,
    kind: 'feature',
    layer,
    position,
    feature,
    hook: writeHook(set, layer),
    label: featureLabel(index, label),
    ...(label !== undefined && labelSource !== undefined && { labelSource }),
    activation,
  };
}

function errorNode({ tokens, set }: NodeNames, place: number): PlainNode {
  const [layer, position] = [Math.floor(place / tokens.length), place % tokens.length];
  const id = `error_${layer}_${position}`;
  return { id, kind: 'error', layer, position, hook: writeHook(set, layer), label: `Error, layer ${layer}` };
}

function tokenNode({ tokens }: NodeNames, position: number): PlainNode {
  const { id, text } = tokens[position]!;
  return { id: `E_${id}_${position}`, kind: 'token', layer: -1, position, label: quoteToken(text) };
}

function logitNode({ logits }: FoundGraph, { tokens, nLayers, tokenText }: NodeNames, i: number): PlainNode {
  const { token, probability } = logits[i]!;
  const position = tokens.length - 1;
  const label = tokenText(token);
  return {
    id: `${nLayers + 1}_${token}_${position}`,
    kind: 'logit',
    layer: nLayers,
    position,
    label,
    probability,
  };
}

function logitsOf({ logits, traced }: FoundGraph) {
  return logits.map((logit, i) => [traced.rows.nodes - logits.length + i, logit] as const);
}

function writeHook(set: TranscoderSet, layer: number): HookName {
  return blockHookName(layer, set.layers[layer]!.write);
}
