/** Holds SAEs in every layout that is read against what the libraries that own the layouts compute with them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openSafetensors, type Safetensors } from '../../src/engine/files/safetensors.ts';
import { floatValue, type Value } from '../../src/engine/graph/value.ts';
import { Transformer } from '../../src/engine/model/transformer.ts';
import { findSaeFolders } from '../../src/engine/sae/catalog.ts';
import { crossLayerOutputs } from '../../src/engine/sae/crossLayerOutputs.ts';
import { kindOf, outputHook } from '../../src/engine/sae/format.ts';
import { openSae } from '../../src/engine/sae/formats/registry.ts';
import { SparseAutoencoder } from '../../src/engine/sae/sparseAutoencoder.ts';
import { openTunedLens } from '../../src/engine/sae/tunedLens.ts';

interface Case {
  readonly case: string;
  /** Below the fixtures folder, as in `SaeId`. */
  readonly id?: string;
  /** Of a cross-layer transcoder: one for each layer. */
  readonly ids?: readonly string[];
  /** What computed the recorded values. */
  readonly by: string;
  readonly format: string;
  readonly kind: string;
  readonly hook?: string;
  readonly hookOut?: string;
  /** The library shows no features at the first position. */
  readonly masked?: boolean;
}

const fixtures = fileURLToPath(new URL('../fixtures/parity/sae_formats', import.meta.url));
const about = JSON.parse(await readFile(join(fixtures, 'about.json'), 'utf8')) as {
  readonly cases: readonly Case[];
};
const single = about.cases.filter(({ id }) => id !== undefined);
const crossLayer = about.cases.filter(({ ids }) => ids !== undefined);

let recorded: Safetensors;
beforeAll(async () => {
  recorded = await openSafetensors(join(fixtures, 'recorded.safetensors'));
});

async function openCase(id: string): Promise<SparseAutoencoder> {
  const sae = new SparseAutoencoder(await openSae(join(fixtures, id)));
  onTestFinished(() => sae.release());
  return sae;
}

it('covers every layout, transcoders and cross-layer transcoders', () => {
  expect(new Set(about.cases.map(({ format }) => format))).toEqual(
    new Set([
      'SAELens',
      'Gemma Scope',
      'Gemma Scope 2',
      'Llama Scope',
      'Llamascopium',
      'Goodfire',
      'DeepSeek',
      'Qwen Scope',
      'Attention-output SAEs',
      'OpenAI',
      'circuit-tracer',
      'sparsify',
      'dictionary_learning',
    ]),
  );
  expect(new Set(about.cases.map(({ kind }) => kind))).toEqual(new Set(['sae', 'transcoder', 'crossLayer']));
});

describe.each(single)('$case, as $by has it', ({ case: name, id, format, kind, hook, hookOut, masked }) => {
  it('has its place, its features and its output within 1e-4', async () => {
    const sae = await openCase(id!);
    expect(sae.folder).toMatchObject({ id: join(fixtures, id!), format });
    expect(kindOf(sae.config)).toBe(kind);
    expect(sae.config.hookName).toBe(hook);
    if (hookOut) expect(outputHook(sae.config)).toBe(hookOut);
    expect(sae.config.maskFirst ?? false).toBe(masked ?? false);
    const input = await inputOf(recorded, masked);
    const features = await recorded.readFloat32(`${name}/features`);
    const activations = await sae.activations(input);
    expect(activations.dims).toEqual([10, 24]);
    expect(largestGap(activations.data, features)).toBeLessThan(1e-4);
    const output = await recorded.readFloat32(`${name}/output`);
    expect(largestGap((await sae.reconstruct(input)).data, output)).toBeLessThan(1e-4);
  });

  it('ranks, picks and writes its features as those numbers say', async () => {
    const sae = await openCase(id!);
    const input = await inputOf(recorded, masked);
    const features = await recorded.readFloat32(`${name}/features`);
    const strongest = await sae.strongest(input, 24);
    for (let row = 0; row < 10; row++) {
      const own = features.subarray(row * 24, row * 24 + 24);
      const active = own.filter((f) => f > 0).length;
      const listed = [...strongest.indices.subarray(row * 24, row * 24 + 24)].filter((index) => index >= 0);
      expect(listed).toHaveLength(active);
      listed.forEach((index, i) => {
        expect(strongest.activations[row * 24 + i]).toBeCloseTo(own[index]!, 3);
      });
    }
    // Taking features away changes the output by what they wrote.
    const all = Array.from({ length: 24 }, (_, feature) => ({ feature, factor: 0, offset: 0 }));
    const change = (await sae.change(input, all)).data;
    const rows = (await sae.decoderRows(all.map(({ feature }) => feature))).data;
    const scales = await sae.writeScales(input);
    change.forEach((x, i) => {
      const [row, column] = [Math.floor(i / sae.dOut), i % sae.dOut];
      let written = 0;
      for (let f = 0; f < 24; f++) written += features[row * 24 + f]! * rows[f * sae.dOut + column]!;
      expect(x).toBeCloseTo(-written * scales[row]!, 3);
    });
  });

  it('reads encoders along the slope of its features', async () => {
    const sae = await openCase(id!);
    const input = floatValue((await inputOf(recorded, masked)).data as Float32Array, [10, 12]);
    const { indices } = await sae.strongest(input, 1);
    const pairs = [...indices]
      .map((feature, row) => ({ row, feature }))
      .filter(({ row, feature }) => row > 0 && feature >= 0)
      .slice(0, 3);
    const slopes = (await sae.readings(input, pairs)).data;
    for (const [i, { row, feature }] of pairs.entries()) {
      const step = 1e-2;
      const moved = (sign: number) => {
        const data = input.data.slice();
        for (let d = 0; d < 12; d++) data[row * 12 + d]! += sign * step * Math.sin(d + 1);
        return sae.chosen(floatValue(data, [10, 12]), [feature]);
      };
      const rise = ((await moved(1)).data[row]! - (await moved(-1)).data[row]!) / (2 * step);
      let expected = 0;
      for (let d = 0; d < 12; d++) expected += slopes[i * 12 + d]! * Math.sin(d + 1);
      expect(rise).toBeCloseTo(expected, 1);
    }
  });
});

