/** Interventions as people state them, against the same interventions written into the plain-loop reference. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { floatsOf, floatValue, type Value } from '../../../../src/engine/graph/value.ts';
import { type EditContext, type FeatureSource, planEdits } from '../../../../src/engine/model/applyEdits.ts';
import { Transformer } from '../../../../src/engine/model/transformer.ts';
import { seededRandom } from '../../../../src/engine/random.ts';
import type { Edit, EditAction, EditTarget } from '../../../../src/shared/domain.ts';
import { EngineError } from '../../../../src/shared/errors.ts';
import { type PlainHook, plainGpt2 } from '../../../fixtures/plainGpt2.ts';
import { tinyConfig, tinyWeights, writeTinyGpt2 } from '../../../fixtures/tinyGpt2.ts';

const weights = tinyWeights(tinyConfig, 6);
const prompt = [3, 17, 8, 3, 22];
const texts: Readonly<Record<string, number[]>> = {
  equal: [1, 2, 3, 4, 5],
  short: [9, 8, 7],
  long: [6, 5, 4, 3, 2, 1, 0],
};
const sae = { sae: 'sae', index: 1 };
const saeHook = 'blocks.0.hook_resid_post';

/** One feature: f = relu(x · encoder), which writes along the decoder. */
const random = seededRandom(11);
const encoder = Float64Array.from({ length: 12 }, () => random.normal());
const decoder = Float32Array.from({ length: 12 }, () => random.normal());
const activation = (row: ArrayLike<number>) =>
  Math.max(
    0,
    encoder.reduce((sum, e, i) => sum + e * row[i]!, 0),
  );

const rowsOf = (value: Value) =>
  Array.from({ length: value.data.length / 12 }, (_, i) => floatsOf(value).subarray(i * 12, (i + 1) * 12));

const source: FeatureSource = {
  hook: saeHook,
  sae: {
    normalizes: false,
    chosen: async (value) => floatValue(rowsOf(value).map(activation)),
    change: async (value, [change]) =>
      floatValue(
        rowsOf(value).flatMap((row) => {
          const f = activation(row);
          return [...decoder].map((d) => (f * change!.factor + change!.offset - f) * d);
        }),
      ),
    decoderRows: async () => floatValue(decoder, [1, 12]),
  },
};

/** The same feature of an SAE that writes with each row's own scale. */
const scaleOf = (row: ArrayLike<number>) => Math.hypot(...Array.from(row)) / Math.sqrt(12);
const scaledSource: FeatureSource = {
  hook: saeHook,
  sae: {
    ...source.sae,
    normalizes: true,
    change: async (value, changes) => {
      const plain = floatsOf(await source.sae.change(value, changes));
      return floatValue(
        rowsOf(value).flatMap((row, r) =>
          [...plain.subarray(r * 12, r * 12 + 12)].map((x) => x * scaleOf(row)),
        ),
      );
    },
  },
};

let model: Transformer;
let context: EditContext;

beforeAll(async () => {
  model = await Transformer.open(await writeTinyGpt2(tinyConfig, weights));
  context = {
    config: model.config,
    positions: prompt.length,
    before: 0,
    reference: async (hook, text) => {
      const tokens = [Int32Array.from(text === undefined ? prompt : texts[text]!)];
      return (await model.run({ tokens, capture: [hook] })).hooks.get(hook)!;
    },
    featureSource: async ({ sae: id }) => {
      if (id === 'scaled') return scaledSource;
      if (id !== 'sae') throw new EngineError('handle.unknown', { what: 'SAE', id });
      return source;
    },
  };
});

afterAll(() => model?.release());

const head: EditTarget = { kind: 'head', layer: 1, head: 2 };
const mlp: EditTarget = { kind: 'mlp', layer: 0 };
const feature: EditTarget = { kind: 'feature', feature: sae };
const stream: EditTarget = { kind: 'hook', hook: 'blocks.1.hook_resid_mid' };
const pattern: EditTarget = { kind: 'hook', hook: 'blocks.0.attn.hook_pattern', head: 1 };

