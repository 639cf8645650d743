/** Conventions change how an SAE is read, against the same arithmetic by plain loops; what makes no sense is refused. */
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { floatValue } from '../../../../src/engine/graph/value.ts';
import { seededRandom } from '../../../../src/engine/random.ts';
import { hasInputGain, withConvention } from '../../../../src/engine/sae/convention.ts';
import type { SaeFolder } from '../../../../src/engine/sae/format.ts';
import { openSae } from '../../../../src/engine/sae/formats/registry.ts';
import { SparseAutoencoder } from '../../../../src/engine/sae/sparseAutoencoder.ts';
import { EngineError } from '../../../../src/shared/errors.ts';
import type { SaeConvention } from '../../../../src/shared/saeCheck.ts';
import {
  largestGap,
  type PlainWeights,
  plainDecode,
  plainEncode,
  randomRow,
  randomSae,
  rowsOf,
  saeConfig,
} from './plainSae.ts';

const fixtures = join(import.meta.dirname, '../../../fixtures/parity/sae_formats');
const rows = rowsOf(randomRow(5 * 6, seededRandom('rows')), 6);
const input = floatValue(Float32Array.from(rows.flat()), [5, 6]);

async function read(folder: SaeFolder, convention: SaeConvention) {
  const sae = new SparseAutoencoder(withConvention(folder, convention));
  onTestFinished(() => sae.release());
  return { features: (await sae.activations(input)).data, output: (await sae.reconstruct(input)).data };
}

/** Features and output of all rows by plain loops, on rows that `prepare` has changed. */
function plain(
  config: ReturnType<typeof saeConfig>,
  weights: PlainWeights,
  prepare: (row: number[]) => number[],
  finish: (out: number[], row: number[]) => number[],
) {
  const encoded = rows.map((row) => plainEncode(prepare(row), config, weights));
  const outputs = encoded.map((one, i) => finish(plainDecode(one, config, weights), rows[i]!));
  return { features: encoded.flatMap(({ features }) => features), output: outputs.flat() };
}

const same = (row: number[]) => row;

