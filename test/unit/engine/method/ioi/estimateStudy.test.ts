/** What the study says it holds beside the weights: bounded by what runs at the same time, and counted by hand for one size. */
import { expect, test } from 'vitest';
import { studyBytes } from '../../../../../src/engine/method/ioi/estimateStudy.ts';
import type { TokenPair } from '../../../../../src/engine/task/task.ts';

const config = { nLayers: 2, nHeads: 4, nKeyValueHeads: 2, dHead: 8, dModel: 32, dMlp: 64, dVocab: 1000 };

function pairs(count: number): readonly TokenPair[] {
  return Array.from({ length: count }, () => ({
    clean: new Int32Array(10),
    corrupted: new Int32Array(10),
    answers: [1],
    wrongAnswers: [2],
    roles: { IO: 1, S1: 3, 'S1+1': 4, S2: 6, END: 9 },
    template: 'one',
  }));
}

function bytes(count: number, request: Parameters<typeof studyBytes>[1]): number {
  return studyBytes({ model: { config }, task: { name: 'ioi', pairs: pairs(count) } }, request);
}

test('more pairs than a batch holds need no more memory', () => {
  const of = (pathPairs: number): number => bytes(400, { pathPairs, copyPairs: 1, circuit: false });
  expect(of(32)).toBeGreaterThan(of(8));
  expect(of(200)).toBe(of(32));
});

test('the streams of every setting are counted as soon as they outgrow the paths', () => {
  const of = (circuitPairs: number): number => bytes(600, { pathPairs: 1, copyPairs: 1, circuitPairs });
  const streams = 10 * 3 * 32;
  const z = 10 * 2 * 4 * 8;
  // Two sets of streams for four settings, and the means that are put in, for each of 100 more pairs of 10 tokens.
  expect(of(600) - of(500)).toBe(4 * 100 * (8 * streams + z));
});
