/** Loading models, and choosing among their SAEs. */

// Which model and SAE are open, and what happens when they cannot be.
import { describe, expect, it } from 'vitest';
import { Downloads } from '../../../src/host/downloads.ts';
import { silentLog } from '../../../src/host/log.ts';
import { defaultSae, ModelStore, type ModelStoreOptions } from '../../../src/host/modelStore.ts';
import type { BosPolicy, SaeInfo } from '../../../src/shared/domain.ts';
import type { EngineApi } from '../../../src/shared/engineApi.ts';
import { EngineError } from '../../../src/shared/errors.ts';
import { createFakeEngine } from '../../fixtures/fakeEngine.ts';

const sae = (layer: number, site: string) =>
  ({ id: `${layer} ${site}`, layer, hook: `blocks.${layer}.${site}` }) as SaeInfo;

function createStore(path: () => string, kept = new Map<string, unknown>()) {
  const memory = {
    get: <T>(key: string) => kept.get(key) as T | undefined,
    update: async (key: string, value: unknown) => void kept.set(key, value),
  };
  const places = () => ({ model: path(), saeFolders: [] });
  return { store: new ModelStore({ engine: createFakeEngine(), places, memory, log: silentLog }), kept };
}

describe('defaultSae', () => {
  it('takes the residual stream nearest to the middle', () => {
    const saes = [sae(0, 'hook_resid_post'), sae(2, 'hook_mlp_out'), sae(3, 'hook_resid_post')];
    expect(defaultSae({ nLayers: 4 }, saes)?.id).toBe('3 hook_resid_post');
  });

  it('takes another site when there is no residual stream, and nothing when there is nothing', () => {
    expect(defaultSae({ nLayers: 4 }, [sae(0, 'hook_mlp_out'), sae(2, 'hook_attn_out')])?.layer).toBe(2);
    expect(defaultSae({ nLayers: 4 }, [])).toBeUndefined();
  });
});

describe('ModelStore', () => {
  it('tells why a model cannot be loaded, and tries again', async () => {
    let path = '/missing';
    const { store } = createStore(() => path);
    await expect(store.ensure()).rejects.toMatchObject({ code: 'file.missing' });
    expect(store.status).toBe('failed');
    expect(store.name).toBe('missing');
    path = '/models/mini';
    await store.ensure();
    expect(store.status).toBe('ready');
    expect(store.error).toBeUndefined();
  });

  it('remembers the SAE that was chosen for a model', async () => {
    const first = createStore(() => '/models/mini');
    await first.store.ensure();
    const other = first.store.saes.find(({ hook }) => hook === 'blocks.1.hook_attn_out');
    first.store.chooseSae(other?.id ?? '');
    const second = createStore(() => '/models/mini', first.kept);
    await second.store.ensure();
    expect(second.store.sae?.id).toBe(other?.id);
  });

  it('does not begin with an SAE that cannot be used', () => {
    const broken = { ...sae(2, 'hook_resid_post'), problem: 'too wide' };
    expect(defaultSae({ nLayers: 4 }, [broken, sae(0, 'hook_mlp_out')])?.layer).toBe(0);
    expect(defaultSae({ nLayers: 4 }, [broken])).toBeUndefined();
  });

  it('is named before it is loaded, by its repository in the cache', () => {
    const commit = '607a30d783dfa663caf39e06633721c8d4cfcd7e';
    const cached = `/home/me/.cache/huggingface/hub/models--openai-community--gpt2/snapshots/${commit}`;
    expect(createStore(() => cached).store.name).toBe('openai-community/gpt2');
    expect(createStore(() => '/files/smollm2.gguf').store.name).toBe('smollm2.gguf');
  });

  it('changes the beginning-of-sequence token of a loaded model, and says so', async () => {
    let bos: BosPolicy = 'auto';
    const engine = createFakeEngine();
    const memory = { get: () => undefined, update: async () => undefined };
    const places = () => ({ model: '/models/mini', saeFolders: [], bos });
    const store = new ModelStore({ engine, places, memory, log: silentLog });
    await store.applyBos();
    expect(store.status).toBe('idle');
    expect((await store.ensure()).bos).toBe('none');
    const chosen = store.sae;
    let changes = 0;
    store.onDidChange(() => changes++);
    bos = 'always';
    await store.applyBos();
    expect(store.model?.bos).toBe('prepended');
    expect(changes).toBe(1);
    expect(store.sae).toBe(chosen);
  });

  it('ends with the model that was asked for last', async () => {
    let path = '/models/one';
    const { store } = createStore(() => path);
    const first = store.ensure();
    path = '/models/two';
    await Promise.all([first, store.reload()]);
    expect(store.model?.name).toBe('two');
  });
});

/** An engine whose calls wait until they are let go, and what was asked of it. */
function heldEngine() {
  const asked: string[] = [];
  const signals: AbortSignal[] = [];
  const holds = new Map<string, Promise<void>>();
  const hold = (what: string): (() => void) => {
    let release = (): void => undefined;
    holds.set(what, new Promise((resolve) => (release = resolve)));
    return () => {
      holds.delete(what);
      release();
    };
  };
  const inner = createFakeEngine();
  const engine: EngineApi = {
    ...inner,
    async openModel(request, call) {
      asked.push(`open ${request.path}`);
      if (call?.signal) signals.push(call.signal);
      await holds.get(`open ${request.path}`);
      return inner.openModel(request);
    },
    async closeModel(request) {
      await holds.get('close');
      asked.push(`closed ${request.model}`);
      return inner.closeModel(request);
    },
    async listSaes(request) {
      const saes = await inner.listSaes(request);
      await holds.get(`list ${request.model}`);
      return saes;
    },
  };
  return { engine, asked, signals, hold };
}

