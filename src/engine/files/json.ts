/** Reads JSON files that people and other programs wrote: capped in size, checked by a schema, faults named by field. */
import * as v from 'valibot';
import { EngineError } from '../../shared/errors.ts';
import { describeFound, malformed, shorten } from './fileErrors.ts';
import { parseJson } from './parseJson.ts';
import { readBytesNow, withFileNow } from './regularFile.ts';
import { writeAtomically } from './writeAtomically.ts';

/** The largest JSON file that is read, unless a caller says otherwise. */
export const maxJsonBytes = 64 * 1024 * 1024;

/** How a fault of the content is reported: a config that can be corrected, or a file that should be fetched again. */
export type JsonFault = 'model.invalidConfig' | 'file.malformed';

/**
 * Reads `path` and returns its content as `schema` gives it.
 * @throws file.missing, file.unreadable, file.malformed for a file that is no JSON, and `fault` naming the first wrong field.
 */
export async function readJson<const S extends v.GenericSchema>(
  path: string,
  schema: S,
  options: { readonly fault?: JsonFault; readonly maxBytes?: number } = {},
): Promise<v.InferOutput<S>> {
  const parsed = readRawJson(path, options.maxBytes ?? maxJsonBytes);
  return checkJson(path, parsed, schema, options.fault ?? 'file.malformed');
}

/** Checks an already parsed value against `schema`; errors as `readJson`. */
export function checkJson<const S extends v.GenericSchema>(
  path: string,
  value: unknown,
  schema: S,
  fault: JsonFault = 'file.malformed',
): v.InferOutput<S> {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const issue = result.issues[0];
  const field = shorten(v.getDotPath(issue) ?? 'the content');
  const expected = expectation(issue);
  throw new EngineError(fault, { path, field, expected, found: describeFound(issue.input) });
}

/** Writes `value` as indented JSON with a final newline, at once. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeAtomically(path, [`${JSON.stringify(value, null, 2)}\n`]);
}

function readRawJson(path: string, maxBytes: number): unknown {
  const text = readText(path, maxBytes);
  try {
    return parseJson(text);
  } catch (error) {
    throw malformed(
      path,
      'the content',
      'JSON',
      shorten(error instanceof Error ? error.message : String(error)),
    );
  }
}

/** At once: parsing takes the thread for longer than reading does. */
function readText(path: string, maxBytes: number): string {
  const bytes = withFileNow(path, (file, size) => {
    if (size > maxBytes) throw malformed(path, 'file size', `at most ${maxBytes} bytes`, `${size} bytes`);
    return readBytesNow(path, file, 0, size);
  });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw malformed(path, 'the content', 'text in UTF-8', 'other bytes');
  }
}

/** What would have been right: a schema's own words where it has some, else the type that valibot names. */
function expectation(issue: v.BaseIssue<unknown>): string {
  if (issue.type === 'custom' || issue.type === 'check') return issue.message;
  // For an absent key, valibot expects the key's name in quotes.
  if (issue.type.endsWith('object') && issue.expected?.startsWith('"')) return 'present';
  return issue.expected ?? issue.message;
}
