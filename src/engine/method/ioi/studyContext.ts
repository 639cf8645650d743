/** What the study of indirect objects runs on, and what it assumes when it is not told. */
import { EngineError } from '../../../shared/errors.ts';
import type { IoiStudyRequest } from '../../../shared/study.ts';
import type { Tokenizer } from '../../model/tokenizer.ts';
import type { Transformer } from '../../model/transformer.ts';
import type { TokenTask } from '../../task/task.ts';

export interface StudyContext {
  readonly model: Transformer;
  readonly tokenizer: Pick<Tokenizer, 'vocabSize' | 'isSpecial'>;
  /** Clean prompts, ABC counterfactuals, and the roles IO, S1, S1+1, S2, END. */
  readonly task: TokenTask;
  /** Tells the model's weights apart from others: parts of a study belong to them. */
  readonly identity?: string;
  /** Put before random tokens when prompts have it too. */
  readonly bos?: number;
}

/** What a request leaves out. The paper's greedy searches are ten. */
export const studyDefaults = {
  pathPairs: 200,
  circuitPairs: 40,
  copyPairs: 60,
  randomSets: 20,
  greedy: { runs: 2, steps: 10, candidates: 10 },
} as const;

/** @throws request.invalid for counts that are not whole or too small, and thresholds that are no numbers. */
export function requireStudyNumbers(request: IoiStudyRequest): void {
  const refuse = (name: string, value: number, reason: string) =>
    new EngineError('request.invalid', { what: `${name} ${value} of the study`, reason });
  for (const name of ['pathPairs', 'circuitPairs', 'copyPairs', 'randomSets'] as const) {
    const [value, least] = [request[name] ?? 1, name === 'randomSets' ? 0 : 1];
    if (!Number.isInteger(value) || value < least)
      throw refuse(name, value, `it should be a whole number from ${least} on`);
  }
  for (const [name, value] of Object.entries(request.greedy ?? {})) {
    if (!Number.isInteger(value) || value < 0) throw refuse(name, value, 'it should be a whole number');
  }
  for (const [name, value] of Object.entries(request.thresholds ?? {})) {
    if (!(Number.isFinite(value) && value >= 0)) throw refuse(name, value, 'it should be a number from 0 on');
  }
}
