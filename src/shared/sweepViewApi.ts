/** What the sweep panel can ask of the host: a sweep that is planned, fills, stops, goes on, and leads back to the text. */

import type { CallOptions } from './callOptions.ts';
import type {
  AblateSweepRequest,
  PatchSweepRequest,
  PathPatchRequest,
  SweepEstimate,
  SweepOutline,
} from './patchingApi.ts';
import type { TaskMetric } from './task.ts';
import type { ViewCommand, ViewMessage } from './viewApi.ts';

type Asked<Request> = Omit<Request, 'model' | 'known'>;

/** What a sweep is about; the model is the one that was open when it was planned. */
export type SweepQuestion =
  | ({ readonly method: 'patch' } & Asked<PatchSweepRequest>)
  | ({ readonly method: 'ablate' } & Asked<AblateSweepRequest>)
  | ({ readonly method: 'path' } & Asked<PathPatchRequest>);

/**
 * `estimating`: a few cells are timed. `ready`: nothing has run yet. `stopped`: it was cancelled, or the window was
 * closed; its cells stay. `failed`: an error ended it; its cells stay.
 */
export type SweepStatus = 'estimating' | 'ready' | 'running' | 'stopped' | 'done' | 'failed';

/** A sweep as it is listed. */
export interface SweepRow {
  readonly id: string;
  readonly title: string;
  readonly status: SweepStatus;
  /** What tells it from others of the same title: its prompts, or when it was asked for. */
  readonly detail?: string;
  /** Share of the interventions that were run, 0 to 1. */
  readonly share: number;
  /** Whether it can be subtracted from the sweep that is shown: same cells, scale, metric, model and prompts. */
  readonly comparable: boolean;
}

/** A sweep as it is drawn. */
export interface SweepView extends SweepRow {
  readonly question: SweepQuestion;
  /** The prompts in a few words, or the task's file. */
  readonly subject: string;
  readonly model: string;
  /** Says that another model is open than the one that was swept, and what helps. */
  readonly elsewhere?: Pick<ViewMessage, 'text' | 'action'>;
  readonly outline?: SweepOutline;
  /** Interventions that were run, of those that are to be: cells that cannot change anything need none. */
  readonly runs: { readonly done: number; readonly total: number };
  /** Pairs of the task's file, when some of them cannot be used. */
  readonly pairsOfFile?: number;
  readonly estimate?: SweepEstimate;
  /** By cell, see `SweepGrid.values`; NaN where nothing is known. */
  readonly values: Float32Array;
  /** Mean metric by cell. */
  readonly raw: Float32Array;
  /** Pairs behind each cell; a cell is done when these are all. */
  readonly pairs: Int32Array;
  /** Seconds until it is done; absent when it does not run. */
  readonly remaining?: number;
  /** Why it failed, in words. */
  readonly error?: string;
  /** Labels of the features along its axis, as far as they are known. */
  readonly labels?: Readonly<Record<number, string>>;
  /** Another sweep of the same cells, whose effects are subtracted from this one's. */
  readonly other?: OtherSweep;
}

/** What a sweep is compared with. */
export interface OtherSweep {
  readonly id: string;
  readonly title: string;
  readonly values: Float32Array;
  /** The value of a cell that changes nothing, see `restingValue`. */
  readonly resting: number;
}

/** Everything the sweep panel draws. */
export interface SweepState {
  readonly message?: ViewMessage;
  readonly sweep?: SweepView;
  /** All sweeps that are kept, newest first. */
  readonly history: readonly SweepRow[];
}

/** What can be done with a cell beside showing its token. */
export type CellAction = 'clean' | 'corrupted' | 'attention' | 'feature' | 'ablate' | 'patch' | 'copy';

/** The sweep panel's questions and wishes. */
export interface SweepViewApi {
  state(request: Record<string, never>, options?: CallOptions): Promise<SweepState>;
  /** Starts the sweep, or goes on with it. */
  run(request: Record<string, never>): Promise<void>;
  cancel(request: Record<string, never>): Promise<void>;
  /** Asks for another sweep of the same prompts. */
  change(request: Record<string, never>): Promise<void>;
  /** Plans the same sweep with another metric or direction. */
  again(request: {
    readonly metric?: TaskMetric;
    readonly direction?: 'denoising' | 'noising';
  }): Promise<void>;
  choose(request: { readonly id: string }): Promise<void>;
  remove(request: { readonly id: string }): Promise<void>;
  /** Shows the difference from another sweep of the same cells; from none without an id. */
  compare(request: { readonly id?: string }): Promise<void>;
  /** Shows the cell's token in the editor. */
  revealCell(request: { readonly cell: number }): Promise<void>;
  actOnCell(request: { readonly cell: number; readonly action: CellAction }): Promise<void>;
  exportSweep(request: { readonly kind: 'csv' | 'json' | 'svg'; readonly svg?: string }): Promise<void>;
  runCommand(request: { readonly command: ViewCommand }): Promise<void>;
}
