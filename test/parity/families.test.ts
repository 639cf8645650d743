/**
 * Holds Fovea against transformers (logits) and TransformerLens (hooks) for a small random model of every family, and
 * the family badges of `familyParity.json` against what is measured here.
 */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSafetensors, type Safetensors } from '../../src/engine/files/safetensors.ts';
import { floatsOf, floatValue, type Value } from '../../src/engine/graph/value.ts';
import { scaleEdit } from '../../src/engine/model/edits.ts';
import { families } from '../../src/engine/model/families/registry.ts';
import { gradientsAt } from '../../src/engine/model/gradients.ts';
import { hookDims, locateHook } from '../../src/engine/model/hooks.ts';
import { pickPositions, positionRange } from '../../src/engine/model/kvCache.ts';
import { logitDifferenceGradient } from '../../src/engine/model/logitGradients.ts';
import { Transformer } from '../../src/engine/model/transformer.ts';
import type { HookName } from '../../src/shared/domain.ts';
import { checkFamilyTable, type Measured } from './familyTable.ts';

/** What the recordings say of themselves. */
interface About {
  readonly reference: string;
  readonly hookReference: string;
}

/** What TransformerLens does not compute; hooks of these are read off transformers' modules. */
const variants = ['llama-biased', 'olmo2-grouped', 'phi3-longrope', 'qwen2-windowed'];

/** Tensors of a recording that are no hooks. */
const notHooks = ['tokens', 'logits', 'edited'];

const fixtures = fileURLToPath(new URL('../fixtures/parity/families', import.meta.url));
const names = readdirSync(fixtures).sort();
const measured: Measured[] = [];

it('compares at least one model of each of the families that Fovea names', () => {
  expect(names).toEqual([
    'gemma',
    'gemma2',
    'gemma3',
    'gpt2',
    'gpt_neo',
    'gpt_neox',
    'gpt_neox-sequential',
    'llama',
    'llama-biased',
    'llama-linear',
    'llama-yarn',
    'mistral',
    'olmo',
    'olmo2',
    'olmo2-grouped',
    'opt',
    'phi',
    'phi3',
    'phi3-longrope',
    'qwen2',
    'qwen2-windowed',
    'qwen3',
  ]);
});

describe.each(names)('the small %s', (name) => {
  let model: Transformer;
  let recorded: Safetensors;
  let tokens: Int32Array[];
  let expectedLogits: Float32Array;
  let worstLogit = Number.POSITIVE_INFINITY;
  beforeAll(async () => {
    recorded = await openSafetensors(`${fixtures}/${name}/recorded.safetensors`);
    const ids = await recorded.read('tokens');
    const length = ids.dims[1]!;
    tokens = [0, 1].map((row) => (ids.data as Int32Array).slice(row * length, (row + 1) * length));
    expectedLogits = await recorded.readFloat32('logits');
    model = await Transformer.open(`${fixtures}/${name}`);
  });
  afterAll(() => model?.release());

  it('gives the logits of transformers within 1e-4', async () => {
    const { logits } = await model.run({ tokens });
    expect(logits!.dims).toEqual(recorded.tensors.get('logits')!.shape);
    expect(spread(expectedLogits)).toBeGreaterThan(3);
    worstLogit = largestGap(floatsOf(logits!), expectedLogits);
    expect(worstLogit).toBeLessThan(1e-4);
  });

  it('gives every recorded hook within 1e-3', async () => {
    const about: About = JSON.parse(recorded.metadata.about!);
    const capture = [...recorded.tensors.keys()].filter((name) => !notHooks.includes(name));
    expect(capture.length).toBeGreaterThan(about.hookReference.startsWith('TransformerLens') ? 20 : 9);
    const { hooks } = await model.run({ tokens: tokens.slice(0, 1), capture, logits: 'none' });
    let worstHook = 0;
    for (const hook of capture) {
      const expected = await recorded.readFloat32(hook);
      const found = hooks.get(hook)!;
      expect(found.dims, hook).toEqual(recorded.tensors.get(hook)!.shape);
      const gap = largestGap(floatsOf(found), expected);
      expect(gap, hook).toBeLessThan(1e-3);
      worstHook = Math.max(worstHook, gap / spread(expected));
    }
    measured.push({
      model: name,
      family: model.info.family,
      reference: about.reference,
      hookReference: variants.includes(name) ? undefined : about.hookReference,
      hooks: capture.length,
      worstLogit,
      worstHook,
    });
  });

  it('gives the same when the prompt is run in two parts', async () => {
    const length = tokens[0]!.length;
    for (const split of [2, length - 2]) {
      const first = await model.run({ tokens: tokens.map((row) => row.slice(0, split)), keepKv: true });
      const rest = await model.run({ tokens: tokens.map((row) => row.slice(split)), past: first.kv });
      const shape = recorded.tensors.get('logits')!.shape;
      const expected = positionRange(floatValue(expectedLogits, shape), split, length);
      expect(largestGap(floatsOf(rest.logits!), expected.data), `split at ${split}`).toBeLessThan(1e-4);
    }
  });

  it('answers to edits as TransformerLens does within 1e-4, where that runs the variant', async () => {
    if (variants.includes(name)) {
      expect(recorded.tensors.has('edited')).toBe(false);
      return;
    }
    const positions = tokens[0]!.length;
    const scaled = (
      hook: HookName,
      factor: number,
      selection: { heads?: number[]; positions?: number[] },
    ) => {
      const place = locateHook(hook, model.config.nLayers).hook;
      const dims = hookDims(place, model.config, { batch: 1, positions, keys: positions });
      return scaleEdit(hook, place, dims, selection, factor);
    };
    const edits = [
      scaled('blocks.0.attn.hook_v', 2, { heads: [0] }),
      scaled('blocks.1.attn.hook_attn_scores', 0.5, { heads: [0] }),
      scaled('blocks.1.attn.hook_z', 0, { heads: [1] }),
      scaled('blocks.1.hook_mlp_out', 0.5, {
        positions: Array.from({ length: positions - 4 }, (_, i) => i + 4),
      }),
    ];
    const { logits } = await model.run({ tokens: tokens.slice(0, 1), edits });
    expect(largestGap(floatsOf(logits!), await recorded.readFloat32('edited'))).toBeLessThan(1e-4);
  });

  it('has gradients that agree with finite differences', async () => {
    const prompt = tokens.slice(0, 1);
    const length = prompt[0]!.length;
    const { residuals, logits } = await model.run({ tokens: prompt });
    const [answer, wrong] = extremes(pickPositions(logits!, [length - 1]).data);
    const seed = logitDifferenceGradient(length - 1, answer, wrong);
    const hook = 'blocks.1.hook_resid_pre';
    const gradient = floatsOf((await gradientsAt(model, { residuals, seed, hooks: [hook] })).get(hook)!);
    const size = gradient.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    expect(size).toBeGreaterThan(1e-2);
    const coordinates = [0, 3, 7, length - 1].map((position) => position * model.config.dModel + 5);
    const slopes = await finiteDifferences(
      model,
      residuals[1]!,
      coordinates,
      (row) => row[answer]! - row[wrong]!,
    );
    coordinates.forEach((at, i) => {
      expect(Math.abs(gradient[at]! - slopes[i]!) / size, `coordinate ${at}`).toBeLessThan(5e-3);
    });
  });
});

