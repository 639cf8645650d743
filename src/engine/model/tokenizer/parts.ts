/** Reads the nested parts of a tokenizer file as a flat list of steps. */
import { malformed } from '../../files/fileErrors.ts';

/** A normalizer, pre-tokenizer or other part, as it stands in the file. */
export type Part = { readonly type: string } & Readonly<Record<string, unknown>>;

const maxDepth = 8;
const maxSteps = 64;
const maxInserted = 256;

/** The steps of a part: itself, or those of its `Sequence` (in `key`), however nested. @throws file.malformed */
export function readParts(path: string, field: string, part: Part | null, key: string): readonly Part[] {
  const steps: Part[] = [];
  const collect = (value: unknown, depth: number): void => {
    if (!isPart(value)) throw malformed(path, field, 'a part with a type', value);
    if (value.type !== 'Sequence') {
      steps.push(value);
    } else {
      const inner = value[key];
      if (!Array.isArray(inner)) throw malformed(path, `${field}.${key}`, 'a list', inner);
      if (depth >= maxDepth)
        throw malformed(path, field, `at most ${maxDepth} sequences in each other`, 'more');
      for (const step of inner) collect(step, depth + 1);
    }
    if (steps.length > maxSteps) throw malformed(path, field, `at most ${maxSteps} steps`, 'more');
  };
  if (part !== null) collect(part, 0);
  return steps;
}

/** A text of the file that is put into every text, so it has to be short. @throws file.malformed */
export function requireText(path: string, field: string, value: unknown): string {
  if (typeof value === 'string' && value.length <= maxInserted) return value;
  throw malformed(path, field, `a text of at most ${maxInserted} characters`, value);
}

function isPart(value: unknown): value is Part {
  return (
    typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string'
  );
}
