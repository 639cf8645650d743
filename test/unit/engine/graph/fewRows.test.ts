/** Products by stored matrices in the form for few rows, against plain loops. */
import { describe, expect, it } from 'vitest';
import { forFewRows } from '../../../../src/engine/graph/fewRows.ts';
import { add, tanh } from '../../../../src/engine/graph/ops/elementwise.ts';
import { matMulTransposed } from '../../../../src/engine/graph/ops/layer.ts';
import { program } from '../../../../src/engine/graph/program.ts';
import { compile } from '../../../../src/engine/graph/session.ts';
import { constant, input } from '../../../../src/engine/graph/sources.ts';
import type { Tensor } from '../../../../src/engine/graph/tensor.ts';
import { floatsOf, floatValue } from '../../../../src/engine/graph/value.ts';
import { seededRandom } from '../../../../src/engine/random.ts';

const random = seededRandom('few rows');
const draw = (count: number) => Float32Array.from({ length: count }, () => random.normal());
const [first, second] = [draw(4 * 3), draw(2 * 4)];

function plainTimes(rows: Float64Array, matrix: Float32Array, width: number): Float64Array {
  const outputs = matrix.length / width;
  return Float64Array.from({ length: (rows.length / width) * outputs }, (_, at) => {
    const [row, output] = [Math.floor(at / outputs), at % outputs];
    let sum = 0;
    for (let i = 0; i < width; i++) sum += rows[row * width + i]! * matrix[output * width + i]!;
    return sum;
  });
}

/** tanh(x·Aᵀ)·Bᵀ, beside tanh(x·Aᵀ) doubled. */
function outputsOf(x: Tensor): Record<string, Tensor> {
  const inner = tanh(matMulTransposed(x, constant(first, [4, 3])));
  return { y: matMulTransposed(inner, constant(second, [2, 4])), twice: add(inner, inner) };
}

describe('forFewRows', () => {
  it.each([
    { what: 'prompts and positions', shape: ['batch', 'position', 3], dims: [2, 5] },
    { what: 'one leading axis', shape: ['row', 3], dims: [5] },
    { what: 'known sizes', shape: [2, 1, 3], dims: [2, 1] },
  ])('computes products of products for $what', async ({ shape, dims }) => {
    const built = forFewRows(outputsOf(input('x', 'float32', shape)));
    const compiled = await compile(program(built));
    const x = draw(3 * dims.reduce((a, b) => a * b));
    const results = await compiled.run({ x: floatValue(x, [...dims, 3]) });
    await compiled.release();
    const inner = plainTimes(Float64Array.from(x), first, 3).map(Math.tanh);
    expect(results.y!.dims).toEqual([...dims, 2]);
    plainTimes(inner, second, 4).forEach((value, i) => {
      expect(floatsOf(results.y!)[i]).toBeCloseTo(value, 5);
    });
    inner.forEach((value, i) => {
      expect(floatsOf(results.twice!)[i]).toBeCloseTo(2 * value, 5);
    });
  });

  it('lays no stored matrix out anew, and leaves the graph as it is', () => {
    const outputs = outputsOf(input('x', 'float32', ['batch', 'position', 3]));
    const ops = (some: Record<string, Tensor>) => program(some).nodes.map(({ node }) => node.op);
    expect(ops(forFewRows(outputs))).not.toContain('FusedMatMul');
    expect(ops(outputs).filter((op) => op === 'FusedMatMul')).toHaveLength(2);
  });
});
