/**
 * Patching in models with rotated and shared keys, norms behind sublayers, soft caps and windows: against plain loops; and with
 * attention and MLP side by side: against full runs with edits.
 */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { floatsOf, floatValue } from '../../../../src/engine/graph/value.ts';
import { patchActivations } from '../../../../src/engine/method/activationPatching.ts';
import { type PatchCell, sweepCells } from '../../../../src/engine/method/patchCells.ts';
import { patchPaths } from '../../../../src/engine/method/pathPatching.ts';
import type { HookEdit } from '../../../../src/engine/model/edits.ts';
import { hookAxes } from '../../../../src/engine/model/hooks.ts';
import { Transformer } from '../../../../src/engine/model/transformer.ts';
import type { TokenTask } from '../../../../src/engine/task/task.ts';
import type { SweepName } from '../../../../src/shared/patchingApi.ts';
import { plainDecoder } from '../../../fixtures/plainDecoder.ts';
import type { PlainHook } from '../../../fixtures/plainGpt2.ts';
import { tinyDecoderWeights, tinyGemma, tinyLlama, writeTinyDecoder } from '../../../fixtures/tinyDecoder.ts';

const clean = [3, 17, 8, 3, 22, 11, 0];
const corrupted = [3, 17, 20, 3, 6, 11, 0];
const [answer, wrong, length] = [4, 9, 7];
const task: TokenTask = {
  name: 'tiny',
  pairs: [
    {
      clean: Int32Array.from(clean),
      corrupted: Int32Array.from(corrupted),
      answers: [answer],
      wrongAnswers: [wrong],
      roles: {},
      template: '',
    },
  ],
};
const sweeps: SweepName[] = [
  'resid_pre',
  'attn_out',
  'mlp_out',
  'attn_head_q_all_pos',
  'attn_head_k_by_pos',
  'attn_head_v_by_pos',
  'attn_head_pattern_by_pos',
  'attn_head_out_by_pos',
];

/** Whether an element of a hook's value belongs to the cell. */
function isIn(cell: PatchCell, dims: readonly number[], element: number): boolean {
  const axes = hookAxes(cell.hook);
  let rest = element;
  for (let axis = axes.length - 1; axis >= 0; axis--) {
    const index = rest % dims[axis]!;
    rest = Math.floor(rest / dims[axis]!);
    const name = axes[axis]!;
    const isHead = name === 'head' || name === 'keyValueHead';
    const ofHead = isHead ? cell.head : undefined;
    const wanted = name === 'position' ? cell.position : ofHead;
    if (wanted !== undefined && wanted !== index) return false;
  }
  return true;
}

