/** What an experiment will take, told before it runs. */

import type { CallOptions } from '../callOptions.ts';
import type { SearchEstimate } from '../searchEstimate.ts';
import { type Experiment, type ExperimentMethod, type MethodKind, methodsOf } from './experiment.ts';
import { edgesRequest, graphRequest, sparseRequest } from './runCircuits.ts';
import { contextOf, type ExperimentPlaces, openModel } from './runExperiment.ts';
import { type MethodContext, requirePairs } from './runMethods.ts';
import { shiftRequest, studyRequest } from './runStudies.ts';
import { ablationOf, featureTarget, pathRequest, sweepTarget } from './runSweeps.ts';

/** What one method will take; `seconds` is absent for methods whose end is not known before. */
export interface MethodEstimate {
  readonly kind: MethodKind;
  readonly seconds?: number;
  /** Interventions; of circuits, prompts that run forward and back. */
  readonly runs?: number;
  /** Bytes beside the model's weights, at most. */
  readonly memory?: number;
  /** As in `SearchEstimate`. */
  readonly bound?: 'atMost';
}

/** One estimate for each method, measured by short runs. @throws as `runExperiment` */
export async function estimateExperiment(
  experiment: Experiment,
  places: ExperimentPlaces,
  call: CallOptions = {},
): Promise<readonly MethodEstimate[]> {
  const model = await openModel(experiment, places, call);
  const context = await contextOf(experiment, model, places, call);
  const estimates: MethodEstimate[] = [];
  for (const method of methodsOf(experiment)) estimates.push(await estimateMethod(context, method));
  return estimates;
}

async function estimateMethod(context: MethodContext, method: ExperimentMethod): Promise<MethodEstimate> {
  const { engine, call, seed } = context;
  const { kind } = method;
  const sweep = async (request: Parameters<typeof engine.estimateSweep>[0]): Promise<MethodEstimate> => {
    const { seconds, runs, memory } = await engine.estimateSweep(request, call);
    return { kind, seconds, runs, memory };
  };
  const search = async (estimate: Promise<SearchEstimate>): Promise<MethodEstimate> => {
    const { seconds, forward, backward, memory, bound } = await estimate;
    return { kind, seconds, runs: forward + backward, memory, ...(bound && { bound }) };
  };
  const base = () => ({
    model: context.model.id,
    pairs: requirePairs(context, method),
    metric: context.metric,
  });
  switch (method.kind) {
    case 'patch':
      return sweep({ ...base(), target: sweepTarget(method), direction: method.direction });
    case 'patchFeatures':
      return sweep({ ...base(), target: await featureTarget(context, method), direction: method.direction });
    case 'ablate':
      return sweep({ ...base(), target: sweepTarget(method), ablation: ablationOf(method, seed) });
    case 'ablateFeatures':
      return sweep({
        ...base(),
        target: await featureTarget(context, method),
        ablation: ablationOf(method, seed),
      });
    case 'patchPaths':
      return sweep(pathRequest(context, method));
    case 'attributeEdges':
      return search(engine.estimateEdges(edgesRequest(context, method), call));
    case 'acdc':
      return search(engine.estimateEdges({ ...base(), method: 'acdc' }, call));
    case 'sparseFeatureCircuit':
      return search(engine.estimateSparseCircuit(await sparseRequest(context, method), call));
    case 'attributionGraph':
      return search(engine.estimateAttributionGraph(await graphRequest(context, method), call));
    case 'indirectObjectStudy': {
      const { seconds } = await engine.estimateIndirectObjects(studyRequest(context, method), call);
      return { kind, seconds };
    }
    case 'shift': {
      const { find, ablate } = await engine.estimateShift(await shiftRequest(context, method), call);
      return {
        kind,
        seconds: find.seconds + ablate.seconds,
        runs: find.forward + find.backward + ablate.forward + ablate.backward,
        memory: Math.max(find.memory, ablate.memory),
      };
    }
    default:
      return { kind };
  }
}
