// Effects of an attribution graph, against what plain loops over the frozen model make of taking each source away.
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { floatValue } from '../../../../../src/engine/graph/value.ts';
import {
  attributionGraph,
  explainedLogits,
  type FoundGraph,
  type GraphSettings,
  requireMemory,
} from '../../../../../src/engine/method/attributionGraph/attributionGraph.ts';
import { freezeRun } from '../../../../../src/engine/method/attributionGraph/frozenRun.ts';
import {
  codePrompt,
  graphSources,
  type SourceSize,
  sizeOfSources,
  sourceHooks,
} from '../../../../../src/engine/method/attributionGraph/graphSources.ts';
import {
  placeTranscoders,
  type TranscoderSet,
} from '../../../../../src/engine/method/attributionGraph/transcoderSet.ts';
import { Transformer } from '../../../../../src/engine/model/transformer.ts';
import { seededRandom } from '../../../../../src/engine/random.ts';
import { openSaeLens, writeSaeLens } from '../../../../../src/engine/sae/formats/saelens.ts';
import { SparseAutoencoder } from '../../../../../src/engine/sae/sparseAutoencoder.ts';
import type { EngineError } from '../../../../../src/shared/errors.ts';
import {
  type PlainReplacement,
  type PlainTranscoder,
  plainReplacement,
  type SourceAmounts,
} from '../../../../fixtures/plainReplacementModel.ts';
import { tinyConfig, tinyWeights, writeTinyGpt2 } from '../../../../fixtures/tinyGpt2.ts';

const config = { ...tinyConfig, nLayers: 3 };
const weights = tinyWeights(config, 5);
const tokens = [3, 17, 8, 3, 25];
const dSae = 10;
const { dModel, nLayers } = config;

const settings: GraphSettings = {
  maxLogits: 3,
  desiredProbability: 0.9,
  maxFeatures: 1000,
  thresholds: { node: 0.8, edge: 0.98 },
  leaveFirst: false,
  batch: 4,
};

let folder: string;
let model: Transformer;
const open: SparseAutoencoder[] = [];

beforeAll(async () => {
  folder = await writeTinyGpt2(config, weights);
  model = await Transformer.open(folder);
});

afterAll(async () => {
  for (const sae of open) await sae.release();
  await model?.release();
  await rm(folder, { recursive: true, force: true });
});

function randomTranscoder(layer: number, skip: boolean): PlainTranscoder {
  const random = seededRandom(`transcoder ${layer}`);
  const draw = (count: number, spread: number) =>
    Float32Array.from({ length: count }, () => spread * random.normal());
  return {
    dSae,
    W_enc: draw(dModel * dSae, 0.4),
    b_enc: draw(dSae, 0.3),
    W_dec: draw(dSae * dModel, 0.4),
    b_dec: draw(dModel, 0.2),
    ...(skip && { W_skip: draw(dModel * dModel, 0.2) }),
  };
}

/** The transcoders as files, read again. */
async function setOf(transcoders: readonly (PlainTranscoder | undefined)[]): Promise<TranscoderSet> {
  const found = [];
  for (const [layer, own] of transcoders.entries()) {
    if (!own) continue;
    const path = join(folder, `transcoder ${open.length}`);
    await mkdir(path);
    const [hook, out] = ['mlp.hook_in', 'hook_mlp_out'].map((name) => `blocks.${layer}.${name}`);
    await writeSaeLens(
      path,
      {
        architecture: 'standard',
        dIn: dModel,
        dSae,
        rescaleByDecoderNorm: false,
        applyBDecToInput: false,
        normalizeActivations: 'none',
        reshapeActivations: 'none',
        finetuningScalingFactor: false,
        dtype: 'float32',
        hookName: hook!,
        target: { kind: 'transcoder', hooks: [out!], width: dModel },
        metadata: {},
        extra: {},
      },
      {
        W_enc: floatValue(own.W_enc, [dModel, dSae]),
        b_enc: floatValue(own.b_enc),
        W_dec: floatValue(own.W_dec, [dSae, dModel]),
        b_dec: floatValue(own.b_dec),
        ...(own.W_skip && { W_skip: floatValue(own.W_skip, [dModel, dModel]) }),
      },
    );
    const sae = new SparseAutoencoder(await openSaeLens(path));
    open.push(sae);
    found.push({ id: path, sae });
  }
  return placeTranscoders(found, nLayers, () => ({}));
}

/** All sources as they were, but for one node of the graph. */
function without({ sources }: FoundGraph, node: number | 'all'): SourceAmounts {
  const { features, ranges } = sources;
  const firstToken = ranges.features + ranges.errors;
  const isGone = (own: number) => node === 'all' || node === own;
  return {
    feature: (layer, position, index) => {
      const own = features.findIndex(
        (one) => one.layer === layer && one.position === position && one.index === index,
      );
      return own >= 0 && isGone(own) ? 0 : 1;
    },
    error: (layer, position) => (isGone(ranges.features + layer * tokens.length + position) ? 0 : 1),
    token: (position) => (isGone(firstToken + position) ? 0 : 1),
  };
}

