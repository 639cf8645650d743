/** The methods of an experiment that read a run out: direct logit attribution and the logit lens. */

import type { ResidualAttribution } from '../analysis.ts';
import type { Contrast, Provenance } from '../domain.ts';
import { EngineError, throwIfCancelled } from '../errors.ts';
import { toJson } from './canonicalJson.ts';
import type { MethodOf } from './experiment.ts';
import type { PairText } from './pairTexts.ts';
import {
  type MethodContext,
  type MethodOutcome,
  type MethodRunners,
  requirePair,
  requirePairs,
} from './runMethods.ts';

/** Runs each of these methods. */
export const readingRunners: MethodRunners<'directLogitAttribution' | 'logitLens'> = {
  directLogitAttribution,
  logitLens,
};

/** Answers times wrong answers of a pair at most: each combination is one reading. */
const mostContrasts = 400;

/**
 * Mean over the pairs of what every component adds to `mean_A logit − mean_W logit` after the clean prompt. The metric
 * is a sum of logits, so it is the mean over all combinations of an answer and a wrong one.
 */
async function directLogitAttribution(
  context: MethodContext,
  method: MethodOf<'directLogitAttribution'>,
): Promise<MethodOutcome> {
  requirePairs(context, method);
  const { metric = 'logitDifference', call } = context;
  if (metric !== 'logitDifference') throw onlyDifferences(metric);
  const pairs = await context.texts();
  const sums = new Map<string, Entry>();
  let total = 0;
  let provenance: Provenance | undefined;
  for (const [done, pair] of pairs.entries()) {
    throwIfCancelled(call.signal);
    call.report?.({ done, total: pairs.length, what: 'Attributing logits' });
    const read = await attributePair(context, pair);
    ({ provenance } = read);
    for (const [weight, { components, total: value }] of read.attributions) {
      total += (weight * value) / pairs.length;
      for (const part of components) {
        const entry = sums.get(part.component) ?? { ...part, value: 0 };
        sums.set(part.component, { ...entry, value: entry.value + (weight * part.value) / pairs.length });
      }
    }
  }
  const components = [...sums.values()].map(({ component, value }) => ({ component, value }));
  const numbers = {
    metric: 'logitDifference',
    pairs: pairs.length,
    total: toJson(total),
    components: toJson(components),
  };
  return { numbers, provenance };
}

type Entry = ResidualAttribution['components'][number];

async function attributePair(
  { engine, model, call }: MethodContext,
  { clean, answers, wrongAnswers }: PairText,
): Promise<{
  readonly attributions: readonly (readonly [weight: number, ResidualAttribution])[];
  readonly provenance: Provenance;
}> {
  const count = answers.length * wrongAnswers.length;
  if (count > mostContrasts) {
    const reason = `it has ${count} combinations of an answer and a wrong one, and at most ${mostContrasts} are read`;
    throw new EngineError('request.invalid', { what: 'A pair of the experiment', reason });
  }
  const request = { model: model.id, text: clean, saes: [], topFeatures: 0, topPredictions: 1, edits: [] };
  const { run, provenance } = await engine.analyze(request, call);
  const attributions: [number, ResidualAttribution][] = [];
  for (const answer of answers) {
    for (const wrong of wrongAnswers) {
      const contrast: Contrast = { answer, wrong };
      attributions.push([1 / count, await engine.residualAttribution({ run, contrast }, call)]);
    }
  }
  return { attributions, provenance };
}

async function logitLens(context: MethodContext, method: MethodOf<'logitLens'>): Promise<MethodOutcome> {
  const { engine, model, call } = context;
  const { clean } = requirePair(context, method);
  const { top = 3, tuned } = method;
  const request = { model: model.id, text: clean, saes: [], topFeatures: 0, topPredictions: 1, edits: [] };
  const { run, strip, provenance } = await engine.analyze(request, call);
  const folder = tuned === undefined ? undefined : await context.path(tuned);
  const { layers, cells } = await engine.logitLens({ run, top, tuned: folder }, call);
  const shown = cells.map((row) =>
    row.map((predictions) => predictions.map(({ text, probability }) => ({ text, probability }))),
  );
  const rows = layers.map((layer, i) => ({ layer, predictions: shown[i] }));
  return { numbers: { tokens: strip.tokens.map(({ text }) => text), layers: toJson(rows) }, provenance };
}

function onlyDifferences(metric: string): EngineError {
  return new EngineError('request.invalid', {
    what: 'The method directLogitAttribution',
    reason: `it takes a sum of logits apart, which ${metric} is not; use logitDifference`,
  });
}