describe('zero, mean, scale and patch', () => {
  it.each([
    ['zero a head', edit(head, { kind: 'zero' }), atHead((_x) => 0)],
    [
      'half-zero a head at two positions',
      edit(head, { kind: 'zero' }, 0.5, [1, 4]),
      atHead((x, p) => ([1, 4].includes(p) ? x / 2 : x)),
    ],
    ['scale an MLP', edit(mlp, { kind: 'scale', factor: 3 }, 0.5), at('blocks.0.hook_mlp_out', (x) => x * 2)],
    [
      'zero a pattern',
      edit(pattern, { kind: 'zero' }),
      at('blocks.0.attn.hook_pattern', (x, i) => (Math.floor(i / 25) === 1 ? 0 : x)),
    ],
    [
      'positions the prompt no longer has',
      edit(mlp, { kind: 'zero' }, 1, [4, 9]),
      at('blocks.0.hook_mlp_out', (x, i) => (i >= 48 ? 0 : x)),
    ],
  ] as const)('%s as loops do', async (_, made, plain) => {
    await expectSame([made], plain);
  });

  it('mean puts the mean over the prompt in place of an MLP output', async () => {
    const clean = captured(prompt, 'blocks.0.hook_mlp_out');
    const mean = Array.from({ length: 12 }, (_, c) =>
      [0, 1, 2, 3, 4].reduce((sum, p) => sum + clean[p * 12 + c]! / 5, 0),
    );
    await expectSame(
      [edit(mlp, { kind: 'mean' }, 0.8)],
      at('blocks.0.hook_mlp_out', (x, i) => 0.2 * x + 0.8 * mean[i % 12]!),
    );
  });

  it.each([
    ['equal', 0],
    ['short', -2],
    ['long', 2],
  ] as const)('patch from a prompt of %s length lines up the last tokens', async (text, shift) => {
    const other = captured(texts[text]!, 'blocks.1.hook_resid_mid');
    const plain = at('blocks.1.hook_resid_mid', (x, i) => other[i + shift * 12] ?? x);
    await expectSame([edit(stream, { kind: 'patch', text })], plain);
  });

  it('means and patches leave the token before the text out', async () => {
    const before = { ...context, before: 1 };
    const clean = captured(prompt, 'blocks.0.hook_mlp_out');
    const mean = Array.from({ length: 12 }, (_, c) =>
      [1, 2, 3, 4].reduce((sum, p) => sum + clean[p * 12 + c]! / 4, 0),
    );
    await expectSame(
      [edit(mlp, { kind: 'mean' })],
      at('blocks.0.hook_mlp_out', (_x, i) => mean[i % 12]!),
      before,
    );
    for (const [text, shift] of [
      ['short', -2],
      ['long', 2],
    ] as const) {
      const other = captured(texts[text]!, 'blocks.1.hook_resid_mid');
      const isText = (i: number) => Math.floor(i / 12) >= 1 && Math.floor(i / 12) + shift >= 1;
      const plain = at('blocks.1.hook_resid_mid', (x, i) => (isText(i) ? (other[i + shift * 12] ?? x) : x));
      await expectSame([edit(stream, { kind: 'patch', text })], plain, before);
    }
  });

  it('patch moves one head only', async () => {
    const other = captured(texts.equal!, 'blocks.1.attn.hook_z');
    const plain = at('blocks.1.attn.hook_z', (x, i) => (Math.floor(i / 4) % 3 === 2 ? other[i]! : x));
    await expectSame([edit(head, { kind: 'patch', text: 'equal' })], plain);
  });
});

describe('edits of features', () => {
  const clean = () => rowActivations(prompt);
  it.each([
    ['zero', { kind: 'zero' }, 1, (f: number) => 0 * f],
    ['half zero', { kind: 'zero' }, 0.5, (f: number) => f / 2],
    ['scale', { kind: 'scale', factor: 3 }, 1, (f: number) => 3 * f],
    ['set', { kind: 'set', value: 4 }, 0.5, () => 2],
    ['mean', { kind: 'mean' }, 1, () => clean().reduce((a, b) => a + b) / 5],
    [
      'patch',
      { kind: 'patch', text: 'short' },
      1,
      (f: number, p: number) => rowActivations(texts.short!)[p - 2] ?? f,
    ],
  ] as const)(
    '%s moves the activation along the decoder and keeps the rest',
    async (_, action, strength, target) => {
      await expectSame([edit(feature, action, strength)], atFeature(target));
    },
  );

  it('steering adds the decoder row at the chosen positions', async () => {
    const plain = at(saeHook, (x, i) => (Math.floor(i / 12) === 3 ? x + 0.5 * 6 * decoder[i % 12]! : x));
    await expectSame([edit(feature, { kind: 'add', amount: 6 }, 0.5, [3])], plain);
  });

  it('steering by an SAE that normalises takes the scale of each row as edits before left it', async () => {
    const scaled: EditTarget = { kind: 'feature', feature: { sae: 'scaled', index: 1 } };
    const stack = [edit(mlp, { kind: 'zero' }), edit(scaled, { kind: 'add', amount: 6 }, 0.5, [1, 3])];
    const plain: PlainHook = (name, value) => {
      if (name === 'blocks.0.hook_mlp_out') value.data.fill(0);
      if (name !== saeHook) return;
      for (const position of [1, 3]) {
        const row = value.data.subarray(position * 12, (position + 1) * 12);
        const amount = 0.5 * 6 * scaleOf(row);
        row.forEach((x, i) => {
          row[i] = x + amount * decoder[i]!;
        });
      }
    };
    await expectSame(stack, plain);
  });

  it('sees what edits before it changed, and later ones see its outcome', async () => {
    const stack = [
      edit(feature, { kind: 'zero' }),
      edit(mlp, { kind: 'zero' }),
      edit(feature, { kind: 'set', value: 2 }),
    ];
    const plain: PlainHook = (name, value) => {
      if (name === 'blocks.0.hook_mlp_out') value.data.fill(0);
      atFeature(() => 0)(name, value);
      atFeature(() => 2)(name, value);
    };
    await expectSame(stack, plain);
  });
});

