/** Where a circuit's numbers come from, in a few words each: model, prompts, method, beginning, SAEs, seed. Pure. */

import type { CircuitGraph } from '../../src/shared/circuit.ts';
import type { PromptPairs } from '../../src/shared/task.ts';
import { say, strings } from '../lib/strings.ts';
import { labelText } from '../lib/tokenText.tsx';
import { clipText } from './nodeName.ts';

/** One of them, and all of it for the pointer. */
export interface SourcePart {
  readonly text: string;
  readonly title?: string;
}

type Sourced = Pick<CircuitGraph, 'counterfactual' | 'method' | 'pairs' | 'provenance'>;

/** Everything that is known; files of other tools tell less. */
export function sourceParts(graph: Sourced): readonly SourcePart[] {
  const { provenance, method } = graph;
  const isOverTranscoders = method.name === 'attribution graph';
  const all: readonly (SourcePart | undefined)[] = [
    provenance.model.name ? { text: clean(provenance.model.name, 40) } : undefined,
    isOverTranscoders ? undefined : comparedTo(graph),
    { text: methodWords(method), title: methodTitle(method) },
    { text: provenance.bos === 'prepended' ? strings.sourceBos : strings.sourceNoBos },
    dictionaries(graph, isOverTranscoders),
    seedOf(graph),
  ];
  return all.filter((part) => part !== undefined);
}

function comparedTo({ pairs, counterfactual, method }: Sourced): SourcePart | undefined {
  if (pairs?.kind === 'task') return { text: wordTask(pairs, method.parameters.pairs) };
  const corrupted = counterfactual ?? (pairs?.kind === 'pair' ? pairs.corrupted : undefined);
  if (corrupted === undefined) {
    return method.parameters.baseline === 'zero' ? { text: strings.sourceZero } : undefined;
  }
  const whole = clean(corrupted, 400);
  const text = say('sourceAgainst', { text: `“${endOf(whole, 28)}”` });
  return { text, title: say('sourceAgainstTitle', { text: whole }) };
}

function wordTask(
  { task: source, limit }: Extract<PromptPairs, { kind: 'task' }>,
  found: string | number | boolean | undefined,
): string {
  const isFile = source.kind === 'file';
  const name = isFile ? source.path.split(/[\\/]/).at(-1)! : say('sourceGenerated', { name: source.name });
  const task = clean(name, 48);
  const count = typeof found === 'number' ? found : (limit ?? (isFile ? undefined : source.count));
  if (count === undefined) return say('sourceTask', { task });
  return count === 1 ? say('sourcePair', { task }) : say('sourcePairs', { count, task });
}

const effects: Readonly<Record<string, string>> = {
  atp: strings.methodAtp,
  ig: strings.methodIg,
  exact: strings.methodExact,
};

/** What a method is called; one of another tool says it itself. */
function methodWords({ name, parameters }: CircuitGraph['method']): string {
  if (name === 'gradient attribution') return strings.methodGradient;
  if (name !== 'sparse feature circuit') return clean(name, 60);
  const by = String(parameters.effects ?? '');
  const words = { effects: Object.hasOwn(effects, by) ? effects[by]! : clean(by, 40) };
  return say(parameters.basis === 'neurons' ? 'methodSparseNeurons' : 'methodSparse', words);
}

function methodTitle({ name, parameters }: CircuitGraph['method']): string {
  const all = Object.entries(parameters).map(
    ([key, value]) => `${clean(key, 40)}: ${clean(String(value), 80)}`,
  );
  return say('methodTitle', { name: clean(name, 80), parameters: all.slice(0, 24).join(', ') });
}

function dictionaries({ provenance }: Sourced, isOverTranscoders: boolean): SourcePart | undefined {
  const count = provenance.saes.length;
  if (count === 0) return undefined;
  const title = provenance.saes.map(({ hook }) => clean(hook, 60)).join(', ');
  if (count === 1) return { text: isOverTranscoders ? strings.sourceTranscoder : strings.sourceSae, title };
  return { text: say(isOverTranscoders ? 'sourceTranscoders' : 'sourceSaes', { count }), title };
}

function seedOf({ provenance, pairs }: Sourced): SourcePart | undefined {
  const generated = pairs?.kind === 'task' && pairs.task.kind === 'generator' ? pairs.task.seed : undefined;
  const seed = provenance.seed ?? generated;
  return seed === undefined ? undefined : { text: say('sourceSeed', { seed }) };
}

function clean(text: string, length: number): string {
  return clipText(labelText(text.slice(0, 4 * length)), length);
}

/** The end of a text, where pairs differ most often. */
function endOf(text: string, length: number): string {
  const characters = [...text];
  return characters.length > length
    ? `…${characters
        .slice(1 - length)
        .join('')
        .trimStart()}`
    : text;
}
