/** Names of features and of classifiers in SHIFT, the same on the command line and in the panel. */

import type { ShiftAccuracy, ShiftFeature, ShiftOutcome } from './shiftApi.ts';

/** The label, or the feature's number. */
export function featureName({ info, feature }: Pick<ShiftFeature, 'info' | 'feature'>): string {
  return info.label ?? `#${feature.index}`;
}

/** Rows of the paper's table 2. */
export type ShiftRowKind = 'before' | 'after' | 'retrained' | keyof ShiftOutcome['baselines'];

/** A classifier in the table. */
export interface ShiftRow {
  readonly kind: ShiftRowKind;
  readonly accuracy: ShiftAccuracy;
  /** Of several draws, of which `accuracy` is the mean. */
  readonly draws?: readonly ShiftAccuracy[];
}

/** Rows that belong together: SHIFT, what knows no more than it, and what knows balanced labels. */
export interface ShiftRowGroup {
  readonly kind: 'shift' | 'comparison' | 'skyline';
  readonly rows: readonly ShiftRow[];
}

/** The whole table, or its first row while there is no outcome. */
export function shiftRows(before: ShiftAccuracy, outcome?: ShiftOutcome): readonly ShiftRowGroup[] {
  const first: ShiftRow = { kind: 'before', accuracy: before };
  if (!outcome) return [{ kind: 'shift', rows: [first] }];
  const { after, retrained, baselines } = outcome;
  const { conceptBottleneck, random, featureSkyline, neuronSkyline, oracle } = baselines;
  return [
    {
      kind: 'shift',
      rows: [first, { kind: 'after', accuracy: after }, { kind: 'retrained', accuracy: retrained }],
    },
    {
      kind: 'comparison',
      rows: [
        { kind: 'conceptBottleneck', accuracy: conceptBottleneck },
        { kind: 'random', accuracy: random.mean, draws: random.draws },
      ],
    },
    {
      kind: 'skyline',
      rows: [
        { kind: 'neuronSkyline', accuracy: neuronSkyline },
        { kind: 'featureSkyline', accuracy: featureSkyline },
        { kind: 'oracle', accuracy: oracle },
      ],
    },
  ];
}

/** The least and the largest of a row's draws. */
export function rangeOf(
  draws: readonly ShiftAccuracy[],
  of: (accuracy: ShiftAccuracy) => number,
): readonly [number, number] {
  const values = draws.map(of);
  return [Math.min(...values), Math.max(...values)];
}
