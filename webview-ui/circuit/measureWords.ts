/** What the measures of a circuit are called, which depends on how it was found. Pure. */

import type { CircuitEvaluation, CircuitGraph } from '../../src/shared/circuit.ts';
import { formatNumber } from '../../src/shared/format.ts';
import { strings } from '../lib/strings.ts';

/** One measure: its name, what it counts, and what is good. */
export interface MeasureWords {
  readonly name: string;
  /** What it is of, where that is less than what is drawn. */
  readonly of?: string;
  readonly title: string;
}

/** Both measures in the order of `CircuitEvaluation`. */
export function measureWords({ method }: Pick<CircuitGraph, 'method'>): {
  readonly faithfulness: MeasureWords;
  readonly completeness: MeasureWords;
} {
  if (method.name === 'attribution graph') {
    return {
      faithfulness: { name: strings.replacementScore, title: strings.replacementScoreTitle },
      completeness: { name: strings.completenessScore, title: strings.completenessScoreTitle },
    };
  }
  const isOfHeads = method.name === 'gradient attribution';
  const of = isOfHeads ? { of: strings.measuredOfHeads } : {};
  const more = isOfHeads ? ` ${strings.measuredOfHeadsTitle}` : '';
  return {
    faithfulness: { name: strings.faithfulness, ...of, title: strings.faithfulnessTitle + more },
    completeness: { name: strings.completeness, ...of, title: strings.completenessTitle + more },
  };
}

/** How a value is written: the number, that it is on its way, or that there is none. */
export function measureText(value: number | undefined, evaluating: boolean): string {
  if (value !== undefined) return formatNumber(value);
  return evaluating ? strings.measuring : strings.notMeasured;
}

/** Both values in one sentence; nothing while they are measured. */
export function spokenMeasures(
  graph: Pick<CircuitGraph, 'method'>,
  evaluation: CircuitEvaluation | undefined,
  evaluating: boolean,
): string {
  if (!evaluation || evaluating) return '';
  const words = measureWords(graph);
  return (['faithfulness', 'completeness'] as const)
    .map((which) => `${words[which].name} ${formatNumber(evaluation[which])}`)
    .join(', ');
}
