/** Effects of features, errors and neurons against single patches, finite differences and explicit steps, by plain loops. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EffectTable } from '../../../../../src/engine/method/sparse/effectTable.ts';
import { type EffectRequest, nodeEffects } from '../../../../../src/engine/method/sparse/nodeEffects.ts';
import type { SparseSite } from '../../../../../src/engine/method/sparse/sparseSites.ts';
import type { TokenPair } from '../../../../../src/engine/task/task.ts';
import type { PlainHook } from '../../../../fixtures/plainGpt2.ts';
import { failure } from '../../../temporaryFolder.ts';
import { adding } from '../tinyCircuit.ts';
import {
  dModel,
  longer,
  openTinySparse,
  type PlainMove,
  pairs,
  plainMoves,
  type TinySparse,
} from './tinySparse.ts';

let tiny: TinySparse;
const small = 1e-4;

beforeAll(async () => {
  tiny = await openTinySparse(11);
});

afterAll(() => tiny?.close());

function find(changes: Partial<EffectRequest>): Promise<EffectTable> {
  return nodeEffects(tiny.circuit.model, {
    sites: tiny.sites,
    pairs,
    metric: 'logitDifference',
    method: 'exact',
    steps: 3,
    aggregation: 'position',
    ...changes,
  });
}

/** The metric's change along a move, per unit of it, while `before` has acted. */
function slope(
  { clean }: TokenPair,
  site: SparseSite,
  { position, delta }: PlainMove,
  before: PlainHook = () => {},
): number {
  const moved = (by: number) =>
    tiny.circuit.metric([...clean], (name, value) => {
      before(name, value);
      adding(
        site.hook,
        position * dModel,
        delta.map((x) => x * by),
      )(name, value);
    });
  return (moved(small) - moved(-small)) / (2 * small);
}

/** Compares every node with the mean over pairs of `effectOf`, and says how large effects are. */
function expectEffects(
  table: EffectTable,
  sites: readonly SparseSite[],
  used: readonly TokenPair[],
  effectOf: (pair: TokenPair, move: PlainMove) => number,
): void {
  const expected = new Map<string, number>();
  const keyOf = ({ site, unit, place }: PlainMove['node']) =>
    `${site} ${unit} ${table.positions === undefined ? 0 : place}`;
  for (const pair of used) {
    for (const move of plainMoves(tiny, sites, pair)) {
      // Where the prompts are still the same, nothing moves, and nothing counts as active.
      if (move.delta.every((x) => x === 0)) continue;
      const key = keyOf(move.node);
      expected.set(key, (expected.get(key) ?? 0) + effectOf(pair, move) / used.length);
    }
  }
  const nodes = table.nodes();
  expect(nodes.map(keyOf).sort()).toEqual([...expected.keys()].sort());
  let largest = 0;
  for (const node of nodes) {
    const wanted = expected.get(keyOf(node))!;
    expect(Math.abs(table.effect(node) - wanted), keyOf(node)).toBeLessThan(
      1e-3 * Math.max(0.3, Math.abs(wanted)),
    );
    largest = Math.max(largest, Math.abs(wanted));
  }
  expect(largest).toBeGreaterThan(0.1);
}

const cleanMetrics = new Map<TokenPair, number>();

function cleanMetric(pair: TokenPair): number {
  const known = cleanMetrics.get(pair) ?? tiny.circuit.metric([...pair.clean]);
  cleanMetrics.set(pair, known);
  return known;
}

const patched =
  (sites: () => readonly SparseSite[]) =>
  (pair: TokenPair, { node, position, delta }: PlainMove) => {
    const hook = adding(sites()[node.site]!.hook, position * dModel, delta);
    return tiny.circuit.metric([...pair.clean], hook) - cleanMetric(pair);
  };

describe('exact effects', () => {
  it('are what the metric gains when a node alone takes its corrupted value', async () => {
    expectEffects(
      await find({}),
      tiny.sites,
      pairs,
      patched(() => tiny.sites),
    );
  });

  it('add up over positions, over pairs of any length', async () => {
    const used = [...pairs, longer];
    const table = await find({ pairs: used, aggregation: 'sum' });
    expectEffects(
      table,
      tiny.sites,
      used,
      patched(() => tiny.sites),
    );
  });

  it('exist for single coordinates', async () => {
    const used = pairs.slice(0, 1);
    const table = await find({ sites: tiny.neurons, pairs: used });
    expectEffects(
      table,
      tiny.neurons,
      used,
      patched(() => tiny.neurons),
    );
  });
});

describe('attribution patching', () => {
  it('follows finite differences on the clean run, through the splice as through the identity', async () => {
    const table = await find({ method: 'atp' });
    expectEffects(table, tiny.sites, pairs, (pair, move) => slope(pair, tiny.sites[move.node.site]!, move));
  });
});

describe('integrated gradients', () => {
  it('average finite differences from the clean values on, site by site, the corrupted end left out', async () => {
    const steps = 2;
    const used = pairs.slice(0, 1);
    const moves = plainMoves(tiny, tiny.sites, used[0]!);
    const table = await find({ method: 'ig', steps, pairs: used });
    expectEffects(table, tiny.sites, used, (pair, move) => {
      const site = tiny.sites[move.node.site]!;
      const own = moves.filter(({ node }) => node.site === move.node.site);
      let sum = 0;
      for (let k = 0; k < steps; k++) {
        sum += slope(pair, site, move, (name, value) => {
          for (const { position, delta } of own)
            adding(
              site.hook,
              position * dModel,
              delta.map((x) => (x * k) / steps),
            )(name, value);
        });
      }
      return sum / steps;
    });
  });
});

describe('requests that cannot be answered', () => {
  it.each([
    [{ pairs: [] }, /no prompt pairs/],
    [{ pairs: [...pairs, longer] }, /differ in length/],
    [{ metric: 'accuracy', method: 'ig' }, /no gradient/],
    [{ metric: 'kl', method: 'atp' }, /zero on the clean prompt/],
    [{ method: 'ig', steps: 0 }, /between 1 and 1000/],
  ] as const)('%j are refused', async (changes, reason) => {
    expect((await failure(find(changes as Partial<EffectRequest>))).message).toMatch(reason);
  });

  it('end when they are cancelled', async () => {
    const controller = new AbortController();
    const request = {
      sites: tiny.sites,
      pairs,
      metric: 'logitDifference',
      method: 'exact',
      steps: 1,
      aggregation: 'sum',
    } as const;
    const error = await failure(
      nodeEffects(tiny.circuit.model, request, {
        signal: controller.signal,
        report: () => controller.abort(),
      }),
    );
    expect(error).toMatchObject({ code: 'cancelled' });
  });
});
