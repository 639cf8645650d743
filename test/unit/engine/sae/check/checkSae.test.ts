/** SAEs that are read rightly and wrongly, on the embedded model: does the check tell, and does it find the other reading? */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { floatsOf, floatValue } from '../../../../../src/engine/graph/value.ts';
import { loadTokenizer, type Tokenizer } from '../../../../../src/engine/model/tokenizer.ts';
import { Transformer } from '../../../../../src/engine/model/transformer.ts';
import { seededRandom } from '../../../../../src/engine/random.ts';
import { checkSae } from '../../../../../src/engine/sae/check/checkSae.ts';
import { checkRows } from '../../../../../src/engine/sae/check/checkText.ts';
import { describeConvention } from '../../../../../src/engine/sae/check/conventions.ts';
import type { SaeConfig, SaeFolder, SaeTensorName } from '../../../../../src/engine/sae/format.ts';
import { openSaeLens, writeSaeLens } from '../../../../../src/engine/sae/formats/saelens.ts';
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
