/**
 * The study of Wang et al. (2022) on any model: how well it names the indirect object, which heads do it (path patching from
 * the logits backward: logits → name movers' queries → S-inhibition values → keys of induction heads), of which class they
 * are, which signals they pass on, and whether the circuit they form is faithful, complete and minimal.
 */
import type { CallOptions } from '../../../shared/engineApi.ts';
import type { IoiStudy, IoiStudyRequest } from '../../../shared/studyApi.ts';
import { floatsOf } from '../../graph/value.ts';
import { batchesByLength } from '../../model/tokenBatches.ts';
import type { Transformer } from '../../model/transformer.ts';
import { seededRandom } from '../../random.ts';
import { metricValue } from '../../task/metric.ts';
import type { TokenPair } from '../../task/task.ts';
import { defaultThresholds } from './classifyHeads.ts';
import { findHeads, measureHeads } from './findHeads.ts';
import { inhibitionSignals, signalVariants } from './inhibitionSignals.ts';
import { requireIoiTask } from './ioiTask.ts';
import { studiedHeads } from './studiedHeads.ts';
import { studyCircuit } from './studyCircuit.ts';
import { requireStudyNumbers, type StudyContext, studyDefaults } from './studyContext.ts';
import { smallestTemplate } from './templateMeans.ts';

/** @throws request.invalid when the task lacks roles or has several answers; cancelled. */
export async function studyIndirectObjects(
  context: StudyContext,
  request: IoiStudyRequest = {},
  call: CallOptions = {},
): Promise<IoiStudy> {
  const { model, task } = context;
  requireIoiTask(task);
  requireStudyNumbers(request);
  const limits = { ...defaultThresholds, ...request.thresholds };
  const random = seededRandom(request.seed ?? 1).fork('indirect objects');
  const behaviour = await measureBehaviour(model, task.pairs, call);
  const { copyPairs, pathPairs } = { ...studyDefaults, ...request };
  const paths = { ...context, task: { ...task, pairs: task.pairs.slice(0, pathPairs) } };
  const measured = await measureHeads(paths, { copyPairs, random }, call);
  const found = await findHeads(paths, measured, limits, call);
  const signals = await inhibitionSignals(
    model,
    paths.task.pairs,
    found.headsOf('sInhibition'),
    random.fork('signals'),
    call,
  );
  const circuit =
    request.circuit === false ? {} : await studyCircuit(context, found, { request, limits, random }, call);
  return {
    task: task.name,
    pairs: task.pairs.length,
    smallestTemplate: smallestTemplate(task.pairs),
    behaviour,
    ...(found.withoutNameMovers !== undefined && { withoutNameMovers: found.withoutNameMovers }),
    thresholds: limits,
    receivers: found.receivers,
    heads: studiedHeads(model.config, measured, found),
    ...(signals && {
      signals: {
        variants: signalVariants.map((variant, i) => ({
          ...variant,
          logitDifference: signals.logitDifferences[i]!,
        })),
        token: signals.token,
        position: signals.position,
        error: signals.error,
        pairs: signals.pairs,
      },
    }),
    ...circuit,
  };
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
