/** Finds out which logits an attribution is asked about. */

import type { EngineApi } from '../shared/engineApi.ts';
import { EngineError } from '../shared/errors.ts';
import { quoteToken } from '../shared/format.ts';
import type { AnalyzedRun } from './analyzedRun.ts';
import { contrastName } from './circuitRequest.ts';
import { floatsOf } from './graph/value.ts';
import type { LogitSum } from './method/residualAttribution.ts';
import { pickPositions } from './model/kvCache.ts';

/**
 * The contrast that is asked for; without one the logit of the most probable token after the position, by default the
 * last. `what` names it for people.
 * @throws request.invalid for a position outside the prompt; as `LoadedModel.contrast`.
 */
export async function readLogitSum(
  run: AnalyzedRun,
  request: Parameters<EngineApi['residualAttribution']>[0],
): Promise<{ sum: LogitSum; what: string }> {
  const { model, ids } = run;
  if (request.contrast) {
    const { position, answer, wrong } = model.contrast(request.contrast, ids.length);
    const weights = new Map([
      [answer, 1],
      [wrong, -1],
    ]);
    return { sum: { position, weights }, what: contrastName(request.contrast) };
  }
  const position = request.position ?? ids.length - 1;
  if (!Number.isInteger(position) || position < 0 || position >= ids.length) {
    const reason = `the prompt has ${ids.length} tokens`;
    throw new EngineError('request.invalid', { what: `Position ${position}`, reason });
  }
  const row = floatsOf(pickPositions(run.residual(model.info.nLayers), [position]));
  const best = (await model.readout.predict(row, 1)).ids[0]!;
  const what = `logit of ${quoteToken(model.tokenizer.tokenText(best))}`;
  return { sum: { position, weights: new Map([[best, 1]]) }, what };
}
