/** How right a classifier is on biographies, and for which of the four groups. */

import type { ShiftAccuracy } from '../../../shared/shiftApi.ts';
import type { BiographySets, LabelledText } from './biographySets.ts';

/** Accuracies of `logits` `[text]` on balanced texts: an answer above 0 is the second profession. */
export function groupAccuracy(
  { professions, genders }: Pick<BiographySets, 'professions' | 'genders'>,
  texts: readonly Pick<LabelledText, 'profession' | 'gender'>[],
  logits: Float32Array,
): ShiftAccuracy {
  const answers = Array.from(logits, (logit) => (logit > 0 ? 1 : 0));
  const share = (chosen: readonly number[], isRight: (text: number) => boolean): number =>
    chosen.length === 0 ? 0 : chosen.filter(isRight).length / chosen.length;
  const all = texts.map((_, i) => i);
  const isRight = (text: number) => answers[text] === texts[text]!.profession;
  const groups = ([0, 1] as const).flatMap((profession) =>
    ([0, 1] as const).map((gender) => ({
      profession: professions[profession],
      gender: genders[gender],
      accuracy: share(
        all.filter((i) => texts[i]!.profession === profession && texts[i]!.gender === gender),
        isRight,
      ),
    })),
  );
  return {
    profession: share(all, isRight),
    gender: share(all, (text) => answers[text] === texts[text]!.gender),
    worstGroup: Math.min(...groups.map(({ accuracy }) => accuracy)),
    groups,
  };
}

/** The mean of several accuracies, number by number; of the worst groups, too. */
export function meanAccuracy(all: readonly ShiftAccuracy[]): ShiftAccuracy {
  const mean = (of: (accuracy: ShiftAccuracy) => number): number =>
    all.reduce((sum, accuracy) => sum + of(accuracy), 0) / all.length;
  return {
    profession: mean(({ profession }) => profession),
    gender: mean(({ gender }) => gender),
    worstGroup: mean(({ worstGroup }) => worstGroup),
    groups: all[0]!.groups.map((group, i) => ({
      ...group,
      accuracy: mean(({ groups }) => groups[i]!.accuracy),
    })),
  };
}
