/**
 * The study of Wang et al. (2022) on any model: how well it names the indirect object, which heads do it (path patching from
 * the logits backward: logits → name movers' queries → S-inhibition values → keys of induction heads), of which class they
 * are, which signals they pass on, and whether the circuit they form is faithful, complete and minimal.
 */

import type { CallOptions } from '../../../shared/engineApi.ts';
import { methodDefaults } from '../../../shared/methodDefaults.ts';
import type {
  IoiStudy,
  IoiStudyRequest,
  IoiThresholds,
  StudyParts,
  StudyProvenance,
  StudySignals,
  StudySoFar,
} from '../../../shared/study.ts';
import { studyDoubts } from '../../../shared/studyDoubts.ts';
import { floatsOf } from '../../graph/value.ts';
import { batchesByLength } from '../../model/tokenBatches.ts';
import type { Transformer } from '../../model/transformer.ts';
import { seededRandom } from '../../random.ts';
import { metricValue } from '../../task/metric.ts';
import type { TokenPair } from '../../task/task.ts';
import { defaultThresholds } from './classifyHeads.ts';
import { findHeads, measureHeads } from './findHeads.ts';
import { type InhibitionSignals, inhibitionSignals, signalVariants } from './inhibitionSignals.ts';
import { requireIoiTask } from './ioiTask.ts';
import { readHeads } from './readHeads.ts';
import { studiedHeads } from './studiedHeads.ts';
import { studiedCircuit, studyCircuit } from './studyCircuit.ts';
import { requireStudyNumbers, type StudyContext, studyDefaults } from './studyContext.ts';
import { StudyStages, studyKey } from './studyStages.ts';
import { smallestTemplate } from './templateMeans.ts';

export type StudyRequest = IoiStudyRequest & {
  /** Of the same study, stopped before: what it measured is not measured again. */
  readonly known?: StudyParts;
  readonly provenance?: StudyProvenance;
};

/**
 * Whatever a stage finds is told with the progress, so that a study that was stopped can go on from there.
 * @throws request.invalid when the task lacks roles or has several answers; cancelled.
 */
export async function studyIndirectObjects(
  context: StudyContext,
  request: StudyRequest = {},
  call: CallOptions = {},
): Promise<IoiStudy> {
  const { model, task } = context;
  requireIoiTask(task);
  requireStudyNumbers(request);
  const {
    known,
    provenance,
    thresholds,
    seed = methodDefaults.seed,
    ...counts
  } = { ...studyDefaults, ...request };
  const limits = { ...defaultThresholds, ...thresholds };
  const random = seededRandom(seed).fork('indirect objects');
  const describe = (parts: StudyParts) => studySoFar(context, { limits, provenance }, parts);
  const key = studyKey(context, { limits, numbers: { ...asked(counts), seed } });
  const stages = new StudyStages(key, known, describe, call);
  await stages.run('behaviour', () => measureBehaviour(model, task.pairs, call));
  const { copyPairs, pathPairs } = counts;
  const paths = { ...context, task: { ...task, pairs: task.pairs.slice(0, pathPairs) } };
  await measureHeads(paths, { copyPairs, random }, stages, call);
  const { classes, sInhibition } = await findHeads(paths, limits, stages, call);
  if (!stages.parts.signals) {
    const { pairs } = paths.task;
    const found = await inhibitionSignals(model, pairs, sInhibition, random.fork('signals'), call);
    if (found) stages.keep('signals', describeSignals(found));
  }
  if (request.circuit !== false)
    await studyCircuit(context, { classes, request, limits, random }, stages, call);
  // Every part is there: the study so far is the study.
  return describe(stages.parts) as IoiStudy;
}

/** The counts of a request that a study depends on. */
function asked({
  pathPairs,
  circuitPairs,
  copyPairs,
  randomSets,
  greedy,
  circuit = true,
}: IoiStudyRequest): Record<string, unknown> {
  const { runs, steps, candidates } = greedy ?? studyDefaults.greedy;
  return { pathPairs, circuitPairs, copyPairs, randomSets, greedy: [runs, steps, candidates], circuit };
}

function studySoFar(
  { model, task }: StudyContext,
  { limits, provenance }: { readonly limits: IoiThresholds; readonly provenance?: StudyProvenance },
  parts: StudyParts,
): StudySoFar {
  const { classes, receivers } = readHeads(model.config, parts, limits);
  const heads = studiedHeads(model.config, parts, classes);
  const doubts = parts.behaviour ? studyDoubts(parts.behaviour) : [];
  return {
    ...(provenance && { provenance }),
    task: task.name,
    pairs: task.pairs.length,
    smallestTemplate: smallestTemplate(task.pairs),
    thresholds: limits,
    ...(parts.behaviour && { behaviour: parts.behaviour }),
    ...(doubts.length > 0 && { doubts }),
    ...(parts.knockedOut && { withoutNameMovers: parts.knockedOut.logitDifference }),
    receivers,
    ...(heads && { heads }),
    ...(parts.signals && { signals: parts.signals }),
    ...studiedCircuit(model.config, parts, classes),
  };
}

function describeSignals({
  logitDifferences,
  token,
  position,
  error,
  pairs,
}: InhibitionSignals): StudySignals {
  const variants = signalVariants.map((variant, i) => ({
    ...variant,
    logitDifference: logitDifferences[i]!,
  }));
  return { variants, token, position, error, pairs };
}

async function measureBehaviour(
  model: Transformer,
  pairs: readonly TokenPair[],
  { signal, report }: CallOptions,
): Promise<IoiStudy['behaviour']> {
  const { dVocab } = model.config;
  const sums = { logitDifference: 0, accuracy: 0, probability: 0, corruptedLogitDifference: 0 };
  let done = 0;
  for (const which of ['clean', 'corrupted'] as const) {
    const prompts = pairs.map((pair) => pair[which]);
    for (const { tokens, places } of batchesByLength(prompts, 64)) {
      const logits = floatsOf((await model.run({ tokens, logits: 'last', signal })).logits!);
      places.forEach((place, row) => {
        const own = logits.subarray(row * dVocab, (row + 1) * dVocab);
        const value = (metric: 'logitDifference' | 'accuracy' | 'probability') =>
          metricValue(metric, own, pairs[place]!);
        if (which === 'corrupted') {
          sums.corruptedLogitDifference += value('logitDifference');
          return;
        }
        for (const metric of ['logitDifference', 'accuracy', 'probability'] as const)
          sums[metric] += value(metric);
      });
      done += places.length;
      report?.({ done, total: 2 * pairs.length, what: 'Measuring the behaviour' });
    }
  }
  const { logitDifference, accuracy, probability, corruptedLogitDifference } = sums;
  return {
    logitDifference: logitDifference / pairs.length,
    accuracy: accuracy / pairs.length,
    probability: probability / pairs.length,
    corruptedLogitDifference: corruptedLogitDifference / pairs.length,
  };
}
