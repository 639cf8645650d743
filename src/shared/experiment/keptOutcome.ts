/** What a finished method gave, as JSON that gives it back to the bit. */

import type { SweepGrid } from '../patchingApi.ts';
import type { MethodOutcome } from './runMethods.ts';

type Values = 'values' | 'raw' | 'pairs';

/** Numbers that JSON lacks are null. */
type KeptGrid = Omit<SweepGrid, Values> & { readonly [V in Values]: readonly (number | null)[] };

/** An outcome whose arrays are lists. */
export type KeptOutcome = Omit<MethodOutcome, 'sweep'> & {
  readonly sweep?: Omit<NonNullable<MethodOutcome['sweep']>, 'grid'> & { readonly grid: KeptGrid };
};

/** The outcome as JSON. */
export function keptOutcome({ sweep, ...outcome }: MethodOutcome): KeptOutcome {
  if (!sweep) return outcome;
  const { question, grid } = sweep;
  const values = Array.from(grid.values);
  return {
    ...outcome,
    sweep: { question, grid: { ...grid, values, raw: Array.from(grid.raw), pairs: Array.from(grid.pairs) } },
  };
}

/** The outcome that was kept. */
export function outcomeOf({ sweep, ...outcome }: KeptOutcome): MethodOutcome {
  if (!sweep) return outcome;
  const { question, grid } = sweep;
  const number = (value: number | null): number => value ?? Number.NaN;
  const values = Float32Array.from(grid.values, number);
  const raw = Float64Array.from(grid.raw, number);
  const pairs = Int32Array.from(grid.pairs, number);
  return { ...outcome, sweep: { question, grid: { ...grid, values, raw, pairs } } };
}
