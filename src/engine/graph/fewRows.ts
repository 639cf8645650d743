/** A form of a program for few rows: products with stored matrices read those where they lie. */
import { topologicalOrder } from './backward.ts';
import { matMulOfFewRows } from './ops/layer.ts';
import type { Node, Tensor } from './tensor.ts';

/**
 * The same outputs with every product by a transposed matrix computed as in `matMulOfFewRows`. It pays up to `fewRows`
 * rows; beyond, transposing the rows takes longer than laying the matrix out anew. The graph itself stays as it is.
 */
export function forFewRows(outputs: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  const made = new Map<Node, Node>();
  const products = new Map<Node, Tensor>();
  const now = (tensor: Tensor): Tensor =>
    products.get(tensor.node) ?? { ...tensor, node: made.get(tensor.node) ?? tensor.node };
  for (const node of topologicalOrder(Object.values(outputs).map((tensor) => tensor.node))) {
    const inputs = node.inputs.map(now);
    if (node.op === 'FusedMatMul') products.set(node, matMulOfFewRows(inputs[0]!, inputs[1]!));
    else if (inputs.some((input, i) => input.node !== node.inputs[i]!.node))
      made.set(node, { ...node, inputs } as Node);
  }
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, now(tensor)]));
}

/** Up to so many rows `forFewRows` pays (measured on widths of 768 to 3072). */
export const fewRows = 96;
