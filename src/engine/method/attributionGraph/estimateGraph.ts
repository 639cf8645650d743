/** Tells beforehand what an attribution graph will take: its targets counted, and a few of them traced for the clock. */
import type { CallOptions } from '../../../shared/callOptions.ts';
import type { SearchEstimate } from '../../../shared/searchEstimate.ts';
import type { Transformer } from '../../model/transformer.ts';
import { type TimedSample, timeWork } from '../timedWork.ts';
import { affordableSources, explainedLogits, type GraphSettings, graphMemory } from './attributionGraph.ts';
import { freezeRun } from './frozenRun.ts';
import { sizeOfSources, sourceHooks } from './graphSources.ts';
import { traceGraph } from './traceGraph.ts';
import type { TranscoderSet } from './transcoderSet.ts';

/** Features that are traced for the clock, in a small and in a wide batch. */
const timed = { few: 4, many: 64 } as const;

/** One run forward; and back, a pass for every logit and feature that is traced. @throws request.invalid when it would not fit into memory; cancelled */
export async function estimateGraph(
  model: Transformer,
  ids: Int32Array,
  set: TranscoderSet,
  settings: GraphSettings,
  { signal }: CallOptions = {},
): Promise<SearchEstimate> {
  const started = performance.now();
  const frozen = await freezeRun(model, ids, sourceHooks(set), signal);
  const logits = explainedLogits(frozen, settings);
  const sources = await affordableSources(frozen, set, { ...settings, logits: logits.length }, signal);
  const once = performance.now() - started;
  const { batch, maxFeatures } = settings;
  const sample = (count: number): TimedSample => {
    const mostFeatures = Math.min(count, sources.features.length);
    const request = { frozen, set, sources, logits: logits.slice(0, 1), mostFeatures, batch };
    return { units: 1 + mostFeatures, run: () => traceGraph(request, { signal }) };
  };
  const { perCall, perUnit } = await timeWork(sample(timed.few), sample(timed.many));
  const targets = logits.length + Math.min(maxFeatures, sources.features.length);
  return {
    forward: 1,
    backward: targets,
    memory: graphMemory(sizeOfSources(sources), targets),
    seconds: Math.max(1e-6, (once + perCall + targets * perUnit) / 1000),
  };
}
