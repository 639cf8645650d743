/** The tiny circuit with SAEs at most of its sites, and what nodes are and write there by plain loops. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { floatValue } from '../../../../../src/engine/graph/value.ts';
import type { CircuitSae } from '../../../../../src/engine/method/circuitInputs.ts';
import type { SparseNode } from '../../../../../src/engine/method/sparse/effectTable.ts';
import {
  featureSites,
  neuronSites,
  type SparseSite,
} from '../../../../../src/engine/method/sparse/sparseSites.ts';
import type { SaeConfig } from '../../../../../src/engine/sae/format.ts';
import { openSaeLens, writeSaeLens } from '../../../../../src/engine/sae/formats/saelens.ts';
import { SparseAutoencoder } from '../../../../../src/engine/sae/sparseAutoencoder.ts';
import type { TokenPair } from '../../../../../src/engine/task/task.ts';
import {
  randomSae,
  reluHook,
  tinyDSae,
  tinyModelConfig,
  tinySaeConfig,
  topKHook,
  valuesOf,
} from '../../../../fixtures/tinyModel.ts';
import { type PlainWeights, plainDirection, plainEncode, saeConfig } from '../../sae/plainSae.ts';
import { answers, openTinyCircuit, type TinyCircuit } from '../tinyCircuit.ts';

export const dModel = tinyModelConfig.dModel;

/** A site's SAE by plain loops. */
export interface PlainSite {
  readonly config: SaeConfig;
  readonly weights: PlainWeights;
}

export interface TinySparse {
  readonly circuit: TinyCircuit;
  readonly sites: readonly SparseSite[];
  readonly neurons: readonly SparseSite[];
  /** SAEs by hook. */
  readonly plain: ReadonlyMap<string, PlainSite>;
  close(): Promise<void>;
}

function pair(clean: readonly number[], corrupted: readonly number[]): TokenPair {
  const ids = (list: readonly number[]) => Int32Array.from(list);
  const { answer, wrong } = answers;
  return {
    clean: ids(clean),
    corrupted: ids(corrupted),
    answers: [answer],
    wrongAnswers: [wrong],
    roles: {},
    template: '',
  };
}

/** Equally long, different from their second token on. */
export const pairs = [
  pair([3, 117, 58, 201, 22], [3, 44, 58, 310, 22]),
  pair([61, 7, 250, 30, 144], [61, 7, 9, 30, 145]),
];

/** One more, of another length. */
export const longer = pair([3, 18, 77, 201, 5, 90], [3, 19, 77, 8, 5, 90]);

/** Extra SAEs beside those of the tiny model: one that normalises, one with a gate. */
const extras: readonly Partial<SaeConfig>[] = [
  { hookName: 'blocks.0.hook_attn_out', normalizeActivations: 'layer_norm' },
  { hookName: 'blocks.1.hook_attn_out' },
  { hookName: 'blocks.0.hook_mlp_out', architecture: 'jumprelu' },
];

/** Opens everything. The stream after the last block and the embeddings have no SAE. */
export async function openTinySparse(seed: number): Promise<TinySparse> {
  const circuit = await openTinyCircuit(seed);
  const plain = new Map<string, PlainSite>();
  for (const hook of [topKHook, reluHook]) {
    const weights: PlainWeights = { ...circuit.tiny.saes.get(hook)! };
    plain.set(hook, { config: tinySaeConfig(hook), weights });
  }
  const opened: CircuitSae[] = [...circuit.saes];
  for (const changes of extras) {
    const config = saeConfig({ dIn: dModel, dSae: tinyDSae, ...changes });
    const { hookName } = config;
    const sae = randomSae(`sparse/${hookName}`, dModel);
    const threshold = Float32Array.from({ length: tinyDSae }, (_, i) => 0.1 + 0.02 * i);
    const isGated = config.architecture === 'jumprelu';
    const path = join(circuit.tiny.folder, 'saes', hookName);
    await mkdir(path, { recursive: true });
    const values = {
      ...valuesOf(sae, dModel),
      ...(isGated && { threshold: floatValue(threshold, [tinyDSae]) }),
    };
    await writeSaeLens(path, config, values);
    const opening = new SparseAutoencoder(await openSaeLens(path));
    opened.push({ id: hookName, sae: opening, hook: hookName, layer: Number(hookName.split('.')[1]) });
    plain.set(hookName, { config, weights: { ...sae, threshold } });
  }
  const { config } = circuit.model;
  return {
    circuit,
    sites: featureSites(config, opened),
    neurons: neuronSites(config, []),
    plain,
    close: async () => {
      for (const { sae } of opened.slice(circuit.saes.length)) await sae.release();
      await circuit.close();
    },
  };
}

/** Features, error, and scale of one row at a site by plain loops; without an SAE all is error, or all coordinates. */
export function plainCode(
  tiny: TinySparse,
  site: SparseSite,
  row: ArrayLike<number>,
): { features: number[]; error: number[] | undefined; scale: number } {
  if (tiny.neurons.includes(site)) return { features: Array.from(row), error: undefined, scale: 1 };
  const sae = tiny.plain.get(site.hook);
  if (!sae) return { features: [], error: Array.from(row), scale: 1 };
  const code = plainEncode(row, sae.config, sae.weights);
  const rebuilt = Array.from(row, (_, d) => sae.weights.b_dec![d]!);
  code.features.forEach((value, feature) => {
    if (value !== 0) addTimes(rebuilt, value, plainWrite(tiny, site, feature));
  });
  return {
    features: code.features,
    error: Array.from(row, (x, d) => x - (rebuilt[d]! * code.scale + code.shift)),
    scale: code.scale,
  };
}

/** Adds `by · vector` to `target`. */
export function addTimes(target: number[] | Float64Array, by: number, vector: ArrayLike<number>): void {
  for (let d = 0; d < target.length; d++) target[d]! += by * vector[d]!;
}

/** The direction that a unit of a feature writes along, without its scale. */
export function plainWrite({ plain, neurons }: TinySparse, site: SparseSite, feature: number): number[] {
  if (neurons.includes(site)) return Array.from({ length: dModel }, (_, d) => (d === feature ? 1 : 0));
  const sae = plain.get(site.hook)!;
  return plainDirection(feature, sae.config, sae.weights);
}

/** A node at one position of one pair: what its move to the corrupted value adds to the site's row. */
export interface PlainMove {
  readonly node: SparseNode;
  readonly position: number;
  readonly delta: number[];
}

/** Moves of all nodes that are active on either prompt. `place` of their nodes is the position. */
export function plainMoves(
  tiny: TinySparse,
  sites: readonly SparseSite[],
  { clean, corrupted }: TokenPair,
): PlainMove[] {
  const moves: PlainMove[] = [];
  sites.forEach((site, index) => {
    const [now, other] = [clean, corrupted].map((ids) => tiny.circuit.value(site.hook, [...ids]));
    for (let position = 0; position < clean.length; position++) {
      const rows = [now!, other!].map((data) => data.slice(position * dModel, (position + 1) * dModel));
      const [a, b] = rows.map((row) => plainCode(tiny, site, row));
      a!.features.forEach((value, feature) => {
        if (value === 0 && b!.features[feature] === 0) return;
        const by = a!.scale * (b!.features[feature]! - value);
        const delta = plainWrite(tiny, site, feature).map((x) => by * x);
        moves.push({ node: { site: index, unit: feature, place: position }, position, delta });
      });
      if (!a!.error) continue;
      const delta = a!.error.map((x, d) => b!.error![d]! - x);
      moves.push({ node: { site: index, unit: a!.features.length, place: position }, position, delta });
    }
  });
  return moves;
}
