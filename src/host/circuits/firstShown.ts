/** Where the slider of a circuit that was just found begins: at all of it, or at the fewest strongest nodes that explain enough. */

import type { CircuitDocument, CircuitEvaluation } from '../../shared/circuit.ts';
import type { CallOptions } from '../../shared/engineApi.ts';
import { isEngineError } from '../../shared/errors.ts';
import { firstAnnotations, mostReadable } from '../../shared/firstAnnotations.ts';
import { hasInfluence, keepNodes, rankNodes } from '../../shared/keepNodes.ts';

/** Faithfulness that the first picture has, or nearly as much as the whole circuit where that has less. */
const enough = 0.8;
const nearly = 0.9;

/** Fewest nodes that are tried, and how many times as many the next try has. */
const fewest = 8;
const growth = 1.5;

/** Measures chosen nodes of the circuit. */
export type MeasureNodes = (nodes: readonly string[]) => Promise<CircuitEvaluation>;

/**
 * The circuit with its first annotations, and what was measured for the nodes that they keep. What is small enough to be read
 * is left as it is. What cannot be measured begins like every other circuit.
 */
export async function firstShown(
  document: CircuitDocument,
  measure: MeasureNodes,
  { signal, report }: CallOptions,
): Promise<CircuitDocument> {
  const ranked = rankNodes(document, hasInfluence(document) ? 'influence' : 'effect');
  const counts = countsUpTo(ranked.length);
  if (document.annotations || ranked.length <= mostReadable) return document;
  let tries = 0;
  const measureFirst = (count: number): Promise<CircuitEvaluation> => {
    const what = `Measuring the strongest ${count} nodes`;
    report?.({ done: tries++, total: counts.length, what });
    return measure([...keepNodes(document, count / ranked.length, [], ranked)]);
  };
  try {
    const found = await fewestEnough(counts, measureFirst);
    if (!found) return document;
    const annotations = { ...firstAnnotations(document), keep: found.count / ranked.length };
    return { ...document, annotations, evaluation: found.evaluation };
  } catch (error) {
    if (signal?.aborted || isEngineError(error, 'cancelled')) throw error;
    return document;
  }
}

/**
 * The first of `counts` whose faithfulness is enough; where none is, the first that has nearly as much as all nodes. None when
 * even all of them explain nothing. From below, since faithfulness does not always grow with the number of nodes.
 */
async function fewestEnough(
  counts: readonly number[],
  measure: (count: number) => Promise<CircuitEvaluation>,
): Promise<Tried | undefined> {
  const tried: Tried[] = [];
  for (const count of counts) {
    const evaluation = await measure(count);
    tried.push({ count, evaluation });
    if (evaluation.faithfulness >= enough) return tried.at(-1);
  }
  const whole = tried.at(-1)!.evaluation.faithfulness;
  return whole > 0 ? tried.find(({ evaluation }) => evaluation.faithfulness >= nearly * whole) : undefined;
}

interface Tried {
  readonly count: number;
  readonly evaluation: CircuitEvaluation;
}

function countsUpTo(total: number): readonly number[] {
  const counts: number[] = [];
  for (let count = fewest; count < total; count = Math.round(count * growth)) counts.push(count);
  return [...counts, total];
}
