/**
 * A program: the part of a graph that some outputs need, in an order in which it can run, with a name
 * for every tensor. Equal nodes are merged, so the same graph always gives the same program.
 */

import { topologicalOrder } from './backward.ts';
import { identity } from './ops/elementwise.ts';
import type { ConstantNode, InputNode, Node, OpNode, ParameterNode, Tensor, TensorType } from './tensor.ts';

/** A node with the names of what it reads and makes. */
export interface ProgramNode {
  readonly node: OpNode;
  /** Names of the inputs, in ONNX's order. */
  readonly inputs: readonly string[];
  /** Names of the outputs; an output that nobody reads has the empty name, as in ONNX. */
  readonly outputs: readonly string[];
}

/** A named node without inputs. */
export interface Named<N extends Node> extends TensorType {
  readonly name: string;
  readonly node: N;
}

export interface Program {
  readonly inputs: readonly Named<InputNode>[];
  readonly parameters: readonly Named<ParameterNode>[];
  readonly constants: readonly Named<ConstantNode>[];
  /** In an order in which they can run. */
  readonly nodes: readonly ProgramNode[];
  readonly outputs: readonly (TensorType & { readonly name: string })[];
}

/** The program that computes `outputs`. Throws when two inputs or weights of one name differ. */
export function program(outputs: Readonly<Record<string, Tensor>>): Program {
  const builder = new ProgramBuilder();
  const results = Object.entries(outputs);
  for (const node of topologicalOrder(results.map(([, tensor]) => tensor.node))) builder.visit(node);
  for (const [name, tensor] of results) builder.addOutput(name, tensor);
  return builder.build();
}

interface Entry {
  readonly node: Node;
  readonly inputs: readonly { readonly entry: Entry; readonly output: number }[];
  /** Names of the outputs, given when somebody reads them. */
  readonly names: string[];
}

class ProgramBuilder {
  readonly #entries = new Map<Node, Entry>();
  readonly #byKey = new Map<string, Entry>();
  readonly #identities = new Map<object, number>();
  readonly #order: Entry[] = [];
  readonly #outputs: (TensorType & { readonly name: string })[] = [];
  readonly #taken = new Set<string>();

  visit(node: Node): void {
    const inputs = node.inputs.map((x) => ({ entry: this.#entries.get(x.node)!, output: x.output }));
    const key = this.#key(node, inputs);
    const equal = this.#byKey.get(key);
    if (equal) {
      this.#entries.set(node, equal);
      return;
    }
    const entry: Entry = { node, inputs, names: [] };
    this.#entries.set(node, entry);
    this.#byKey.set(key, entry);
    this.#order.push(entry);
    if (node.op === 'Input' || node.op === 'Parameter') this.#take(entry, 0, node.attributes.name);
  }

  addOutput(name: string, tensor: Tensor): void {
    const entry = this.#entries.get(tensor.node)!;
    if (entry.names[tensor.output] !== undefined) {
      // A tensor has one name; a second one is a copy.
      const copy = identity(tensor).node;
      const copied: Entry = { node: copy, inputs: [{ entry, output: tensor.output }], names: [] };
      this.#order.push(copied);
      this.#take(copied, 0, name);
    } else {
      this.#take(entry, tensor.output, name);
    }
    this.#outputs.push({ name, dtype: tensor.dtype, shape: tensor.shape });
  }

  build(): Program {
    this.#nameTheRest();
    const entries = this.#order;
    return {
      inputs: named<InputNode>(entries, 'Input'),
      parameters: named<ParameterNode>(entries, 'Parameter'),
      constants: named<ConstantNode>(entries, 'Constant'),
      nodes: entries.filter(({ node }) => !sourceOps.has(node.op)).map(toProgramNode),
      outputs: this.#outputs,
    };
  }

  #take(entry: Entry, output: number, name: string): void {
    if (name === '') throw new Error('Inputs, weights and outputs of a program need names.');
    if (this.#taken.has(name)) throw new Error(`Two different tensors of a program are called ${name}.`);
    this.#taken.add(name);
    entry.names[output] = name;
  }

  #nameTheRest(): void {
    const counts = new Map<string, number>();
    const fresh = (op: string): string => {
      const count = counts.get(op) ?? 0;
      counts.set(op, count + 1);
      const name = `${op}_${count}`;
      return this.#taken.has(name) ? fresh(op) : name;
    };
    for (const entry of this.#order) {
      // LayerNormalization's mean and deviation may be left out; other ops must name all they make.
      const required = entry.node.op === 'LayerNormalization' ? 1 : entry.node.outputs.length;
      for (let output = 0; output < required; output++) entry.names[output] ??= fresh(entry.node.op);
      for (const { entry: source, output } of entry.inputs) source.names[output] ??= fresh(source.node.op);
    }
  }

  /** Equal keys mean equal results. Constants are compared by content when small, else by identity. */
  #key(node: Node, inputs: Entry['inputs']): string {
    if (node.op === 'Constant') {
      const { data } = node.attributes;
      const content =
        data.length <= 64
          ? Array.from(data as ArrayLike<number | bigint>, exactText).join()
          : this.#identity(data);
      return `Constant ${node.outputs[0]!.dtype} [${node.outputs[0]!.shape}] ${content}`;
    }
    const sources = inputs.map(({ entry, output }) => `${this.#identity(entry)}.${output}`);
    const types = sources.length === 0 ? JSON.stringify(node.outputs) : '';
    return `${node.op} ${JSON.stringify(node.attributes)} ${sources.join()} ${types}`;
  }

  #identity(object: object): number {
    const known = this.#identities.get(object);
    if (known !== undefined) return known;
    this.#identities.set(object, this.#identities.size);
    return this.#identities.size - 1;
  }
}

const sourceOps: ReadonlySet<string> = new Set(['Input', 'Parameter', 'Constant']);

function named<N extends Node>(entries: readonly Entry[], op: N['op']): Named<N>[] {
  return entries
    .filter((entry) => entry.node.op === op)
    .map(({ node, names }) => ({ name: names[0]!, node: node as N, ...node.outputs[0]! }));
}

function toProgramNode({ node, inputs, names }: Entry): ProgramNode {
  return {
    node: node as OpNode,
    inputs: inputs.map(({ entry, output }) => entry.names[output]!),
    outputs: node.outputs.map((_, i) => names[i] ?? ''),
  };
}

/** Tells −0 from 0, which `String` does not. */
function exactText(value: number | bigint): string {
  return Object.is(value, -0) ? '-0' : String(value);
}
