/**
 * Finds the components that carry a metric on one prompt by gradient attribution: the effect of a node is
 * estimated as `(a − a') · ∂m/∂a`, with a its activation on the prompt, a' on the counterfactual (or 0)
 * (attribution patching, Nanda 2023; AtP for SAE features with the error kept, Marks et al. 2024, eq. 2).
 * Edges estimate what travels directly between two nodes through the residual stream.
 */

import type { CircuitEdge, CircuitNode } from '../../shared/circuit.ts';
import type { Progress } from '../../shared/domain.ts';
import { EngineError, throwIfCancelled } from '../../shared/errors.ts';
import type { CircuitInputs } from './circuitInputs.ts';
import { attributeEdges } from './edgeAttribution.ts';
import { attributeNodes, type NodeAttribution, recordRun } from './nodeAttribution.ts';

/** The graph's body; the engine adds names and provenance. */
export interface FoundCircuit {
  readonly nodes: readonly CircuitNode[];
  readonly edges: readonly CircuitEdge[];
  /** The metric on the prompt and on the baseline. */
  readonly clean: number;
  readonly baseline: number;
}

/** More nodes than anybody can look at; edges are computed for every pair of them. */
const mostNodes = 2000;

/** Edges kept per node, on average. */
const edgesPerNode = 3;

/** Finds the circuit. Reports progress in steps of one layer. */
export async function gradientCircuit(
  inputs: CircuitInputs,
  maxNodes: number,
  call: { readonly signal?: AbortSignal; readonly report?: (progress: Progress) => void } = {},
): Promise<FoundCircuit> {
  if (maxNodes > mostNodes) {
    const reason = `a circuit keeps at most ${mostNodes}`;
    throw new EngineError('request.invalid', { what: `A circuit of ${maxNodes} nodes`, reason });
  }
  const total = 4;
  const report = (done: number, what: string): void => call.report?.({ done, total, what });
  report(0, 'Running the prompt');
  const clean = await recordRun(inputs, inputs.ids, call.signal);
  const baseline = inputs.counterfactual
    ? await recordRun(inputs, inputs.counterfactual, call.signal)
    : undefined;
  report(1, 'Attributing to heads, MLPs and features');
  const all = await attributeNodes(inputs, clean, baseline, call.signal);
  const kept = strongestNodes(all, maxNodes);
  throwIfCancelled(call.signal);
  report(2, 'Attributing to edges');
  const edges = await attributeEdges(inputs, clean, baseline, kept, call.signal);
  report(4, 'Drawing');
  return {
    nodes: kept.map(({ node }) => node),
    edges: strongestEdges(edges, kept.length * edgesPerNode),
    clean: clean.metric,
    baseline: baseline?.metric ?? 0,
  };
}

/**
 * The strongest nodes. Components and features split the places evenly, since features restate what the
 * components wrote and would otherwise crowd them out; what one side leaves free goes to the other. Tokens
 * come on top, half as many at most.
 */
export function strongestNodes(all: readonly NodeAttribution[], maxNodes: number): NodeAttribution[] {
  const ranked = [...all].sort((a, b) => Math.abs(b.node.effect) - Math.abs(a.node.effect));
  const isFeature = ({ node }: NodeAttribution): boolean => node.kind === 'feature' || node.kind === 'error';
  const logits = ranked.filter(({ node }) => node.kind === 'logit');
  const tokens = ranked.filter(({ node }) => node.kind === 'token' && node.effect !== 0);
  const features = ranked.filter(isFeature);
  const components = ranked.filter(({ node }) => node.kind === 'head' || node.kind === 'mlp');
  const half = Math.ceil(maxNodes / 2);
  const ofFeatures = Math.min(features.length, Math.max(maxNodes - half, maxNodes - components.length));
  return [
    ...logits,
    ...tokens.slice(0, half),
    ...components.slice(0, maxNodes - ofFeatures),
    ...features.slice(0, ofFeatures),
  ];
}

/** The `count` strongest edges, and beside them each node's strongest way in and out. */
function strongestEdges(edges: readonly CircuitEdge[], count: number): CircuitEdge[] {
  const ranked = edges
    .filter((edge) => edge.weight !== 0)
    .sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
  const seen = new Set<string>();
  return ranked.filter((edge, rank) => {
    const first = !seen.has(`>${edge.target}`) || !seen.has(`${edge.source}>`);
    seen.add(`>${edge.target}`).add(`${edge.source}>`);
    return rank < count || first;
  });
}
