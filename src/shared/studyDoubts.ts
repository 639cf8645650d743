/** Whether a model does the task of a study at all: what is found about heads of a model that does not means nothing. */
import type { IoiStudy, StudyDoubt } from './study.ts';

/** What fails, nothing for a model that does the task. */
export function studyDoubts({
  logitDifference,
  accuracy,
  corruptedLogitDifference,
}: IoiStudy['behaviour']): readonly StudyDoubt[] {
  const doubts: StudyDoubt[] = [];
  if (!(logitDifference > 0)) doubts.push('notPositive');
  if (accuracy < 0.5) doubts.push('belowHalf');
  if (logitDifference > 0 && corruptedLogitDifference >= logitDifference / 2) doubts.push('likeAbc');
  return doubts;
}
