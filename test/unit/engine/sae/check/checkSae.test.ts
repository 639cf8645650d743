/** SAEs that are read rightly and wrongly, on the embedded model: does the check tell, and does it find the other reading? */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { floatsOf, floatValue } from '../../../../../src/engine/graph/value.ts';
import { loadTokenizer, type Tokenizer } from '../../../../../src/engine/model/tokenizer.ts';
import { Transformer } from '../../../../../src/engine/model/transformer.ts';
import { seededRandom } from '../../../../../src/engine/random.ts';
import { checkSae } from '../../../../../src/engine/sae/check/checkSae.ts';
import { checkRows } from '../../../../../src/engine/sae/check/checkText.ts';
import { Measure } from '../../../../../src/engine/sae/check/measure.ts';
import type { SaeConfig, SaeFolder, SaeTensorName } from '../../../../../src/engine/sae/format.ts';
import { openSaeLens, writeSaeLens } from '../../../../../src/engine/sae/formats/saelens.ts';
import { SparseAutoencoder } from '../../../../../src/engine/sae/sparseAutoencoder.ts';
import { describeConvention } from '../../../../../src/shared/describeConvention.ts';
import { miniFolder } from '../../../../fixtures/tinyModel.ts';
import { failure, temporaryFolder } from '../../../temporaryFolder.ts';
import { saeConfig } from '../plainSae.ts';

const hook = 'blocks.1.hook_resid_post';

let transformer: Transformer;
let tokenizer: Tokenizer;
let mini: SaeFolder;

beforeAll(async () => {
  transformer = await Transformer.open(miniFolder);
  tokenizer = await loadTokenizer(miniFolder);
  mini = await openSaeLens(join(miniFolder, 'saes', hook));
});
afterAll(() => transformer.release());

const check = (declared: SaeFolder, convention = {}, text?: string) =>
  checkSae({ transformer, tokenizer }, { declared, convention, ...(text !== undefined && { text }) });

/** The mini SAE written anew with changed tensors or config. */
async function changed(
  change: (name: SaeTensorName, data: Float32Array) => Float32Array,
  config: Partial<SaeConfig> = {},
): Promise<SaeFolder> {
  const values: Record<string, ReturnType<typeof floatValue>> = {};
  for (const [name, { shape }] of mini.tensors)
    values[name] = floatValue(change(name, await mini.read(name)), shape);
  const folder = await temporaryFolder();
  await writeSaeLens(folder, { ...mini.config, ...config }, values);
  return openSaeLens(folder);
}

describe('an SAE that is read as it was trained', () => {
  test('is good, with the numbers of a plain loop over its own text', async () => {
    const found = await check(mini);
    expect(found.verdict).toBe('good');
    expect(found.alternatives).toEqual([]);
    expect(found.text).toBe('built-in text');
    expect(found.tokens).toBe(512);
    expect(found.current.what).toBe('as declared');
    const plain = await plainReading();
    expect(found.current.explainedVariance).toBeCloseTo(Math.min(plain.all, plain.rest), 4);
    expect(found.current.l0).toBeCloseTo(plain.l0, 6);
    expect(found.current.cosine).toBeCloseTo(plain.cosine, 5);
    expect(found.current.explainedVariance).toBeGreaterThan(0.85);
  });

  test('is measured on a given text as well, and a text without tokens is refused', async () => {
    const found = await check(mini, {}, 'When Mary and John went to the store, John gave a drink to Mary.');
    expect(found.text).toBe('given text');
    expect(found.tokens).toBeLessThan(40);
    expect((await failure(check(mini, {}, 'a'))).code).toBe('request.invalid');
  });
});

test('no SAE of the embedded model is called in question, whatever is tried', async () => {
  const names = (await readdir(join(miniFolder, 'saes'))).sort();
  expect(names).toHaveLength(12);
  for (const name of names) {
    const found = await check(await openSaeLens(join(miniFolder, 'saes', name)));
    expect({ name, verdict: found.verdict, alternatives: found.alternatives }).toEqual({
      name,
      verdict: 'good',
      alternatives: [],
    });
  }
}, 180_000);

