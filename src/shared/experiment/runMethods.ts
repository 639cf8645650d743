/** What every method of an experiment is run with, and what it gives. */

import type { CallOptions } from '../callOptions.ts';
import type { CircuitGraph } from '../circuit.ts';
import type { ModelInfo, PartialCells, Provenance, SaeInfo } from '../domain.ts';
import type { EngineApi } from '../engineApi.ts';
import { EngineError } from '../errors.ts';
import type { SweepGrid } from '../patchingApi.ts';
import type { StudyParts } from '../study.ts';
import type { SweepQuestion } from '../sweepViewApi.ts';
import type { PromptPairs, TaskMetric } from '../task.ts';
import type { JsonValue } from './canonicalJson.ts';
import type { ExperimentMethod, MethodKind, MethodOf } from './experiment.ts';
import type { PairText } from './pairTexts.ts';

/** What methods are run with. */
export interface MethodContext {
  readonly engine: EngineApi;
  readonly model: ModelInfo;
  readonly pairs: PromptPairs | undefined;
  readonly metric: TaskMetric | undefined;
  readonly seed: number;
  readonly call: CallOptions;
  /** What an earlier run has of this very method, and where this one leaves what it has; without it nothing is kept. */
  readonly parts?: MethodParts;
  /** The SAEs that the experiment names; all usable ones beside the model when it names none. */
  saes(): Promise<readonly SaeInfo[]>;
  /** Whether the experiment names SAEs. */
  readonly namesSaes: boolean;
  transcoders(): Promise<readonly SaeInfo[]>;
  sae(name: string): Promise<SaeInfo>;
  /** A path of the experiment on this machine. */
  path(relative: string): Promise<string>;
  /** The text of a file. */
  readText(path: string): Promise<string>;
  /** The pairs as texts. */
  texts(): Promise<readonly PairText[]>;
}

/** What is known of a sweep that was stopped. */
export interface RememberedSweep {
  /** Of the pairs that it ran on; see `SweepOutline.pairsHash`. */
  readonly pairsHash?: string;
  /** Raw mean of each known cell, and the pairs behind it. */
  readonly cells: ReadonlyMap<number, readonly [raw: number, pairs: number]>;
}

/** What is known of one method that was stopped before it was done. */
export interface MethodParts {
  sweep(): RememberedSweep | undefined;
  study(): StudyParts | undefined;
  addCells(cells: PartialCells): void;
  addStudy(parts: StudyParts): void;
}

/** A finished sweep with its question. */
export interface FoundSweep {
  readonly question: SweepQuestion;
  readonly grid: SweepGrid;
}

/** What a method gives. */
export interface MethodOutcome {
  /** Its numbers, as they are written down. */
  readonly numbers: { readonly [name: string]: JsonValue };
  readonly circuit?: CircuitGraph;
  /** A sweep as it was asked, and all its cells. */
  readonly sweep?: FoundSweep;
  readonly provenance?: Provenance;
}

/** One way to run for each kind of method. */
export type MethodRunners<K extends MethodKind> = {
  readonly [Kind in K]: (context: MethodContext, method: MethodOf<Kind>) => Promise<MethodOutcome>;
};

/** The prompts. @throws request.invalid when the experiment has none. */
export function requirePairs({ pairs }: MethodContext, { kind }: ExperimentMethod): PromptPairs {
  if (pairs) return pairs;
  throw new EngineError('request.invalid', {
    what: `The method ${kind}`,
    reason: 'it needs prompts; give the experiment "pairs"',
  });
}

/** The one pair of prompts. @throws request.invalid when the experiment has a task or nothing. */
export function requirePair(
  context: MethodContext,
  method: ExperimentMethod,
): Extract<PromptPairs, { kind: 'pair' }> {
  const pairs = requirePairs(context, method);
  if (pairs.kind === 'pair') return pairs;
  throw new EngineError('request.invalid', {
    what: `The method ${method.kind}`,
    reason: 'it looks at one pair of prompts, not at a task; give "pairs" of the kind "pair"',
  });
}
