/** Paths of a hub become paths of this machine only when every system would read them the same way. */
import { expect, it } from 'vitest';
import { isHubPath } from '../../../../src/engine/hub/hubPath.ts';

it.each(['a/b.json', 'sae_group:v1/cfg.json', 'layer 1#2/x'])('takes %s', (path) => {
  expect(isHubPath(path, 'linux')).toBe(true);
});

it.each(['', '/a', 'a//b', '../a', 'a/..', 'C:/x', 'a/c:x', 'a\\b', 'nul.txt', 'a./b', 'x?', 'a\u0000'])(
  'refuses %j',
  (path) => {
    expect(isHubPath(path, 'linux')).toBe(false);
  },
);

it('takes a colon for what Windows takes it for', () => {
  expect(isHubPath('sae_group:v1/cfg.json', 'win32')).toBe(false);
  expect(isHubPath('sae_group/cfg.json', 'win32')).toBe(true);
});
