/** What the SHIFT panel can ask of the host. */

import type { CallOptions } from './callOptions.ts';
import type { FeatureRef, Progress } from './domain.ts';
import type { ShiftAccuracy, ShiftFeature, ShiftOutcome } from './shiftApi.ts';
import type { ViewCommand, ViewMessage } from './viewApi.ts';

/** Everything but the features, which are many: those are asked for once for each `number`. */
export interface ShiftState {
  readonly message?: ViewMessage;
  readonly model?: string;
  /** Says that another model is open than the one that was looked at, and what helps. */
  readonly elsewhere?: Pick<ViewMessage, 'text' | 'action'>;
  readonly professions?: readonly [string, string];
  /** What the classifier reads. */
  readonly hook?: string;
  readonly biographies?: number;
  /** Under way: looking for features, or ablating them. */
  readonly running?: { readonly work: 'finding' | 'ablating'; readonly progress?: Progress };
  /** Why the last work ended, when it did not succeed. */
  readonly failure?: string;
  readonly before?: ShiftAccuracy;
  /** Changes when other features were found, or their labels changed. */
  readonly number: number;
  /** Keys of the features that are marked as unintended; see `shiftKey`. */
  readonly marked: readonly string[];
  readonly outcome?: ShiftOutcome;
}

export interface ShiftViewApi {
  state(request: Record<string, never>, options?: CallOptions): Promise<ShiftState>;
  features(request: Record<string, never>, options?: CallOptions): Promise<readonly ShiftFeature[]>;
  /** Marks exactly these. */
  mark(request: { readonly keys: readonly string[] }): Promise<void>;
  /** Ablates what is marked, and trains again. */
  ablate(request: Record<string, never>): Promise<void>;
  cancel(request: Record<string, never>): Promise<void>;
  /** Asks what to look at and begins anew. */
  start(request: Record<string, never>): Promise<void>;
  labelFeature(request: { readonly feature: FeatureRef }): Promise<void>;
  copyFeature(request: { readonly feature: FeatureRef }): Promise<void>;
  runCommand(request: { readonly command: ViewCommand }): Promise<void>;
}

/** Names a feature among those of several SAEs. */
export function shiftKey({ sae, index }: FeatureRef): string {
  return `${sae}:${index}`;
}
