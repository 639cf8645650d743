/** Finds labels in files that Neuronpedia hands out: bulk exports (`.jsonl`, `.jsonl.gz`) and answers of its API (`.json`). */

import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import * as v from 'valibot';
import type { CallOptions } from '../../shared/callOptions.ts';
import { EngineError, throwIfCancelled } from '../../shared/errors.ts';
import { fileError } from '../files/fileErrors.ts';
import { readJson } from '../files/json.ts';
import { readJsonLines } from '../files/jsonLines.ts';
import { type LabelRow, labelRows } from './neuronpediaRows.ts';

/** How deep below a named folder files are looked for. */
const maxDepth = 3;

/** More labels than this at once are refused: the largest public sources have about a million features. */
const maxLabels = 5_000_000;

/** An answer of the API with all its activations is a few megabytes. */
const maxAnswerBytes = 256 * 1024 * 1024;

export interface ReadLabelsResult {
  readonly rows: readonly LabelRow[];
  /** Lines or entries that are damaged, or say nothing of a feature. */
  readonly skipped: number;
}

/**
 * All labels in files and folders. Folders of an export hold much beside labels: files without any are passed over.
 * @param source in place of what the rows say, for labels of an SAE that is called otherwise there
 * @throws file.missing, file.unreadable, file.malformed, cancelled; request.invalid when nothing was found
 */
export async function readLabelFiles(
  paths: readonly string[],
  source: string | undefined,
  { signal, report }: CallOptions = {},
): Promise<ReadLabelsResult> {
  const files: string[] = [];
  for (const path of paths) files.push(...(await labelFiles(path, maxDepth)));
  const rows: LabelRow[] = [];
  let skipped = 0;
  for (const [i, file] of files.entries()) {
    report?.({ done: i, total: files.length, what: `Reading ${basename(file)}` });
    for await (const value of entriesOf(file, signal)) {
      throwIfCancelled(signal);
      const found = value === damaged ? undefined : labelRows(value);
      rows.push(...(found ?? []));
      if (!found) skipped++;
      if (rows.length > maxLabels) throw tooMany();
    }
  }
  if (rows.length === 0) throw nothingFound(paths, files.length, skipped);
  return { rows: source === undefined ? rows : rows.map((row) => ({ ...row, source })), skipped };
}

const damaged = Symbol('damaged');

async function* entriesOf(file: string, signal: AbortSignal | undefined): AsyncGenerator<unknown> {
  if (file.endsWith('.json')) {
    const answer = await readJson(file, v.unknown(), { maxBytes: maxAnswerBytes });
    yield* Array.isArray(answer) ? answer : [answer];
    return;
  }
  for await (const line of readJsonLines(file, { signal })) yield 'value' in line ? line.value : damaged;
}

async function labelFiles(path: string, depth: number): Promise<string[]> {
  const found = await stat(path).catch((error) => {
    throw fileError(path, error);
  });
  if (!found.isDirectory()) return [path];
  if (depth === 0) return [];
  const entries = await readdir(path, { withFileTypes: true }).catch((error) => {
    throw fileError(path, error);
  });
  const files: string[] = [];
  for (const entry of entries.sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))) {
    const inside = join(path, entry.name);
    if (entry.isDirectory()) files.push(...(await labelFiles(inside, depth - 1)));
    else if (entry.isFile() && mayHoldLabels(entry.name)) files.push(inside);
  }
  return files;
}

/** Activations and feature statistics of an export are huge, and hold no labels. */
function mayHoldLabels(name: string): boolean {
  return /\.(jsonl(\.gz)?|json)$/.test(name);
}

function tooMany(): EngineError {
  const reason = `there are more than ${maxLabels.toLocaleString('en-US')} of them; import one source at a time`;
  return new EngineError('request.invalid', { what: 'These labels', reason });
}

function nothingFound(paths: readonly string[], files: number, skipped: number): EngineError {
  const read = `${files} ${files === 1 ? 'file' : 'files'} and ${skipped} other entries were read`;
  const reason = `no label of a feature was found (${read}); take the explanations of a Neuronpedia export (.jsonl.gz) or an answer of its API (.json)`;
  return new EngineError('request.invalid', { what: paths.map((path) => basename(path)).join(', '), reason });
}
