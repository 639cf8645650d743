/** AtP of nodes: gradients against finite differences of plain loops; integrated gradients add up to exact patches. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  attributeAllNodes,
  type Integration,
  nodeSites,
} from '../../../../src/engine/method/attributionPatching.ts';
import { nodeScores } from '../../../../src/engine/method/componentGraph.ts';
import { attributeAllEdges } from '../../../../src/engine/method/edgeAttributionPatching.ts';
import { Transformer } from '../../../../src/engine/model/transformer.ts';
import type { TokenPair } from '../../../../src/engine/task/task.ts';
import { type PlainHook, plainGpt2 } from '../../../fixtures/plainGpt2.ts';
import { type TinyModel, tinyModelConfig, writeTinyModel } from '../../../fixtures/tinyModel.ts';
import { plainDifference, tinyPairs } from './plainCircuit.ts';

const { dVocab } = tinyModelConfig;
let tiny: TinyModel;
let model: Transformer;

beforeAll(async () => {
  tiny = await writeTinyModel(6);
  model = await Transformer.open(tiny.folder, { threads: 1 });
});

afterAll(async () => {
  await model?.release();
  await tiny?.remove();
});

function valuesOf(ids: Int32Array): Map<string, Float64Array> {
  const values = new Map<string, Float64Array>();
  plainGpt2(tiny.config, tiny.weights, [...ids], (name, { data }) => values.set(name, data.slice()));
  return values;
}

function metric(pair: TokenPair, hook: PlainHook): number {
  return plainDifference(plainGpt2(tiny.config, tiny.weights, [...pair.clean], hook), dVocab, pair);
}

/** The part of `[position, count, size]` data that one node (and position) has. */
function isOf(i: number, length: number, data: number, count: number, node: number, position?: number) {
  const size = data / (length * count);
  const own = Math.floor(i / size) % count === node;
  return own && (position === undefined || Math.floor(i / (size * count)) === position);
}

/** The slope of the metric along a node's change at one position. */
function slope(pair: TokenPair, hook: string, count: number, node: number, position: number): number {
  const [clean, corrupted] = [valuesOf(pair.clean).get(hook)!, valuesOf(pair.corrupted).get(hook)!];
  const moved = (by: number) =>
    metric(pair, (name, { data }) => {
      if (name !== hook) return;
      for (let i = 0; i < data.length; i++) {
        if (isOf(i, pair.clean.length, data.length, count, node, position)) {
          data[i]! += by * (corrupted[i]! - clean[i]!);
        }
      }
    });
  return (moved(1e-4) - moved(-1e-4)) / 2e-4;
}

const ask = (pairs: readonly TokenPair[], integrate: Integration) =>
  attributeAllNodes(model, { pairs, metric: 'logitDifference', integrate });

describe('attribution patching of nodes', () => {
  it('gives every node the slope of the metric along it, by position', async () => {
    const pairs = tinyPairs.slice(0, 2);
    const { effects, byPosition } = await ask(pairs, { along: 'none' });
    for (const { hook, first, count } of nodeSites(model)) {
      for (let node = 0; node < count; node++) {
        const slopes = Array.from({ length: 6 }, (_, position) => {
          const each = pairs.map((pair) => slope(pair, hook, count, node, position));
          return each.reduce((sum, x) => sum + x, 0) / pairs.length;
        });
        slopes.forEach((expected, position) => {
          expect(byPosition![(first + node) * 6 + position], `${hook} ${node} ${position}`).toBeCloseTo(
            expected,
            4,
          );
        });
        expect(effects[first + node]).toBeCloseTo(
          slopes.reduce((sum, x) => sum + x, 0),
          4,
        );
      }
    }
    expect(Math.max(...effects.map(Math.abs))).toBeGreaterThan(0.02);
  });

  it('is the sum of the edges that leave a node, also with integrated inputs', async () => {
    for (const steps of [0, 4]) {
      const graph = await attributeAllEdges(model, { pairs: tinyPairs, metric: 'logitDifference', steps });
      const integrate = steps === 0 ? { along: 'none' as const } : { along: 'inputs' as const, steps };
      const { effects, byPosition } = await ask(tinyPairs, integrate);
      expect(byPosition).toBeUndefined();
      nodeScores(graph).forEach((score, node) => {
        expect(effects[node]).toBeCloseTo(score, 4);
      });
    }
  });
});

describe('gradients integrated along the patched activations', () => {
  it('add up to the exact effect of patching all nodes of a hook', async () => {
    const pair = tinyPairs[0]!;
    const { effects } = await ask([pair], { along: 'activations', steps: 40 });
    const other = valuesOf(pair.corrupted);
    const clean = metric(pair, () => {});
    for (const { hook, first, count } of nodeSites(model)) {
      const exact = metric(pair, (name, { data }) => {
        if (name === hook) data.set(other.get(hook)!);
      });
      const sum = effects.subarray(first, first + count).reduce((a, b) => a + b, 0);
      expect(sum, hook).toBeCloseTo(exact - clean, 3);
    }
  });

  it('allows the divergence, which has no gradient on the clean prompt', async () => {
    const request = { pairs: tinyPairs.slice(0, 1), metric: 'kl' } as const;
    const { effects } = await attributeAllNodes(model, {
      ...request,
      integrate: { along: 'activations', steps: 20 },
    });
    // Patching the embeddings is the corrupted run: a divergence, so above zero.
    expect(effects[0]).toBeGreaterThan(0.01);
    await expect(attributeAllNodes(model, { ...request, integrate: { along: 'none' } })).rejects.toThrow(
      /zero on the clean prompt/,
    );
  });

  it('stops when it is cancelled', async () => {
    const controller = new AbortController();
    const call = { signal: controller.signal, report: () => controller.abort() };
    const request = {
      pairs: tinyPairs,
      metric: 'logitDifference',
      integrate: { along: 'activations', steps: 4 },
    } as const;
    await expect(attributeAllNodes(model, request, call)).rejects.toThrow(/Cancelled/);
  });
});
