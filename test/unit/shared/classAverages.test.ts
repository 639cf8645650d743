/** Averages over the heads of a class, against sums by hand. */
import { expect, test } from 'vitest';
import { classAverages } from '../../../src/shared/classAverages.ts';
import type { IoiHeadClass, StudiedHead } from '../../../src/shared/study.ts';

function head(at: number, name: IoiHeadClass | undefined, numbers: Partial<StudiedHead>): StudiedHead {
  const none = { IO: 0, S1: 0, S2: 0 };
  return {
    layer: 0,
    head: at,
    ...(name && { class: name }),
    attention: none,
    inhibition: none,
    copyScore: 0,
    negativeCopyScore: 0,
    previousToken: 0,
    duplicateToken: 0,
    induction: 0,
    effects: { logits: 0, logitsKnockedOut: 0, queries: 0, values: 0, keys: 0 },
    ...numbers,
  };
}

const heads = [
  head(0, 'nameMover', { attention: { IO: 0.5, S1: 0.9, S2: 0.1 }, copyScore: 1 }),
  head(1, 'nameMover', { attention: { IO: 0.7, S1: 0, S2: 0.2 }, copyScore: 0.8 }),
  head(2, 'sInhibition', { attention: { IO: 0.1, S1: 0.3, S2: 0.6 }, negativeCopyScore: 0.4 }),
  head(3, undefined, { attention: { IO: 0.9, S1: 0.9, S2: 0.9 }, copyScore: 0.2 }),
];

test('are taken over the heads of the class alone, or over all heads', () => {
  const found = new Map(classAverages(heads).map(({ name, value }) => [name, value]));
  expect(found.get('moversAttention')).toBeCloseTo(0.6);
  expect(found.get('moversCopy')).toBeCloseTo(0.9);
  expect(found.get('inhibitionAttention')).toBeCloseTo(0.6);
  expect(found.get('anyCopy')).toBeCloseTo(0.5);
  expect(found.get('anyNegativeCopy')).toBeCloseTo(0.1);
});

test('say nothing of a class without heads, and keep the number of the paper', () => {
  const negative = classAverages(heads).find(({ name }) => name === 'negativeCopy');
  expect(negative).toEqual({ name: 'negativeCopy', paper: '0.98' });
});
