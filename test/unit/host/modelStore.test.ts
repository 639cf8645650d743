/** Loading models, and choosing among their SAEs. */

// Which model and SAE are open, and what happens when they cannot be.
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../../src/host/log.ts';
import { defaultSae, ModelStore } from '../../../src/host/modelStore.ts';
import type { BosPolicy, SaeInfo } from '../../../src/shared/domain.ts';
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
