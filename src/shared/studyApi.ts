/** The study of indirect objects (Wang et al. 2022): how it is asked for. */
import type { CallOptions } from './callOptions.ts';
import type { ModelId } from './domain.ts';
import type { IoiStudy, IoiStudyRequest, StudyParts } from './study.ts';
import type { TaskSource } from './task.ts';

export type {
  IoiHeadClass,
  IoiStudy,
  IoiStudyRequest,
  IoiThresholds,
  StudiedCircuit,
  StudiedHead,
  StudyHead,
  StudyNode,
  StudyRemoval,
  StudySignals,
} from './study.ts';

/** Before it starts: how many tokens run through how much of the model, and roughly how long that takes. */
export interface StudyEstimate {
  /** Tokens that go through the whole model, or as many as cost the same. */
  readonly tokens: number;
  readonly seconds: number;
  /** Bytes beside the model's weights, roughly. */
  readonly bytes: number;
}

export type IndirectObjectsRequest = IoiStudyRequest & {
  readonly model: ModelId;
  readonly task: TaskSource;
  /** What an earlier study had measured when it was stopped, to go on from; of another study it is left aside. */
  readonly known?: StudyParts;
};

export interface StudyApi {
  /** Runs the study; long on large models. What is found comes with the progress (`Progress.study`). */
  studyIndirectObjects(request: IndirectObjectsRequest, options?: CallOptions): Promise<IoiStudy>;
  /** What the study would take, measured by a short run. */
  estimateIndirectObjects(request: IndirectObjectsRequest, options?: CallOptions): Promise<StudyEstimate>;
}

export const studyMethods: { readonly [M in keyof StudyApi]: true } = {
  studyIndirectObjects: true,
  estimateIndirectObjects: true,
};
