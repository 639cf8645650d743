/** Holds experiments against the TransformerLens scripts that are exported from them, which a Python ran and recorded. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../src/engine/engine.ts';
import { writeTorch } from '../../src/engine/files/torchWriter.ts';
import { type FloatValue, floatValue } from '../../src/engine/graph/value.ts';
import type { JsonValue } from '../../src/shared/experiment/canonicalJson.ts';
import { readExperiment } from '../../src/shared/experiment/readExperiment.ts';
import { runExperiment } from '../../src/shared/experiment/runExperiment.ts';

const folder = 'test/fixtures/parity/experiments';

let lens: string;

beforeAll(async () => {
  lens = await mkdtemp(join(tmpdir(), 'fovea-lens-'));
  await writeLens(lens);
});
afterAll(() => rm(lens, { recursive: true, force: true }));

/** The tuned lens of `record_experiments.py`: a formula, since its weights would be too large to keep. */
async function writeLens(to: string): Promise<void> {
  const [layers, width] = [4, 128];
  const tensors: Record<string, FloatValue> = {};
  for (let layer = 0; layer < layers; layer++) {
    const weight = Float32Array.from({ length: width * width }, (_, i) => {
      const [row, column] = [Math.floor(i / width), i % width];
      return 0.05 * Math.sin(0.1 * (layer + 1) * (row - 2 * column));
    });
    tensors[`${layer}.weight`] = floatValue(weight, [width, width]);
    const bias = Float32Array.from({ length: width }, (_, row) => 0.1 * Math.cos(row + layer));
    tensors[`${layer}.bias`] = floatValue(bias);
  }
  await writeFile(join(to, 'config.json'), JSON.stringify({ d_model: width, num_hidden_layers: layers }));
  await writeTorch(join(to, 'params.pt'), tensors);
}

/** What a script wrote. */
interface Recorded {
  readonly recordedWith: Readonly<Record<string, string>>;
  readonly clean: number;
  readonly corrupted: number;
  readonly results: readonly { readonly method: string; readonly values: JsonValue }[];
}

interface Named {
  readonly name?: string;
  readonly component?: string;
  readonly score?: number;
  readonly value?: number;
}

type Numbers = Readonly<Record<string, JsonValue>>;

describe.each(['features', 'pair', 'roles', 'task'])('the experiment %s', (name) => {
  it('gives the numbers of its TransformerLens script', async () => {
    expect(existsSync(`${folder}/${name}.recorded.json`)).toBe(true);
    const recorded = JSON.parse(readFileSync(`${folder}/${name}.recorded.json`, 'utf8')) as Recorded;
    const experiment = readExperiment(name, readFileSync(`${folder}/${name}.fovea.json`, 'utf8'));
    const { methods } = await runExperiment(experiment, {
      engine: new Engine({ threads: 1 }),
      embedded: 'models/mini',
      path: async (path) => (path === './lens' ? lens : realpath(path)),
      readText: (path) => readFile(path, 'utf8'),
    });
    expect(methods.map(({ method }) => method.kind)).toEqual(recorded.results.map(({ method }) => method));
    const span = Math.abs(recorded.clean - recorded.corrupted);
    for (const [i, { method, numbers }] of methods.entries()) {
      const { values } = recorded.results[i]!;
      const ours = numbers as Numbers;
      if ('clean' in ours) expect(Math.abs(Number(ours.clean) - recorded.clean)).toBeLessThan(1e-3 * span);
      expect(gap(ours, values, span), `${i} ${method.kind}`).toBeLessThan(1e-3);
    }
  });
});

/** The largest difference, as a share of the range of what is compared. */
function gap(ours: Numbers, theirs: JsonValue, span: number): number {
  if (ours.values) return gridGap(flat(ours.values), flat(theirs));
  if (ours.layers) return lensGap(flat(ours.layers), flat(theirs));
  const named = (ours.edges ?? ours.components) as readonly Named[];
  const found = new Map((theirs as readonly Named[]).map((one) => [nameOf(one), numberOf(one)]));
  const shared = named.filter((one) => found.has(nameOf(one)));
  // Edges that lead nowhere are left out of the circuit; embeddings and biases are not components of the script.
  expect(shared.length).toBeGreaterThanOrEqual(Math.min(named.length, found.size) * 0.9);
  return Math.max(...shared.map((one) => Math.abs(numberOf(one) - found.get(nameOf(one))!))) / span;
}

function gridGap(ours: readonly unknown[], theirs: readonly unknown[]): number {
  expect(ours).toHaveLength(theirs.length);
  const range = Math.max(...(theirs as number[])) - Math.min(...(theirs as number[]));
  expect(range).toBeGreaterThan(0.01);
  return Math.max(...theirs.map((value, i) => Math.abs(Number(value) - Number(ours[i])))) / range;
}

/** The same tokens in the same order, with the same probabilities. */
function lensGap(ours: readonly unknown[], theirs: readonly unknown[]): number {
  expect(ours.filter((part) => typeof part === 'string')).toEqual(
    theirs.filter((part) => typeof part === 'string'),
  );
  const numbers = (all: readonly unknown[]) => all.filter((part) => typeof part === 'number') as number[];
  const [mine, other] = [numbers(ours), numbers(theirs)];
  expect(mine).toHaveLength(other.length);
  return Math.max(...mine.map((value, i) => Math.abs(value - other[i]!)));
}

const nameOf = ({ name, component }: Named): string => name ?? component ?? '';

const numberOf = ({ score, value }: Named): number => score ?? value ?? Number.NaN;

/** All plain values, from the first to the last. */
function flat(value: JsonValue): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return [value];
  return Object.values(value).flatMap((inner) => flat(inner as JsonValue));
}
