/** Tasks: checking files of prompt pairs against a model, and writing pairs by the dozen. */
import type { CallOptions } from './callOptions.ts';
import type { ModelId } from './domain.ts';
import type { GeneratedTask, PromptPairs, TaskMetric } from './task.ts';
import type { TaskProblem } from './taskProblem.ts';

/** How well the model does a task on the clean prompts, and what the counterfactual does to it. */
export interface TaskBehaviour {
  /** Pairs that were measured: all that can be used, unless fewer were asked for. */
  readonly pairs: number;
  /** Fraction of clean prompts after which the answers are together more probable than the wrong ones. */
  readonly accuracy: number;
  /** Mean logit of the answers minus that of the wrong ones, after the clean prompts. */
  readonly logitDifference: number;
  /** The same after the corrupted prompts. */
  readonly corruptedLogitDifference: number;
}

export interface TemplateBehaviour extends TaskBehaviour {
  /** The empty text for pairs that name none. */
  readonly template: string;
}

/** What a check found. Problems are in the order of the lines. */
export interface TaskCheck {
  readonly name: string;
  readonly metric: TaskMetric;
  readonly description?: string;
  /** Pairs that can be run. */
  readonly pairs: number;
  /** Lines with a pair, usable or not. */
  readonly lines: number;
  readonly problems: readonly TaskProblem[];
  /** Problems beyond those listed. */
  readonly unlisted: number;
  /** Absent when nothing was to be measured. */
  readonly behaviour?: TaskBehaviour;
  readonly templates: readonly TemplateBehaviour[];
  /** A header that cannot be used: the whole task is refused, since what it says should be measured is not known. */
  readonly hasFaultyHeader?: boolean;
}

export interface CheckTaskRequest {
  readonly model: ModelId;
  /** A task file, or the text of one that is being written. */
  readonly file: { readonly path: string } | { readonly text: string; readonly name: string };
  /** Pairs to measure at most, from the first on; all when left out, none for 0. */
  readonly measure?: number;
}

/** One pair in the model's tokens. */
export interface PlacedPair {
  /** Tokens of the clean prompt, the beginning of sequence included. */
  readonly length: number;
  /** Position of each role, counted in tokens, the beginning of sequence included. */
  readonly roles: Readonly<Record<string, number>>;
  /** Whose prompt takes its place when it is ablated by resampling: a place among the pairs. With a seed only. */
  readonly partner?: number;
}

export interface TaskApi {
  /** Reads a task and says what keeps its pairs from being run, line by line; a file that cannot be read is an error. */
  checkTask(request: CheckTaskRequest, options?: CallOptions): Promise<TaskCheck>;
  /** Writes pairs whose names and fillers are single tokens of the model: the text of a task file. */
  generateTask(
    request: GeneratedTask & { readonly model: ModelId },
    options?: CallOptions,
  ): Promise<{ readonly text: string }>;
  /** The pairs that can be run, in their order: where roles are, and which pairs resampling draws. */
  placePairs(
    request: { readonly model: ModelId; readonly pairs: PromptPairs; readonly seed?: number },
    options?: CallOptions,
  ): Promise<readonly PlacedPair[]>;
}

export const taskMethods: { readonly [M in keyof TaskApi]: true } = {
  checkTask: true,
  generateTask: true,
  placePairs: true,
};
