/** Effects of nodes against what happens when the node alone is moved a little towards its baseline, by plain loops. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { gradientCircuit, strongestNodes } from '../../../../src/engine/method/gradientCircuit.ts';
import {
  attributeNodes,
  type NodeAttribution,
  recordRun,
} from '../../../../src/engine/method/nodeAttribution.ts';
import { plainActivations, reluHook, tinyDSae, topKHook } from '../../../fixtures/tinyModel.ts';
import { failure } from '../../temporaryFolder.ts';
import {
  adding,
  cleanIds,
  openExtraSae,
  openTinyCircuit,
  otherIds,
  type TinyCircuit,
} from './tinyCircuit.ts';

const [dModel, dHead, nHeads] = [12, 4, 3];
const small = 1e-5;
let circuit: TinyCircuit;

beforeAll(async () => {
  circuit = await openTinyCircuit(6);
});

afterAll(() => circuit?.close());

/** The node's hook, where its values lie there, and the values on prompt and baseline. */
function placeOf({ node }: NodeAttribution, baseline: boolean) {
  const [hook, start, width] = {
    token: () => ['blocks.0.hook_resid_pre', node.position * dModel, dModel] as const,
    head: () =>
      [`blocks.${node.layer}.attn.hook_z`, (node.position * nHeads + node.head!) * dHead, dHead] as const,
    mlp: () => [`blocks.${node.layer}.hook_mlp_out`, node.position * dModel, dModel] as const,
  }[node.kind as 'token' | 'head' | 'mlp']();
  const clean = circuit.value(hook, cleanIds).slice(start, start + width);
  const other = circuit.value(hook, otherIds).slice(start, start + width);
  return { hook, start, delta: clean.map((x, i) => x - (baseline ? other[i]! : 0)) };
}

/** What the metric loses per unit when the values at a hook move along −delta. */
function slope(hook: string, start: number, delta: Float64Array): number {
  const moved = (by: number) =>
    circuit.metric(
      cleanIds,
      adding(
        hook,
        start,
        delta.map((x) => x * by),
      ),
    );
  return (moved(small) - moved(-small)) / (2 * small);
}

function featuresOf(
  hook: string,
  ids: readonly number[],
  position: number,
): { x: Float64Array; active: number[] } {
  const x = circuit.value(hook, ids).slice(position * dModel, (position + 1) * dModel);
  return { x, active: plainActivations(circuit.tiny.saes.get(hook)!, x, hook === topKHook ? 4 : tinyDSae) };
}

describe.each([true, false])('effects with a counterfactual: %s', (hasBaseline) => {
  const inputs = () =>
    circuit.inputs({ saes: circuit.saes, ...(hasBaseline ? {} : { counterfactual: undefined }) });

  async function attribute(): Promise<NodeAttribution[]> {
    const clean = await recordRun(inputs(), Int32Array.from(cleanIds));
    const baseline = hasBaseline ? await recordRun(inputs(), Int32Array.from(otherIds)) : undefined;
    return attributeNodes(inputs(), clean, baseline);
  }

  it('of tokens, heads and MLPs follow finite differences, and none is left out', async () => {
    const nodes = (await attribute()).filter(({ node }) => ['token', 'head', 'mlp'].includes(node.kind));
    expect(nodes).toHaveLength(cleanIds.length * (1 + 2 * (nHeads + 1)));
    expect(new Set(nodes.map(({ node }) => node.id)).size).toBe(nodes.length);
    for (const item of nodes) {
      const { hook, start, delta } = placeOf(item, hasBaseline);
      const expected = slope(hook, start, delta);
      expect(Math.abs(item.node.effect - expected), item.node.id).toBeLessThan(
        1e-3 * Math.max(1, Math.abs(expected)),
      );
    }
    expect(Math.max(...nodes.map(({ node }) => Math.abs(node.effect)))).toBeGreaterThan(0.05);
  });

  it('of features follow the decoder row, and features with their error add up to the whole write', async () => {
    const nodes = await attribute();
    for (const hook of [topKHook, reluHook]) {
      const sae = circuit.tiny.saes.get(hook)!;
      const found = nodes.filter(({ node, sae: site }) => site?.hook === hook && node.kind === 'feature');
      expect(found.length).toBeGreaterThan(8);
      for (const { node } of found) {
        const { active } = featuresOf(hook, cleanIds, node.position);
        const other = featuresOf(hook, otherIds, node.position).active;
        const index = node.feature!.index;
        const difference = active[index]! - (hasBaseline ? other[index]! : 0);
        expect(node.activation).toBeCloseTo(active[index]!, 4);
        const row = Float64Array.from(sae.W_dec.subarray(index * dModel, (index + 1) * dModel));
        const expected = difference * slope(hook, node.position * dModel, row);
        expect(Math.abs(node.effect - expected), node.id).toBeLessThan(
          1e-3 * Math.max(1, Math.abs(expected)),
        );
      }
      for (let position = 0; position < cleanIds.length; position++) {
        const [x, other] = [cleanIds, otherIds].map((ids) => featuresOf(hook, ids, position).x);
        const bias = sae.b_dec;
        const delta = x!.map((value, d) => value - (hasBaseline ? other![d]! : bias[d]!));
        const whole = slope(hook, position * dModel, delta);
        const parts = nodes
          .filter(({ node, sae: site }) => site?.hook === hook && node.position === position)
          .reduce((sum, { node }) => sum + node.effect, 0);
        expect(Math.abs(parts - whole)).toBeLessThan(2e-3 * Math.max(1, Math.abs(whole)));
      }
    }
  });
});

