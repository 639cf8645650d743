/** A hub with one small model, and a cache of its own, for tests of downloads. */
import { onTestFinished } from 'vitest';
import { Hub, type HubOptions } from '../../../../src/engine/hub/hub.ts';
import { temporaryFolder } from '../../temporaryFolder.ts';
import { type HubServer, type ServedRepo, startHubServer } from './hubServer.ts';

export const repoName = 'acme/tiny-model';
export const commit = '0123456789abcdef0123456789abcdef01234567';
export const repoFolder = 'models--acme--tiny-model';

/** Bytes that compress badly and differ everywhere. */
export function noise(length: number, seed = 1): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return state >> 16;
  });
}

export const text = (content: unknown): Uint8Array =>
  new TextEncoder().encode(typeof content === 'string' ? content : JSON.stringify(content));

/** Weights that arrive in several pieces. */
export const weights = noise(700_000);

export const modelRepo: ServedRepo = {
  commit,
  files: {
    'README.md': text('# Tiny'),
    'config.json': text({
      model_type: 'gpt2',
      n_layer: 1,
      n_head: 1,
      n_embd: 4,
      n_positions: 8,
      vocab_size: 9,
    }),
    'generation_config.json': text({}),
    'model.safetensors': weights,
    'onnx/model.onnx': noise(2000, 2),
    'pytorch_model.bin': noise(3000, 3),
    'special_tokens_map.json': text({}),
    'tokenizer.json': noise(5000, 4),
    'tokenizer_config.json': text({ a: 1 }),
  },
  branches: ['refs/pr/1', 'v1.0'],
};

/** Files of `modelRepo` that make the model. */
export const wanted = [
  'config.json',
  'generation_config.json',
  'model.safetensors',
  'special_tokens_map.json',
  'tokenizer.json',
  'tokenizer_config.json',
];

export interface Fixture {
  readonly server: HubServer;
  readonly cache: string;
  readonly storage: string;
  readonly env: NodeJS.ProcessEnv;
  /** A hub as a new process would make it. */
  hub(options?: Partial<HubOptions>): Hub;
}

/** Starts a hub and names a new cache; both are gone when the test ends. */
export async function startFixture(repo: ServedRepo = modelRepo): Promise<Fixture> {
  const server = await startHubServer(repoName, repo);
  onTestFinished(() => server.close());
  const home = await temporaryFolder();
  const storage = `${home}/storage`;
  const cache = `${home}/hub`;
  const env = { HF_HOME: home, HF_ENDPOINT: server.endpoint };
  const wait = async (): Promise<void> => {};
  return { server, cache, storage, env, hub: (options) => new Hub({ storage, env, wait, ...options }) };
}

/** Plans and downloads the model of the fixture; the path of its snapshot. */
export async function fetchModel(hub: Hub, revision?: string): Promise<string> {
  const plan = await hub.planDownload({ repo: repoName, revision, what: { kind: 'model' } });
  return (await hub.download({ plan })).path;
}
