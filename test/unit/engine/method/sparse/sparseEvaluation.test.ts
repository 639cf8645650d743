/** Circuits of features and errors tested against a forward pass by plain loops that puts means in the others' place. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SparseNode } from '../../../../../src/engine/method/sparse/effectTable.ts';
import {
  allFeatures,
  complementOf,
  maskOf,
  type NodeMask,
} from '../../../../../src/engine/method/sparse/nodeMask.ts';
import { SparseEvaluator } from '../../../../../src/engine/method/sparse/sparseEvaluation.ts';
import { type SparseSite, unitsOf } from '../../../../../src/engine/method/sparse/sparseSites.ts';
import { splitPairs } from '../../../../../src/engine/method/sparse/splitPairs.ts';
import { seededRandom } from '../../../../../src/engine/random.ts';
import type { TokenPair } from '../../../../../src/engine/task/task.ts';
import type { PlainHook } from '../../../../fixtures/plainGpt2.ts';
import {
  addTimes,
  dModel,
  longer,
  openTinySparse,
  pairs,
  plainCode,
  plainWrite,
  type TinySparse,
} from './tinySparse.ts';

let tiny: TinySparse;
const used = [...pairs, longer];

beforeAll(async () => {
  tiny = await openTinySparse(13);
});

afterAll(() => tiny?.close());

const means = new Map<string, ReturnType<typeof computeMean>>();

/** Mean features and errors of a row over the corrupted prompts of one length. Kept. */
function plainMean(site: SparseSite, length: number, position: number): ReturnType<typeof computeMean> {
  const key = `${tiny.neurons.includes(site)} ${site.hook} ${length} ${position}`;
  const known = means.get(key) ?? computeMean(site, length, position);
  means.set(key, known);
  return known;
}

function computeMean(site: SparseSite, length: number, position: number) {
  const same = used.filter(({ clean }) => clean.length === length);
  const codes = same.map(({ corrupted }) => {
    const data = tiny.circuit.value(site.hook, [...corrupted]);
    return plainCode(tiny, site, data.slice(position * dModel, (position + 1) * dModel));
  });
  const mean = (rows: readonly (readonly number[])[]) =>
    rows[0]!.map((_, i) => rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length);
  return {
    features: mean(codes.map(({ features }) => features)),
    error: codes[0]!.error && mean(codes.map(({ error }) => error!)),
  };
}

/** The metric of a pair when nodes outside the mask are at their means, everything behind them computed anew. */
function plainMetric(
  sites: readonly SparseSite[],
  { places, kept }: NodeMask,
  { clean }: TokenPair,
  startLayer = 0,
): number {
  const hook: PlainHook = (name, { data }) => {
    const index = sites.findIndex((site) => site.hook === name);
    if (index < 0) return;
    const site = sites[index]!;
    if (site.kind === 'embedding' || site.layer < startLayer) return;
    for (let position = 0; position < clean.length; position++) {
      const row = data.slice(position * dModel, (position + 1) * dModel);
      const { features, error, scale } = plainCode(tiny, site, row);
      const mean = plainMean(site, clean.length, position);
      const mask = kept[index]!.slice((places === 1 ? 0 : position) * unitsOf(site));
      features.forEach((value, unit) => {
        if (mask[unit]) return;
        addTimes(row, scale * (mean.features[unit]! - value), plainWrite(tiny, site, unit));
      });
      if (error && !mask[features.length]) {
        addTimes(row, 1, mean.error!);
        addTimes(row, -1, error);
      }
      data.set(row, position * dModel);
    }
  };
  return tiny.circuit.metric([...clean], hook);
}

/** Half of all nodes, the same for the same seed. */
function someNodes(sites: readonly SparseSite[], places: number, seed: string): SparseNode[] {
  const random = seededRandom(seed);
  return sites.flatMap((site, index) =>
    Array.from({ length: unitsOf(site) * places }, (_, at) => ({
      site: index,
      unit: at % unitsOf(site),
      place: Math.floor(at / unitsOf(site)),
    })).filter(() => random.next() < 0.5),
  );
}

function open(
  sites: readonly SparseSite[],
  tested: readonly TokenPair[],
  startLayer = 0,
): Promise<SparseEvaluator> {
  const { model } = tiny.circuit;
  const metric = 'logitDifference';
  return SparseEvaluator.open({ model, sites, pairs: tested, reference: used, metric, startLayer });
}