describe('a stack', () => {
  it('leaves out what is disabled', async () => {
    expect(await planEdits(context, [{ ...edit(head, { kind: 'zero' }), enabled: false }])).toEqual([]);
  });

  it.each([
    ['steering without a feature', edit(mlp, { kind: 'add', amount: 1 })],
    ['a mean over a pattern', edit(pattern, { kind: 'mean' })],
    ['a pattern from a prompt of another length', edit(pattern, { kind: 'patch', text: 'short' })],
    ['a head that is not there', edit({ ...head, head: 3 }, { kind: 'zero' })],
    ['a layer that is not there', edit({ ...head, layer: 2 }, { kind: 'zero' })],
    ['a head of a stream', edit({ ...stream, head: 1 }, { kind: 'zero' })],
    ['a hook that is not there', edit({ kind: 'hook', hook: 'blocks.0.hook_nothing' }, { kind: 'zero' })],
  ])('refuses %s', async (_, made) => {
    await expect(planEdits(context, [made])).rejects.toMatchObject({ code: 'request.invalid' });
  });

  it('tells when an SAE is not loaded', async () => {
    const made = edit({ kind: 'feature', feature: { sae: 'gone', index: 0 } }, { kind: 'zero' });
    await expect(planEdits(context, [made])).rejects.toMatchObject({ code: 'handle.unknown' });
  });
});

function edit(target: EditTarget, action: EditAction, strength = 1, positions?: readonly number[]): Edit {
  return { id: 'e', target, action, strength, enabled: true, positions };
}

/** Maps every number of one hook of the reference, by flat index. */
function at(hook: string, map: (x: number, index: number) => number): PlainHook {
  return (name, { data }) => {
    if (name !== hook) return;
    data.forEach((x, i) => {
      data[i] = map(x, i);
    });
  };
}

function atHead(map: (x: number, position: number) => number): PlainHook {
  return at('blocks.1.attn.hook_z', (x, i) => (Math.floor(i / 4) % 3 === 2 ? map(x, Math.floor(i / 12)) : x));
}

function atFeature(target: (now: number, position: number) => number): PlainHook {
  return (name, { data }) => {
    if (name !== saeHook) return;
    for (let position = 0; position < data.length / 12; position++) {
      const row = data.subarray(position * 12, (position + 1) * 12);
      const now = activation(row);
      const change = target(now, position) - now;
      row.forEach((x, i) => {
        row[i] = x + change * decoder[i]!;
      });
    }
  };
}

function captured(tokens: readonly number[], hook: string): Float64Array {
  let found = new Float64Array();
  plainGpt2(tinyConfig, weights, tokens, (name, { data }) => {
    if (name === hook) found = data.slice();
  });
  return found;
}

function rowActivations(tokens: readonly number[]): number[] {
  const data = captured(tokens, saeHook);
  return tokens.map((_, i) => activation(data.subarray(i * 12, (i + 1) * 12)));
}

async function expectSame(stack: readonly Edit[], plain: PlainHook, planning = context): Promise<void> {
  const edits = await planEdits(planning, stack);
  const { logits } = await model.run({ tokens: [Int32Array.from(prompt)], edits });
  const expected = plainGpt2(tinyConfig, weights, prompt, plain);
  const clean = plainGpt2(tinyConfig, weights, prompt);
  const found = floatsOf(logits!);
  const gap = (a: ArrayLike<number>) =>
    found.reduce((worst, x, i) => Math.max(worst, Math.abs(x - a[i]!)), 0);
  expect(gap(expected)).toBeLessThan(1e-4);
  expect(gap(clean)).toBeGreaterThan(1e-3);
}