describe.each([
  ['Llama', tinyLlama],
  ['Gemma', tinyGemma],
] as const)('patching in a small model like %s', (_, config) => {
  const weights = tinyDecoderWeights(config, 5);
  let model: Transformer;
  beforeAll(async () => {
    model = await Transformer.open(await writeTinyDecoder(config, weights));
  });
  afterAll(() => model?.release());

  const metric = (ids: readonly number[], hook?: PlainHook): number => {
    const logits = plainDecoder(config, weights, ids, hook);
    const row = (length - 1) * config.dVocab;
    return logits[row + answer]! - logits[row + wrong]!;
  };
  const hooksOf = (ids: readonly number[]) => {
    const found = new Map<string, Float64Array>();
    metric(ids, (name, { data }) => found.set(name, data.slice()));
    return found;
  };

  it.each(['all_pos', 'by_pos'] as const)(
    'stacks sweeps %s as each is alone, and has no cells for shared heads',
    async (by) => {
      const run = async (name: SweepName) => {
        const grid = sweepCells(name, model.config, task.pairs);
        const found = await patchActivations({
          model,
          task,
          metric: 'logitDifference',
          grid,
          direction: 'denoising',
        });
        return { axes: grid.axes, values: found.values };
      };
      const stacked = await run(`attn_head_${by}_every`);
      const [, ...axes] = stacked.axes;
      const { nHeads, nKeyValueHeads } = model.config;
      expect(nKeyValueHeads).toBeLessThan(nHeads);
      expect(axes.at(-1)!.labels).toHaveLength(nHeads);
      const size = stacked.values.length / 5;
      for (const [kind, name] of (['out', 'q', 'k', 'v', 'pattern'] as const).entries()) {
        const own = await run(`attn_head_${name}_${by}`);
        const block = stacked.values.slice(kind * size, (kind + 1) * size);
        // Patterns by position have their axes in another order when they are alone; they are compared over all positions.
        if (name === 'pattern' && by === 'by_pos') continue;
        const heads = own.axes.at(-1)!.labels.length;
        const expected = Array.from(block, (_, i) => {
          const [row, head] = [Math.floor(i / nHeads), i % nHeads];
          return head < heads ? own.values[row * heads + head]! : Number.NaN;
        });
        block.forEach((value, i) => {
          if (Number.isNaN(expected[i]!)) expect(value).toBeNaN();
          else expect(value).toBeCloseTo(expected[i]!, 5);
        });
        const isShared = name === 'k' || name === 'v';
        expect(block.some(Number.isNaN)).toBe(isShared);
      }
    },
  );

  it.each(sweeps)('gives every cell of %s as plain loops do', async (name) => {
    const grid = sweepCells(name, model.config, task.pairs);
    const { values } = await patchActivations({
      model,
      task,
      metric: 'logitDifference',
      direction: 'denoising',
      grid,
    });
    const source = hooksOf(clean);
    const [high, low] = [metric(clean), metric(corrupted)];
    for (const cell of grid.cells) {
      const hook = `blocks.${cell.layer}.${cell.hook}`;
      const patched = metric(corrupted, (at, { data, dims }) => {
        if (at !== hook) return;
        const other = source.get(hook)!;
        for (let i = 0; i < data.length; i++) if (isIn(cell, dims, i)) data[i] = other[i]!;
      });
      expect(values[cell.index], `${name} ${cell.index}`).toBeCloseTo((patched - low) / (high - low), 3);
    }
    expect(new Set(Array.from(values, (value) => value.toFixed(3))).size).toBeGreaterThan(2);
  });

  it('gives every path to shared values as the four steps do', async () => {
    const senders = [0, 1, 2, 3].map((head) => ({ layer: 0, head }));
    const receivers = [{ layer: 1, head: 1, input: 'v' } as const];
    const positions = [2, 4];
    const { effects } = await patchPaths({
      model,
      task,
      metric: 'logitDifference',
      senders,
      receivers,
      positions,
    });
    const [orig, fresh] = [hooksOf(clean), hooksOf(corrupted)];
    const [nKeyValueHeads, nHeads] = [config.nKeyValueHeads, config.nHeads];
    const plain = metric(clean);
    for (const { head } of senders) {
      let received: Float64Array | undefined;
      metric(clean, (name, { data }) => {
        if (name === 'blocks.1.attn.hook_v') received = data.slice();
        if (!/attn\.hook_z$/.test(name)) return;
        data.set(orig.get(name)!);
        if (!name.startsWith('blocks.0.')) return;
        copyHead(data, fresh.get(name)!, positions, head, nHeads);
      });
      const patched = metric(clean, (name, { data }) => {
        if (name === 'blocks.1.attn.hook_v') copyHead(data, received!, positions, 1, nKeyValueHeads);
      });
      expect(effects[head], `head ${head}`).toBeCloseTo((patched - plain) / plain, 3);
      expect(Math.abs((patched - plain) / plain)).toBeGreaterThan(1e-5);
    }
  });

  function copyHead(
    data: Float64Array,
    other: Float64Array,
    places: readonly number[],
    head: number,
    heads: number,
  ): void {
    for (const position of places) {
      const start = (position * heads + head) * config.dHead;
      data.set(other.subarray(start, start + config.dHead), start);
    }
  }
});

describe.each(['gpt_neox', 'phi', 'olmo2'])('patching in the recorded %s', (family) => {
  let model: Transformer;
  beforeAll(async () => {
    model = await Transformer.open(
      fileURLToPath(new URL(`../../../fixtures/parity/families/${family}`, import.meta.url)),
      { threads: 1 },
    );
  });
  afterAll(() => model?.release());

  it.each<SweepName>(['resid_pre', 'attn_out', 'mlp_out', 'attn_head_v_by_pos', 'attn_head_out_by_pos'])(
    'gives every cell of %s as full runs with edits do',
    async (name) => {
      const grid = sweepCells(name, model.config, task.pairs);
      const {
        values,
        clean: high,
        corrupted: low,
      } = await patchActivations({ model, task, metric: 'logitDifference', direction: 'denoising', grid });
      const capture = [...new Set(grid.cells.map(({ layer, hook }) => `blocks.${layer}.${hook}`))];
      const source = await model.run({ tokens: [Int32Array.from(clean)], capture });
      for (const cell of grid.cells) {
        const hook = `blocks.${cell.layer}.${cell.hook}`;
        const value = source.hooks.get(hook)!;
        const data = floatsOf(value);
        const inside = data.map((_x, i) => (isIn(cell, value.dims, i) ? 1 : 0));
        const keep = floatValue(
          inside.map((m) => 1 - m),
          value.dims,
        );
        const edit: HookEdit = {
          hook,
          keep,
          add: floatValue(
            data.map((x, i) => x * inside[i]!),
            value.dims,
          ),
        };
        const { logits } = await model.run({
          tokens: [Int32Array.from(corrupted)],
          edits: [edit],
          logits: 'last',
        });
        const patched = floatsOf(logits!)[answer]! - floatsOf(logits!)[wrong]!;
        expect(values[cell.index], `${name} ${cell.index}`).toBeCloseTo((patched - low) / (high - low), 3);
      }
    },
  );
});