describe('a wrong reading that still explains much', () => {
  test.each([
    ['input times 1.3', { inputScale: 1.3 }],
    ['input times 2', { inputScale: 2 }],
    ['input centred', { centerInput: true }],
    ['decoder bias not subtracted', { applyBDecToInput: false }],
  ])('%s: the reading as declared is proposed', async (what, convention) => {
    const found = await check(mini, convention);
    expect(found.current.what).toBe(what);
    expect(found.current.explainedVariance).toBeGreaterThan(0.7);
    expect(found.verdict).toBe('other');
    expect(found.alternatives[0]?.what).toBe('as declared');
    expect(found.alternatives[0]?.convention).toEqual({});
  });

  test.each([
    ['input times 1', { inputScale: 2, outputScale: 2 }, { inputScale: 1 }],
    ['decoder bias subtracted', { applyBDecToInput: false }, { applyBDecToInput: true }],
    [`reading ${hook}`, { hookName: 'blocks.0.hook_resid_post' }, { hook }],
    [`reading ${hook}`, { hookName: 'blocks.2.hook_resid_mid' }, { hook }],
    [`reading ${hook}`, { hookName: 'blocks.1.hook_mlp_out' }, { hook }],
  ])('files that declare it wrongly: %s is proposed', async (what, declared, convention) => {
    const found = await check({ ...mini, config: { ...mini.config, ...declared } });
    expect(found.verdict).toBe('other');
    expect(found.alternatives[0]?.what).toBe(what);
    expect(found.alternatives[0]?.convention).toEqual(convention);
    const right = (await check(mini)).current;
    expect(found.alternatives[0]?.explainedVariance).toBeCloseTo(right.explainedVariance, 5);
  });
});

describe('how prompts begin', () => {
  test('counts as it is, whatever the SAE declares or was told', async () => {
    const wants = { ...mini, config: { ...mini.config, prependBos: true } };
    const plain = await check(mini);
    for (const found of [await check(wants), await check(mini, { prependBos: true })]) {
      expect(found.current.explainedVariance).toBe(plain.current.explainedVariance);
      expect(found.current.convention).toEqual({});
    }
  });

  test('with the token, which is no part of the text', async () => {
    const found = await checkSae({ transformer, tokenizer, bos: true }, { declared: mini, convention: {} });
    const { rows } = checkRows(tokenizer, transformer.info.nContext, { prependBos: true });
    const measure = new Measure({ transformer, tokenizer }, { declared: mini, convention: {} }, {});
    const other = await measure.read({ prependBos: true });
    await measure.release();
    expect(rows[0]?.[0]).toBe(tokenizer.bosId);
    expect(other.what).toBe('beginning-of-sequence token first');
    expect(found.current.explainedVariance).toBe(other.explainedVariance);
    expect(found.current.explainedVariance).not.toBe((await check(mini)).current.explainedVariance);
    expect(found.tokens).toBe(rows.length * rows[0]!.length);
  });
});

test('alternatives of a wide SAE are tried on the first tokens of the text', async () => {
  const wide = { ...mini, config: { ...mini.config, dIn: 768, dSae: 24_576 } };
  const most = new Measure({ transformer, tokenizer }, { declared: wide, convention: {} }, {});
  expect([most.fewTokens, most.isSampling]).toEqual([48, true]);
  const measure = new Measure({ transformer, tokenizer }, { declared: mini, convention: {} }, {});
  expect(measure.isSampling).toBe(false);
  const few = await measure.read({}, 48);
  await measure.release();
  const { rows } = checkRows(tokenizer, transformer.info.nContext, { prependBos: false });
  const tokens = [rows[0]!.subarray(0, 48)];
  const run = await transformer.run({ tokens, capture: [hook], logits: 'none' });
  const sae = new SparseAutoencoder(mini);
  const guess = (await sae.reconstruct(run.hooks.get(hook)!)).data;
  await sae.release();
  const x = floatsOf(run.hooks.get(hook)!);
  const cosines = split(x).map((row, i) => {
    const other = split(guess)[i]!;
    const dot = (a: number[], b: number[]) => a.reduce((sum, value, at) => sum + value * b[at]!, 0);
    return dot(row, other) / Math.sqrt(dot(row, row) * dot(other, other));
  });
  expect(few.cosine).toBeCloseTo(cosines.reduce((sum, one) => sum + one, 0) / 48, 5);
});

test('an SAE that reconstructs in part is fair, and so is one whose L0 is far from the stated one', async () => {
  const { dIn } = mini.config;
  const weakened = await changed((name, data) =>
    name === 'W_dec' ? data.map((x, i) => (Math.floor(i / dIn) % 2 === 0 ? x : 0)) : data,
  );
  const found = await check(weakened);
  expect(found.current.explainedVariance).toBeGreaterThan(0.3);
  expect(found.current.explainedVariance).toBeLessThan(0.7);
  expect(found.verdict).toBe('fair');
  const stated = (statedL0: number) => check({ ...mini, config: { ...mini.config, statedL0 } });
  expect(await stated(70)).toMatchObject({ verdict: 'fair', statedL0: 70 });
  expect(await stated(30)).toMatchObject({ verdict: 'good', statedL0: 30 });
});