describe.each(crossLayer)('$case, as $by has it', ({ case: name, ids, format, masked }) => {
  it('encodes at every layer and decodes to every layer within 1e-4', async () => {
    const inputs = await recorded.readFloat32(`${name}/inputs`);
    const features = await recorded.readFloat32(`${name}/features`);
    const outputs = await recorded.readFloat32(`${name}/outputs`);
    const layers: { sae: SparseAutoencoder; value: Value }[] = [];
    for (const [layer, id] of ids!.entries()) {
      const sae = await openCase(id);
      expect(sae.folder.format).toBe(format);
      expect(sae.config.target?.hooks).toEqual(
        ids!.slice(layer).map((_, i) => `blocks.${layer + i}.hook_mlp_out`),
      );
      const value = floatValue(inputs.slice(layer * 120, (layer + 1) * 120), masked ? [1, 10, 12] : [10, 12]);
      const found = (await sae.activations(value)).data;
      expect(largestGap(found, features.subarray(layer * 240, (layer + 1) * 240))).toBeLessThan(1e-4);
      layers.push({ sae, value });
    }
    const written = await crossLayerOutputs(layers);
    expect(written.size).toBe(ids!.length);
    for (const [layer] of ids!.entries()) {
      const expected = outputs.subarray(layer * 120, (layer + 1) * 120);
      expect(largestGap(written.get(`blocks.${layer}.hook_mlp_out`)!.data, expected)).toBeLessThan(1e-4);
    }
  });
});

it('finds every recorded SAE from the folder above', async () => {
  const found = await findSaeFolders(fixtures, 6);
  const expected = about.cases.flatMap(({ id, ids }) => (id ? [id] : ids!)).map((id) => join(fixtures, id));
  expect(new Set(found)).toEqual(new Set([...expected, join(fixtures, 'temporal/layer_1/temporal')]));
});

it('refuses temporal SAEs, saying why', async () => {
  await expect(openSae(join(fixtures, 'temporal/layer_1/temporal'))).rejects.toMatchObject({
    code: 'sae.unsupported',
    data: { architecture: expect.stringContaining('positions before') },
  });
});

/** As a prompt `[1, position, d_in]` where the first position matters, else as rows. */
async function inputOf(file: Safetensors, masked: boolean | undefined): Promise<Value> {
  return floatValue(await file.readFloat32('input'), masked ? [1, 10, 12] : [10, 12]);
}

function largestGap(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(found.length).toBe(expected.length);
  let gap = 0;
  for (let i = 0; i < found.length; i++) gap = Math.max(gap, Math.abs(found[i]! - expected[i]!));
  return gap;
}

describe('a tuned lens', () => {
  it('gives the logits of tuned-lens at every layer within 1e-4', async () => {
    const folder = join(fixtures, '../gpt2');
    const model = await Transformer.open(folder);
    onTestFinished(() => model.release());
    const lens = await openTunedLens(join(fixtures, 'tuned-lens'), model.info);
    onTestFinished(() => lens.release());
    expect(lens.model).toBe('tiny-gpt2');
    const { residuals } = await model.run({ tokens: [Int32Array.of(3, 14, 15, 92, 65, 35)], logits: 'none' });
    const expected = await recorded.readFloat32('tuned_lens/logits');
    for (let layer = 0; layer < 3; layer++) {
      const stream = residuals[layer]!;
      const moved = await lens.translate(layer, stream.data as Float32Array);
      const logits = (await model.readOut(floatValue(moved, stream.dims))).data as Float32Array;
      expect(largestGap(logits, expected.subarray(layer * 606, (layer + 1) * 606))).toBeLessThan(1e-4);
    }
    // The last stream is what the model itself reads out.
    const last = residuals[3]!.data as Float32Array;
    expect(await lens.translate(3, last)).toBe(last);
  });

  it('is refused for a model of another size, and for lenses of another kind', async () => {
    const open = (changes: object) =>
      openTunedLens(join(fixtures, 'tuned-lens'), { name: 'm', nLayers: 3, dModel: 32, ...changes });
    await expect(open({ nLayers: 4 })).rejects.toMatchObject({ code: 'sae.mismatch' });
    await expect(open({ dModel: 64 })).rejects.toMatchObject({ code: 'sae.mismatch' });
  });
});
