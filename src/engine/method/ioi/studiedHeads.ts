/** All that was measured of every head so far, as the report has it. */
import type { ByRole, StudiedHead, StudyParts } from '../../../shared/study.ts';
import type { HeadClasses } from './classifyHeads.ts';
import { allHeads } from './ioiTask.ts';

/** Undefined before the measurements of single heads are all there. */
export function studiedHeads(
  sizes: Parameters<typeof allHeads>[0],
  parts: StudyParts,
  classes: HeadClasses,
): StudiedHead[] | undefined {
  const { attention, copying, repetition } = parts;
  if (!attention || !copying || !repetition) return undefined;
  return allHeads(sizes).map((place, i) => ({
    ...place,
    ...(classes[i] && { class: classes[i] }),
    attention: at(attention, i),
    copyScore: copying.positive[i]!,
    negativeCopyScore: copying.negative[i]!,
    previousToken: repetition.previousToken[i]!,
    duplicateToken: repetition.duplicateToken[i]!,
    induction: repetition.induction[i]!,
    effects: {
      logits: parts.logits?.effects[i] ?? 0,
      logitsKnockedOut: parts.knockedOut?.effects[i] ?? 0,
      queries: parts.queries?.[i] ?? 0,
      values: parts.values?.[i] ?? 0,
      keys: parts.keys?.[i] ?? 0,
    },
    inhibition: parts.inhibition ? at(parts.inhibition, i) : { IO: 0, S1: 0, S2: 0 },
  }));
}

function at({ IO, S1, S2 }: ByRole, i: number): StudiedHead['attention'] {
  return { IO: IO[i]!, S1: S1[i]!, S2: S2[i]! };
}