describe('effects of features of SAEs that normalise', () => {
  it.each([
    [0, 'blocks.0.hook_resid_post', 'layer_norm'],
    [1, 'blocks.1.hook_mlp_out', 'constant_norm_rescale'],
    [1, 'blocks.1.hook_resid_pre', 'layer_norm'],
  ] as const)('layer %i, %s, %s follow finite differences', async (layer, hook, normalizeActivations) => {
    const extra = await openExtraSae(layer, { hookName: hook, normalizeActivations });
    onTestFinished(() => extra.site.sae.release());
    const inputs = circuit.inputs({ saes: [extra.site] });
    const clean = await recordRun(inputs, Int32Array.from(cleanIds));
    const baseline = await recordRun(inputs, Int32Array.from(otherIds));
    const nodes = await attributeNodes(inputs, clean, baseline);
    const features = nodes.filter(({ node }) => node.kind === 'feature');
    expect(features.length).toBeGreaterThan(20);
    for (const { node } of features) {
      const start = node.position * dModel;
      const [row, other] = [cleanIds, otherIds].map((ids) =>
        circuit.value(hook, ids).slice(start, start + dModel),
      );
      const index = node.feature!.index;
      const delta = extra.encode(row!).features[index]! - extra.encode(other!).features[index]!;
      const expected = delta * slope(hook, start, Float64Array.from(extra.unitWrite(index, row!)));
      expect(Math.abs(node.effect - expected), node.id).toBeLessThan(1e-3 * Math.max(1, Math.abs(expected)));
    }
  });
});

describe('gradientCircuit', () => {
  it('reports the metric of prompt and baseline, and how far it is', async () => {
    const steps: number[] = [];
    const found = await gradientCircuit(circuit.inputs(), 10, { report: ({ done }) => steps.push(done) });
    expect(found.clean).toBeCloseTo(circuit.metric(cleanIds), 4);
    expect(found.baseline).toBeCloseTo(circuit.metric(otherIds), 4);
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    const [logit] = found.nodes.filter(({ kind }) => kind === 'logit');
    expect(logit).toMatchObject({ id: 'logit@5', layer: 2, label: 'answer − wrong' });
    expect(logit!.effect).toBeCloseTo(circuit.metric(cleanIds), 4);
  });

  it('takes another position’s metric when the contrast names one', async () => {
    const contrast = { position: 2, answer: 5, wrong: 19 };
    const found = await gradientCircuit(circuit.inputs({ contrast }), 1000);
    expect(found.clean).toBeCloseTo(circuit.metric(cleanIds, undefined, 2), 4);
    const late = found.nodes.filter(({ position, kind }) => position > 2 && kind !== 'logit');
    expect(late.every(({ effect }) => Math.abs(effect) < 1e-6)).toBe(true);
  });

  it('keeps the strongest nodes, half of them features, and only edges between them', async () => {
    const inputs = circuit.inputs({ saes: circuit.saes });
    const { nodes, edges } = await gradientCircuit(inputs, 12);
    const everything = await gradientCircuit(inputs, 2000);
    const count = (kinds: readonly string[], list = nodes) =>
      list.filter(({ kind }) => kinds.includes(kind)).length;
    expect(count(['feature', 'error'])).toBe(6);
    expect(count(['head', 'mlp'])).toBe(6);
    expect(count(['head', 'mlp'], everything.nodes)).toBe(cleanIds.length * 2 * (nHeads + 1));
    for (const kinds of [
      ['head', 'mlp'],
      ['feature', 'error'],
    ]) {
      const sizes = (list: typeof nodes) =>
        list
          .filter(({ kind }) => kinds.includes(kind))
          .map(({ effect }) => Math.abs(effect))
          .sort((a, b) => b - a);
      expect(sizes(nodes)).toEqual(sizes(everything.nodes).slice(0, 6));
    }
    const ids = new Set(nodes.map(({ id }) => id));
    for (const { source, target } of edges) expect([ids.has(source), ids.has(target)]).toEqual([true, true]);
    expect(edges.length).toBeGreaterThan(nodes.length);
  });

  it('gives the places that features leave free to components, and the other way round', () => {
    const node = (kind: 'head' | 'feature', effect: number) =>
      ({ node: { kind, effect, id: `${kind}${effect}` } }) as unknown as NodeAttribution;
    const heads = [1, 2, 3, 4, 5, 6].map((effect) => node('head', effect));
    const names = (list: NodeAttribution[]) => list.map((item) => item.node.id);
    expect(names(strongestNodes([...heads, node('feature', 9)], 5))).toEqual([
      'head6',
      'head5',
      'head4',
      'head3',
      'feature9',
    ]);
    const features = [1, 2, 3, 4, 5, 6].map((effect) => node('feature', -effect));
    expect(names(strongestNodes([...features, node('head', 9)], 3))).toEqual([
      'head9',
      'feature-6',
      'feature-5',
    ]);
  });

  it('can be cancelled between its steps', async () => {
    let checks = 0;
    const signal = {
      get aborted() {
        return ++checks > 6;
      },
    } as AbortSignal;
    expect((await failure(gradientCircuit(circuit.inputs(), 10, { signal }))).code).toBe('cancelled');
  });
});
