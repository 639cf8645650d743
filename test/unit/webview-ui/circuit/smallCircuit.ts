/** A small circuit for tests, written by hand. */

import type { CircuitGraph, CircuitNode } from '../../../../src/shared/circuit.ts';

const provenance: CircuitGraph['provenance'] = {
  version: '0.1.0',
  model: { name: 'tiny', hash: '0' },
  saes: [],
  bos: 'none',
  precision: 'float32',
};

function node(id: string, rest: Omit<CircuitNode, 'id' | 'label'> & { label?: string }): CircuitNode {
  return { id, label: id, ...rest };
}

/** Two layers, tokens at positions 0 and 3, a head feeding an MLP of its own layer. */
export const smallCircuit: CircuitGraph = {
  version: 1,
  prompt: ' Mary and then gave',
  tokens: [' Mary', ' and', ' then', ' gave'].map((text, id) => ({
    id,
    text,
    start: 5 * id,
    end: 5 * id + 5,
  })),
  nLayers: 2,
  method: { name: 'gradient attribution', parameters: {} },
  metric: { name: 'logit difference', clean: 2.5, baseline: 0 },
  nodes: [
    node('t0', { kind: 'token', layer: -1, position: 0, effect: 0.3 }),
    node('t3', { kind: 'token', layer: -1, position: 3, effect: 0.1 }),
    node('h0', { kind: 'head', layer: 0, position: 0, head: 1, effect: -0.5 }),
    node('h1', { kind: 'head', layer: 1, position: 3, head: 0, effect: 2 }),
    node('h2', { kind: 'head', layer: 1, position: 3, head: 2, effect: 0.2 }),
    node('m1', { kind: 'mlp', layer: 1, position: 3, effect: 1 }),
    node('f1', {
      kind: 'feature',
      layer: 1,
      position: 3,
      feature: { sae: 's', index: 7 },
      effect: -0.2,
      label: '<script>alert("&")</script>\u0000\ud800',
    }),
    node('y', { kind: 'logit', layer: 2, position: 3, effect: 2.5 }),
  ],
  edges: [
    { source: 't0', target: 'h0', weight: 0.4 },
    { source: 't3', target: 'h2', weight: 0.1 },
    { source: 'h0', target: 'h1', weight: -0.6 },
    { source: 'h1', target: 'm1', weight: 1.2 },
    { source: 'm1', target: 'f1', weight: -0.1 },
    { source: 'm1', target: 'y', weight: 0.9 },
    { source: 'h1', target: 'y', weight: 0.8 },
  ],
  provenance,
};
