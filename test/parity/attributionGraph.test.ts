/** Holds attribution graphs against those that circuit-tracer made of the same tiny models and transcoders. */
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openSafetensors } from '../../src/engine/files/safetensors.ts';
import {
  attributionGraph,
  type FoundGraph,
} from '../../src/engine/method/attributionGraph/attributionGraph.ts';
import { placeTranscoders } from '../../src/engine/method/attributionGraph/transcoderSet.ts';
import { Transformer } from '../../src/engine/model/transformer.ts';
import { openSae } from '../../src/engine/sae/formats/registry.ts';
import { SparseAutoencoder } from '../../src/engine/sae/sparseAutoencoder.ts';

const fixtures = fileURLToPath(new URL('../fixtures/parity', import.meta.url));
const folder = `${fixtures}/attribution_graphs`;

interface RecordedGraph {
  readonly model: string;
  readonly maxFeatures: number | null;
  readonly tokens: readonly number[];
  /** Layer, position and index of each. */
  readonly activeFeatures: readonly (readonly [number, number, number])[];
  readonly activations: readonly number[];
  readonly selected: readonly number[];
  readonly logits: readonly number[];
  readonly probabilities: readonly number[];
  readonly keptNodes: readonly number[];
  readonly keptEdges: readonly (readonly [target: number, source: number])[];
  readonly cumulative: readonly number[];
  readonly replacementScore: number;
  readonly completenessScore: number;
}

const recorded: { readonly cases: Readonly<Record<string, RecordedGraph>> } = JSON.parse(
  await readFile(`${folder}/graphs.json`, 'utf8'),
);
const adjacency = await openSafetensors(`${folder}/adjacency.safetensors`);

/** The settings of record_attribution_graph.py. */
const settings = {
  maxLogits: 6,
  desiredProbability: 0.8,
  thresholds: { node: 0.8, edge: 0.95 },
  leaveFirst: true,
  batch: 4,
};

async function graphOf(name: string): Promise<FoundGraph> {
  const { model: family, tokens, maxFeatures } = recorded.cases[name]!;
  const model = await Transformer.open(
    family === 'gpt2' ? `${fixtures}/gpt2` : `${fixtures}/families/${family}`,
  );
  onTestFinished(() => model.release());
  const files = (await readdir(`${folder}/${name}`)).filter((file) => /^(layer|W_enc)_/.test(file));
  const opened = await Promise.all(
    files.map(async (file) => {
      const id = `${folder}/${name}#${file}`;
      return { id, sae: new SparseAutoencoder(await openSae(id)) };
    }),
  );
  onTestFinished(async () => {
    for (const { sae } of opened) await sae.release();
  });
  const set = placeTranscoders(opened, model.config.nLayers, () => ({}));
  const ids = Int32Array.from(tokens);
  const features = maxFeatures ?? Number.POSITIVE_INFINITY;
  return attributionGraph(model, ids, set, { ...settings, maxFeatures: features });
}

/** Effects `[row, node]` in circuit-tracer's order: features, then logits. */
function orderedRows({ traced, logits }: FoundGraph): Float32Array {
  const { rows, ranges } = traced;
  const result = new Float32Array((ranges.features + logits.length) * rows.nodes);
  for (let row = 0; row < rows.targets.length; row++) {
    const target = rows.targets[row]!;
    const place = target < ranges.features ? target : target - (rows.nodes - logits.length) + ranges.features;
    result.set(rows.weights.subarray(row * rows.nodes, (row + 1) * rows.nodes), place * rows.nodes);
  }
  return result;
}

describe.each(Object.keys(recorded.cases))('the attribution graph %s', (name) => {
  const expected = recorded.cases[name]!;

  it('has the features, logits, effects and scores of circuit-tracer, within 5e-4 of their range', async () => {
    const found = await graphOf(name);
    const { sources, traced, logits, scores } = found;
    expect(sources.features.map(({ layer, position, index }) => [layer, position, index])).toEqual(
      expected.activeFeatures,
    );
    expect(
      furthest(
        sources.features.map(({ activation }) => activation),
        expected.activations,
      ),
    ).toBeLessThan(5e-4);
    expect(traced.features).toEqual(expected.selected);
    expect(logits.map(({ token }) => token)).toEqual(expected.logits);
    expect(
      furthest(
        logits.map(({ probability }) => probability),
        expected.probabilities,
      ),
    ).toBeLessThan(5e-4);
    const effects = (await adjacency.read(name)).data as Float32Array;
    expect(furthest(orderedRows(found), effects)).toBeLessThan(5e-4);
    expect(scores.replacement).toBeCloseTo(expected.replacementScore, 4);
    expect(scores.completeness).toBeCloseTo(expected.completenessScore, 4);
  });

  it('keeps the nodes and edges that circuit-tracer keeps', async () => {
    const { pruned } = await graphOf(name);
    expect(pruned.nodes).toEqual(expected.keptNodes);
    const edges = pruned.edges.map(({ target, source }) => `${target}<${source}`).sort();
    expect(edges).toEqual(expected.keptEdges.map(([target, source]) => `${target}<${source}`).sort());
    expect(furthest(pruned.cumulative, expected.cumulative)).toBeLessThan(5e-4);
  });
});

/** The largest difference, as a share of the range of what is expected. */
function furthest(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  let [worst, low, high] = [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < expected.length; i++) {
    worst = Math.max(worst, Math.abs(actual[i]! - expected[i]!));
    low = Math.min(low, expected[i]!);
    high = Math.max(high, expected[i]!);
  }
  return worst / (high - low);
}
