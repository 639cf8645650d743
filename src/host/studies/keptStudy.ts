/** A study as it is kept: what was asked, what was found, and how far it has come. Knows no VS Code. */

import type { Provenance } from '../../shared/domain.ts';
import {
  type IoiHeadClass,
  type IoiStudyRequest,
  type StudyParts,
  type StudySoFar,
  type StudyStage,
  studyStages,
} from '../../shared/study.ts';
import type { TaskSource } from '../../shared/task.ts';

/** What is studied: plain data, which outlives the session. */
export interface StudyQuestion {
  readonly model: { readonly name: string; readonly hash: string };
  /** How prompts began when it was asked. */
  readonly bos?: Provenance['bos'];
  readonly task: TaskSource;
  readonly request: IoiStudyRequest;
  /** The pairs in words. */
  readonly source: string;
  /** Seconds that it was estimated to take. */
  readonly estimate?: number;
}

/** A study as it is remembered. */
export interface KeptStudy {
  readonly version: 1;
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly question: StudyQuestion;
  readonly parts?: StudyParts;
  readonly soFar?: StudySoFar;
  readonly finished: readonly StudyStage[];
  readonly isDone: boolean;
  /** Whether its report was saved as a file. */
  readonly isSaved?: boolean;
}

/** The stages that a study has, as far as that is known: without name movers, none are knocked out. */
export function stagesOf(kept: KeptStudy | undefined): readonly StudyStage[] {
  const { finished = [], isDone, question, soFar } = kept ?? {};
  const lacks = (name: IoiHeadClass) => !soFar?.heads?.some((head) => head.class === name);
  const passedOver = new Set<StudyStage>();
  const isPast = (stage: StudyStage) => isDone || finished.includes(stage);
  if (isPast('logits') && lacks('nameMover')) passedOver.add('knockedOut');
  if (isPast('inhibition') && lacks('sInhibition')) passedOver.add('signals');
  // Too few pairs were left for it.
  if (isDone && !finished.includes('heldOut')) passedOver.add('heldOut');
  const all =
    question?.request.circuit === false ? studyStages.slice(0, studyStages.indexOf('whole')) : studyStages;
  return all.filter((stage) => !passedOver.has(stage));
}

/** Whether nothing is lost when it is forgotten. */
export function isSafe({ isDone, isSaved }: KeptStudy): boolean {
  return isDone && isSaved === true;
}

/** What a file holds, when it is a study of that name. */
export function keptStudy(id: string, value: unknown): KeptStudy | undefined {
  const kept = (value ?? {}) as Partial<KeptStudy>;
  const isStudy = kept.version === 1 && kept.id === id && typeof kept.created === 'number';
  return isStudy && kept.question && Array.isArray(kept.finished) ? (kept as KeptStudy) : undefined;
}
