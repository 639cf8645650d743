/** Where the cache lies: the variables of Python's `huggingface_hub` and their order. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { hubSettings } from '../../../../src/engine/hub/hubSettings.ts';

it.each([
  [{}, join(homedir(), '.cache', 'huggingface', 'hub')],
  [{ XDG_CACHE_HOME: '/x' }, join('/x', 'huggingface', 'hub')],
  [{ XDG_CACHE_HOME: '/x', HF_HOME: '/hf' }, join('/hf', 'hub')],
  [{ HF_HOME: '~/hf' }, join(homedir(), 'hf', 'hub')],
  [{ HF_HOME: '$BASE/hf', BASE: '/b' }, '/b/hf/hub'],
  [{ HF_HOME: '/hf', HUGGINGFACE_HUB_CACHE: '/old' }, '/old'],
  [{ HF_HOME: '/hf', HUGGINGFACE_HUB_CACHE: '/old', HF_HUB_CACHE: '/new' }, '/new'],
])('with %j the cache is %s', (env, cache) => {
  expect(hubSettings(env).cache).toBe(cache);
});

it('reads the endpoint, the token and what is forbidden', () => {
  expect(hubSettings({})).toMatchObject({
    endpoint: 'https://huggingface.co',
    token: undefined,
    offline: false,
    symlinks: true,
    tokenFile: join(homedir(), '.cache', 'huggingface', 'token'),
  });
  const env = {
    HF_ENDPOINT: 'https://mirror.example/',
    HF_TOKEN: ' hf_x\n',
    HF_TOKEN_PATH: '/t',
    HF_HUB_OFFLINE: 'yes',
    HF_HUB_DISABLE_SYMLINKS: 'TRUE',
  };
  expect(hubSettings(env)).toMatchObject({
    endpoint: 'https://mirror.example',
    token: 'hf_x',
    offline: true,
    symlinks: false,
    tokenFile: '/t',
  });
});
