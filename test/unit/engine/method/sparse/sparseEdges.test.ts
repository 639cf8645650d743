/** Edges against finite differences of the direct path by plain loops, everything in between held at its clean value. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SparseNode } from '../../../../../src/engine/method/sparse/effectTable.ts';
import {
  type EffectRequest,
  gradientRuns,
  nodeEffects,
} from '../../../../../src/engine/method/sparse/nodeEffects.ts';
import { EdgeSums } from '../../../../../src/engine/method/sparse/sparseEdges.ts';
import type { SparseSite } from '../../../../../src/engine/method/sparse/sparseSites.ts';
import type { TokenPair } from '../../../../../src/engine/task/task.ts';
import type { PlainHook } from '../../../../fixtures/plainGpt2.ts';
import { adding } from '../tinyCircuit.ts';
import {
  dModel,
  openTinySparse,
  pairs,
  plainCode,
  plainMoves,
  plainWrite,
  type TinySparse,
} from './tinySparse.ts';

let tiny: TinySparse;
const small = 1e-5;

beforeAll(async () => {
  tiny = await openTinySparse(12);
});

afterAll(() => tiny?.close());

/** Which sites read which directly, and what is held meanwhile, as the paper's appendix lists it for block `layer`. */
function pathsInto({ kind, layer }: SparseSite): readonly { from: string; held: readonly string[] }[] {
  const block = `blocks.${layer}`;
  const before = layer === 0 ? 'blocks.0.hook_resid_pre' : `blocks.${layer - 1}.hook_resid_post`;
  const [attention, mlp] = [`${block}.hook_attn_out`, `${block}.hook_mlp_out`];
  if (kind === 'embedding') return [];
  if (kind === 'attention') return [{ from: before, held: [] }];
  if (kind === 'mlp')
    return [
      { from: attention, held: [] },
      { from: before, held: [attention] },
    ];
  return [
    { from: mlp, held: [] },
    { from: attention, held: [mlp] },
    { from: before, held: [attention, mlp] },
  ];
}

/** The gradient of the metric at a row of a site on the clean run. */
function gradientAt({ clean }: TokenPair, hook: string, position: number): number[] {
  return Array.from({ length: dModel }, (_, d) => {
    const at = (by: number) => tiny.circuit.metric([...clean], adding(hook, position * dModel + d, [by]));
    return (at(small) - at(-small)) / (2 * small);
  });
}

/** What a unit contributes to the metric at a row, as a function of the site's row, with its gradient held. */
function contribution(site: SparseSite, unit: number, gradient: readonly number[], row: ArrayLike<number>) {
  const { scale } = plainCode(tiny, site, row);
  const dot = (vector: readonly number[]) => vector.reduce((sum, x, d) => sum + x * gradient[d]!, 0);
  const slope = unit < site.dictionary.width ? scale * dot(plainWrite(tiny, site, unit)) : 0;
  return (now: ArrayLike<number>): number => {
    const { features, error } = plainCode(tiny, site, now);
    return unit < site.dictionary.width ? slope * features[unit]! : dot(error!);
  };
}

/** Edges of one pair by `source > target`, each named `site unit position`. */
function plainEdges(
  sites: readonly SparseSite[],
  nodes: readonly SparseNode[],
  pair: TokenPair,
): Map<string, number> {
  const clean = new Map(sites.map(({ hook }) => [hook, tiny.circuit.value(hook, [...pair.clean])]));
  const rowOf = (data: Float64Array, position: number) =>
    data.slice(position * dModel, (position + 1) * dModel);
  const isNode = (site: number, unit: number) =>
    nodes.some((node) => node.site === site && node.unit === unit);
  const moves = plainMoves(tiny, sites, pair).filter(({ node }) => isNode(node.site, node.unit));
  const edges = new Map<string, number>();
  sites.forEach((target, index) => {
    const units = [...new Set(nodes.filter(({ site }) => site === index).map(({ unit }) => unit))];
    const reads = Array.from(pair.clean, (_, position) => {
      const gradient = gradientAt(pair, target.hook, position);
      const row = rowOf(clean.get(target.hook)!, position);
      return units.map((unit) => contribution(target, unit, gradient, row));
    });
    for (const { from, held } of pathsInto(target)) {
      for (const { node, position, delta } of moves.filter((move) => sites[move.node.site]!.hook === from)) {
        const [up, down] = [small, -small].map((by) => {
          const hook: PlainHook = (name, value) => {
            if (held.includes(name)) value.data.set(clean.get(name)!);
            adding(
              from,
              position * dModel,
              delta.map((x) => by * x),
            )(name, value);
          };
          return tiny.circuit.value(target.hook, [...pair.clean], hook);
        });
        reads.forEach((ofUnits, place) => {
          ofUnits.forEach((read, i) => {
            const weight = (read(rowOf(up!, place)) - read(rowOf(down!, place))) / (2 * small);
            edges.set(`${node.site} ${node.unit} ${position} > ${index} ${units[i]} ${place}`, weight);
          });
        });
      }
    }
  });
  return edges;
}

