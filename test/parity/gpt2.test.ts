/** Holds the model runtime against values that TransformerLens computed for the same weights. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSafetensors } from '../../src/engine/files/safetensors.ts';
import { floatsOf, floatValue, type Value } from '../../src/engine/graph/value.ts';
import { addEdit, type HookEdit, replaceEdit, scaleEdit } from '../../src/engine/model/edits.ts';
import { gradientsAt } from '../../src/engine/model/gradients.ts';
import { hookDims, locateHook } from '../../src/engine/model/hooks.ts';
import { pickPositions } from '../../src/engine/model/kvCache.ts';
import {
  crossEntropyGradient,
  denseGradient,
  type LogitGradient,
  logitDifferenceGradient,
} from '../../src/engine/model/logitGradients.ts';
import { Transformer } from '../../src/engine/model/transformer.ts';

const folder = fileURLToPath(new URL('../fixtures/parity/gpt2', import.meta.url));
const recorded = fileURLToPath(new URL('../fixtures/parity/gpt2-recorded', import.meta.url));

interface RecordedEdit {
  readonly hook: string;
  readonly kind: 'zero' | 'patch' | 'scale' | 'add' | 'uniform_causal';
  readonly head?: number;
  readonly positions?: number[];
  readonly neurons?: number[];
  readonly factor?: number;
}

interface About {
  readonly tokens: { readonly single: number[][]; readonly batch: number[][] };
  readonly scalars: { readonly single: { readonly value: number; readonly logitPair: [number, number] } };
  readonly interventions: readonly { readonly name: string; readonly edits: readonly RecordedEdit[] }[];
}

let model: Transformer;
let about: About;

beforeAll(async () => {
  model = await Transformer.open(folder);
  about = JSON.parse(await readFile(`${recorded}/about.json`, 'utf8'));
});

afterAll(() => model?.release());

describe.each(['single', 'batch'] as const)('a run of the %s prompts', (kind) => {
  it('gives every hook as TransformerLens does, within 1e-4', async () => {
    const file = await openSafetensors(`${recorded}/hooks.${kind}.safetensors`);
    const names = [...file.tensors.keys()].map((name) => name.slice(kind.length + 1));
    const capture = names.filter((name) => name !== 'logits' && name !== 'hf_logits');
    expect(capture).toHaveLength(60);
    const tokens = about.tokens[kind].map((row) => Int32Array.from(row));
    const { hooks, logits } = await model.run({ tokens, capture });
    for (const name of names) {
      const expected = await file.readFloat32(`${kind}/${name}`);
      const value = name.endsWith('logits') ? logits! : hooks.get(name)!;
      expect(value.dims, name).toEqual(file.tensors.get(`${kind}/${name}`)!.shape);
      expect(largestGap(value.data as Float32Array, expected), name).toBeLessThan(1e-4);
    }
  });
});

describe('gradients', () => {
  it('of a logit difference agree with TransformerLens at every hook', async () => {
    const { tokens, logits, residuals } = await runOf('single');
    const [answer, wrong] = about.scalars.single.logitPair;
    const last = tokens[0]!.length - 1;
    const seed = logitDifferenceGradient(last, answer, wrong);
    const difference = dot(pickPositions(logits!, [last]), denseGradient(seed, model.config.dVocab));
    expect(difference).toBeCloseTo(about.scalars.single.value, 4);
    await compareGradients('gradients.single', 'single', residuals, seed);
  });

  it('at the separate inputs of heads and MLPs agree with TransformerLens', async () => {
    const { tokens, residuals } = await runOf('single');
    const [answer, wrong] = about.scalars.single.logitPair;
    const seed = logitDifferenceGradient(tokens[0]!.length - 1, answer, wrong);
    await compareGradients('gradients.single.split', 'single', residuals, seed);
  });

  it('of the mean cross-entropy agree with TransformerLens for a batch', async () => {
    const { tokens, logits, residuals } = await runOf('batch');
    await compareGradients('gradients.batch', 'batch', residuals, crossEntropyGradient(logits!, tokens));
  });
});

describe('interventions', () => {
  it('change the logits as TransformerLens hooks do, within 1e-4', async () => {
    const file = await openSafetensors(`${recorded}/interventions.safetensors`);
    const [a, b] = about.tokens.batch.map((row) => Int32Array.from(row)) as [Int32Array, Int32Array];
    const vector = floatValue(await file.readFloat32('vector'), [1, 1, model.config.dModel]);
    const patched = about.interventions.flatMap(({ edits }) => edits.map(({ hook }) => hook));
    const source = await model.run({ tokens: [b], capture: patched });
    expect(about.interventions).toHaveLength(13);
    for (const { name, edits } of about.interventions) {
      const built = edits.map((edit) => buildEdit(edit, a.length, source.hooks.get(edit.hook)!, vector));
      const { logits } = await model.run({ tokens: [a], edits: built });
      const expected = await file.readFloat32(name);
      expect(largestGap(logits!.data as Float32Array, expected), name).toBeLessThan(1e-4);
    }
  });
});

async function runOf(kind: 'single' | 'batch') {
  const tokens = about.tokens[kind].map((row) => Int32Array.from(row));
  return { tokens, ...(await model.run({ tokens })) };
}

/** Every recorded gradient within 1e-3 of the gradient's largest entry. */
async function compareGradients(
  fileName: string,
  kind: string,
  residuals: readonly (Value | undefined)[],
  seed: LogitGradient,
): Promise<void> {
  const file = await openSafetensors(`${recorded}/${fileName}.safetensors`);
  const hooks = [...file.tensors.keys()].map((name) => name.slice(kind.length + 1));
  const gradients = await gradientsAt(model, { residuals, seed, hooks });
  for (const hook of hooks) {
    const expected = await file.readFloat32(`${kind}/${hook}`);
    const found = gradients.get(hook)!;
    expect(found.dims, hook).toEqual(file.tensors.get(`${kind}/${hook}`)!.shape);
    const size = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    expect(size, hook).toBeGreaterThan(0);
    expect(largestGap(found.data as Float32Array, expected) / size, hook).toBeLessThan(1e-3);
  }
}

