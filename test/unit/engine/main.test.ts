/** The engine as a process of its own: typed arrays, progress, cancellation, errors and sudden death over its IPC channel. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createMessageConnection, IPCMessageReader, IPCMessageWriter } from 'vscode-jsonrpc/node';
import { Engine } from '../../../src/engine/engine.ts';
import type { Progress } from '../../../src/shared/domain.ts';
import type { EngineApi } from '../../../src/shared/engineApi.ts';
import { connect } from '../../../src/shared/rpc.ts';
import { type Bundle, bundle } from '../../fixtures/bundle.ts';
import { reluHook, type TinyModel, topKHook, writeTinyModel } from '../../fixtures/tinyModel.ts';
import { failure } from '../temporaryFolder.ts';

const contrast = { answer: ' words', wrong: ' letter' };
let tiny: TinyModel;
let entry: Bundle;

beforeAll(async () => {
  [tiny, entry] = await Promise.all([writeTinyModel(5), bundle('src/engine/main.ts')]);
});

afterAll(async () => {
  await tiny?.remove();
  await entry?.remove();
});

/** A new engine process that ends with the test. */
function start(): { readonly child: ChildProcess; readonly api: EngineApi } {
  const child = fork(entry.file, { serialization: 'advanced', execArgv: [] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const connection = createMessageConnection(new IPCMessageReader(child), new IPCMessageWriter(child));
  const api = connect<EngineApi>(connection);
  connection.listen();
  return { child, api };
}

async function question(api: EngineApi, text: string) {
  const { id } = await api.openModel({ path: tiny.folder });
  const saes = await api.listSaes({ model: id, folders: [] });
  return {
    model: id,
    text,
    saes: saes.map((sae) => sae.id),
    topFeatures: 4,
    topPredictions: 3,
    edits: [],
    contrast,
  };
}

describe('the engine process', () => {
  it('answers what the engine answers, typed arrays and lone surrogates intact', async () => {
    const { api, child } = start();
    const inside = new Engine();
    for (const text of ['When she gave', 'a\ud83d b <b>\u0000']) {
      const request = await question(api, text);
      await inside.openModel({ path: tiny.folder });
      const found = await api.analyze(request);
      const expected = await inside.analyze(request);
      expect(found.probabilities).toBeInstanceOf(Float32Array);
      expect(found.features[0]!.indices).toBeInstanceOf(Int32Array);
      expect(found.features[0]!.activations).toBeInstanceOf(Float32Array);
      expect(found.probabilities[0]).toBeNaN();
      expect({ ...found, milliseconds: 0 }).toEqual({ ...expected, milliseconds: 0 });
      const features = [{ sae: request.saes[0]!, index: 3 }];
      const heat = await api.featureHeat({ run: found.run, features });
      expect(heat).toBeInstanceOf(Float32Array);
      expect(heat).toEqual(await inside.featureHeat({ run: expected.run, features }));
    }
    expect((await api.ping({})).pid).toBe(child.pid);
    expect((await api.ping({})).memory).toBeGreaterThan(1e6);
    await inside.closeModel({ model: (await inside.openModel({ path: tiny.folder })).id });
  });

  it('reports progress', async () => {
    const { api } = start();
    const { model, text, saes } = await question(api, 'When she gave');
    const steps: Progress[] = [];
    const graph = await api.findCircuit(
      { model, text, contrast, saes, maxNodes: 8 },
      { report: (step) => steps.push(step) },
    );
    expect(graph.nodes.length).toBeGreaterThan(8);
    expect(steps.map(({ done }) => done)).toEqual([0, 1, 2, 4]);
    expect(steps[1]!.what).toContain('Attributing');
  });

  it('stops work that is cancelled, and goes on answering', async () => {
    const { api } = start();
    const { model, text, saes } = await question(api, 'When she gave');
    const controller = new AbortController();
    const work = api.findCircuit(
      { model, text, contrast, saes, maxNodes: 8 },
      { signal: controller.signal, report: () => controller.abort() },
    );
    expect((await failure(work)).code).toBe('cancelled');
    const early = api.analyze(await question(api, 'gave'), { signal: AbortSignal.abort() });
    expect((await failure(early)).code).toBe('cancelled');
    expect((await api.analyze(await question(api, 'gave'))).predictions).not.toHaveLength(0);
  });

  it('carries coded errors with their data', async () => {
    const { api } = start();
    expect(await failure(api.openModel({ path: '/nowhere' }))).toMatchObject({
      code: 'file.missing',
      data: { path: '/nowhere' },
      message: expect.stringContaining('/nowhere'),
    });
    const request = await question(api, '');
    expect((await failure(api.analyze(request))).code).toBe('prompt.empty');
    expect((await failure(api.analyze({ ...request, model: 'x' }))).data).toEqual({ what: 'model', id: 'x' });
  });

  it('fails every call that is under way when it is killed', async () => {
    const { api, child } = start();
    const request = await question(api, 'When she gave words');
    const calls = [api.analyze(request), api.findCircuit({ ...request, maxNodes: 8 }), api.ping({})];
    const outcomes = Promise.allSettled(calls);
    child.kill('SIGKILL');
    const [, signal] = await once(child, 'exit');
    expect(signal).toBe('SIGKILL');
    for (const outcome of await outcomes) expect(outcome.status).toBe('rejected');
    await expect(api.ping({})).rejects.toThrow();
    // A new process opens what the old one had open.
    const again = start();
    expect((await again.api.analyze(await question(again.api, 'gave'))).features).toHaveLength(2);
  });

  it('ends when the process that started it lets go', async () => {
    const { api, child } = start();
    await api.ping({});
    child.disconnect();
    const [code, signal] = await once(child, 'exit');
    expect([code, signal]).toEqual([0, null]);
  });

  it('does not fall to requests that are no requests', async () => {
    const { api, child } = start();
    child.send('nonsense');
    child.send({ jsonrpc: '2.0', id: 77, method: 'constructor', params: {} });
    const stray = api as unknown as Record<string, (request: unknown) => Promise<unknown>>;
    await expect(stray.noSuchMethod!({})).rejects.toThrow('noSuchMethod');
    await expect(stray.analyze!(undefined)).rejects.toThrow();
    const { saes } = await question(api, 'gave');
    expect(saes.map((id) => id.split('/').at(-1))).toEqual([topKHook, reluHook]);
  });
});