describe('the family badges', () => {
  it('say what is measured, and not less', () => {
    expect(measured.map(({ model }) => model)).toEqual(names);
    checkFamilyTable(measured);
  });

  it('stand for every family that Fovea runs', () => {
    for (const { modelTypes } of families) {
      expect(
        measured.some(({ family }) => modelTypes.includes(family)),
        modelTypes.join(),
      ).toBe(true);
    }
  });
});

/** Slopes of a scalar of the last position's logits along single entries of the residual stream before block 1. */
async function finiteDifferences(
  model: Transformer,
  residual: Value,
  coordinates: readonly number[],
  scalar: (logits: Float32Array) => number,
): Promise<number[]> {
  const step = 0.02;
  const shifts = [-2, -1, 1, 2];
  const [, positions, width] = residual.dims as [number, number, number];
  const plain = floatsOf(residual);
  const rows = coordinates.flatMap((at) =>
    shifts.map((shift) => plain.map((x, i) => (i === at ? x + shift * step : x))),
  );
  const batch = new Float32Array(rows.length * plain.length);
  rows.forEach((row, i) => {
    batch.set(row, i * plain.length);
  });
  const from = { layer: 1, residual: floatValue(batch, [rows.length, positions, width]) };
  const { logits } = await model.run({ from, logits: 'last' });
  const values = rows.map((_, i) => scalar(pickRow(logits!, i)));
  // Five-point formula: the error falls with the fourth power of the step.
  return coordinates.map((_, i) => {
    const [a, b, c, d] = values.slice(4 * i, 4 * i + 4) as [number, number, number, number];
    return (a - 8 * b + 8 * c - d) / (12 * step);
  });
}

function pickRow(logits: Value, row: number): Float32Array {
  const width = logits.dims.at(-1)!;
  return floatsOf(logits).subarray(row * width, (row + 1) * width);
}

/** Places of the largest and of the smallest entry. */
function extremes(row: Float32Array): [number, number] {
  return [row.indexOf(Math.max(...row)), row.indexOf(Math.min(...row))];
}

/** Largest minus smallest finite entry. */
function spread(values: Float32Array): number {
  const finite = values.filter(Number.isFinite);
  return Math.max(...finite) - Math.min(...finite);
}

/** Largest |a − b|; infinities must be the same on both sides, and a missing or not finite number is infinitely far off. */
function largestGap(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  b.forEach((expected, i) => {
    const gap = a[i] === expected ? 0 : Math.abs(a[i]! - expected);
    worst = Number.isNaN(gap) ? Number.POSITIVE_INFINITY : Math.max(worst, gap);
  });
  return worst;
}
