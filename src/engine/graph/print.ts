/** A program as text, one line per tensor: for people, and for golden tests. */

import { basename } from 'node:path';
import type { Program, ProgramNode } from './program.ts';
import { type ConstantNode, describeType } from './tensor.ts';

/** The text of `program`. It names files without their folders, so it is the same on every machine. */
export function print(program: Program): string {
  const lines = [
    ...program.inputs.map((x) => `input ${x.name}: ${describeType(x)}`),
    ...program.parameters.map((x) => {
      const { file, offset } = x.node.attributes;
      return `weight ${x.name}: ${describeType(x)} in ${basename(file)} at ${offset}`;
    }),
    ...program.constants.map((x) => `constant ${x.name}: ${describeType(x)} = ${contents(x.node)}`),
    ...program.nodes.map(printNode),
    ...program.outputs.map((x) => `output ${x.name}: ${describeType(x)}`),
  ];
  return `${lines.join('\n')}\n`;
}

function printNode({ node, inputs, outputs }: ProgramNode): string {
  const results = outputs
    .map((name, i) => (name === '' ? '_' : `${name}: ${describeType(node.outputs[i]!)}`))
    .join(', ');
  const attributes = Object.entries(node.attributes)
    .map(([name, value]) => ` ${name}=${Array.isArray(value) ? `[${value.join(', ')}]` : value}`)
    .join('');
  return `${results} = ${node.op}(${inputs.join(', ')})${attributes}`;
}

function contents({ attributes: { data } }: ConstantNode): string {
  const shown = Array.from(data.slice(0, 8) as ArrayLike<number | bigint>, String).join(', ');
  return data.length > 8 ? `${shown}, …` : shown;
}
