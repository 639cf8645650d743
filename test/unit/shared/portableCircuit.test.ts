// Circuit files name SAEs by hook, never by a folder of this machine.
import { expect, it } from 'vitest';
import type { CircuitGraph } from '../../../src/shared/circuit.ts';
import { portableCircuit } from '../../../src/shared/portableCircuit.ts';

const node = { layer: 1, position: 0, label: '', effect: 1 };

it('replaces folders by hooks and leaves everything else', () => {
  const graph = {
    prompt: 'a',
    nodes: [
      { ...node, id: 'a', kind: 'feature', feature: { sae: '/home/me/saes/x', index: 3 } },
      { ...node, id: 'b', kind: 'feature', feature: { sae: 'C:\\Users\\me\\saes\\y', index: 4 } },
      { ...node, id: 'c', kind: 'mlp' },
    ],
  } as unknown as CircuitGraph;
  const hooks = new Map([['/home/me/saes/x', 'blocks.1.hook_resid_post']]);
  const written = portableCircuit(graph, (sae) => hooks.get(sae));
  expect(written.nodes.map(({ feature }) => feature)).toEqual([
    { sae: 'blocks.1.hook_resid_post', index: 3 },
    { sae: 'y', index: 4 },
    undefined,
  ]);
  expect(JSON.stringify(written)).not.toContain('me');
  expect(graph.nodes[0]?.feature?.sae).toBe('/home/me/saes/x');
});
