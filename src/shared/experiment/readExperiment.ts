/** Reads an experiment's file, trusting nothing it says. */

import { EngineError } from '../errors.ts';
import type { Experiment } from './experiment.ts';
import { experimentSchema } from './experimentSchema.ts';
import { findSchemaProblem, type SchemaProblem } from './jsonSchema.ts';

/** Characters of a file at most. */
const longest = 2_000_000;

/** The experiment that `text` holds. @throws request.invalid with the first place that is wrong. */
export function readExperiment(path: string, text: string): Experiment {
  if (text.length > longest) {
    throw malformed(path, 'the file', `at most ${longest} characters`, `${text.length}`);
  }
  const value = parse(path, text);
  const problem = findSchemaProblem(value, experimentSchema);
  if (!problem) return value as Experiment;
  throw malformed(path, describePath(problem), problem.expected, problem.found);
}

/** A place in a file as people write it: `pairs.answers[0]`. */
export function describePath({ path }: Pick<SchemaProblem, 'path'>): string {
  const parts = path.map((part, i) =>
    typeof part === 'number' ? `[${part}]` : `${i > 0 ? '.' : ''}${part}`,
  );
  return parts.join('').slice(0, 200) || 'the file';
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw malformed(path, 'the file', 'JSON', (error as Error).message);
  }
}

function malformed(
  path: string,
  field: string,
  expected: string,
  found: string,
): EngineError<'request.invalid'> {
  return new EngineError('request.invalid', {
    what: path,
    reason: `${field} should be ${expected}, but is ${found}`,
  });
}
