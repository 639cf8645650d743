/** Lazy start, restart and replay, with engines that live in this process. */

// The client over engine lives: restart, replay, failures of pending calls.
import { describe, expect, it } from 'vitest';
import { BackOff } from '../../../src/host/backOff.ts';
import { EngineClient, type RunningEngine } from '../../../src/host/engineClient.ts';
import { silentLog } from '../../../src/host/log.ts';
import type { EngineApi } from '../../../src/shared/engineApi.ts';
import { EngineError } from '../../../src/shared/errors.ts';
import { createFakeEngine } from '../../fixtures/fakeEngine.ts';

interface Life {
  readonly calls: string[];
  crash(reason: string): void;
}

/** Engines that live in this process and write down what they are asked. */
function createLives(): { readonly lives: Life[]; readonly start: () => RunningEngine } {
  const lives: Life[] = [];
  const start = (): RunningEngine => {
    const calls: string[] = [];
    const listeners: ((reason: string) => void)[] = [];
    const inner = createFakeEngine() as unknown as Record<string, (request: unknown) => Promise<unknown>>;
    const api = new Proxy(
      {},
      {
        get: (_, name: string) => async (request: unknown) => {
          calls.push(name);
          return inner[name]?.(request);
        },
      },
    ) as EngineApi;
    const crash = (reason: string): void => {
      for (const listener of listeners.splice(0)) listener(reason);
    };
    lives.push({ calls, crash });
    return {
      api,
      onStopped: (listener) => {
        listeners.push(listener);
        return { dispose: () => undefined };
      },
      stop: crash,
      dispose: () => undefined,
    };
  };
  return { lives, start };
}

describe('EngineClient', () => {
  it('starts nothing before the first call', async () => {
    const { lives, start } = createLives();
    const client = new EngineClient({ start, log: silentLog });
    expect(lives).toHaveLength(0);
    expect(client.state).toEqual({ kind: 'idle' });
    await Promise.all([client.api.ping({}), client.api.ping({})]);
    expect(lives).toHaveLength(1);
    expect(client.state).toEqual({ kind: 'running' });
  });

  it('loads into a new process what the old one held, before it asks anything', async () => {
    const { lives, start } = createLives();
    const client = new EngineClient({ start, log: silentLog });
    const model = await client.api.openModel({ path: '/models/mini' });
    await client.api.listSaes({ model: model.id, folders: ['/saes'] });
    lives[0]?.crash('SIGKILL');
    expect(client.state).toEqual({ kind: 'stopped', reason: 'SIGKILL' });

    await Promise.all([
      client.api.suggestAnswers({ model: model.id, text: 'a b' }),
      client.api.suggestAnswers({ model: model.id, text: 'a c' }),
    ]);
    expect(lives[1]?.calls).toEqual(['openModel', 'listSaes', 'suggestAnswers', 'suggestAnswers']);
  });

  it('does not load again what was closed', async () => {
    const { lives, start } = createLives();
    const client = new EngineClient({ start, log: silentLog });
    const old = await client.api.openModel({ path: '/models/old' });
    const model = await client.api.openModel({ path: '/models/mini' });
    await client.api.closeModel({ model: old.id });
    lives[0]?.crash('SIGKILL');
    await client.api.suggestAnswers({ model: model.id, text: 'a b' });
    expect(lives[1]?.calls).toEqual(['openModel', 'suggestAnswers']);
  });

  it('refuses to start again in a crash loop until it is restarted', async () => {
    const { lives, start } = createLives();
    const waits: number[] = [];
    const wait = async (milliseconds: number): Promise<void> => void waits.push(milliseconds);
    const client = new EngineClient({ start, log: silentLog, wait, backOff: new BackOff(() => 0) });
    for (let life = 0; life < 5; life++) {
      await client.api.ping({});
      lives[life]?.crash('SIGSEGV');
    }
    await expect(client.api.ping({})).rejects.toMatchObject({ code: 'engine.stopped' });
    expect(lives).toHaveLength(5);
    expect(waits).toEqual([500, 1000, 2000]);

    client.restart();
    await client.api.ping({});
    expect(lives).toHaveLength(6);
  });

  it('tells the reason when what was loaded cannot be loaded again, and tries again next time', async () => {
    const { lives, start } = createLives();
    let isGone = false;
    const startOrLose = (): RunningEngine => {
      const engine = start();
      const api = new Proxy(engine.api, {
        get: (target, name: keyof EngineApi) =>
          name === 'openModel' && isGone
            ? async () => {
                throw new EngineError('file.missing', { path: '/models/mini' });
              }
            : target[name],
      });
      return { ...engine, api };
    };
    const client = new EngineClient({ start: startOrLose, log: silentLog });
    const model = await client.api.openModel({ path: '/models/mini' });
    lives[0]?.crash('SIGKILL');
    isGone = true;
    const ask = () => client.api.suggestAnswers({ model: model.id, text: 'a b' });
    await expect(ask()).rejects.toMatchObject({ code: 'file.missing' });
    isGone = false;
    await expect(ask()).resolves.toHaveLength(8);
  });

  it('does not ask for what was cancelled before the engine had started', async () => {
    const { lives, start } = createLives();
    const client = new EngineClient({ start, log: silentLog });
    const controller = new AbortController();
    const answer = client.api.suggestAnswers({ model: 'm', text: '' }, { signal: controller.signal });
    controller.abort();
    await expect(answer).rejects.toMatchObject({ code: 'cancelled' });
    expect(lives[0]?.calls).toEqual([]);
  });
});
