/** What the study panel can ask of the host. The host keeps the study, finished or not. */
import type { CallOptions } from './callOptions.ts';
import type { Progress } from './domain.ts';
import type { StudyHead, StudySoFar, StudyStage } from './study.ts';
import type { ViewCommand, ViewMessage } from './viewApi.ts';

/** `stopped`: cancelled, or interrupted by the end of the session or of the engine; it can go on. */
export type StudyStatus = 'running' | 'stopped' | 'done';

/** A study as it is listed. */
export interface StudyRow {
  readonly id: string;
  readonly title: string;
  readonly status: StudyStatus;
}

/** Everything the study panel draws. */
export interface StudyState {
  /** Why there is nothing to draw. */
  readonly message?: ViewMessage;
  /** The study that is shown. */
  readonly id?: string;
  /** All studies that are kept, newest first. */
  readonly history?: readonly StudyRow[];
  /** Says that another model is open than the one that was studied, and what helps. */
  readonly elsewhere?: Pick<ViewMessage, 'text' | 'action'>;
  /** The model's name. */
  readonly model?: string;
  /** What the pairs are, in words: `640 generated pairs`. */
  readonly source?: string;
  readonly status?: StudyStatus;
  /** What ended a study before its time, in words. */
  readonly failure?: string;
  readonly study?: StudySoFar;
  readonly finished: readonly StudyStage[];
  /** The stages that this study has; without a circuit there are fewer. */
  readonly stages: readonly StudyStage[];
  /** Of the step that is under way. */
  readonly progress?: Progress;
  /** Seconds that the whole was estimated to take. */
  readonly estimate?: number;
}

/** The study panel's questions and wishes. */
export interface StudyViewApi {
  state(request: Record<string, never>, options?: CallOptions): Promise<StudyState>;
  /** Asks what to study, as the command does. */
  start(request: Record<string, never>): Promise<void>;
  /** Goes on where the study was stopped. */
  resume(request: Record<string, never>): Promise<void>;
  cancel(request: Record<string, never>): Promise<void>;
  /** Shows another study that is kept. */
  choose(request: { readonly id: string }): Promise<void>;
  /** Asks where to, and writes the report as Markdown with its numbers as JSON beside it. */
  saveReport(request: Record<string, never>): Promise<void>;
  /** Writes the circuit as a file and opens it in the circuit panel. */
  openCircuit(request: Record<string, never>): Promise<void>;
  /** Shows the head's attention on the inspected prompt. */
  showHead(request: StudyHead): Promise<void>;
  ablateHead(request: StudyHead): Promise<void>;
  runCommand(request: { readonly command: ViewCommand }): Promise<void>;
}
