/** Every detector of the study of indirect objects against a GPT-2 of plain loops. */
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { copyScores } from '../../../../../src/engine/method/ioi/copyScores.ts';
import { inhibitionEffects } from '../../../../../src/engine/method/ioi/inhibition.ts';
import {
  fitSignals,
  inhibitionSignals,
  signalVariants,
  variantOf,
} from '../../../../../src/engine/method/ioi/inhibitionSignals.ts';
import { allHeads } from '../../../../../src/engine/method/ioi/ioiTask.ts';
import { knockedOutEffects } from '../../../../../src/engine/method/ioi/knockedOutPaths.ts';
import { KnockOutRuns, onlyCircuit, withoutNodes } from '../../../../../src/engine/method/ioi/knockOuts.ts';
import { repetitionScores } from '../../../../../src/engine/method/ioi/repeatedTokens.ts';
import { attentionToRoles } from '../../../../../src/engine/method/ioi/roleAttention.ts';
import type { Transformer } from '../../../../../src/engine/model/transformer.ts';
import { seededRandom } from '../../../../../src/engine/random.ts';
import type { TokenPair } from '../../../../../src/engine/task/task.ts';
import {
  config,
  dHead,
  mean,
  openPlainModel,
  plainAttention,
  plainMean,
  plainPairs,
  plainRun,
  putHead,
  weights,
} from './plainTask.ts';

let model: Transformer;
let folder: string;
const heads = allHeads(config);
const roles = ['IO', 'S1', 'S2'] as const;

beforeAll(async () => {
  ({ model, folder } = await openPlainModel());
});
afterAll(async () => {
  await model.release();
  await rm(folder, { recursive: true, force: true });
});

const zName = (layer: number) => `blocks.${layer}.attn.hook_z`;

test('attention from END to the names is the mean of what plain loops give', async () => {
  const found = await attentionToRoles(model, plainPairs);
  const runs = plainPairs.map((pair) => ({ pair, ...plainRun(pair, pair.clean) }));
  heads.forEach((place, i) => {
    for (const role of roles) {
      const expected = runs.map(({ pair, hooks }) =>
        plainAttention(hooks, place, [pair.clean.length, pair.roles.END!, pair.roles[role]!]),
      );
      expect(found[role][i]).toBeCloseTo(mean(expected), 5);
    }
  });
});

/** Layer norm with the gain and bias of `name`. */
function norm(x: readonly number[], name: string): number[] {
  const center = mean(x);
  const scale = Math.sqrt(mean(x.map((value) => (value - center) ** 2)) + 1e-5);
  const [gain, bias] = [weights.get(`${name}.weight`)!.data, weights.get(`${name}.bias`)!.data];
  return x.map((value, i) => ((value - center) / scale) * gain[i]! + bias[i]!);
}

/** What a head writes of a stream through its values and output, by plain loops. */
function plainOv(stream: readonly number[], layer: number, head: number): number[] {
  const { dModel } = config;
  const x = norm(stream, `h.${layer}.ln_1`);
  const [qkv, qkvBias] = [
    weights.get(`h.${layer}.attn.c_attn.weight`)!.data,
    weights.get(`h.${layer}.attn.c_attn.bias`)!.data,
  ];
  const out = weights.get(`h.${layer}.attn.c_proj.weight`)!.data;
  const written = new Array<number>(dModel).fill(0);
  for (let i = 0; i < dHead; i++) {
    const column = 2 * dModel + head * dHead + i;
    let value = qkvBias[column]!;
    for (let d = 0; d < dModel; d++) value += x[d]! * qkv[d * 3 * dModel + column]!;
    for (let d = 0; d < dModel; d++) written[d]! += value * out[(head * dHead + i) * dModel + d]!;
  }
  return written;
}

function plainRank(stream: readonly number[], id: number): number {
  const x = norm(stream, 'ln_f');
  const table = weights.get('wte.weight')!.data;
  const logits = Array.from({ length: config.dVocab }, (_, token) =>
    x.reduce((sum, value, d) => sum + value * table[token * config.dModel + d]!, 0),
  );
  return logits.filter((logit) => logit > logits[id]!).length;
}

