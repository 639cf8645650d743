/** Interventions as a file: `*.interventions.json`. Reading trusts nothing that the file says. */

import * as v from 'valibot';
import type { Contrast, Edit } from '../shared/domain.ts';
import { EngineError } from '../shared/errors.ts';

/** What such a file holds. The model's hash says for which model the numbers were chosen. */
export interface InterventionFile {
  readonly version: 1;
  readonly model: { readonly name: string; readonly hash: string };
  readonly contrast?: Contrast;
  readonly edits: readonly Edit[];
}

const index = v.pipe(v.number(), v.integer(), v.minValue(0));
const amount = v.pipe(v.number(), v.finite());

const target = v.variant('kind', [
  v.object({ kind: v.literal('head'), layer: index, head: index }),
  v.object({ kind: v.literal('mlp'), layer: index }),
  v.object({ kind: v.literal('feature'), feature: v.object({ sae: v.string(), index }) }),
  v.object({ kind: v.literal('hook'), hook: v.string(), head: v.optional(index) }),
]);

const action = v.variant('kind', [
  v.object({ kind: v.literal('zero') }),
  v.object({ kind: v.literal('mean') }),
  v.object({ kind: v.literal('patch'), text: v.string() }),
  v.object({ kind: v.literal('scale'), factor: amount }),
  v.object({ kind: v.literal('add'), amount }),
  v.object({ kind: v.literal('set'), value: amount }),
]);

const edit = v.object({
  id: v.string(),
  target,
  action,
  strength: amount,
  enabled: v.boolean(),
  positions: v.optional(v.array(index)),
});

const contrast = v.object({ answer: v.string(), wrong: v.string(), position: v.optional(index) });

const file = v.object({
  version: v.literal(1),
  model: v.object({ name: v.string(), hash: v.string() }),
  contrast: v.optional(contrast),
  edits: v.array(edit),
});

/** The file's text: stable order, two spaces, a newline at the end, so that version control shows changes well. */
export function writeInterventions(content: InterventionFile): string {
  return `${JSON.stringify(content, null, 2)}\n`;
}

/** Reads a file's text. Throws `file.malformed` with the first place that is wrong. */
export function readInterventions(path: string, text: string): InterventionFile {
  const parsed = v.safeParse(file, parse(path, text));
  if (parsed.success) return parsed.output;
  const issue = parsed.issues[0];
  throw new EngineError('file.malformed', {
    path,
    field: v.getDotPath(issue) ?? 'content',
    expected: issue.expected ?? 'valid',
    found: issue.received.slice(0, 80),
  });
}

/** Edits that were kept by an earlier session; nothing when they cannot be read. */
export function readKeptEdits(kept: unknown): readonly Edit[] {
  const parsed = v.safeParse(v.array(edit), kept);
  return parsed.success ? parsed.output : [];
}

/** A contrast that was kept by an earlier session; nothing when it cannot be read. */
export function readKeptContrast(kept: unknown): Contrast | undefined {
  const parsed = v.safeParse(contrast, kept);
  return parsed.success ? parsed.output : undefined;
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    throw new EngineError('file.malformed', { path, field: 'content', expected: 'JSON', found });
  }
}