/** The strongest nodes of every site. */
async function chooseNodes(request: EffectRequest, perSite: number): Promise<SparseNode[]> {
  const table = await nodeEffects(tiny.circuit.model, request);
  return request.sites.flatMap((_, site) => {
    const own = table.nodes().filter((node) => node.site === site);
    return own.sort((a, b) => Math.abs(table.effect(b)) - Math.abs(table.effect(a))).slice(0, perSite);
  });
}

async function findEdges(request: EffectRequest, nodes: readonly SparseNode[], threshold = 0) {
  const byPosition = request.aggregation === 'position';
  const subject = { sites: request.sites, nodes, pairs: request.pairs.length, byPosition };
  const sums = new EdgeSums(tiny.circuit.model, subject);
  for await (const run of gradientRuns(tiny.circuit.model, request)) await sums.add(run);
  return sums.edges(threshold);
}

const requestOf = (changes: Partial<EffectRequest>): EffectRequest => ({
  sites: tiny.sites,
  pairs,
  metric: 'logitDifference',
  method: 'atp',
  steps: 1,
  aggregation: 'sum',
  ...changes,
});

/** Compares all edges among nodes, those that are missing being 0. */
function expectEdges(
  found: readonly { source: number; target: number; weight: number }[],
  nodes: readonly SparseNode[],
  expected: ReadonlyMap<string, number>,
  nameOf: (node: SparseNode) => string,
): void {
  const weights = new Map(
    found.map(({ source, target, weight }) => [
      `${nameOf(nodes[source]!)} > ${nameOf(nodes[target]!)}`,
      weight,
    ]),
  );
  const sizes = [...expected.values()].map(Math.abs);
  expect(sizes.filter((size) => size > 0.01).length).toBeGreaterThan(20);
  for (const [name, wanted] of expected) {
    expect(Math.abs((weights.get(name) ?? 0) - wanted), name).toBeLessThan(
      2e-3 * Math.max(0.1, Math.abs(wanted)),
    );
  }
  for (const name of weights.keys()) expect(expected.has(name), name).toBe(true);
}

describe('edges', () => {
  it('of features and errors summed over positions and pairs follow the direct paths, and there are no others', async () => {
    const request = requestOf({});
    const nodes = await chooseNodes(request, 4);
    const expected = new Map<string, number>();
    for (const pair of pairs) {
      for (const [name, weight] of plainEdges(tiny.sites, nodes, pair)) {
        const summed = name.replace(/ \d+ > (\d+ \d+) \d+$/, ' > $1');
        expected.set(summed, (expected.get(summed) ?? 0) + weight / pairs.length);
      }
    }
    expectEdges(await findEdges(request, nodes), nodes, expected, ({ site, unit }) => `${site} ${unit}`);
  });

  it('by position tell apart where they begin and end', async () => {
    const request = requestOf({ pairs: pairs.slice(1), aggregation: 'position' });
    const nodes = await chooseNodes(request, 3);
    const nameOf = ({ site, unit, place }: SparseNode) => `${site} ${unit} ${place}`;
    const names = new Set(nodes.map(nameOf));
    const all = plainEdges(tiny.sites, nodes, pairs[1]!);
    const among = [...all].filter(([name]) => name.split(' > ').every((one) => names.has(one)));
    expectEdges(await findEdges(request, nodes), nodes, new Map(among), nameOf);
    expect(among.some(([name, weight]) => weight !== 0 && crosses(name))).toBe(true);
  });

  it('exist for single coordinates', async () => {
    const request = requestOf({ sites: tiny.neurons, pairs: pairs.slice(0, 1) });
    const nodes = await chooseNodes(request, 3);
    const expected = new Map<string, number>();
    for (const [name, weight] of plainEdges(tiny.neurons, nodes, pairs[0]!)) {
      const summed = name.replace(/ \d+ > (\d+ \d+) \d+$/, ' > $1');
      expected.set(summed, (expected.get(summed) ?? 0) + weight);
    }
    expectEdges(await findEdges(request, nodes), nodes, expected, ({ site, unit }) => `${site} ${unit}`);
  });

  it('below the threshold are left out', async () => {
    const request = requestOf({});
    const nodes = await chooseNodes(request, 4);
    const all = await findEdges(request, nodes);
    const least = 0.02;
    const some = await findEdges(request, nodes, least);
    expect(some).toEqual(all.filter(({ weight }) => Math.abs(weight) > least));
    expect(some.length).toBeGreaterThan(0);
    expect(some.length).toBeLessThan(all.length);
  });
});

/** Whether an edge runs between two positions. */
function crosses(name: string): boolean {
  const [source, target] = name.split(' > ').map((one) => one.split(' ').at(-1));
  return source !== target;
}