describe.each(['features', 'neurons'] as const)('circuits of %s', (basis) => {
  const sitesOf = () => (basis === 'features' ? tiny.sites : tiny.neurons);
  const meanOf = (mask: NodeMask, tested: readonly TokenPair[]) =>
    tested.reduce((sum, pair) => sum + plainMetric(sitesOf(), mask, pair), 0) / tested.length;

  it('give the metric of the run in which the others are at their means, several side by side', async () => {
    const sites = sitesOf();
    const evaluator = await open(sites, used);
    const masks = ['one', 'two', 'three'].map((seed) => maskOf(sites, 1, someNodes(sites, 1, seed)));
    const found = await evaluator.evaluate(masks);
    const empty = meanOf(maskOf(sites, 1, []), used);
    const full = used.reduce((sum, { clean }) => sum + tiny.circuit.metric([...clean]), 0) / used.length;
    expect(evaluator.full).toBeCloseTo(full, 4);
    expect(evaluator.empty).toBeCloseTo(empty, 4);
    for (const [i, mask] of masks.entries()) {
      const circuit = meanOf(mask, used);
      const complement = meanOf(complementOf(sites, mask), used);
      expect(found[i]!.circuit).toBeCloseTo(circuit, 4);
      expect(found[i]!.complement).toBeCloseTo(complement, 4);
      expect(found[i]!.faithfulness).toBeCloseTo((circuit - empty) / (full - empty), 3);
      expect(found[i]!.completeness).toBeCloseTo((complement - empty) / (full - empty), 3);
    }
    expect(Math.abs(found[0]!.circuit - found[1]!.circuit)).toBeGreaterThan(1e-3);
  });

  it('may hold a node at some positions only', async () => {
    const sites = sitesOf();
    const places = pairs[0]!.clean.length;
    const mask = maskOf(sites, places, someNodes(sites, places, 'by position'));
    const [found] = await (await open(sites, pairs)).evaluate([mask]);
    expect(found!.circuit).toBeCloseTo(meanOf(mask, pairs), 4);
  });

  it('leave embeddings and layers below the start as they are, whatever the mask says', async () => {
    const sites = sitesOf();
    const [some, none] = [maskOf(sites, 1, someNodes(sites, 1, 'start')), maskOf(sites, 1, [])];
    const evaluator = await open(sites, pairs, 1);
    const [found] = await evaluator.evaluate([some]);
    const mean = (mask: NodeMask) =>
      pairs.reduce((sum, pair) => sum + plainMetric(sites, mask, pair, 1), 0) / pairs.length;
    expect(evaluator.empty).toBeCloseTo(mean(none), 4);
    expect(found!.circuit).toBeCloseTo(mean(some), 4);
    expect(found!.complement).toBeCloseTo(mean(complementOf(sites, some)), 4);
    const differences = [
      found!.circuit - meanOf(some, pairs),
      found!.complement - meanOf(complementOf(sites, some), pairs),
    ];
    expect(Math.max(...differences.map(Math.abs))).toBeGreaterThan(1e-3);
    expect([evaluator.pairs, evaluator.leastReference]).toEqual([2, 2]);
    expect((await open(sites, used)).leastReference).toBe(1);
  });

  it.each([0, 1])('can be found incomplete, testing from layer %i on', async (startLayer) => {
    const sites = sitesOf();
    const evaluator = await open(sites, pairs, startLayer);
    // The embeddings, and one node that carries little: everything that matters is outside.
    const site = sites.findIndex(({ kind, layer }) => kind === 'mlp' && layer === 1);
    const nodes = [
      ...Array.from({ length: unitsOf(sites[0]!) }, (_, unit) => ({ site: 0, unit, place: 0 })),
      { site, unit: 0, place: 0 },
    ];
    const [small, all] = await evaluator.evaluate([
      maskOf(sites, 1, nodes),
      complementOf(sites, maskOf(sites, 1, [])),
    ]);
    expect(small!.completeness).toBeGreaterThan(0.9);
    expect(small!.completeness).toBeLessThan(1.1);
    expect(all!.faithfulness).toBeCloseTo(1, 4);
    expect(all!.completeness).toBeCloseTo(0, 4);
  });

  it('are everything or nothing at the ends', async () => {
    const sites = sitesOf();
    const evaluator = await open(sites, pairs);
    const none = maskOf(sites, 1, []);
    const [all, nothing] = await evaluator.evaluate([complementOf(sites, none), none]);
    expect(all!.faithfulness).toBeCloseTo(1, 4);
    expect(all!.completeness).toBeCloseTo(0, 4);
    expect(nothing!.faithfulness).toBeCloseTo(0, 4);
    expect(nothing!.completeness).toBeCloseTo(1, 4);
  });
});

