/** How well a model does a task: logits of right and wrong answers after each prompt. */

import type { CallOptions } from '../../shared/engineApi.ts';
import { floatsOf } from '../graph/value.ts';
import { batchesByLength } from '../model/tokenBatches.ts';
import { requireOneToken, type Tokenizer } from '../model/tokenizer.ts';
import type { Transformer } from '../model/transformer.ts';
import type { PromptPair } from './promptSet.ts';

/** The outcome of a prompt set. */
export interface TaskScore {
  readonly prompts: number;
  /** Fraction of prompts whose right answer gets the higher logit; with several answers, the higher probability. */
  readonly accuracy: number;
  /** Mean of logit[answer] − logit[wrong]; with several answers, of the log-odds of the two sets. */
  readonly logitDifference: number;
}

const batchSize = 64;

/** Runs the clean prompts of `pairs`, with `bos` before each when it is given, and compares their answers. */
export async function measureTask(
  model: Transformer,
  tokenizer: Tokenizer,
  pairs: readonly PromptPair[],
  { bos, ...call }: CallOptions & { readonly bos?: number } = {},
): Promise<TaskScore> {
  const before = bos === undefined ? [] : [bos];
  const prompts = pairs.map((pair) => Int32Array.of(...before, ...tokenizer.encode(pair.clean).ids));
  const { dVocab } = model.config;
  let [right, sum, done] = [0, 0, 0];
  for (const { tokens, places } of batchesByLength(prompts, batchSize)) {
    const { logits } = await model.run({ tokens, logits: 'last', signal: call.signal });
    const data = floatsOf(logits!);
    places.forEach((place, row) => {
      const difference = answerDifference(
        data.subarray(row * dVocab, (row + 1) * dVocab),
        pairs[place]!,
        tokenizer,
      );
      if (difference > 0) right++;
      sum += difference;
    });
    done += places.length;
    call.report?.({ done, total: pairs.length, what: 'Measuring' });
  }
  return { prompts: pairs.length, accuracy: right / pairs.length, logitDifference: sum / pairs.length };
}

/** logit[answer] − logit[wrong], or log Σ exp over each set of answers. */
export function answerDifference(logits: Float32Array, pair: PromptPair, tokenizer: Tokenizer): number {
  const ids = (texts: readonly string[]): number[] => texts.map((text) => requireOneToken(tokenizer, text));
  return (
    logSumExp(logits, ids(pair.answers ?? [pair.answer])) -
    logSumExp(logits, ids(pair.wrongAnswers ?? [pair.wrongAnswer]))
  );
}

function logSumExp(logits: Float32Array, ids: readonly number[]): number {
  const highest = Math.max(...ids.map((id) => logits[id]!));
  return highest + Math.log(ids.reduce((sum, id) => sum + Math.exp(logits[id]! - highest), 0));
}
