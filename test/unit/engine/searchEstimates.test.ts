/** What searches for circuits will take: runs that can be counted by hand, and times that are times. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EstimateEdgesRequest } from '../../../src/shared/attributionApi.ts';
import type { SearchEstimate } from '../../../src/shared/searchEstimate.ts';
import type { SparseCircuitRequest } from '../../../src/shared/sparseCircuitApi.ts';
import type { PromptPairs } from '../../../src/shared/task.ts';
import { reluHook, tinyModelConfig, topKHook } from '../../fixtures/tinyModel.ts';
import { failure } from '../temporaryFolder.ts';
import { contrast, openTinyEngine, type TinyEngine } from './tinyEngine.ts';

let tiny: TinyEngine;

beforeAll(async () => {
  tiny = await openTinyEngine(6);
});

afterAll(() => tiny?.close());

const pairs: PromptPairs = {
  kind: 'pair',
  clean: 'When she gave',
  corrupted: 'When she words',
  answers: [contrast.answer],
  wrongAnswers: [contrast.wrong],
};

const { nLayers, nHeads } = tinyModelConfig;
/** The embeddings, and of every block attention, MLP and stream. */
const sites = 1 + 3 * nLayers;

function sparse(changes: Partial<SparseCircuitRequest> = {}): Promise<SearchEstimate> {
  return tiny.engine.estimateSparseCircuit({
    model: tiny.model.id,
    pairs,
    basis: 'features',
    saes: [tiny.saeId(topKHook), tiny.saeId(reluHook)],
    method: 'ig',
    steps: 3,
    aggregation: 'sum',
    nodeThreshold: 0.01,
    ...changes,
  });
}

function edges(method: EstimateEdgesRequest['method'], steps = 3): Promise<SearchEstimate> {
  const base = { model: tiny.model.id, pairs };
  return tiny.engine.estimateEdges(method === 'acdc' ? { ...base, method } : { ...base, method, steps });
}

/** Both prompts for the metric and again for the effects; the corrupted one for the means; four tests of the clean one. */
const around = 2 + 2 + 1 + 4;

describe('the estimate of a sparse feature circuit', () => {
  it('counts a run for every site and step of integrated gradients', async () => {
    const found = await sparse();
    expect(found).toMatchObject({ forward: around + 3 * sites, backward: 3 * sites });
    expect(found.seconds).toBeGreaterThan(0);
    expect(found.memory).toBeGreaterThan(0);
  });

  it('counts one pass back for attribution patching', async () => {
    expect(await sparse({ method: 'atp' })).toMatchObject({ forward: around, backward: 1 });
    expect(await sparse({ method: 'atp', edges: false })).toMatchObject({ forward: around, backward: 1 });
  });

  it('counts a run for every node that exact effects patch', async () => {
    const request = { basis: 'neurons', saes: [], method: 'exact', edges: false } as const;
    const { forward, backward, seconds } = await sparse(request);
    // From the only token that differs on, every coordinate of every site has a run of its own.
    expect(forward).toBe(around + 1 + sites * tinyModelConfig.dModel);
    expect(backward).toBe(0);
    expect(seconds).toBeGreaterThan(0);
    expect(await sparse({ ...request, edges: true })).toMatchObject({ forward: forward + 2, backward: 1 });
  });

  it('takes the KL divergence, and refuses what the search refuses', async () => {
    expect((await sparse({ metric: 'kl' })).seconds).toBeGreaterThan(0);
    expect(await failure(sparse({ nodeThreshold: -1 }))).toMatchObject({ code: 'request.invalid' });
    const controller = new AbortController();
    controller.abort();
    const request = {
      model: tiny.model.id,
      pairs,
      basis: 'features',
      saes: [],
      method: 'ig',
      aggregation: 'sum',
    } as const;
    const stopped = tiny.engine.estimateSparseCircuit(request, { signal: controller.signal });
    expect(await failure(stopped)).toMatchObject({ code: 'cancelled' });
  });
});

describe('the estimate of a circuit of edges', () => {
  /** Its two prompts and the circuit, when it is run exactly in the end. */
  const test = 3;
  const sources = 1 + nLayers * (nHeads + 1);

  it('counts steps of integrated gradients, of which the last is the clean run', async () => {
    expect(await edges('eap')).toMatchObject({ forward: 2 + test, backward: 1 });
    expect(await edges('eap-ig')).toMatchObject({ forward: 2 + 2 + test, backward: 3 });
  });

  it('counts every source along activations', async () => {
    const found = await edges('eap-ig-activations');
    expect(found).toMatchObject({ forward: 4 + 3 * sources + test, backward: 3 * sources });
    expect(found.seconds).toBeGreaterThan(0);
  });

  it('counts every edge of ACDC, which is the most', async () => {
    const found = await edges('acdc');
    const { total, search } = await tiny.engine.runAcdc({ model: tiny.model.id, pairs, threshold: 0 });
    expect(found).toMatchObject({ forward: 2 + total + test, backward: 0, bound: 'atMost' });
    expect(await edges('eap')).not.toHaveProperty('bound');
    expect(found.seconds).toBeGreaterThan(0);
    expect(search!.tried).toBeLessThanOrEqual(total);
  });
});