describe('errors of SAEs', () => {
  const errorsIn = ({ kept }: NodeMask) =>
    tiny.sites.flatMap(({ dictionary: { width } }, i) => (width > 0 ? [kept[i]![width]] : []));

  it.each([
    ['keep', 1],
    ['remove', 0],
  ] as const)('%s: all stand at %i in the circuit and in its complement', (errors, stays) => {
    const nodes = someNodes(tiny.sites, 1, 'errors');
    const mask = maskOf(tiny.sites, 1, nodes, errors);
    for (const one of [mask, complementOf(tiny.sites, mask, errors)]) {
      expect(errorsIn(one).every((value) => value === stays)).toBe(true);
    }
    const plain = maskOf(tiny.sites, 1, nodes);
    const bare = tiny.sites.findIndex(({ dictionary }) => dictionary.width === 0);
    expect(mask.kept[bare]).toEqual(plain.kept[bare]);
  });
});

describe('circuits without errors', () => {
  it('give the metric of the run in which every error is at its mean, and so do all features together', async () => {
    const { sites } = tiny;
    const evaluator = await open(sites, used);
    const some = maskOf(sites, 1, someNodes(sites, 1, 'without errors'), 'remove');
    const all = allFeatures(sites);
    const found = await evaluator.evaluate([some, all], 'remove');
    const mean = (mask: NodeMask) =>
      used.reduce((sum, pair) => sum + plainMetric(sites, mask, pair), 0) / used.length;
    const empty = mean(maskOf(sites, 1, []));
    const share = (value: number) => (value - empty) / (evaluator.full - empty);
    for (const [i, mask] of [some, all].entries()) {
      expect(found[i]!.circuit).toBeCloseTo(mean(mask), 4);
      expect(found[i]!.faithfulness).toBeCloseTo(share(mean(mask)), 3);
    }
    // Built by hand: all features of sites with an SAE, and sites without one whole.
    for (const [i, { dictionary }] of sites.entries()) {
      const expected = new Uint8Array(unitsOf(sites[i]!)).fill(1);
      if (dictionary.width > 0) expected[dictionary.width] = 0;
      expect(all.kept[i]).toEqual(expected);
    }
    expect(Math.abs(found[1]!.faithfulness - 1)).toBeGreaterThan(1e-3);
  });
});

describe('held-out pairs', () => {
  const prompt = (id: number) => Int32Array.from([3, id]);
  const between = (clean: number, corrupted: number): TokenPair => ({
    ...pairs[0]!,
    clean: prompt(clean),
    corrupted: prompt(corrupted),
  });
  const many = Array.from({ length: 40 }, (_, i) => between(i, 100 + i));
  const promptsOf = (some: readonly TokenPair[]) =>
    new Set(some.flatMap(({ clean, corrupted }) => [clean.join(), corrupted.join()]));

  it('are a quarter, never those that circuits are found on, and the same every time', () => {
    const { train, test } = splitPairs(many);
    expect([train.length, test.length]).toEqual([30, 10]);
    expect(new Set([...train, ...test]).size).toBe(40);
    expect(splitPairs(many).test).toEqual(test);
  });

  it('are all of few pairs, and at most 40 of many', () => {
    expect(splitPairs(many.slice(0, 7))).toEqual({ train: many.slice(0, 7), test: many.slice(0, 7) });
    const lots = Array.from({ length: 400 }, (_, i) => between(i, 1000 + i));
    expect(splitPairs(lots).test).toHaveLength(40);
  });

  it('have no prompt in common with those that circuits are found on', () => {
    const both = many.slice(0, 20).flatMap((pair, i) => [pair, between(100 + i, i), between(i, 500 + i)]);
    const { train, test } = splitPairs(both);
    expect(test).toHaveLength(15);
    const seen = promptsOf(train);
    expect([...promptsOf(test)].filter((text) => seen.has(text))).toEqual([]);
  });

  it('may share one prompt where all are tied together, and are all of them where there is one pair only', () => {
    const ring = many.flatMap((_, i) => [between(i, (i + 1) % 40), between((i + 1) % 40, i)]);
    const { train, test } = splitPairs(ring);
    expect(test).toHaveLength(20);
    const bothOf = ({ clean, corrupted }: TokenPair) => [clean.join(), corrupted.join()].sort().join(' ');
    const seen = new Set(train.map(bothOf));
    expect(test.filter((pair) => seen.has(bothOf(pair)))).toEqual([]);
    const same = many.map(() => ({ ...many[0]! }));
    expect(splitPairs(same)).toEqual({ train: same, test: same });
  });
});
