/** Names of repositories as people type and paste them. */
import { expect, it } from 'vitest';
import { readHubName } from '../../../src/shared/hubName.ts';

it.each([
  ['HuggingFaceTB/SmolLM2-135M', 'HuggingFaceTB/SmolLM2-135M', undefined],
  ['  gpt2 ', 'gpt2', undefined],
  ['a/b@main', 'a/b', 'main'],
  ['a/b@refs/pr/12', 'a/b', 'refs/pr/12'],
  ['https://huggingface.co/a/b', 'a/b', undefined],
  ['https://huggingface.co/a/b/', 'a/b', undefined],
  ['https://huggingface.co/a/b/tree/v1.0/sub/folder', 'a/b', 'v1.0'],
  ['https://mirror.example/a/b/tree/refs%2Fpr%2F1?x=1', 'a/b', 'refs/pr/1'],
  ['https://huggingface.co/gpt2', 'gpt2', undefined],
])('%j names a repository', (text, repo, revision) => {
  expect(readHubName(text)).toEqual({ repo, revision });
});

it.each([
  [''],
  ['a/b/c'],
  ['/a/b'],
  ['a/'],
  ['a b/c'],
  ['../x'],
  ['a--b/c'],
  ['a/b.git'],
  ['-a/b'],
  ['a/b@'],
  ['a/b@../x'],
  ['a/b@x y'],
  ['a/b@.git'],
  [`a/${'x'.repeat(100)}`],
  ['https://huggingface.co/a/b/blob/main/config.json'],
  ['https://huggingface.co/a/b/tree/%2e%2e'],
  ['https://huggingface.co/a/b/tree/%zz'],
  ['https://huggingface.co/'],
])('%j names none', (text) => {
  expect(readHubName(text)).toBeUndefined();
});
