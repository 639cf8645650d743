/** Edges: what enters the logits adds up exactly, and single edges follow a detour through plain loops. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { attributeEdges } from '../../../../src/engine/method/edgeAttribution.ts';
import {
  attributeNodes,
  type NodeAttribution,
  recordRun,
} from '../../../../src/engine/method/nodeAttribution.ts';
import type { CircuitEdge } from '../../../../src/shared/circuit.ts';
import { plainActivations, reluHook, tinyDSae } from '../../../fixtures/tinyModel.ts';
import {
  adding,
  cleanIds,
  openExtraSae,
  openTinyCircuit,
  otherIds,
  type TinyCircuit,
} from './tinyCircuit.ts';

const [dModel, dHead, nHeads] = [12, 4, 3];
const last = cleanIds.length - 1;
const small = 1e-5;
let circuit: TinyCircuit;

beforeAll(async () => {
  circuit = await openTinyCircuit(6);
});

afterAll(() => circuit?.close());

async function allEdges(hasBaseline: boolean, withFeatures = false, saes = circuit.saes) {
  const inputs = circuit.inputs({
    saes: withFeatures ? saes : [],
    ...(hasBaseline ? {} : { counterfactual: undefined }),
  });
  const clean = await recordRun(inputs, Int32Array.from(cleanIds));
  const baseline = hasBaseline ? await recordRun(inputs, Int32Array.from(otherIds)) : undefined;
  const nodes = await attributeNodes(inputs, clean, baseline);
  return { nodes, edges: await attributeEdges(inputs, clean, baseline, nodes) };
}

/** What a token, head or MLP writes into the stream at its position, as the difference from the baseline. */
function writeOf({ node }: NodeAttribution): Float64Array {
  const between = (hook: string, start: number, width: number) => {
    const [clean, other] = [cleanIds, otherIds].map((ids) =>
      circuit.value(hook, ids).slice(start, start + width),
    );
    return clean!.map((x, i) => x - other![i]!);
  };
  const at = node.position * dModel;
  if (node.kind === 'token') return between('blocks.0.hook_resid_pre', at, dModel);
  if (node.kind === 'mlp') return between(`blocks.${node.layer}.hook_mlp_out`, at, dModel);
  return between(
    `blocks.${node.layer}.attn.hook_result`,
    (node.position * nHeads + node.head!) * dModel,
    dModel,
  );
}

/** The change of the metric, per unit, when only `target` reads `write` at `position`, and nothing else does. */
function detour(target: NodeAttribution, write: Float64Array, position: number): number {
  const { kind, layer, head, position: at } = target.node;
  const isHead = kind === 'head';
  const reads = `blocks.${layer}.${isHead ? 'hook_resid_pre' : 'hook_resid_mid'}`;
  const speaks = `blocks.${layer}.${isHead ? 'attn.hook_z' : 'hook_mlp_out'}`;
  const [start, width] = isHead ? [(at * nHeads + head!) * dHead, dHead] : [at * dModel, dModel];
  const moved = (by: number) => {
    const value = circuit.value(
      speaks,
      cleanIds,
      adding(
        reads,
        position * dModel,
        write.map((x) => x * by),
      ),
    );
    return circuit.metric(cleanIds, (name, { data }) => {
      if (name === speaks) data.set(value.subarray(start, start + width), start);
    });
  };
  return (moved(small) - moved(-small)) / (2 * small);
}

const between = (edges: readonly CircuitEdge[], source: NodeAttribution, target: NodeAttribution) =>
  edges.find((edge) => edge.source === source.node.id && edge.target === target.node.id)?.weight ?? 0;

