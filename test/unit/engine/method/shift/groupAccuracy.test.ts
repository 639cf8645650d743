/** Accuracies of the four groups, counted by hand. */
import { describe, expect, it } from 'vitest';
import { groupAccuracy, meanAccuracy } from '../../../../../src/engine/method/shift/groupAccuracy.ts';

const sets = { professions: ['professor', 'nurse'], genders: ['male', 'female'] } as const;
const text = (profession: 0 | 1, gender: 0 | 1) => ({ profession, gender });

describe('group accuracy', () => {
  it('counts right answers, answers that agree with gender, and the worst group', () => {
    const texts = [
      text(0, 0),
      text(0, 0),
      text(0, 1),
      text(0, 1),
      text(1, 0),
      text(1, 0),
      text(1, 1),
      text(1, 1),
    ];
    // Follows gender but for one professor and one nurse.
    const logits = Float32Array.of(-1, -1, 1, -1, -1, -2, 3, -1);
    const found = groupAccuracy(sets, texts, logits);
    expect(found.profession).toBe(4 / 8);
    expect(found.gender).toBe(6 / 8);
    expect(found.worstGroup).toBe(0);
    expect(found.groups).toEqual([
      { profession: 'professor', gender: 'male', accuracy: 1 },
      { profession: 'professor', gender: 'female', accuracy: 0.5 },
      { profession: 'nurse', gender: 'male', accuracy: 0 },
      { profession: 'nurse', gender: 'female', accuracy: 0.5 },
    ]);
  });

  it('averages number by number', () => {
    const texts = [text(0, 0), text(0, 1), text(1, 0), text(1, 1)];
    const [all, none] = [Float32Array.of(-1, -1, 1, 1), Float32Array.of(1, 1, -1, -1)].map((logits) =>
      groupAccuracy(sets, texts, logits),
    );
    const mean = meanAccuracy([all!, none!]);
    expect([mean.profession, mean.gender, mean.worstGroup]).toEqual([0.5, 0.5, 0.5]);
    expect(mean.groups.map(({ accuracy }) => accuracy)).toEqual([0.5, 0.5, 0.5, 0.5]);
  });
});