describe('an SAE whose files leave something out', () => {
  test('a scale of the input: the check finds it', async () => {
    // Trained on activations that were scaled to a mean norm of √d_in, and saved without a word of it.
    const scale = Math.sqrt(mini.config.dIn) / (await meanNorm());
    const factors: Partial<Record<SaeTensorName, number>> = { W_enc: 1 / scale, W_dec: scale, b_dec: scale };
    const scaled = await changed((name, data) => data.map((x) => x * (factors[name] ?? 1)));
    const found = await check(scaled);
    expect(found.verdict).toBe('other');
    const [best] = found.alternatives;
    expect(best?.convention.inputScale).toBeCloseTo(scale, 3);
    const declared = await check(mini);
    expect(best?.explainedVariance).toBeGreaterThan(declared.current.explainedVariance - 0.02);
    expect(best?.what).toMatch(/^input times /);
    const accepted = await check(scaled, best?.convention);
    expect(accepted.verdict).toBe('good');
    expect(accepted.current.explainedVariance).toBeCloseTo(best!.explainedVariance, 6);
  });

  test('a wrongly declared decoder bias: the check proposes the other reading', async () => {
    const wrong = await biasedIdentity(false);
    const found = await check(wrong);
    expect(found.current.explainedVariance).toBeLessThan(0.3);
    expect(found.verdict).toBe('other');
    expect(found.alternatives[0]?.convention).toEqual({ applyBDecToInput: true });
    expect(found.alternatives[0]?.what).toBe('decoder bias subtracted');
    expect(found.alternatives[0]?.explainedVariance).toBeGreaterThan(0.99);
  });

  test('a transposed square encoder: the check turns it round', async () => {
    const turned = await rotation({ transposed: true });
    const found = await check(turned);
    expect(found.verdict).toBe('other');
    expect(found.current.explainedVariance).toBeLessThan(0.3);
    expect(found.alternatives[0]?.explainedVariance).toBeGreaterThan(0.99);
    expect(Object.keys(found.alternatives[0]!.convention)).toHaveLength(1);
    expect(found.alternatives[0]?.what).toMatch(/^(encoder|decoder) transposed$/);
    expect((await check(await rotation({ transposed: false }))).verdict).toBe('good');
  });
});

test('an SAE that reconstructs under no convention is poor, and nothing is proposed', async () => {
  const random = seededRandom('poor');
  const found = await check(await changed((_, data) => data.map(() => random.next() - 0.5)));
  expect(found.verdict).toBe('poor');
  for (const other of found.alternatives) expect(other.explainedVariance).toBeLessThan(0.3);
});

test('the first position is left out where it would decide alone', async () => {
  const found = await check(mini, { maskFirst: true });
  const plain = await plainReading();
  expect(found.current.explainedVariance).toBeCloseTo(plain.rest, 4);
  expect(found.current.what).toBe('first position left out');
});

test('a check can be cancelled, and tells what it tries', async () => {
  const told: string[] = [];
  const stop = new AbortController();
  const wrong = await biasedIdentity(false);
  const work = checkSae(
    { transformer, tokenizer },
    { declared: wrong, convention: {} },
    {
      signal: stop.signal,
      report: ({ what }) => {
        told.push(what);
        if (told.length === 3) stop.abort();
      },
    },
  );
  expect((await failure(work)).code).toBe('cancelled');
  expect(told[0]).toBe('as declared');
  expect(told).toHaveLength(3);
});

test('conventions are told in words', () => {
  expect(describeConvention({})).toBe('as declared');
  expect(describeConvention({ applyBDecToInput: false, centerInput: true, inputScale: 0.123456 })).toBe(
    'decoder bias not subtracted, input centred, input times 0.123',
  );
});

/** Values of the hook on the text of the check: `[row][position · d_model]`. */
async function values(): Promise<Float32Array[]> {
  const { rows } = checkRows(tokenizer, transformer.info.nContext, { prependBos: false });
  const all: Float32Array[] = [];
  for (const tokens of rows) {
    const run = await transformer.run({ tokens: [tokens], capture: [hook], logits: 'none' });
    all.push(floatsOf(run.hooks.get(hook)!));
  }
  return all;
}

async function meanNorm(): Promise<number> {
  const lengths = (await values()).flatMap((row) => split(row).map((x) => Math.hypot(...x)));
  return lengths.reduce((sum, x) => sum + x, 0) / lengths.length;
}

function split(row: Float32Array): number[][] {
  const { dIn } = mini.config;
  return Array.from({ length: row.length / dIn }, (_, i) => Array.from(row.subarray(i * dIn, (i + 1) * dIn)));
}

