/** The labels of one source of features, kept as a file of the storage folder. */

import { mkdir, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { isEngineError } from '../../shared/errors.ts';
import { fileError } from '../files/fileErrors.ts';
import { readJson } from '../files/json.ts';
import { writeAtomically } from '../files/writeAtomically.ts';

/** Labels of one author: `[index, text]`, in the order of indices. */
export interface LabelsByOrigin {
  readonly origin: string;
  readonly labels: readonly (readonly [index: number, text: string])[];
}

/** What is kept of one source; the author that was imported last stands first. */
export interface SourceLabels {
  readonly source: string;
  readonly origins: readonly LabelsByOrigin[];
}

const schema = v.object({
  version: v.literal(1),
  source: v.string(),
  origins: v.array(
    v.object({ origin: v.string(), labels: v.array(v.tuple([v.pipe(v.number(), v.integer()), v.string()])) }),
  ),
});

const suffix = '.labels.json';

/** A million labels of a sentence each come to about 100 MB. */
const maxFileBytes = 512 * 1024 * 1024;

/** The file of `source` below the folder of all labels. Whatever the source is called, it stays in that folder. */
export function labelPath(folder: string, source: string): string {
  return join(folder, `${encodeURIComponent(source).replaceAll('.', '%2E')}${suffix}`);
}

/** Sources that `folder` holds labels of, in the order of their names. */
export async function listLabelSources(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw fileError(folder, error);
  });
  return names
    .filter((name) => name.endsWith(suffix))
    .map((name) => decoded(name.slice(0, -suffix.length)))
    .filter((source) => source !== undefined)
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
}

/** What is kept of `source`; undefined when nothing is. @throws file.malformed, file.unreadable */
export async function readLabels(folder: string, source: string): Promise<SourceLabels | undefined> {
  return readJson(labelPath(folder, source), schema, { maxBytes: maxFileBytes }).catch((error) => {
    if (isEngineError(error, 'file.missing')) return undefined;
    throw error;
  });
}

/** Writes the labels of a source at once. */
export async function writeLabels(folder: string, labels: SourceLabels): Promise<void> {
  const path = labelPath(folder, labels.source);
  await mkdir(dirname(path), { recursive: true });
  const content = { version: 1, source: labels.source, origins: labels.origins };
  await writeAtomically(path, [`${JSON.stringify(content)}\n`]);
}

/**
 * Adds labels of one author to what is kept: a feature's older label of the same author gives way, and the author
 * comes first from now on.
 */
export function mergeLabels(
  kept: SourceLabels,
  origin: string,
  added: ReadonlyMap<number, string>,
): SourceLabels {
  const before = kept.origins.find((it) => it.origin === origin)?.labels ?? [];
  const merged = new Map([...before, ...added]);
  const labels = [...merged].sort(([one], [other]) => one - other);
  const others = kept.origins.filter((it) => it.origin !== origin);
  return { source: kept.source, origins: [{ origin, labels }, ...others] };
}

function decoded(name: string): string | undefined {
  try {
    return decodeURIComponent(name);
  } catch {
    return undefined;
  }
}
