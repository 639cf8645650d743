/** Active SAE features and errors as nodes of a gradient circuit, with their effects. */

import type { CircuitNode } from '../../shared/circuit.ts';
import { formatToken } from '../../shared/format.ts';
import { type CircuitInputs, type CircuitSae, featureRank } from './circuitInputs.ts';
import { dot } from './dotProduct.ts';
import type { NodeAttribution, RecordedFeatures } from './nodeAttribution.ts';

/**
 * Active features and the error of one SAE. A feature's gradient is `∂m/∂x · s W_dec[i]`, the splice being the
 * identity, with s the scale that a normalising SAE puts back at the position, held at its value.
 */
export async function featureNodes(
  { ids, labelOf }: CircuitInputs,
  site: CircuitSae,
  clean: RecordedFeatures,
  baseline: RecordedFeatures | undefined,
  gradient: Float32Array,
): Promise<NodeAttribution[]> {
  const { dSae, dIn } = site.sae.config;
  const active = activeFeatures(clean.activations, baseline?.activations, dSae);
  const rows = (await site.sae.decoderRows(active)).data;
  const rank = featureRank(site);
  const nodes: NodeAttribution[] = [];
  for (let position = 0; position < ids.length; position++) {
    const slope = gradient.subarray(position * dIn, (position + 1) * dIn);
    active.forEach((index, row) => {
      const activation = clean.activations[position * dSae + index]!;
      const delta = activation - (baseline?.activations[position * dSae + index] ?? 0);
      if (delta === 0) return;
      const perUnit = clean.writeScales[position]! * dot(slope, rows.subarray(row * dIn, (row + 1) * dIn));
      const feature = { sae: site.id, index };
      const { label, labelSource } = labelOf(feature);
      const node: CircuitNode = {
        id: `feature${site.layer}.${site.hook.replace(/^.*hook_/, '')}.${index}@${position}`,
        kind: 'feature',
        layer: site.layer,
        position,
        feature,
        label: featureLabel(index, label),
        labelSource,
        effect: delta * perUnit,
        activation,
      };
      nodes.push({ node, rank, gradient: Float32Array.of(perUnit), sae: site });
    });
    nodes.push(errorNode(site, position, rank, slope, errorDelta(clean, baseline, position, dIn)));
  }
  return nodes;
}

/** What a feature's node is called: its number, and what is known of it. */
export function featureLabel(index: number, label: string | undefined): string {
  return label ? `${index} ${formatToken(label).replaceAll('·', ' ')}` : `Feature ${index}`;
}

function errorNode(
  site: CircuitSae,
  position: number,
  rank: number,
  slope: Float32Array,
  delta: Float32Array,
): NodeAttribution {
  const node: CircuitNode = {
    id: `error${site.layer}.${site.hook.replace(/^.*hook_/, '')}@${position}`,
    kind: 'error',
    layer: site.layer,
    position,
    label: `SAE error, layer ${site.layer}`,
    effect: dot(slope, delta),
  };
  return { node, rank, gradient: slope.slice(), sae: site };
}

/** ε − ε' of one position. */
export function errorDelta(
  clean: RecordedFeatures,
  baseline: RecordedFeatures | undefined,
  position: number,
  dIn: number,
): Float32Array {
  const range = [position * dIn, (position + 1) * dIn] as const;
  const errors = clean.errors.slice(...range);
  const others = baseline?.errors.subarray(...range);
  return others ? errors.map((x, i) => x - others[i]!) : errors;
}

function activeFeatures(clean: Float32Array, baseline: Float32Array | undefined, dSae: number): number[] {
  const active = new Set<number>();
  for (const activations of [clean, baseline ?? clean]) {
    for (let i = 0; i < activations.length; i++) if (activations[i]! > 0) active.add(i % dSae);
  }
  return [...active].sort((a, b) => a - b);
}
