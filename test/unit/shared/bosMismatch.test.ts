/** How prompts begin against how an SAE's training texts did. */
import { expect, it } from 'vitest';
import { bosMismatch } from '../../../src/shared/bosMismatch.ts';

it('tells when prompts begin otherwise than the texts an SAE was trained on', () => {
  const without = { bos: 'none', bosToken: '<s>' } as const;
  const withToken = { bos: 'prepended', bosToken: '<s>' } as const;
  expect(bosMismatch({ prependBos: true }, without)).toBe('missing');
  expect(bosMismatch({ prependBos: false }, withToken)).toBe('unwanted');
  expect(bosMismatch({ prependBos: true }, withToken)).toBeUndefined();
  expect(bosMismatch({ prependBos: false }, without)).toBeUndefined();
});

it('says nothing of SAEs that do not say, and of models without such a token', () => {
  expect(bosMismatch({}, { bos: 'none', bosToken: '<s>' })).toBeUndefined();
  expect(bosMismatch({ prependBos: true }, { bos: 'none' })).toBeUndefined();
});
