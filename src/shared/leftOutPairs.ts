/** Pairs of a task file that a model cannot run: how many of them a result leaves out, and why. */
import type { TaskCheck } from './taskApi.ts';
import { describeTaskProblem } from './taskProblem.ts';

/** Pairs that a result does not rest on although the task's file has them. */
export interface LeftOutPairs {
  readonly leftOut: number;
  /** All pairs of the file, with those. */
  readonly of: number;
  /** The first lines to blame, one reason for each. */
  readonly reasons: readonly { readonly line: number; readonly message: string }[];
}

/** Lines that are told by name. */
const maxReasons = 3;

/** What a check of the task says is left out; undefined when every pair can be run. */
export function leftOutPairs({ pairs, lines, problems }: TaskCheck): LeftOutPairs | undefined {
  if (pairs >= lines) return undefined;
  const byLine = new Map<number, string>();
  for (const problem of problems) {
    if (problem.severity !== 'error' || byLine.has(problem.line)) continue;
    byLine.set(problem.line, describeTaskProblem(problem));
  }
  const reasons = [...byLine].slice(0, maxReasons).map(([line, message]) => ({ line, message }));
  return { leftOut: lines - pairs, of: lines, reasons };
}

/** `1 of 2 pairs left out: line 1: …`, one line for each reason. */
export function describeLeftOut({ leftOut, of, reasons }: LeftOutPairs): string {
  const told = reasons.map(({ line, message }) => `line ${line}: ${message}`);
  const more = leftOut - reasons.length;
  return `${leftOut} of ${of} pairs left out: ${told.join('\n  ')}${more > 0 ? `\n  and ${more} more` : ''}`;
}
