/** Which measurements give a head which class. */
import { expect, test } from 'vitest';
import {
  classifyDirect,
  defaultThresholds,
  isBackup,
  isInhibition,
  isPreviousToken,
  repetitionClass,
} from '../../../../../src/engine/method/ioi/classifyHeads.ts';

const of = (...values: number[]) => Float64Array.from(values);
const attention = (IO: number, S1: number, S2: number) => ({ IO: of(IO), S1: of(S1), S2: of(S2) });
const copying = (positive: number, negative = 0) => ({ positive: of(positive), negative: of(negative) });
const limits = defaultThresholds;

test('a name mover helps, looks at IO and copies; who lacks one of these only has a direct effect', () => {
  const looks = attention(0.6, 0.1, 0.1);
  expect(classifyDirect([-0.2], looks, copying(0.95), limits)).toEqual(['nameMover']);
  expect(classifyDirect([-0.2], looks, copying(0.5), limits)).toEqual(['direct']);
  expect(classifyDirect([-0.2], attention(0.1, 0.1, 0.7), copying(0.95), limits)).toEqual(['direct']);
  expect(classifyDirect([-0.02], looks, copying(0.95), limits)).toEqual([undefined]);
});

test('a negative name mover hurts and writes the opposite of what it looks at', () => {
  const looks = attention(0.6, 0.1, 0.1);
  expect(classifyDirect([0.2], looks, copying(0, 0.98), limits)).toEqual(['negativeNameMover']);
  expect(classifyDirect([0.2], looks, copying(0.98, 0), limits)).toEqual(['direct']);
});

test('a backup gains its effect by the knock-out', () => {
  expect(isBackup(0, { before: [0], knockedOut: [-0.1] }, copying(0.9), limits)).toBe(true);
  expect(isBackup(0, { before: [-0.1], knockedOut: [-0.1] }, copying(0.9), limits)).toBe(false);
  expect(isBackup(0, { before: [0], knockedOut: [-0.1] }, copying(0.1), limits)).toBe(false);
});

test('an S-inhibition head looks at S2 and without it the name movers turn to S', () => {
  const looks = attention(0, 0.1, 0.5);
  expect(isInhibition(0, [-0.1], looks, attention(-0.2, 0.1, 0.1), limits)).toBe(true);
  expect(isInhibition(0, [-0.1], looks, attention(0.2, -0.1, -0.1), limits)).toBe(false);
  expect(isInhibition(0, [-0.1], attention(0.5, 0, 0), attention(-0.2, 0.1, 0.1), limits)).toBe(false);
});

test('repeated tokens tell induction from duplicate token heads, and only those on a path count', () => {
  const scores = (previous: number, duplicate: number, induction: number) => ({
    previousToken: of(previous),
    duplicateToken: of(duplicate),
    induction: of(induction),
  });
  expect(repetitionClass(0, [-0.1], scores(0, 0.2, 0.8), limits)).toBe('induction');
  expect(repetitionClass(0, [-0.1], scores(0, 0.8, 0.2), limits)).toBe('duplicateToken');
  expect(repetitionClass(0, [-0.1], scores(0.9, 0.1, 0.1), limits)).toBeUndefined();
  expect(repetitionClass(0, [-0.001], scores(0, 0.8, 0.2), limits)).toBeUndefined();
  expect(isPreviousToken(0, [-0.1], scores(0.9, 0, 0), limits)).toBe(true);
  expect(isPreviousToken(0, [-0.001], scores(0.9, 0, 0), limits)).toBe(false);
});