describe('withConvention', () => {
  it('subtracts the decoder bias or does not', async () => {
    const config = saeConfig();
    const { folder, weights } = await randomSae(config, 'bias');
    const found = await read(folder, { applyBDecToInput: false });
    const expected = plain({ ...config, applyBDecToInput: false }, weights, same, same);
    expect(largestGap(found.features, expected.features)).toBeLessThan(1e-5);
    expect(largestGap(found.output, expected.output)).toBeLessThan(1e-5);
  });

  it('centres the input and puts the mean back', async () => {
    const config = saeConfig();
    const { folder, weights } = await randomSae(config, 'centred');
    const mean = (row: number[]) => row.reduce((sum, x) => sum + x, 0) / row.length;
    const found = await read(folder, { centerInput: true });
    const expected = plain(
      config,
      weights,
      (row) => row.map((x) => x - mean(row)),
      (out, row) => out.map((x) => x + mean(row)),
    );
    expect(largestGap(found.features, expected.features)).toBeLessThan(1e-5);
    expect(largestGap(found.output, expected.output)).toBeLessThan(1e-5);
  });

  it('scales the input and unscales the output, and decoder rows with it', async () => {
    const config = saeConfig();
    const { folder, weights } = await randomSae(config, 'scaled');
    const found = await read(folder, { inputScale: 2.5 });
    const expected = plain(
      config,
      weights,
      (row) => row.map((x) => x * 2.5),
      (out) => out.map((x) => x / 2.5),
    );
    expect(largestGap(found.features, expected.features)).toBeLessThan(1e-5);
    expect(largestGap(found.output, expected.output)).toBeLessThan(1e-5);
    const sae = new SparseAutoencoder(withConvention(folder, { inputScale: 2.5 }));
    onTestFinished(() => sae.release());
    const row = Array.from({ length: 6 }, (_, d) => weights.W_dec![3 * 6 + d]! / 2.5);
    expect(largestGap((await sae.decoderRows([3])).data, row)).toBeLessThan(1e-6);
  });

  it('reads square matrices the other way round', async () => {
    const config = saeConfig({ dSae: 6 });
    const { folder, weights } = await randomSae(config, 'square');
    const turned = (data: ArrayLike<number>) =>
      Array.from({ length: 36 }, (_, i) => data[(i % 6) * 6 + Math.floor(i / 6)]!);
    const found = await read(folder, { transposeEncoder: true, transposeDecoder: true });
    const other = { ...weights, W_enc: turned(weights.W_enc!), W_dec: turned(weights.W_dec!) };
    const expected = plain(config, other, same, same);
    expect(largestGap(found.features, expected.features)).toBeLessThan(1e-5);
    expect(largestGap(found.output, expected.output)).toBeLessThan(1e-5);
    const flipped = withConvention(folder, { transposeEncoder: true });
    expect(largestGap(await flipped.read('W_enc'), other.W_enc)).toBe(0);
  });

  it('shows no features at first positions of prompts, and changes none there', async () => {
    const config = saeConfig();
    const { folder } = await randomSae(config, 'masked');
    const sae = new SparseAutoencoder(withConvention(folder, { maskFirst: true }));
    const all = new SparseAutoencoder(folder);
    onTestFinished(async () => {
      await sae.release();
      await all.release();
    });
    const prompts = floatValue(Float32Array.from([...rows, ...rows].flat()), [2, 5, 6]);
    const found = (await sae.activations(prompts)).data;
    const unmasked = (await all.activations(prompts)).data;
    for (let row = 0; row < 10; row++) {
      const own = found.subarray(row * 10, row * 10 + 10);
      if (row % 5 === 0) expect(own.every((f) => f === 0)).toBe(true);
      else expect(own).toEqual(unmasked.subarray(row * 10, row * 10 + 10));
    }
    const change = (await sae.change(prompts, [{ feature: 0, factor: 0, offset: 1 }])).data;
    expect(change.subarray(0, 6).every((x) => x === 0)).toBe(true);
    expect(change.subarray(6, 12).some((x) => x !== 0)).toBe(true);
    // A later part of a prompt has no first position.
    const later = floatValue(Float32Array.from(rows.flat()), [1, 5, 6]);
    const { activations } = await sae.strongest(later, 10, { firstPosition: 3 });
    expect(activations).toEqual((await all.strongest(later, 10)).activations);
  });

  it('moves a transcoder between the MLP’s input and the normalised stream', async () => {
    const folder = await openSae(
      join(fixtures, 'gemma-scope-2b-pt-transcoders/layer_1/width_16k/average_l0_9'),
    );
    expect(hasInputGain(folder.config)).toBe(true);
    expect(withConvention(folder, { inputGain: false }).config.hookName).toBe('blocks.1.ln2.hook_normalized');
    expect(withConvention(folder, { inputGain: true }).config.hookName).toBe('blocks.1.mlp.hook_in');
  });

  it('is the folder itself when nothing departs, and else says what does', async () => {
    const { folder } = await randomSae(saeConfig(), 'same');
    expect(withConvention(folder, {})).toBe(folder);
    expect(withConvention(folder, { maskFirst: undefined })).toBe(folder);
    const changed = withConvention(folder, { prependBos: true, maskFirst: undefined });
    expect(changed.convention).toEqual({ prependBos: true });
    expect(changed.config.prependBos).toBe(true);
  });

  it.each<[string, SaeConvention, string]>([
    ['a scale of 0', { inputScale: 0 }, 'above 0'],
    ['an oblong encoder turned', { transposeEncoder: true }, 'not square'],
    ['a skip connection that is not there', { transposeSkip: true }, 'not among its tensors'],
    ['a gain where there is none', { inputGain: true }, 'no form with or without'],
  ])('refuses %s', async (_, convention, reason) => {
    const { folder } = await randomSae(saeConfig(), reason);
    expect(() => withConvention(folder, convention)).toThrow(EngineError);
    expect(() => withConvention(folder, convention)).toThrow(reason);
  });
});
