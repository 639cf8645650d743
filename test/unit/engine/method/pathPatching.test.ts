/** Path patching against the paper's four steps, each a full forward pass by plain loops. */
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SweepState } from '../../../../src/engine/method/patchSweep.ts';
import { patchPaths } from '../../../../src/engine/method/pathPatching.ts';
import { Transformer } from '../../../../src/engine/model/transformer.ts';
import type { TokenPair } from '../../../../src/engine/task/task.ts';
import type { PathReceiver, PathSender } from '../../../../src/shared/patchingApi.ts';
import type { PlainHook } from '../../../fixtures/plainGpt2.ts';
import { type TinyConfig, tinyConfig, tinyWeights, writeTinyGpt2 } from '../../../fixtures/tinyGpt2.ts';
import {
  meanMetric,
  meanOf,
  nHeads,
  nLayers,
  placesOf,
  rememberedValues,
  tokenTask,
} from './plainPatching.ts';
import { openTinyCircuit, type TinyCircuit } from './tinyCircuit.ts';

let circuit: TinyCircuit;
let valueAt: ReturnType<typeof rememberedValues>;
const task = tokenTask();

beforeAll(async () => {
  circuit = await openTinyCircuit(9);
  valueAt = rememberedValues(circuit);
});

afterAll(() => circuit?.close());

const heads: PathSender[] = Array.from({ length: nLayers * nHeads }, (_, i) => ({
  layer: Math.floor(i / nHeads),
  head: i % nHeads,
}));
const senders: PathSender[] = [...heads, { layer: 0 }, { layer: 1 }];

interface Path {
  readonly sender: PathSender;
  readonly receivers: readonly PathReceiver[];
  readonly positions: readonly number[];
  readonly freezeMlps: boolean;
}

/** Steps A to D for one pair. */
function plainPath(pair: TokenPair, { sender, receivers, positions, freezeMlps }: Path): number {
  const [orig, fresh] = [[...pair.clean], [...pair.corrupted]];
  const sent =
    sender.head === undefined ? `blocks.${sender.layer}.hook_mlp_out` : `blocks.${sender.layer}.attn.hook_z`;
  const places = placesOf(sent, orig.length, { head: sender.head, positions });
  const wanted =
    receivers.length === 0
      ? ['blocks.1.hook_resid_post']
      : receivers.map(({ layer, input }) => `blocks.${layer}.attn.hook_${input}`);
  const received = new Map<string, Float64Array>();
  const stepC: PlainHook = (name, { data }) => {
    // What receivers get is looked at before their own heads are frozen.
    if (wanted.includes(name)) received.set(name, data.slice());
    const isHead = /attn\.hook_[qkv]$/.test(name);
    const isMlp = name.endsWith('hook_mlp_out');
    if (isHead || (isMlp && freezeMlps)) data.set(valueAt(name, orig));
    if (name !== sent) return;
    const other = valueAt(name, fresh);
    for (const place of places) data[place] = other[place]!;
  };
  circuit.metric(orig, stepC);
  const stepD: PlainHook = (name, { data }) => {
    const value = received.get(name);
    if (!value) return;
    const own = receivers.filter(({ layer, input }) => name === `blocks.${layer}.attn.hook_${input}`);
    const at =
      receivers.length === 0
        ? placesOf(name, orig.length, { positions })
        : own.flatMap(({ head }) => placesOf(name, orig.length, { head, positions }));
    for (const place of at) data[place] = value[place]!;
  };
  return circuit.metric(orig, stepD);
}