/** The recorded description of an intervention as an edit. */
function buildEdit(edit: RecordedEdit, positions: number, source: Value, vector: Value): HookEdit {
  const { hook, kind, head } = edit;
  const place = locateHook(hook, model.config.nLayers).hook;
  const dims = hookDims(place, model.config, { batch: 1, positions, keys: positions });
  const selection = { positions: edit.positions, heads: head === undefined ? undefined : [head] };
  if (edit.neurons) {
    const keep = new Float32Array(dims[2]!).fill(1);
    for (const neuron of edit.neurons) keep[neuron] = edit.factor!;
    return { hook, keep: floatValue(keep, [1, 1, keep.length]), add: 0 };
  }
  switch (kind) {
    case 'zero':
      return replaceEdit(hook, place, dims, selection, 0);
    case 'patch':
      return replaceEdit(hook, place, dims, selection, source);
    case 'scale':
      return scaleEdit(hook, place, dims, selection, edit.factor!);
    case 'add':
      return addEdit(hook, place, dims, selection, vector);
    default:
      return replaceEdit(hook, place, dims, selection, uniformCausal(positions));
  }
}

function uniformCausal(positions: number): Value {
  const pattern = new Float32Array(positions * positions);
  for (let query = 0; query < positions; query++) {
    pattern.fill(1 / (query + 1), query * positions, query * positions + query + 1);
  }
  return floatValue(pattern, [1, 1, positions, positions]);
}

function dot(a: Value, b: Value): number {
  return floatsOf(a).reduce((sum, x, i) => sum + x * floatsOf(b)[i]!, 0);
}

/** Largest |a − b|; infinities must be the same on both sides. */
function largestGap(a: Float32Array, b: Float32Array): number {
  let worst = 0;
  b.forEach((expected, i) => {
    const gap = a[i] === expected ? 0 : Math.abs(a[i]! - expected);
    worst = Number.isNaN(gap) ? Number.POSITIVE_INFINITY : Math.max(worst, gap);
  });
  return worst;
}
