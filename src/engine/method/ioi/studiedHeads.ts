/** All that was measured of every head, as the report has it. */
import type { StudiedHead } from '../../../shared/studyApi.ts';
import type { FoundHeads, HeadMeasurements } from './findHeads.ts';
import { allHeads } from './ioiTask.ts';
import type { RoleAttention } from './roleAttention.ts';

export function studiedHeads(
  sizes: Parameters<typeof allHeads>[0],
  { attention, copying, repetition }: HeadMeasurements,
  { classes, effects, inhibition }: FoundHeads,
): StudiedHead[] {
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
      logits: effects.logits[i]!,
      logitsKnockedOut: effects.logitsKnockedOut[i]!,
      queries: effects.queries[i]!,
      values: effects.values[i]!,
      keys: effects.keys[i]!,
    },
    inhibition: at(inhibition, i),
  }));
}

function at({ IO, S1, S2 }: RoleAttention, i: number): StudiedHead['attention'] {
  return { IO: IO[i]!, S1: S1[i]!, S2: S2[i]! };
}