test('copy scores follow the OV circuit as plain loops do', async () => {
  const found = await copyScores(model, plainPairs);
  const names = plainPairs.flatMap((pair) => {
    const stream = plainRun(pair, pair.clean).hooks.get('blocks.0.hook_resid_post')!;
    return roles.map((role) => {
      const at = pair.roles[role]!;
      return {
        id: pair.clean[at]!,
        stream: [...stream.subarray(at * config.dModel, (at + 1) * config.dModel)],
      };
    });
  });
  heads.forEach(({ layer, head }, i) => {
    for (const sign of [1, -1] as const) {
      const hits = names.map(({ id, stream }) => {
        const written = plainOv(stream, layer, head).map((value) => sign * value);
        return plainRank(written, id) < 5 ? 1 : 0;
      });
      expect((sign > 0 ? found.positive : found.negative)[i]).toBeCloseTo(mean(hits), 6);
    }
  });
  // A comparison of zeros would prove nothing.
  expect(Math.max(...found.positive)).toBeGreaterThan(0.1);
});

test('scores on repeated random tokens are means over the diagonals of plain patterns', async () => {
  const seen: Int32Array[] = [];
  const watched = Object.create(model) as Transformer;
  watched.run = (request) => {
    seen.push(...request.tokens!);
    return model.run(request);
  };
  const vocabulary = Array.from({ length: 20 }, (_, id) => id);
  const request = { vocabulary, length: 6, sequences: 5, bos: 28 };
  const found = await repetitionScores(watched, request, seededRandom(3));
  expect(seen).toHaveLength(5);
  for (const tokens of seen) {
    expect([...tokens.subarray(1, 7)]).toEqual([...tokens.subarray(7)]);
    expect(new Set(tokens.subarray(1, 7)).size).toBe(6);
  }
  const runs = seen.map((tokens) => plainRun(plainPairs[0]!, tokens).hooks);
  heads.forEach((place, i) => {
    for (const [name, back] of [
      ['previousToken', 1],
      ['duplicateToken', 6],
      ['induction', 5],
    ] as const) {
      const values = runs.flatMap((hooks) =>
        [7, 8, 9, 10, 11, 12].map((query) => plainAttention(hooks, place, [13, query, query - back])),
      );
      expect(found[name][i]).toBeCloseTo(mean(values), 5);
    }
  });
});

test('a knock-out writes the mean of the template at that position, and nothing else changes', async () => {
  const nodes = [
    { layer: 0, head: 1, role: 'S2' },
    { layer: 1, head: 2, role: 'END' },
    { layer: 2, head: 0, role: 'END' },
    { layer: 1, head: 0, role: 'other' },
  ] as const;
  const isListed = (pair: TokenPair, layer: number, head: number, position: number): boolean => {
    const role = Object.keys(pair.roles).find((name) => pair.roles[name] === position) ?? 'other';
    return nodes.some((node) => node.layer === layer && node.head === head && node.role === role);
  };
  const plain = (out: typeof isListed): number =>
    mean(
      plainPairs.map((pair) => {
        const { difference } = plainRun(pair, pair.clean, (name, { data }) => {
          const layer = [0, 1, 2].find((one) => name === zName(one));
          if (layer === undefined) return;
          const reference = plainMean(pair.template, layer);
          for (let position = 0; position < pair.clean.length; position++) {
            for (let head = 0; head < config.nHeads; head++) {
              if (out(pair, layer, head, position)) putHead(data, { head, position }, reference);
            }
          }
        });
        return difference;
      }),
    );
  const runs = await KnockOutRuns.of(model, plainPairs);
  expect(await runs.logitDifference(withoutNodes([]))).toBeCloseTo(
    plain(() => false),
    4,
  );
  expect(await runs.logitDifference(withoutNodes(nodes))).toBeCloseTo(plain(isListed), 4);
  expect(await runs.logitDifference(onlyCircuit(nodes))).toBeCloseTo(
    plain((...at) => !isListed(...at)),
    4,
  );
  expect(plain(isListed)).not.toBeCloseTo(
    plain(() => false),
    2,
  );
});

test('a run that starts from the streams of another gives what the whole run gives', async () => {
  const runs = await KnockOutRuns.of(model, plainPairs);
  const whole = await runs.run(
    onlyCircuit([
      { layer: 0, head: 0, role: 'S1' },
      { layer: 1, head: 1, role: 'END' },
    ]),
  );
  const rest = onlyCircuit([{ layer: 0, head: 0, role: 'S1' }]);
  const continued = await runs.run(rest, { from: { layer: 1, streams: whole.streams } });
  expect(continued.value).toBeCloseTo(await runs.logitDifference(rest), 5);
});

