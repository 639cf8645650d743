/** Holds effects and edges of sparse feature circuits against those that autograd gave for the embedded model and its SAEs. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CircuitSae } from '../../src/engine/method/circuitInputs.ts';
import type { SparseNode } from '../../src/engine/method/sparse/effectTable.ts';
import { type EffectRequest, gradientRuns, nodeEffects } from '../../src/engine/method/sparse/nodeEffects.ts';
import { EdgeSums } from '../../src/engine/method/sparse/sparseEdges.ts';
import { featureSites, type SparseSite } from '../../src/engine/method/sparse/sparseSites.ts';
import { Transformer } from '../../src/engine/model/transformer.ts';
import { openSaeLens } from '../../src/engine/sae/formats/saelens.ts';
import { SparseAutoencoder } from '../../src/engine/sae/sparseAutoencoder.ts';
import { miniFolder } from '../fixtures/tinyModel.ts';

interface Recorded {
  readonly steps: number;
  readonly pairs: readonly {
    readonly clean: readonly number[];
    readonly corrupted: readonly number[];
    readonly answer: number;
    readonly wrong: number;
  }[];
  /** By method and hook: effects of features by number, and of the error. */
  readonly effects: Readonly<
    Record<'atp' | 'ig', Readonly<Record<string, Readonly<Record<string, number>>>>>
  >;
  /** Source and target as `hook#feature` or `hook#error`, and the effect. */
  readonly edges: readonly (readonly [string, string, number])[];
}

const file = join(import.meta.dirname, '../fixtures/parity/sparse.json');
const recorded: Recorded = JSON.parse(await readFile(file, 'utf8'));

let model: Transformer;
let saes: CircuitSae[];
let sites: readonly SparseSite[];

beforeAll(async () => {
  model = await Transformer.open(miniFolder);
  const hooks = ['hook_attn_out', 'hook_mlp_out', 'hook_resid_post'];
  const places = Array.from({ length: model.config.nLayers }, (_, layer) => layer).flatMap((layer) =>
    hooks.map((hook) => ({ layer, hook: `blocks.${layer}.${hook}` })),
  );
  saes = await Promise.all(
    places.map(async ({ layer, hook }) => {
      const sae = new SparseAutoencoder(await openSaeLens(join(miniFolder, 'saes', hook)));
      return { id: hook, sae, hook, layer };
    }),
  );
  sites = featureSites(model.config, saes);
});

afterAll(async () => {
  for (const { sae } of saes ?? []) await sae.release();
  await model?.release();
});

function requestOf(method: 'atp' | 'ig'): EffectRequest {
  const pairs = recorded.pairs.map(({ clean, corrupted, answer, wrong }) => ({
    clean: Int32Array.from(clean),
    corrupted: Int32Array.from(corrupted),
    answers: [answer],
    wrongAnswers: [wrong],
    roles: {},
    template: '',
  }));
  const { steps } = recorded;
  return { sites, pairs, metric: 'logitDifference', method, steps, aggregation: 'sum' };
}

/** `hook#feature` or `hook#error`. */
function nameOf({ site, unit }: SparseNode): string {
  const { hook, dictionary } = sites[site]!;
  return `${hook}#${unit === dictionary.width ? 'error' : unit}`;
}

describe('sparse feature circuits of the embedded model', () => {
  it.each(['atp', 'ig'] as const)('have the effects of nodes that autograd gives (%s)', async (method) => {
    const table = await nodeEffects(model, requestOf(method));
    const found = new Map(table.nodes().map((node) => [nameOf(node), table.effect(node)]));
    for (const [hook, effects] of Object.entries(recorded.effects[method])) {
      const range = Math.max(...Object.values(effects).map(Math.abs));
      expect(range).toBeGreaterThan(0.05);
      for (const [unit, effect] of Object.entries(effects)) {
        const gap = Math.abs((found.get(`${hook}#${unit}`) ?? Number.NaN) - effect);
        expect(gap / range, `${hook}#${unit}`).toBeLessThan(1e-3);
      }
    }
  });

  it('have the edges that autograd gives along direct paths', async () => {
    const request = requestOf('atp');
    const wanted = new Set([
      ...recorded.edges.map(([source]) => source),
      ...recorded.edges.map(([, target]) => target),
    ]);
    const all = await nodeEffects(model, request);
    const nodes = all.nodes().filter((node) => wanted.has(nameOf(node)));
    expect(nodes).toHaveLength(wanted.size);
    const sums = new EdgeSums(model, { sites, nodes, pairs: request.pairs.length, byPosition: false });
    for await (const run of gradientRuns(model, request)) await sums.add(run);
    const found = new Map(
      sums
        .edges(0)
        .map(({ source, target, weight }) => [`${nameOf(nodes[source]!)} ${nameOf(nodes[target]!)}`, weight]),
    );
    const range = Math.max(...recorded.edges.map(([, , effect]) => Math.abs(effect)));
    expect(range).toBeGreaterThan(0.1);
    for (const [source, target, effect] of recorded.edges) {
      const name = `${source} ${target}`;
      const gap = Math.abs((found.get(name) ?? 0) - effect);
      expect(gap, name).toBeLessThan(1e-3 * Math.max(range / 20, Math.abs(effect)));
    }
    expect(recorded.edges.filter(([, , effect]) => Math.abs(effect) > range / 100).length).toBeGreaterThan(
      30,
    );
  });
});