/** The mini SAE by plain loops: TopK of the rectified pre-activations. */
async function plainReading() {
  const { dIn, dSae, k } = mini.config;
  const [wEnc, bEnc, wDec, bDec] = await Promise.all(
    (['W_enc', 'b_enc', 'W_dec', 'b_dec'] as const).map(mini.read),
  );
  const pairs: {
    readonly x: number[];
    readonly guess: number[];
    readonly first: boolean;
    readonly active: number;
  }[] = [];
  for (const row of await values()) {
    for (const [position, x] of split(row).entries()) {
      const pre = Array.from({ length: dSae }, (_, f) =>
        x.reduce((sum, value, i) => sum + (value - bDec![i]!) * wEnc![i * dSae + f]!, bEnc![f]!),
      );
      const least = [...pre].sort((a, b) => b - a)[k! - 1]!;
      const features = pre.map((value) => (value >= least ? Math.max(value, 0) : 0));
      const guess = Array.from(bDec!);
      for (const [f, value] of features.entries()) {
        if (value > 0) for (let i = 0; i < dIn; i++) guess[i]! += value * wDec![f * dIn + i]!;
      }
      const active = features.filter((value) => value > 0).length;
      pairs.push({ x, guess, first: position === 0, active });
    }
  }
  const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
  const explained = (of: typeof pairs) => {
    const mean = Array.from({ length: dIn }, (_, i) => of.reduce((sum, { x }) => sum + x[i]!, 0) / of.length);
    const residual = of.reduce(
      (sum, { x, guess }) => sum + x.reduce((s, v, i) => s + (v - guess[i]!) ** 2, 0),
      0,
    );
    return (
      1 - residual / of.reduce((sum, { x }) => sum + x.reduce((s, v, i) => s + (v - mean[i]!) ** 2, 0), 0)
    );
  };
  const cosines = pairs.map(({ x, guess }) => dot(x, guess) / Math.sqrt(dot(x, x) * dot(guess, guess)));
  return {
    all: explained(pairs),
    rest: explained(pairs.filter(({ first }) => !first)),
    l0: pairs.reduce((sum, { active }) => sum + active, 0) / pairs.length,
    cosine: cosines.reduce((sum, value) => sum + value, 0) / cosines.length,
  };
}

/**
 * A square SAE that gives every input back: a rotation, a bias that keeps ReLU open, the inverse rotation.
 * With `transposed`, its encoder is stored the wrong way round.
 */
async function rotation({ transposed }: { readonly transposed: boolean }): Promise<SaeFolder> {
  const { dIn } = mini.config;
  const matrix = randomRotation(dIn);
  const open = 1000;
  const bias = Array.from(
    { length: dIn },
    (_, i) => -open * matrix.reduce((sum, column) => sum + column[i]!, 0),
  );
  return square({
    W_enc: Array.from({ length: dIn * dIn }, (_, at) => {
      const [row, column] = [Math.floor(at / dIn), at % dIn];
      return transposed ? matrix[row]![column]! : matrix[column]![row]!;
    }),
    b_enc: new Array(dIn).fill(open),
    W_dec: matrix.flat(),
    b_dec: bias,
    applyBDecToInput: false,
  });
}

/** Gives every input back when its decoder bias is subtracted first, and cannot when it is not. */
function biasedIdentity(applyBDecToInput: boolean): Promise<SaeFolder> {
  const { dIn } = mini.config;
  const identity = Array.from({ length: dIn * dIn }, (_, at) => (at % (dIn + 1) === 0 ? 1 : 0));
  const low = new Array<number>(dIn).fill(-1000);
  return square({
    W_enc: identity,
    b_enc: new Array(dIn).fill(0),
    W_dec: identity,
    b_dec: low,
    applyBDecToInput,
  });
}

async function square(sae: {
  readonly W_enc: readonly number[];
  readonly b_enc: readonly number[];
  readonly W_dec: readonly number[];
  readonly b_dec: readonly number[];
  readonly applyBDecToInput: boolean;
}): Promise<SaeFolder> {
  const { dIn } = mini.config;
  const folder = await temporaryFolder();
  const config = saeConfig({ dIn, dSae: dIn, hookName: hook, applyBDecToInput: sae.applyBDecToInput });
  const matrix = (data: readonly number[]) => floatValue(Float32Array.from(data), [dIn, dIn]);
  await writeSaeLens(folder, config, {
    W_enc: matrix(sae.W_enc),
    b_enc: floatValue(sae.b_enc),
    W_dec: matrix(sae.W_dec),
    b_dec: floatValue(sae.b_dec),
  });
  return openSaeLens(folder);
}

/** Orthonormal rows, by Gram–Schmidt. */
function randomRotation(size: number): number[][] {
  const random = seededRandom('rotation');
  const rows: number[][] = [];
  while (rows.length < size) {
    const row = Array.from({ length: size }, () => random.next() - 0.5);
    for (const other of rows) {
      const along = row.reduce((sum, x, i) => sum + x * other[i]!, 0);
      for (let i = 0; i < size; i++) row[i]! -= along * other[i]!;
    }
    const length = Math.hypot(...row);
    rows.push(row.map((x) => x / length));
  }
  return rows;
}
