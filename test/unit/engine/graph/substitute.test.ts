/** Taking tensors of a graph from elsewhere. */
import { describe, expect, it } from 'vitest';
import { add, mul, tanh } from '../../../../src/engine/graph/ops/elementwise.ts';
import { program } from '../../../../src/engine/graph/program.ts';
import { compile } from '../../../../src/engine/graph/session.ts';
import { input } from '../../../../src/engine/graph/sources.ts';
import { substitute } from '../../../../src/engine/graph/substitute.ts';
import { floatsOf, floatValue } from '../../../../src/engine/graph/value.ts';

describe('substitute', () => {
  const x = input('x', 'float32', [2]);
  const middle = tanh(x);
  const outputs = { y: add(mul(middle, middle), x), same: mul(x, 2) };

  it('computes from what is given, and everything else as before', async () => {
    const given = input('given', 'float32', [2]);
    const compiled = await compile(program(substitute(outputs, [[middle, given]])));
    const feeds = { x: floatValue([1, 2], [2]), given: floatValue([10, 20], [2]) };
    const results = await compiled.run(feeds);
    await compiled.release();
    expect([...floatsOf(results.y!)]).toEqual([101, 402]);
    expect([...floatsOf(results.same!)]).toEqual([2, 4]);
  });

  it('drops what nobody needs any more, and leaves the graph as it is', () => {
    const given = input('given', 'float32', [2]);
    const replaced = program(substitute({ y: mul(middle, 3) }, [[middle, given]]));
    expect(replaced.inputs.map(({ name }) => name)).toEqual(['given']);
    expect(program(outputs).inputs.map(({ name }) => name)).toEqual(['x']);
  });

  it('without replacements changes nothing', () => {
    expect(substitute(outputs, [])).toEqual(outputs);
  });
});
