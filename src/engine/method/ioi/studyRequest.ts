/** The study as the engine is asked for it: finds the task of the request in the tokens of an open model. */

import type { CallOptions } from '../../../shared/engineApi.ts';
import { methodDefaults } from '../../../shared/methodDefaults.ts';
import type { IndirectObjectsRequest, IoiStudy, StudyEstimate } from '../../../shared/studyApi.ts';
import type { LoadedModel } from '../../loadedModel.ts';
import { loadTask } from '../../task/loadTask.ts';
import { estimateStudy } from './estimateStudy.ts';
import type { StudyContext } from './studyContext.ts';
import { studyIndirectObjects } from './studyIndirectObjects.ts';

/** @throws as `loadTask` and `studyIndirectObjects` */
export async function requestedStudy(
  loaded: LoadedModel,
  request: IndirectObjectsRequest,
  version: string,
  call: CallOptions,
): Promise<IoiStudy> {
  const { name, hash, bos, precision } = loaded.info;
  const provenance = {
    version,
    model: { name, hash },
    bos,
    precision,
    seed: request.seed ?? methodDefaults.seed,
  };
  const context = await contextOf(loaded, request, call.signal);
  return studyIndirectObjects(context, { ...request, provenance }, call);
}

/** @throws as `loadTask` and `estimateStudy` */
export async function requestedEstimate(
  loaded: LoadedModel,
  request: IndirectObjectsRequest,
  call: CallOptions,
): Promise<StudyEstimate> {
  return estimateStudy(await contextOf(loaded, request, call.signal), request, call);
}

async function contextOf(
  loaded: LoadedModel,
  { task: source }: IndirectObjectsRequest,
  signal?: AbortSignal,
): Promise<StudyContext> {
  const { transformer: model, tokenizer, bos, info } = loaded;
  const { task } = await loadTask(source, loaded, signal);
  return { model, tokenizer, task, identity: info.hash, ...(bos !== undefined && { bos }) };
}