describe('edges into the logits', () => {
  it.each([true, false])(
    'add up to the frozen readout of all that was written (counterfactual: %s)',
    async (hasBaseline) => {
      const { edges } = await allEdges(hasBaseline);
      const found = edges.filter(({ target }) => target === `logit@${last}`);
      expect(found).toHaveLength(1 + 2 * (nHeads + 1));
      const top = 'blocks.1.hook_resid_post';
      const final = circuit.value(top, cleanIds).slice(last * dModel);
      const other = circuit.value(top, otherIds).slice(last * dModel);
      // Against zero the attention's output biases are written by nobody.
      const bias = (layer: number) => circuit.tiny.weights.get(`h.${layer}.attn.c_proj.bias`)!.data;
      const delta = final.map((x, d) => x - (hasBaseline ? other[d]! : bias(0)[d]! + bias(1)[d]!));
      const moved = (by: number) =>
        circuit.metric(
          cleanIds,
          adding(
            top,
            last * dModel,
            delta.map((x) => x * by),
          ),
        );
      const expected = (moved(small) - moved(-small)) / (2 * small);
      expect(found.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(expected, 3);
    },
  );
});

describe('edges between components', () => {
  it('follow the metric when one node alone hears the other', async () => {
    const { nodes, edges } = await allEdges(true);
    const components = nodes.filter(({ node }) => node.kind === 'head' || node.kind === 'mlp');
    const sources = nodes.filter(({ node }) => node.kind !== 'logit');
    let strongest = 0;
    for (const [i, target] of components.entries()) {
      for (const [j, source] of sources.entries()) {
        // One pair in seven is enough to meet every combination of kinds, layers and positions.
        if ((i * 31 + j) % 7 !== 0) continue;
        const found = between(edges, source, target);
        const visible = source.rank < target.rank && source.node.position <= target.node.position;
        const same = source.node.position === target.node.position;
        if (!visible || (target.node.kind === 'mlp' && !same)) {
          expect(found).toBeCloseTo(0, 9);
          continue;
        }
        const expected = detour(target, writeOf(source), source.node.position);
        expect(Math.abs(found - expected), `${source.node.id} → ${target.node.id}`).toBeLessThan(
          1e-3 * Math.max(1, Math.abs(expected)),
        );
        strongest = Math.max(strongest, Math.abs(expected));
      }
    }
    expect(strongest).toBeGreaterThan(0.01);
  });

  it('lead from lower to higher parts of the model only', async () => {
    const { nodes, edges } = await allEdges(true, true);
    const byId = new Map(nodes.map((item) => [item.node.id, item]));
    for (const { source, target } of edges) {
      expect(byId.get(source)!.rank).toBeLessThan(byId.get(target)!.rank);
      expect(byId.get(source)!.node.position).toBeLessThanOrEqual(byId.get(target)!.node.position);
      expect(byId.get(target)!.node.kind).not.toMatch(/token|error/);
    }
  });
});

describe('edges into features', () => {
  it('follow the encoder, where the write passes the SAE’s own hook', async () => {
    const { nodes, edges } = await allEdges(true, true);
    const sae = circuit.tiny.saes.get(reluHook)!;
    const mlp = nodes.find(({ node }) => node.kind === 'mlp' && node.layer === 1 && node.position === last)!;
    const features = nodes.filter(({ node, sae: site }) => {
      return (
        site?.hook === reluHook && node.kind === 'feature' && node.position === last && node.activation! > 0
      );
    });
    expect(features.length).toBeGreaterThan(1);
    const value = circuit.value(reluHook, cleanIds).slice(last * dModel);
    const write = writeOf(mlp);
    for (const feature of features) {
      const index = feature.node.feature!.index;
      const activation = (by: number) =>
        plainActivations(
          sae,
          value.map((x, d) => x + by * write[d]!),
          tinyDSae,
        )[index]!;
      const slope = (activation(small) - activation(-small)) / (2 * small);
      const found = between(edges, mlp, feature);
      expect(found).toBeCloseTo(slope * feature.gradient[0]!, 3);
    }
  });
});

describe('edges of features before a block, by a gated SAE that normalises', () => {
  it('follow the encoder on the way in and the scaled decoder on the way out', async () => {
    const hook = 'blocks.1.hook_resid_pre';
    const extra = await openExtraSae(1, {
      hookName: hook,
      architecture: 'gated',
      normalizeActivations: 'layer_norm',
    });
    onTestFinished(() => extra.site.sae.release());
    const { nodes, edges } = await allEdges(true, true, [extra.site]);
    const [row, other] = [cleanIds, otherIds].map((ids) => circuit.value(hook, ids).slice(last * dModel));
    const at = (kind: string, layer: number) =>
      nodes.filter(({ node }) => node.kind === kind && node.layer === layer && node.position === last);
    const [mlp] = at('mlp', 0);
    const write = writeOf(mlp!);
    const [now, then] = [extra.encode(row!).features, extra.encode(other!).features];
    const features = at('feature', 1).filter(({ node }) => node.activation! > 0);
    expect(features.length).toBeGreaterThan(2);
    for (const feature of features) {
      const { index } = feature.node.feature!;
      const moved = (by: number) => extra.encode(row!.map((x, d) => x + by * write[d]!)).features[index]!;
      const heard = ((moved(small) - moved(-small)) / (2 * small)) * feature.gradient[0]!;
      expect(Math.abs(between(edges, mlp!, feature) - heard)).toBeLessThan(
        1e-3 * Math.max(1, Math.abs(heard)),
      );
      const spoken = extra.unitWrite(index, row!).map((x) => x * (now[index]! - then[index]!));
      for (const target of [...at('head', 1), ...at('mlp', 1)]) {
        const expected = detour(target, Float64Array.from(spoken), last);
        const found = between(edges, feature, target);
        expect(Math.abs(found - expected), target.node.id).toBeLessThan(
          1e-3 * Math.max(1, Math.abs(expected)),
        );
      }
    }
    for (const feature of features)
      for (const head of at('head', 0)) expect(between(edges, feature, head)).toBe(0);
  });
});