/** The values that the graph's targets have: features' pre-activations, and logits above the mean logit. */
function targetValues(
  { sources, logits }: FoundGraph,
  { pre, logits: all }: ReturnType<PlainReplacement['run']>,
) {
  const mean = all.reduce((sum, x) => sum + x, 0) / all.length;
  return [
    ...sources.features.map(({ layer, position, index }) => pre[layer]![position * dSae + index]!),
    ...logits.map(({ token }) => all[token]! - mean),
  ];
}

/** `[target][node]`, targets as in `targetValues`. */
function effectsOf({ traced, sources, logits }: FoundGraph): number[][] {
  const { rows } = traced;
  const found: number[][] = [];
  for (let row = 0; row < rows.targets.length; row++) {
    const target = rows.targets[row]!;
    const place =
      target < sources.features.length
        ? target
        : target - rows.nodes + logits.length + sources.features.length;
    found[place] = [...rows.weights.subarray(row * rows.nodes, (row + 1) * rows.nodes)];
  }
  return found;
}

describe.each([
  ['plain transcoders', false, false],
  ['transcoders with skip connections', true, false],
  ['the first position left out', true, true],
])('an attribution graph over %s', (_, skip, leaveFirst) => {
  const transcoders = Array.from({ length: nLayers }, (_none, layer) => randomTranscoder(layer, skip));
  const plain = plainReplacement(config, weights, tokens, transcoders);
  let found: FoundGraph;

  beforeAll(async () => {
    const set = await setOf(transcoders);
    found = await attributionGraph(model, Int32Array.from(tokens), set, { ...settings, leaveFirst });
  });

  it('has every active feature, and no other', () => {
    const expected = plain.activations.flatMap((all, layer) =>
      [...all].flatMap((activation, i) => {
        const position = Math.floor(i / dSae);
        return activation > 0 && !(leaveFirst && position === 0) ? [[layer, position, i % dSae]] : [];
      }),
    );
    expect(found.sources.features.map(({ layer, position, index }) => [layer, position, index])).toEqual(
      expected,
    );
  });

  it('has the change of every target that taking a source away makes', () => {
    const effects = effectsOf(found);
    const before = targetValues(found, plain.run(without(found, -1)));
    let largest = 0;
    for (let node = 0; node < found.traced.rows.nodes - found.logits.length; node++) {
      const after = targetValues(found, plain.run(without(found, node)));
      const isLeftOut = leaveFirst && node >= found.sources.features.length && isErrorAtFirst(found, node);
      before.forEach((value, target) => {
        const expected = isLeftOut ? 0 : value - after[target]!;
        largest = Math.max(largest, Math.abs(expected));
        expect(effects[target]![node]).toBeCloseTo(expected, 4);
      });
    }
    expect(largest).toBeGreaterThan(0.5);
  });

  it('adds up: what comes in and what is left without any source are the value', () => {
    if (leaveFirst) return;
    const effects = effectsOf(found);
    const rest = targetValues(found, plain.run(without(found, 'all')));
    const whole = targetValues(found, plain.run(without(found, -1)));
    whole.forEach((value, target) => {
      const sum = effects[target]!.reduce((all, x) => all + x, 0);
      expect(sum + rest[target]!).toBeCloseTo(value, 3);
    });
    found.sources.features.forEach(({ activation }, target) => {
      expect(whole[target]).toBeCloseTo(activation, 4);
    });
  });
});

function isErrorAtFirst({ sources }: FoundGraph, node: number): boolean {
  const place = node - sources.features.length;
  return place < sources.ranges.errors && place % tokens.length === 0;
}

