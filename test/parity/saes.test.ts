/** Holds SAEs against values that SAELens computed for the same weights, alone and spliced into GPT-2. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openSafetensors, type Safetensors } from '../../src/engine/files/safetensors.ts';
import { floatValue, type Value } from '../../src/engine/graph/value.ts';
import type { RunEdit } from '../../src/engine/model/edits.ts';
import { Transformer } from '../../src/engine/model/transformer.ts';
import { openSaeLens } from '../../src/engine/sae/formats/saelens.ts';
import { measureSae } from '../../src/engine/sae/metrics.ts';
import { type FeatureChange, SparseAutoencoder } from '../../src/engine/sae/sparseAutoencoder.ts';

const fixtures = fileURLToPath(new URL('../fixtures/parity', import.meta.url));
const about = JSON.parse(await readFile(`${fixtures}/saes/about.json`, 'utf8')) as {
  readonly saes: Readonly<Record<string, { readonly architecture: string; readonly meanL0: number }>>;
  readonly splice: {
    readonly hook: string;
    readonly feature: number;
    readonly meanL0: number;
    readonly fractionOfVarianceExplained: number;
  };
};
const folders = Object.keys(about.saes);

async function openSae(name: string): Promise<SparseAutoencoder> {
  const sae = new SparseAutoencoder(await openSaeLens(`${fixtures}/saes/${name}`));
  onTestFinished(() => sae.release());
  return sae;
}

it('twelve SAEs were recorded', () => {
  expect(folders).toHaveLength(12);
});

describe.each(folders)('the recorded SAE %s', (name) => {
  let input: Value;
  let features: Float32Array;
  let output: Float32Array;

  beforeAll(async () => {
    const recorded = await openSafetensors(`${fixtures}/saes/recorded.safetensors`);
    const dims = name === 'standard_hook_z' ? [24, 4, 8] : [24, 32];
    input = floatValue(await recorded.readFloat32('input'), dims);
    features = await recorded.readFloat32(`${name}/features`);
    output = await recorded.readFloat32(`${name}/output`);
  });

  it('has the features and the reconstruction of SAELens within 1e-4', async () => {
    const sae = await openSae(name);
    expect(sae.config.architecture).toBe(about.saes[name]!.architecture);
    const activations = await sae.activations(input);
    expect(activations.dims).toEqual([24, 64]);
    expect(largestGap(activations.data, features)).toBeLessThan(1e-4);
    expect(activations.data.filter((f) => f > 0).length / 24).toBeCloseTo(about.saes[name]!.meanL0, 3);
    expect(largestGap((await sae.reconstruct(input)).data, output)).toBeLessThan(1e-4);
  });

  it('ranks its features as a sort of the recorded ones does', async () => {
    const k = 8;
    const strongest = await (await openSae(name)).strongest(input, k);
    for (let row = 0; row < 24; row++) {
      const own = [...features.subarray(row * 64, row * 64 + 64)];
      const ranked = own.map((value, f) => ({ value, f })).filter(({ value }) => value > 0);
      ranked.sort((a, b) => b.value - a.value);
      for (let i = 0; i < k; i++) {
        const index = strongest.indices[row * k + i]!;
        expect(strongest.activations[row * k + i]).toBeCloseTo(ranked[i]?.value ?? 0, 4);
        if (ranked[i] === undefined) expect(index).toBe(-1);
        // Equal activations may stand in either order; what is listed has the activation recorded for it.
        else expect(own[index]).toBeCloseTo(ranked[i]!.value, 4);
      }
      const listed = [...strongest.indices.subarray(row * k, row * k + k)].filter((index) => index >= 0);
      expect(new Set(listed).size).toBe(Math.min(k, ranked.length));
    }
  });
});

describe('an SAE spliced into GPT-2', () => {
  const { hook, feature } = about.splice;
  let model: Transformer;
  let recorded: Safetensors;
  let tokens: Int32Array[];

  beforeAll(async () => {
    model = await Transformer.open(`${fixtures}/gpt2`);
    recorded = await openSafetensors(`${fixtures}/saes/splice.safetensors`);
    const run = JSON.parse(await readFile(`${fixtures}/gpt2-recorded/about.json`, 'utf8'));
    tokens = run.tokens.batch.map((row: number[]) => Int32Array.from(row));
  });

  afterAll(() => model?.release());

  async function expectLogits(edits: readonly RunEdit[], name: string): Promise<void> {
    const { logits } = await model.run({ tokens, edits });
    expect(logits!.dims).toEqual([2, 12, 101]);
    expect(
      largestGap(logits!.data as Float32Array, await recorded.readFloat32(`batch/${name}`)),
    ).toBeLessThan(1e-4);
  }

  /** The edit by which features change and the SAE's error stays. */
  function editOf(sae: SparseAutoencoder, changes: readonly FeatureChange[]): RunEdit {
    return {
      hook,
      resolve: async (value) => ({
        hook,
        keep: 1,
        add: { ...(await sae.change(value, changes)), dims: value.dims },
      }),
    };
  }

  it('sees the recorded value and leaves the recorded error', async () => {
    const sae = await openSae('gpt2_resid_post_1');
    expect(sae.config.hookName).toBe(hook);
    const value = (await model.run({ tokens, capture: [hook] })).hooks.get(hook)!;
    expect(largestGap(value.data as Float32Array, await recorded.readFloat32('batch/value'))).toBeLessThan(
      1e-4,
    );
    const reconstruction = await sae.reconstruct(value);
    const error = (value.data as Float32Array).map((x, i) => x - reconstruction.data[i]!);
    expect(largestGap(error, await recorded.readFloat32('batch/error'))).toBeLessThan(1e-4);
    const activations = await sae.activations(value);
    expect(largestGap(activations.data, await recorded.readFloat32('batch/features'))).toBeLessThan(1e-4);
  });

  it('gives the recorded logits when its reconstruction takes the place of the value', async () => {
    const sae = await openSae('gpt2_resid_post_1');
    const resolve = async (value: Value) => ({
      hook,
      keep: 0,
      add: { ...(await sae.reconstruct(value)), dims: value.dims },
    });
    await expectLogits([{ hook, resolve }], 'logits_reconstruction');
  });

  it('gives the recorded logits when a feature is zeroed or set and the error is kept', async () => {
    const sae = await openSae('gpt2_resid_post_1');
    await expectLogits([editOf(sae, [{ feature, factor: 1, offset: 0 }])], 'logits_error_kept');
    await expectLogits([editOf(sae, [{ feature, factor: 0, offset: 0 }])], 'logits_feature_zeroed');
    await expectLogits([editOf(sae, [{ feature, factor: 0, offset: 3 }])], 'logits_feature_set_to_3');
    const gap = largestGap(
      await recorded.readFloat32('batch/logits_feature_zeroed'),
      await recorded.readFloat32('batch/logits_plain'),
    );
    expect(gap).toBeGreaterThan(0.01);
  });

  it('is measured with the recorded L0, variance explained and losses', async () => {
    const sae = await openSae('gpt2_resid_post_1');
    const metrics = await measureSae(model, sae, tokens);
    expect(metrics.tokens).toBe(24);
    expect(metrics.l0).toBeCloseTo(about.splice.meanL0, 3);
    expect(metrics.explainedVariance).toBeCloseTo(about.splice.fractionOfVarianceExplained, 4);
    const loss = async (name: string) => meanLoss(await recorded.readFloat32(`batch/${name}`), tokens, 101);
    const [clean, spliced] = [await loss('logits_plain'), await loss('logits_reconstruction')];
    const zeroed = (await model.run({ tokens, edits: [{ hook, keep: 0, add: 0 }] })).logits!;
    const zero = meanLoss(zeroed.data as Float32Array, tokens, 101);
    expect(metrics.ceRecovered).toBeCloseTo((zero - spliced) / (zero - clean), 3);
  });
});

/** Mean of −log softmax(logits)[next token] in doubles. */
function meanLoss(logits: Float32Array, tokens: readonly Int32Array[], dVocab: number): number {
  const losses = tokens.flatMap((row, b) =>
    Array.from(row.subarray(1), (next, position) => {
      const start = (b * row.length + position) * dVocab;
      const own = [...logits.subarray(start, start + dVocab)];
      return Math.log(own.reduce((sum, logit) => sum + Math.exp(logit), 0)) - own[next]!;
    }),
  );
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}

function largestGap(found: Float32Array, expected: Float32Array): number {
  expect(found.length).toBe(expected.length);
  return found.reduce((gap, x, i) => Math.max(gap, Math.abs(x - expected[i]!)), 0);
}
