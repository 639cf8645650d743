/** Graphs in which some tensors are taken from elsewhere: what only they needed falls away. */
import { topologicalOrder } from './backward.ts';
import type { Node, Tensor } from './tensor.ts';

/** A tensor of a graph, and the one of the same type that takes its place wherever it is read. */
export type Replacement = readonly [tensor: Tensor, by: Tensor];

/** The same outputs, computed from the replacements. The graph itself stays as it is. */
export function substitute(
  outputs: Readonly<Record<string, Tensor>>,
  replacements: readonly Replacement[],
): Record<string, Tensor> {
  const replaced = new Map<Node, Map<number, Tensor>>();
  for (const [tensor, by] of replacements) {
    const known = replaced.get(tensor.node) ?? new Map<number, Tensor>();
    replaced.set(tensor.node, known.set(tensor.output, by));
  }
  const made = new Map<Node, Node>();
  const now = (tensor: Tensor): Tensor => {
    const by = replaced.get(tensor.node)?.get(tensor.output);
    if (by) return by;
    const node = made.get(tensor.node) ?? tensor.node;
    return node === tensor.node ? tensor : { ...tensor, node };
  };
  for (const node of topologicalOrder(Object.values(outputs).map((tensor) => tensor.node))) {
    const inputs = node.inputs.map(now);
    if (inputs.some((input, i) => input !== node.inputs[i])) made.set(node, { ...node, inputs } as Node);
  }
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, now(tensor)]));
}
