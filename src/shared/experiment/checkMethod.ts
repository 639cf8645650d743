/** What one method of an experiment asks for and the experiment or its model lacks. */

import type { ModelInfo } from '../domain.ts';
import type { ExperimentMethod, ExperimentPairs } from './experiment.ts';
import type { ExperimentProblem } from './experimentProblem.ts';
import { readReceiver, readSender } from './runSweeps.ts';

const onePair: ReadonlySet<ExperimentMethod['kind']> = new Set([
  'logitLens',
  'gradientCircuit',
  'attributionGraph',
]);

/** Whether the experiment has the prompts that the method needs. */
export function checkNeeds(
  { kind }: ExperimentMethod,
  pairs: ExperimentPairs | undefined,
  path: readonly (string | number)[],
): readonly ExperimentProblem[] {
  const error = (message: string): ExperimentProblem[] => [
    { path: [...path, 'kind'], severity: 'error', message },
  ];
  if (kind === 'shift') return [];
  if (!pairs) return error('This method needs prompts: give the experiment "pairs".');
  if (onePair.has(kind) && pairs.kind !== 'pair') {
    return error('This method looks at one pair of prompts: give "pairs" of the kind "pair".');
  }
  if (kind === 'indirectObjectStudy' && pairs.kind === 'pair') {
    return error('This method needs a task: give "pairs" of the kind "file" or "generator".');
  }
  return [];
}

/** Layers and heads that the model lacks. */
export function checkPlaces(
  method: ExperimentMethod,
  { nLayers, nHeads, nKeyValueHeads, name }: ModelInfo,
  path: readonly (string | number)[],
): readonly ExperimentProblem[] {
  const problems: ExperimentProblem[] = [];
  const check = (
    at: readonly (string | number)[],
    { layer, head }: { readonly layer: number; readonly head?: number },
    heads = nHeads,
  ): void => {
    if (layer < nLayers && (head === undefined || head < heads)) return;
    const message = `${name} has layers 0 to ${nLayers - 1} with heads 0 to ${heads - 1}.`;
    problems.push({ path: [...path, ...at], severity: 'error', message });
  };
  if ('layers' in method)
    for (const [i, layer] of (method.layers ?? []).entries()) check(['layers', i], { layer });
  if (method.kind === 'patchPaths') {
    const { senders = [], receivers = [] } = method;
    for (const [i, sender] of senders.entries()) check(['senders', i], readSender(sender));
    for (const [i, text] of receivers.entries()) {
      const receiver = readReceiver(text);
      check(['receivers', i], receiver, receiver.input === 'q' ? nHeads : nKeyValueHeads);
    }
  }
  return problems;
}
