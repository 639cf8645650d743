/** Positions and roles that a method of an experiment names, or needs, and that its pairs do not all have. */

import type { PlacedPair } from '../taskApi.ts';
import type { ExperimentMethod } from './experiment.ts';
import type { ExperimentProblem } from './experimentProblem.ts';

type Path = readonly (string | number)[];

/** What keeps the method from being run over pairs of these lengths and roles. */
export function checkPositions(
  method: ExperimentMethod,
  placed: readonly PlacedPair[],
  path: Path,
): readonly ExperimentProblem[] {
  const error = (at: Path, message: string): ExperimentProblem[] => [
    { path: [...path, ...at], severity: 'error', message },
  ];
  const lengths = placed.map(({ length }) => length);
  const isUneven = new Set(lengths).size > 1;
  const differ = (at: Path, remedy: string) =>
    isUneven ? error(at, `The pairs differ in length, so positions have no common meaning: ${remedy}.`) : [];
  const roles = (at: Path, names: readonly (string | number)[]) =>
    names.flatMap((name, i) => (lacks(name, placed) ? error([...at, i], lacks(name, placed)!) : []));
  switch (method.kind) {
    case 'patch':
    case 'ablate':
      if (method.sweep.includes('all_pos')) return [];
      // The attended position has no role in its place.
      if (method.roles && !method.sweep.includes('src_pos')) return roles(['roles'], method.roles);
      return differ(['sweep'], 'give "roles", or sweep over all positions');
    case 'patchFeatures':
    case 'ablateFeatures':
      return method.by === 'position' ? differ(['by'], 'change features at all of them') : [];
    case 'sparseFeatureCircuit':
      return method.aggregation === 'position' ? differ(['aggregation'], 'sum over them') : [];
    case 'patchPaths': {
      const { positions, receivers = [] } = method;
      if (positions) return roles(['positions'], positions);
      // Paths to the logits end at the last position, which of uneven pairs is the role END.
      const end = receivers.length === 0 && isUneven ? lacks('END', placed) : undefined;
      return end === undefined ? [] : error(['kind'], end);
    }
    default:
      return [];
  }
}

/** Why a position or role cannot be a place in all pairs. */
function lacks(position: string | number, placed: readonly PlacedPair[]): string | undefined {
  if (typeof position === 'number') {
    const shortest = Math.min(...placed.map(({ length }) => length));
    return position < shortest ? undefined : `The shortest prompt has ${shortest} tokens.`;
  }
  const without = placed.filter(({ roles }) => !Object.hasOwn(roles, position)).length;
  if (without === 0) return undefined;
  return `${without} of ${placed.length} pairs have no role ${JSON.stringify(position)}.`;
}
