/** Reverse-mode differentiation: given a graph, builds the graph of its gradients (Linnainmaa 1970). */

import { sameShape } from './broadcast.ts';
import type { GradientRule } from './gradient/rule.ts';
import { gradientRules } from './gradient/rules.ts';
import type { Op } from './opAttributes.ts';
import { add } from './ops/elementwise.ts';
import { fullLike } from './ops/layout.ts';
import { describeType, isFloating, type Node, type OpNode, type Tensor } from './tensor.ts';

/** Where differentiation starts: a tensor, and the gradient that arrives there (ones when not given). */
export interface Seed {
  readonly tensor: Tensor;
  readonly gradient?: Tensor;
}

/**
 * The gradient of Σ ⟨seed.tensor, seed.gradient⟩ with respect to each tensor of `wrt`, in its shape. `wrt`
 * may hold inputs, parameters or tensors in the middle of the graph. A tensor that no seed depends on
 * gets zeros. Throws when a tensor is not floating point.
 */
export function gradients(seeds: readonly Seed[], wrt: readonly Tensor[]): readonly Tensor[] {
  const order = topologicalOrder(seeds.map((seed) => seed.tensor.node));
  const onPath = nodesOnPath(order, new Set(wrt.map((tensor) => tensor.node)));
  const arriving = new Map<Node, (Tensor | undefined)[]>();

  for (const { tensor, gradient = fullLike(tensor, 1) } of seeds) accumulate(arriving, tensor, gradient);
  for (const node of order.toReversed()) {
    const received = arriving.get(node);
    if (!received || isSource(node) || !node.inputs.some((x) => onPath.has(x.node))) continue;
    // The table pairs every op with a rule for nodes of exactly that op.
    const rule = gradientRules[node.op] as unknown as GradientRule<Op>;
    const outgoing = rule(node as never, received);
    node.inputs.forEach((x, i) => {
      const gradient = outgoing[i];
      if (gradient && onPath.has(x.node)) accumulate(arriving, x, gradient);
    });
  }
  return wrt.map((tensor) => arriving.get(tensor.node)?.[tensor.output] ?? fullLike(tensor, 0));
}

/** Every node that `roots` depend on, inputs before the nodes that use them. */
export function topologicalOrder(roots: readonly Node[]): readonly Node[] {
  const order: Node[] = [];
  const entered = new Set<Node>();
  // An explicit stack: deep graphs would overflow the call stack.
  const stack: { node: Node; next: number }[] = [];
  for (const root of roots) {
    if (!entered.has(root)) stack.push({ node: root, next: 0 });
    entered.add(root);
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const child = top.node.inputs[top.next++]?.node;
      if (!child) order.push(stack.pop()!.node);
      else if (!entered.has(child)) {
        entered.add(child);
        stack.push({ node: child, next: 0 });
      }
    }
  }
  return order;
}

/** The nodes of `order` that are targets or depend on one. */
function nodesOnPath(order: readonly Node[], targets: ReadonlySet<Node>): ReadonlySet<Node> {
  const onPath = new Set<Node>();
  for (const node of order) {
    if (targets.has(node) || node.inputs.some((x) => onPath.has(x.node))) onPath.add(node);
  }
  return onPath;
}

function accumulate(arriving: Map<Node, (Tensor | undefined)[]>, tensor: Tensor, gradient: Tensor): void {
  if (!isFloating(tensor.dtype) || !sameShape(tensor.shape, gradient.shape)) {
    throw new Error(
      `A gradient ${describeType(gradient)} cannot belong to a tensor ${describeType(tensor)}.`,
    );
  }
  const received = arriving.get(tensor.node) ?? [];
  const before = received[tensor.output];
  received[tensor.output] = before ? add(before, gradient) : gradient;
  // Rules read one entry per output, so holes are filled.
  arriving.set(
    tensor.node,
    Array.from(tensor.node.outputs, (_, i) => received[i]),
  );
}

function isSource(node: Node): node is Exclude<Node, OpNode> {
  return node.op === 'Input' || node.op === 'Parameter' || node.op === 'Constant';
}