describe('ModelStore between two models', () => {
  const create = (path: () => string) => {
    const held = heldEngine();
    const memory = { get: () => undefined, update: async () => undefined };
    const places = () => ({ model: path(), saeFolders: [] });
    return { ...held, store: new ModelStore({ engine: held.engine, places, memory, log: silentLog }) };
  };
  const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

  it('does not go back to a closed model when a look for its SAEs ends late', async () => {
    let path = '/models/a';
    const { store, hold } = create(() => path);
    const a = await store.ensure();
    const release = hold(`list ${a.id}`);
    const looking = store.refreshSaes();
    path = '/models/b';
    await store.reload();
    release();
    await looking;
    expect(store.model?.path).toBe('/models/b');
    expect((await store.ensure()).path).toBe('/models/b');
  });

  it('keeps what became known of an SAE while SAEs were looked for', async () => {
    const { store, hold } = create(() => '/models/a');
    const model = await store.ensure();
    const release = hold(`list ${model.id}`);
    const looking = store.refreshSaes();
    const { id } = store.saes[0]!;
    store.updateSae(id, { convention: { maskFirst: true }, check: undefined });
    release();
    await looking;
    expect(store.saes.find((candidate) => candidate.id === id)?.convention).toEqual({ maskFirst: true });
  });

  it('stops a load that is overtaken, and gives back what it opened all the same', async () => {
    let path = '/models/a';
    const { store, asked, signals, hold } = create(() => path);
    const release = hold('open /models/a');
    const first = store.ensure();
    await turn();
    path = '/models/b';
    const second = store.reload();
    expect(signals[0]?.aborted).toBe(true);
    // One that hangs keeps nobody from another model.
    expect((await second).path).toBe('/models/b');
    release();
    expect((await first).path).toBe('/models/b');
    await turn();
    expect(asked).toEqual(['open /models/a', 'open /models/b', 'closed /models/a']);
  });

  it('waits for a load that was stopped before the same model is opened again', async () => {
    let path = '/models/a';
    const { store, asked, hold } = create(() => path);
    const release = hold('open /models/a');
    const first = store.ensure();
    await turn();
    path = '/models/b';
    await store.reload();
    path = '/models/a';
    const again = store.reload();
    await turn();
    release();
    expect((await again).path).toBe('/models/a');
    expect((await first).path).toBe('/models/a');
    const ofA = asked.filter((call) => call.endsWith('/a'));
    expect(ofA).toEqual(['open /models/a', 'closed /models/a', 'open /models/a']);
  });

  it('closes the old model before it opens the next one, whoever asks meanwhile', async () => {
    let path = '/models/a';
    const { store, asked, hold } = create(() => path);
    await store.ensure();
    const release = hold('close');
    path = '/models/b';
    const reloading = store.reload();
    const waiting = store.ensure();
    await turn();
    expect(asked).toEqual(['open /models/a']);
    release();
    expect((await reloading).path).toBe('/models/b');
    expect((await waiting).path).toBe('/models/b');
    expect(asked).toEqual(['open /models/a', 'closed /models/a', 'open /models/b']);
  });

  it('closes a model that was about to be opened again when another one overtakes it', async () => {
    let path = '/models/a';
    const { store, asked } = create(() => path);
    await store.ensure();
    const again = store.reload();
    path = '/models/b';
    await Promise.all([again, store.reload()]);
    expect(asked.filter((call) => call.startsWith('closed'))).toEqual(['closed /models/a']);
    expect(store.model?.path).toBe('/models/b');
  });

  it('knows the way back to the model it gave up for one that cannot be opened', async () => {
    let path = '/models/a';
    const { store } = create(() => path);
    await store.ensure();
    path = '/models/missing';
    await expect(store.reload()).rejects.toMatchObject({ code: 'file.missing' });
    expect(store.previous?.path).toBe('/models/a');
    path = '/models/a';
    await store.reload();
    expect(store.previous).toBeUndefined();
  });

  it('opens models where it can be watched and cancelled', async () => {
    const { engine } = heldEngine();
    const memory = { get: () => undefined, update: async () => undefined };
    const downloads = new Downloads();
    const seen: unknown[] = [];
    downloads.onDidChange(() => seen.push(downloads.current[0]?.progress));
    engine.openModel = async (_, call) => {
      call?.report?.({ done: 1, total: 4, what: 'Converting' });
      downloads.cancel(downloads.current[0]?.id ?? '');
      if (call?.signal?.aborted) throw new EngineError('cancelled', {});
      throw new Error('it was not cancelled');
    };
    const places = () => ({ model: '/models/a', saeFolders: [] });
    const watch: ModelStoreOptions['watch'] = (...open) => downloads.open(...open);
    const store = new ModelStore({ engine, places, memory, log: silentLog, watch });
    await expect(store.ensure()).rejects.toMatchObject({ code: 'cancelled' });
    expect(seen).toEqual([{ done: 1, total: 4, what: 'Converting' }, undefined]);
    expect(store.status).toBe('failed');
  });
});
