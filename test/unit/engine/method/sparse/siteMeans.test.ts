/** Means of features over prompts: that wide dictionaries run in small batches, and each length by itself. */
import { expect, it } from 'vitest';
import { floatValue } from '../../../../../src/engine/graph/value.ts';
import type { Dictionary } from '../../../../../src/engine/method/sparse/dictionary.ts';
import { siteMeans } from '../../../../../src/engine/method/sparse/siteMeans.ts';
import type { SparseSite } from '../../../../../src/engine/method/sparse/sparseSites.ts';
import type { Transformer } from '../../../../../src/engine/model/transformer.ts';

/** A site whose features nobody looks at, and whose error is its first token. */
function siteOf(width: number): SparseSite {
  const dictionary: Partial<Dictionary> = {
    width,
    hasError: true,
    code: async ({ data }) => ({
      activations: new Float32Array(0),
      errors: Float32Array.from(data as Float32Array),
      scales: new Float32Array(0),
    }),
  };
  return {
    kind: 'mlp',
    hook: 'blocks.0.hook_mlp_out',
    layer: 0,
    place: 'hook_mlp_out',
    dictionary: dictionary as Dictionary,
  };
}

/** Notes how many prompts run together; the value of a hook is its token. */
function modelOf(seen: number[]): Transformer {
  const run = async ({ tokens }: { tokens: readonly Int32Array[] }) => {
    seen.push(tokens.length);
    const data = Float32Array.from(tokens.flatMap((ids) => [...ids]));
    return {
      hooks: new Map([
        ['blocks.0.hook_mlp_out', floatValue(data, [tokens.length, data.length / tokens.length, 1])],
      ]),
    };
  };
  return { config: { dModel: 1 }, run } as unknown as Transformer;
}

const prompts = Array.from({ length: 9 }, (_, i) => Int32Array.from([i, 2 * i, 1, 1]));

it.each([
  [1, [9]],
  // 16 Mi floats have room for 16 rows of so many features: four prompts of four tokens.
  [2 ** 20, [4, 4, 1]],
  // And for one row here, which is less than a prompt.
  [2 ** 24, [1, 1]],
])('runs as many prompts at once as %i features leave room for', async (width, expected) => {
  const seen: number[] = [];
  const some = width === 2 ** 24 ? prompts.slice(0, 2).map((ids) => ids.subarray(0, 1)) : prompts;
  await siteMeans(modelOf(seen), [siteOf(width)], { prompts: some, startLayer: 0 });
  expect(seen).toEqual(expected);
});

it('takes the mean of each length by itself, and none below the start', async () => {
  const longer = [Int32Array.from([5, 5, 5, 5, 5])];
  const request = { prompts: [...prompts, ...longer], startLayer: 0 };
  const means = await siteMeans(modelOf([]), [siteOf(1)], request);
  expect(means.get(4)!.prompts).toBe(9);
  const errors = [...means.get(4)!.sites[0]!.errors!].map((x) => Number(x.toFixed(4)));
  expect(errors).toEqual([4, 8, 1, 1]);
  expect(means.get(5)).toMatchObject({ prompts: 1, sites: [{ errors: Float32Array.of(5, 5, 5, 5, 5) }] });
  const none = await siteMeans(modelOf([]), [siteOf(1)], { ...request, startLayer: 1 });
  expect(none.get(4)!.sites).toEqual([undefined]);
});
