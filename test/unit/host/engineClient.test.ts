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

/** Engines whose `method` fails while its file is gone. */
function losing(
  start: () => RunningEngine,
  method: keyof EngineApi,
  isGone: () => boolean,
): () => RunningEngine {
  const fail = async (): Promise<never> => {
    throw new EngineError('file.missing', { path: '/models/mini' });
  };
  return () => {
    const engine = start();
    const api = new Proxy(engine.api, {
      get: (target, name: keyof EngineApi) => (name === method && isGone() ? fail : target[name]),
    });
    return { ...engine, api };
  };
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

  it('tells a new process how SAEs are read, last what was said last', async () => {
    const { lives, start } = createLives();
    const client = new EngineClient({ start, log: silentLog });
    const model = await client.api.openModel({ path: '/models/mini', bos: 'never' });
    const saes = await client.api.listSaes({ model: model.id, folders: [] });
    const sae = saes.find(({ hook }) => hook === 'blocks.1.hook_resid_post')?.id ?? '';
    await client.api.configureSae({ sae, convention: { maskFirst: true } });
    await client.api.configureSae({ sae, convention: { applyBDecToInput: false } });
    await client.api.openModel({ path: '/models/mini', bos: 'always' });
    lives[0]?.crash('SIGKILL');
    const check = await client.api.checkSae({ model: model.id, sae });
    expect(lives[1]?.calls).toEqual(['openModel', 'listSaes', 'configureSae', 'checkSae']);
    expect(check.current.convention).toEqual({ applyBDecToInput: false });
    // The beginning-of-sequence token is as it was asked for last, too.
    const run = await client.api.analyze({
      model: model.id,
      text: 'a',
      saes: [],
      topFeatures: 1,
      topPredictions: 1,
      edits: [],
    });
    expect(run.strip.tokens[0]?.special).toBe(true);
  });

  it('tells a new process how SAEs are read, also when another handle on the model was closed', async () => {
    const { lives, start } = createLives();
    const client = new EngineClient({ start, log: silentLog });
    const model = await client.api.openModel({ path: '/models/mini' });
    const own = await client.api.openModel({ path: '/models/mini', bos: 'always', separate: true });
    const [sae] = await client.api.listSaes({ model: model.id, folders: [] });
    await client.api.listSaes({ model: own.id, folders: [] });
    await client.api.configureSae({ sae: sae!.id, convention: { maskFirst: true } });
    await client.api.closeModel({ model: own.id });
    lives[0]?.crash('SIGKILL');
    await client.api.checkSae({ model: model.id, sae: sae!.id });
    expect(lives[1]?.calls).toEqual(['openModel', 'listSaes', 'configureSae', 'checkSae']);
  });

  it('tells a new process what was measured of an SAE as it is read now', async () => {
    const { lives, start } = createLives();
    const told: unknown[] = [];
    const watched = (): RunningEngine => {
      const engine = start();
      const configureSae: EngineApi['configureSae'] = async (request, call) => {
        told.push(request);
        await engine.api.configureSae(request, call);
      };
      const api = new Proxy(engine.api, {
        get: (target, name: keyof EngineApi) => (name === 'configureSae' ? configureSae : target[name]),
      });
      return { ...engine, api };
    };
    const client = new EngineClient({ start: watched, log: silentLog });
    const model = await client.api.openModel({ path: '/models/mini' });
    const [sae] = await client.api.listSaes({ model: model.id, folders: [] });
    const check = await client.api.checkSae({ model: model.id, sae: sae?.id ?? '' });
    expect(told).toEqual([]);
    lives[0]?.crash('SIGKILL');
    await client.api.suggestAnswers({ model: model.id, text: 'a b' });
    expect(told).toEqual([{ sae: sae?.id, convention: {}, check }]);
  });

  it('forgets how the SAEs of a closed model are read, and goes on without one that is gone', async () => {
    const { lives, start } = createLives();
    let isGone = false;
    const client = new EngineClient({ start: losing(start, 'configureSae', () => isGone), log: silentLog });
    const old = await client.api.openModel({ path: '/models/old' });
    const [ofOld] = await client.api.listSaes({ model: old.id, folders: [] });
    await client.api.configureSae({ sae: ofOld?.id ?? '', convention: { maskFirst: true } });
    await client.api.closeModel({ model: old.id });
    const model = await client.api.openModel({ path: '/models/mini' });
    const [sae] = await client.api.listSaes({ model: model.id, folders: [] });
    await client.api.configureSae({ sae: sae?.id ?? '', convention: { maskFirst: true } });
    lives[0]?.crash('SIGKILL');
    isGone = true;
    await client.api.suggestAnswers({ model: model.id, text: 'a b' });
    expect(lives[1]?.calls).toEqual(['openModel', 'listSaes', 'suggestAnswers']);
    isGone = false;
    lives[1]?.crash('SIGKILL');
    await client.api.suggestAnswers({ model: model.id, text: 'a b' });
    expect(lives[2]?.calls).toEqual(['openModel', 'listSaes', 'suggestAnswers']);
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
    const client = new EngineClient({ start: losing(start, 'openModel', () => isGone), log: silentLog });
    const model = await client.api.openModel({ path: '/models/mini' });
    lives[0]?.crash('SIGKILL');
    isGone = true;
    const ask = () => client.api.suggestAnswers({ model: model.id, text: 'a b' });
    await expect(ask()).rejects.toMatchObject({ code: 'file.missing' });
    isGone = false;
    await expect(ask()).resolves.toHaveLength(8);
  });

  it('does not let a model that cannot be opened again stand in the way of anything else', async () => {
    const { lives, start } = createLives();
    let isGone = false;
    const client = new EngineClient({ start: losing(start, 'openModel', () => isGone), log: silentLog });
    const model = await client.api.openModel({ path: '/models/huge' });
    lives[0]?.crash('SIGKILL');
    isGone = true;
    await expect(client.api.listLocalModels({ folders: [] })).resolves.toBeDefined();
    await expect(client.api.listReleases({ model: model.id })).rejects.toMatchObject({
      code: 'file.missing',
    });
    await client.api.setUserLabels({ labels: [] });
    await client.api.closeModel({ model: model.id });
    expect(lives[1]?.calls).toEqual(['listLocalModels', 'setUserLabels']);
    isGone = false;
    const other = await client.api.openModel({ path: '/models/mini' });
    await client.api.suggestAnswers({ model: other.id, text: 'a b' });
    expect(lives[1]?.calls).toEqual(['listLocalModels', 'setUserLabels', 'openModel', 'suggestAnswers']);
  });

  it('closes a model that the process holds, and forgets one that it never held', async () => {
    const { lives, start } = createLives();
    const client = new EngineClient({ start, log: silentLog });
    const [one, two] = [
      await client.api.openModel({ path: '/models/one' }),
      await client.api.openModel({ path: '/models/two' }),
    ];
    await client.api.closeModel({ model: one.id });
    expect(lives[0]?.calls).toEqual(['openModel', 'openModel', 'closeModel']);
    lives[0]?.crash('SIGKILL');
    await client.api.closeModel({ model: two.id });
    expect(lives).toHaveLength(1);
    await client.api.setUserLabels({ labels: [] });
    expect(lives[1]?.calls).toEqual(['setUserLabels']);
  });

  it('opens in a new process only the model that a call needs', async () => {
    const { lives, start } = createLives();
    const client = new EngineClient({ start, log: silentLog });
    await client.api.openModel({ path: '/models/one' });
    const two = await client.api.openModel({ path: '/models/two' });
    lives[0]?.crash('SIGKILL');
    await client.api.listSaes({ model: two.id, folders: [] });
    expect(lives[1]?.calls).toEqual(['openModel', 'listSaes']);
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