describe('attributionGraph', () => {
  it('takes the whole MLP output for an error in layers without a transcoder', async () => {
    const set = await setOf([randomTranscoder(0, false), undefined, randomTranscoder(2, false)]);
    const found = await attributionGraph(model, Int32Array.from(tokens), set, settings);
    const run = await model.run({ tokens: [Int32Array.from(tokens)], capture: ['blocks.1.hook_mlp_out'] });
    const { vectors, nodes } = found.sources.layers[1]!;
    const slots = vectors.dims[1]!;
    const first = found.sources.features.length + tokens.length;
    tokens.forEach((_, position) => {
      const slot = nodes.slice(position * slots, (position + 1) * slots).indexOf(first + position);
      const error = vectors.data.subarray(
        (position * slots + slot) * dModel,
        (position * slots + slot + 1) * dModel,
      );
      const whole = run.hooks
        .get('blocks.1.hook_mlp_out')!
        .data.slice(position * dModel, (position + 1) * dModel);
      // The features of the transcoder below write to their own layer only.
      error.forEach((x, i) => {
        expect(x).toBeCloseTo(Number(whole[i]), 5);
      });
    });
  });

  it('traces no more features than it may, and the same rows whatever the batch', async () => {
    const set = await setOf(Array.from({ length: nLayers }, (_, layer) => randomTranscoder(layer, false)));
    const ids = Int32Array.from(tokens);
    const [few, other, all] = await Promise.all([
      attributionGraph(model, ids, set, { ...settings, maxFeatures: 7, batch: 1 }),
      attributionGraph(model, ids, set, { ...settings, maxFeatures: 7, batch: 7 }),
      attributionGraph(model, ids, set, settings),
    ]);
    expect(few.traced.features).toHaveLength(7);
    expect(other.traced.features).toHaveLength(7);
    expect(all.traced.features).toHaveLength(all.sources.features.length);
    // The most influential ones by the whole graph are found without tracing the others.
    const ranked = [...all.traced.features.keys()].sort(
      (a, b) => all.pruned.influence[b]! - all.pruned.influence[a]!,
    );
    const strongest = new Set(ranked.slice(0, 7));
    expect(few.traced.features.filter((feature) => strongest.has(feature)).length).toBeGreaterThanOrEqual(5);
  });

  it('stops when it is cancelled, between batches', async () => {
    const set = await setOf([randomTranscoder(0, false)]);
    const controller = new AbortController();
    const seen: number[] = [];
    const report = ({ done, what }: { done: number; what: string }) => {
      if (what !== 'features traced') return;
      seen.push(done);
      controller.abort();
    };
    const attempt = attributionGraph(
      model,
      Int32Array.from(tokens),
      set,
      { ...settings, batch: 2 },
      { signal: controller.signal, report },
    );
    await expect(attempt).rejects.toMatchObject({ code: 'cancelled' });
    expect(seen).toEqual([2]);
  });
});

describe('the memory of a graph', () => {
  it('is known before the vectors are made, layer by layer', async () => {
    const set = await setOf(Array.from({ length: nLayers }, (_, layer) => randomTranscoder(layer, false)));
    for (const leaveFirst of [false, true]) {
      const frozen = await freezeRun(model, Int32Array.from(tokens), sourceHooks(set));
      const seen: SourceSize[] = [];
      const coded = await codePrompt(frozen, set, leaveFirst, (size) => seen.push(size));
      const built = await graphSources(frozen, set, coded);
      expect(coded.size).toEqual(sizeOfSources(built));
      expect(seen).toHaveLength(nLayers);
      expect(seen.at(-1)).toEqual(coded.size);
      expect(seen[0]!.features).toBe(built.features.filter(({ layer }) => layer === 0).length);
    }
  });

  it('is asked for before features are listed', async () => {
    const set = await setOf([randomTranscoder(0, false), randomTranscoder(1, false)]);
    const frozen = await freezeRun(model, Int32Array.from(tokens), sourceHooks(set));
    let asked = 0;
    const refuse = () => {
      asked++;
      throw new Error('too much');
    };
    await expect(codePrompt(frozen, set, false, refuse)).rejects.toThrow('too much');
    expect(asked).toBe(1);
  });

  it('is refused when it is not there, with what would fit', () => {
    const size = { features: 1000, nodes: 1200, written: 1e6 };
    const traced = { logits: 10, features: 1000 };
    const needed = 4 * 1e6 + 8 * 1010 * 1200;
    expect(() => requireMemory(size, traced, needed + 1)).not.toThrow();
    const refusal = (available: number) => {
      try {
        requireMemory(size, traced, available);
      } catch (error) {
        return error as EngineError;
      }
      throw new Error('It was not refused.');
    };
    // Room for the vectors and 60 rows, of which 10 are the logits'.
    const some = refusal(4 * 1e6 + 8 * 60 * 1200);
    expect(some).toMatchObject({ code: 'request.invalid' });
    expect(some.message).toContain('trace at most 50 features');
    expect(refusal(1e6).message).toContain('shorten the prompt');
    expect(refusal(1e6).message).not.toContain('at most');
  });
});

describe('explainedLogits', () => {
  const logits = Float32Array.from([1, 3, 2, 0]);
  const all = [...logits].map((x) => Math.exp(x) / [...logits].reduce((sum, y) => sum + Math.exp(y), 0));

  it('takes the most probable tokens until they have the desired probability', () => {
    const chosen = explainedLogits(
      { logits },
      { ...settings, maxLogits: 10, desiredProbability: all[1]! + 0.01 },
    );
    expect(chosen.map(({ token }) => token)).toEqual([1, 2]);
    expect(chosen[0]!.probability).toBeCloseTo(all[1]!, 6);
  });

  it('takes no more than it may, and the asked ones as they are', () => {
    expect(explainedLogits({ logits }, { ...settings, maxLogits: 1, desiredProbability: 1 })).toHaveLength(1);
    const asked = explainedLogits({ logits }, { ...settings, answers: [3, 0] });
    expect(asked.map(({ token }) => token)).toEqual([3, 0]);
    expect(asked[1]!.probability).toBeCloseTo(all[0]!, 6);
  });
});