describe.each([false, true])('path patching with frozen MLPs: %s', (freezeMlps) => {
  it.each([
    { to: 'the logits', receivers: [] as PathReceiver[], roles: ['END'] },
    {
      to: 'queries at the end',
      receivers: [
        { layer: 1, head: 0, input: 'q' },
        { layer: 1, head: 2, input: 'q' },
      ] as PathReceiver[],
      roles: ['END'],
    },
    {
      to: 'keys and values',
      receivers: [
        { layer: 1, head: 1, input: 'k' },
        { layer: 1, head: 0, input: 'v' },
      ] as PathReceiver[],
      roles: ['MID'],
    },
    {
      to: 'values of both layers',
      receivers: [
        { layer: 0, head: 1, input: 'v' },
        { layer: 1, head: 1, input: 'v' },
      ] as PathReceiver[],
      roles: ['MID', 'END'],
    },
  ])('to $to gives every sender as the four steps do', async ({ receivers, roles }) => {
    const { effects, original } = await patchPaths({
      model: circuit.model,
      task,
      metric: 'logitDifference',
      senders,
      receivers,
      positions: roles,
      freezeMlps,
    });
    const plain = meanMetric(circuit, task, 'clean');
    expect(original).toBeCloseTo(plain, 4);
    const expected = senders.map((sender) => {
      const values = task.pairs.map((pair) =>
        plainPath(pair, { sender, receivers, positions: roles.map((role) => pair.roles[role]!), freezeMlps }),
      );
      return (meanOf(values) - plain) / plain;
    });
    for (const [i, effect] of expected.entries()) expect(effects[i], `sender ${i}`).toBeCloseTo(effect, 4);
    expect(Math.max(...expected.map(Math.abs))).toBeGreaterThan(1e-3);
    // Nothing goes from the last layer to receivers in it.
    if (receivers.length > 0)
      expect([...effects.slice(3, 6)]).toEqual([0, 0, 0].map(() => expect.closeTo(0, 6)));
  });
});

describe('path patching', () => {
  it('goes on from what is known, and refuses places that are not there', async () => {
    const inputs = {
      model: circuit.model,
      task,
      metric: 'logitDifference',
      senders,
      receivers: [],
      positions: ['END'],
    } as const;
    const whole = await patchPaths(inputs);
    const known: SweepState = {
      values: whole.state.values.map((value, i) => (i < 4 ? value : Number.NaN)),
      pairs: whole.state.pairs.map((count, i) => (i < 4 ? count : 0)),
    };
    const seen: number[] = [];
    const again = await patchPaths({ ...inputs, resumeFrom: known, update: (cells) => seen.push(...cells) });
    expect(Math.min(...seen)).toBe(4);
    expect([...again.effects]).toEqual([...whole.effects].map((effect) => expect.closeTo(effect, 5)));
    await expect(patchPaths({ ...inputs, positions: ['IO'] })).rejects.toThrow(/role IO/);
    await expect(patchPaths({ ...inputs, positions: [40] })).rejects.toThrow(/Position 40/);
    await expect(patchPaths({ ...inputs, senders: [{ layer: 2, head: 0 }] })).rejects.toThrow(/2\.0/);
    await expect(patchPaths({ ...inputs, receivers: [{ layer: 0, head: 3, input: 'v' }] })).rejects.toThrow(
      /0\.3/,
    );
  });
});

describe('planted paths', () => {
  it('stand out by more than 10 %, and everything else stays below 1 %', async () => {
    const config: TinyConfig = { ...tinyConfig, dVocab: 400 };
    const weights = tinyWeights(config, 21);
    // Only head 0.1 and head 1.2, which reads its values, write more than a trace.
    for (const [layer, planted] of [1, 2].entries()) {
      const out = weights.get(`h.${layer}.attn.c_proj.weight`)!.data;
      for (let i = 0; i < out.length; i++) out[i]! *= Math.floor(i / (4 * 12)) === planted ? 6 : 1e-3;
      weights.get(`h.${layer}.mlp.c_proj.weight`)!.data.forEach((x, i, all) => {
        all[i] = x * 1e-3;
      });
    }
    const folder = await writeTinyGpt2(config, weights);
    const model = await Transformer.open(folder, { threads: 1 });
    try {
      const common = { model, task, metric: 'logitDifference', senders: heads } as const;
      const through = async (receivers: PathReceiver[], positions?: string[]) =>
        (await patchPaths({ ...common, receivers, positions })).effects;
      const values = await through([{ layer: 1, head: 2, input: 'v' }]);
      expect(Math.abs(values[1]!)).toBeGreaterThan(0.1);
      expect(largestBut(values, [1])).toBeLessThan(0.01);
      expect(largestBut(await through([{ layer: 1, head: 0, input: 'v' }]), [])).toBeLessThan(0.01);
      const logits = await through([], ['END']);
      expect(Math.abs(logits[5]!)).toBeGreaterThan(0.1);
      expect(largestBut(logits, [1, 5])).toBeLessThan(0.01);
    } finally {
      await model.release();
      await rm(folder, { recursive: true, force: true });
    }
  });

  function largestBut(effects: Float32Array, but: readonly number[]): number {
    return Math.max(...Array.from(effects, (effect, i) => (but.includes(i) ? 0 : Math.abs(effect))));
  }
});
