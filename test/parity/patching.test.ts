/** Holds patching sweeps and path patching against TransformerLens, which ran every cell as a forward pass of its own. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSafetensors } from '../../src/engine/files/safetensors.ts';
import { patchActivations } from '../../src/engine/method/activationPatching.ts';
import { sweepCells } from '../../src/engine/method/patchCells.ts';
import { patchPaths } from '../../src/engine/method/pathPatching.ts';
import { Transformer } from '../../src/engine/model/transformer.ts';
import type { TokenPair, TokenTask } from '../../src/engine/task/task.ts';
import type { PathReceiver, SweepName } from '../../src/shared/patchingApi.ts';

const folder = fileURLToPath(new URL('../fixtures/parity/gpt2', import.meta.url));
const recorded = fileURLToPath(new URL('../fixtures/parity/patching', import.meta.url));

interface About {
  readonly clean: number[][];
  readonly corrupted: number[][];
  readonly logitPair: [number, number];
  readonly sweeps: SweepName[];
  readonly paths: readonly {
    readonly key: string;
    readonly receivers: readonly (readonly [hook: string, head: number | null])[];
    readonly positions: number[];
    readonly freezeMlps: boolean;
    readonly senders: readonly (readonly [layer: number, head: number | null])[];
  }[];
}

const about = JSON.parse(await readFile(`${recorded}/about.json`, 'utf8')) as About;
let model: Transformer;
let task: TokenTask;

beforeAll(async () => {
  model = await Transformer.open(folder, { threads: 1 });
  const [answer, wrong] = about.logitPair;
  const pairs = about.clean.map(
    (clean, i): TokenPair => ({
      clean: Int32Array.from(clean),
      corrupted: Int32Array.from(about.corrupted[i]!),
      answers: [answer],
      wrongAnswers: [wrong],
      roles: {},
      template: '',
    }),
  );
  task = { name: 'random', pairs };
});

afterAll(() => model?.release());

describe('activation patching', () => {
  it.each(about.sweeps)('%s gives every cell as TransformerLens does', async (name) => {
    const file = await openSafetensors(`${recorded}/patching.safetensors`);
    const expected = await file.readFloat32(`sweep/${name}`);
    const grid = sweepCells(name, model.config, task.pairs);
    expect(grid.axes.map(({ labels }) => labels.length)).toEqual(file.tensors.get(`sweep/${name}`)!.shape);
    const { values } = await patchActivations({
      model,
      task,
      metric: 'logitDifference',
      direction: 'denoising',
      grid,
    });
    expect(largestGap(values, expected)).toBeLessThan(1e-4);
    expect(rangeOf(expected)).toBeGreaterThan(0.05);
  });
});

describe('path patching', () => {
  it.each(about.paths)('$key gives every sender as hooks on full runs do', async (path) => {
    const file = await openSafetensors(`${recorded}/patching.safetensors`);
    const expected = await file.readFloat32(path.key);
    const receivers = path.receivers.flatMap(([hook, head]): PathReceiver[] => {
      const match = /^blocks\.(\d+)\.attn\.hook_([qkv])$/.exec(hook);
      return match ? [{ layer: Number(match[1]), head: head!, input: match[2] as 'q' }] : [];
    });
    const { effects } = await patchPaths({
      model,
      task,
      metric: 'logitDifference',
      senders: path.senders.map(([layer, head]) => (head === null ? { layer } : { layer, head })),
      receivers,
      positions: path.positions,
      freezeMlps: path.freezeMlps,
    });
    // Both paths and their absence have to show in the numbers.
    expect(rangeOf(expected)).toBeGreaterThan(2e-3);
    expect(largestGap(effects, expected)).toBeLessThan(1e-3 * rangeOf(expected));
  });
});

function rangeOf(values: Float32Array): number {
  return Math.max(...values) - Math.min(...values);
}

function largestGap(a: Float32Array, b: Float32Array): number {
  expect(a).toHaveLength(b.length);
  return a.reduce(
    (worst, x, i) => (Number.isNaN(x) ? Number.POSITIVE_INFINITY : Math.max(worst, Math.abs(x - b[i]!))),
    0,
  );
}
