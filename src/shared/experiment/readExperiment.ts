/** Reads an experiment's file, trusting nothing it says. */

import { EngineError } from '../errors.ts';
import type { Experiment, ExperimentFields, ExperimentMethod } from './experiment.ts';
import { experimentSchema } from './experimentSchema.ts';
import { findSchemaProblems, type SchemaProblem } from './jsonSchema.ts';

/** Characters of a file at most. */
const longest = 2_000_000;

/** The experiment that `text` holds. @throws request.invalid with the first place that is wrong. */
export function readExperiment(path: string, text: string): Experiment {
  if (text.length > longest) {
    throw malformed(path, 'the file', `at most ${longest} characters`, `${text.length}`);
  }
  const value = parse(path, text);
  const [problem] = findSchemaProblems(value, experimentSchema);
  if (!problem) return value as Experiment;
  throw malformed(path, describePath(problem), problem.expected, problem.found);
}

/** A method, and where it stands in the file. */
export interface PlacedMethod {
  readonly path: readonly (string | number)[];
  readonly method: ExperimentMethod;
}

/** What can be read of an experiment, so that one mistake hides no other. */
export interface ExperimentParts {
  /** Fields that can be read, but for the methods. */
  readonly fields: ExperimentFields;
  /** Fields that are there and cannot be read. */
  readonly unread: ReadonlySet<string>;
  /** Methods that can be read. */
  readonly methods: readonly PlacedMethod[];
  /** What cannot be read, and why. */
  readonly problems: readonly SchemaProblem[];
}

/** Problems that are told at most. */
const mostProblems = 100;

/** The parts of the experiment that `text` holds, as far as they can be read. @throws request.invalid when it is no JSON */
export function readExperimentParts(path: string, text: string): ExperimentParts {
  if (text.length > longest) {
    throw malformed(path, 'the file', `at most ${longest} characters`, `${text.length}`);
  }
  return partsOf(parse(path, text));
}

/** The parts of a value that may be an experiment. */
export function partsOf(value: unknown): ExperimentParts {
  const all = findSchemaProblems(value, experimentSchema);
  const problems = all.slice(0, mostProblems);
  if (all.some(({ path }) => path.length === 0)) {
    return { fields: {}, unread: new Set(), methods: [], problems };
  }
  const unread = new Set(all.map(({ path }) => String(path[0])));
  const { method, ...rest } = value as Experiment;
  const fields = Object.fromEntries(Object.entries(rest).filter(([name]) => !unread.has(name)));
  const list: readonly ExperimentMethod[] = Array.isArray(method) ? method : [];
  const wrong = new Set(all.flatMap(({ path }) => (path[0] === 'method' ? [path[1] ?? 'all'] : [])));
  const methods = list
    .map((one, i) => ({ path: ['method', i], method: one }))
    .filter((_, i) => !wrong.has(i));
  const single =
    Array.isArray(method) || unread.has('method')
      ? []
      : [{ path: ['method'], method: method as ExperimentMethod }];
  return { fields, unread, methods: wrong.has('all') ? [] : [...methods, ...single], problems };
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
