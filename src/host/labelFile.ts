/** The user's own labels as a file of the workspace: `fovea.labels.json`. Reading trusts nothing that the file says. */

import * as v from 'valibot';
import { EngineError } from '../shared/errors.ts';
import type { FeatureLabel } from '../shared/labelApi.ts';

/** The file's name in the first folder of the workspace. */
export const labelFileName = 'fovea.labels.json';

/** Longer labels are no labels. */
export const maxLabelCharacters = 500;

/** Larger files are not read: labels that somebody wrote take up far less. */
export const maxLabelFileBytes = 16 * 2 ** 20;

/** More labels than anybody writes. */
const maxLabels = 100_000;

/** What `FeatureLabel.origin` says of the user's own labels. */
export const ownOrigin = 'yours';

const label = v.object({
  source: v.pipe(v.string(), v.minLength(1), v.maxLength(400)),
  index: v.pipe(v.number(), v.integer(), v.minValue(0)),
  text: v.pipe(v.string(), v.minLength(1), v.maxLength(maxLabelCharacters)),
});

const file = v.object({
  version: v.literal(1),
  labels: v.pipe(v.array(v.unknown()), v.maxLength(maxLabels), v.array(label)),
});

/** The file's text, one label a line in a fixed order, so that version control shows and merges changes well. */
export function writeLabelFile(labels: readonly FeatureLabel[]): string {
  const sorted = [...labels].sort(byFeature).map(({ source, index, text }) => ({ source, index, text }));
  const lines = sorted.map((entry) => `    ${JSON.stringify(entry)}`);
  return `{\n  "version": 1,\n  "labels": [${lines.length > 0 ? `\n${lines.join(',\n')}\n  ` : ''}]\n}\n`;
}

/** @throws file.malformed when the file is too large to be one of labels. */
export function checkLabelFileSize(path: string, bytes: number): void {
  if (bytes <= maxLabelFileBytes) return;
  const expected = `at most ${maxLabelFileBytes} bytes`;
  throw new EngineError('file.malformed', { path, field: 'file size', expected, found: `${bytes} bytes` });
}

/** Reads a file's text. @throws file.malformed with the first place that is wrong. */
export function readLabelFile(path: string, text: string): readonly FeatureLabel[] {
  const parsed = v.safeParse(file, parse(path, text));
  if (parsed.success) return parsed.output.labels.map((entry) => ({ ...entry, origin: ownOrigin }));
  const issue = parsed.issues[0];
  throw new EngineError('file.malformed', {
    path,
    field: v.getDotPath(issue) ?? 'content',
    expected: issue.expected ?? 'valid',
    found: issue.received.slice(0, 80),
  });
}

/** The labels with one more, in place of an older one of the same feature; an empty text takes it away. */
export function withLabel(
  labels: readonly FeatureLabel[],
  { source, index }: Pick<FeatureLabel, 'source' | 'index'>,
  text: string,
): readonly FeatureLabel[] {
  const others = labels.filter((entry) => entry.source !== source || entry.index !== index);
  return text === '' ? others : [...others, { source, index, text, origin: ownOrigin }];
}

function byFeature(one: FeatureLabel, other: FeatureLabel): number {
  if (one.source !== other.source) return one.source < other.source ? -1 : 1;
  return one.index - other.index;
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    throw new EngineError('file.malformed', { path, field: 'content', expected: 'JSON', found });
  }
}