test('paths to the logits under a knock-out are those of plain runs with everything else frozen', async () => {
  const out = [{ layer: 1, head: 1 }];
  const original = 2;
  const found = await knockedOutEffects(model, plainPairs, { out, original });
  const knock =
    (pair: TokenPair) =>
    (name: string, { data }: { data: Float64Array }) => {
      if (name !== zName(1)) return;
      putHead(data, { head: 1, position: pair.clean.length - 1 }, plainMean(pair.template, 1));
    };
  const base = plainPairs.map((pair) => plainRun(pair, pair.clean, knock(pair)));
  const other = plainPairs.map((pair) => plainRun(pair, pair.corrupted, knock(pair)));
  expect(found.logitDifference).toBeCloseTo(mean(base.map(({ difference }) => difference)), 4);
  heads.forEach(({ layer, head }, i) => {
    const changes = plainPairs.map((pair, at) => {
      const position = pair.clean.length - 1;
      const { difference } = plainRun(pair, pair.clean, (name, { data }) => {
        const own = [0, 1, 2].find((one) => name === zName(one));
        if (own === undefined) return;
        data.set(base[at]!.hooks.get(name)!);
        if (own === layer) putHead(data, { head, position }, other[at]!.hooks.get(name)!);
      });
      return difference - base[at]!.difference;
    });
    const isOut = layer === 1 && head === 1;
    expect(found.effects[i]).toBeCloseTo(isOut ? 0 : mean(changes) / original, 4);
  });
});

test('the change of attention through queries alone is that of plain loops', async () => {
  const movers = [{ layer: 2, head: 1 }];
  const found = await inhibitionEffects(model, plainPairs, movers);
  heads.forEach(({ layer, head }, i) => {
    const changes = plainPairs.map((pair) => {
      const position = pair.clean.length - 1;
      const orig = plainRun(pair, pair.clean).hooks;
      const fresh = plainRun(pair, pair.corrupted).hooks;
      // Step C: all heads as they were, but for the sender.
      const frozen = plainRun(pair, pair.clean, (name, { data }) => {
        if (!name.endsWith('hook_z')) return;
        data.set(orig.get(name)!);
        if (name === zName(layer)) putHead(data, { head, position }, fresh.get(name)!);
      }).hooks;
      const patched = plainRun(pair, pair.clean, (name, { data }) => {
        if (name === 'blocks.2.attn.hook_q') putHead(data, { head: 1, position }, frozen.get(name)!);
      }).hooks;
      return roles.map((role) => {
        const at = [pair.clean.length, position, pair.roles[role]!] as const;
        return plainAttention(patched, movers[0]!, [...at]) - plainAttention(orig, movers[0]!, [...at]);
      });
    });
    roles.forEach((role, column) => {
      expect(found[role][i]).toBeCloseTo(layer >= 2 ? 0 : mean(changes.map((change) => change[column]!)), 5);
    });
  });
});

test('signals are patched from the variants of every prompt', async () => {
  const inhibiting = [
    { layer: 0, head: 2 },
    { layer: 1, head: 0 },
  ];
  const found = await inhibitionSignals(model, plainPairs, inhibiting, seededRandom(1));
  signalVariants.forEach((variant, i) => {
    if (variant.token === 0) return;
    const expected = plainPairs.map((pair) => {
      const position = pair.clean.length - 1;
      const source = plainRun(pair, variantOf(pair, variant, [0, 0])).hooks;
      return plainRun(pair, pair.clean, (name, { data }) => {
        for (const { layer, head } of inhibiting) {
          if (name === zName(layer)) putHead(data, { head, position }, source.get(name)!);
        }
      }).difference;
    });
    expect(found!.logitDifferences[i]).toBeCloseTo(mean(expected), 4);
  });
});

test('variants exchange the names as the signals say', () => {
  const pair = plainPairs[0]!;
  const [io, s] = [pair.answers[0]!, pair.wrongAnswers[0]!];
  const names = (token: 1 | 0 | -1, position: 1 | -1) => {
    const prompt = variantOf(pair, { token, position }, [8, 9]);
    return roles.map((role) => prompt[pair.roles[role]!]);
  };
  expect(names(1, 1)).toEqual([io, s, s]);
  expect(names(1, -1)).toEqual([s, io, s]);
  expect(names(-1, 1)).toEqual([s, io, io]);
  expect(names(-1, -1)).toEqual([io, s, io]);
  expect(names(0, 1)).toEqual([8, 9, 9]);
  expect(names(0, -1)).toEqual([9, 8, 9]);
});

test('the fit of the signals finds the numbers of the paper in its table', () => {
  const { position, token, error } = fitSignals([3.55, -0.99, 2.45, -1.96, 1.77, -3.16]);
  expect(position).toBeCloseTo(2.31, 2);
  expect(token).toBeCloseTo(0.99, 2);
  expect(error).toBeCloseTo(0.078, 3);
});
