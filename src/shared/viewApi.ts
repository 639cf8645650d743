/**
 * What each webview can ask of the host, and what it can be told. A view fetches state and is only told
 * that something changed; hidden views lose messages, so a view asks again when it wakes.
 */

import type {
  AttentionPattern,
  AttentionSource,
  Effect,
  LogitLens,
  Prediction,
  PromptComparison,
  ResidualAttribution,
} from './analysis.ts';
import type { FeatureAttribution } from './attributionApi.ts';
import type {
  Contrast,
  FeatureInfo,
  FeatureRef,
  ModelInfo,
  Provenance,
  SaeId,
  SaeInfo,
  TokenStrip,
} from './domain.ts';
import type { CallOptions } from './engineApi.ts';

/** What a view shows when it has nothing to draw: why, and the one command that helps. */
export interface ViewMessage {
  readonly kind: 'empty' | 'loading' | 'error';
  readonly text: string;
  /** A command the user can run from here, e.g. "Inspect Document". */
  readonly action?: { readonly title: string; readonly command: ViewCommand };
}

/** The commands a webview may ask the host to run; anything else is refused. */
export type ViewCommand =
  | 'inspectDocument'
  | 'findCircuit'
  | 'attributionGraph'
  | 'studyIndirectObjects'
  | 'setContrast'
  | 'comparePrompts'
  | 'sweepPatches'
  | 'runShift'
  | 'reopenAsText'
  | 'chooseModel'
  | 'chooseSae'
  | 'chooseBos'
  | 'followSaeBos'
  | 'restartEngine'
  | 'showLog'
  | 'ablateHead'
  | 'ablateMlp'
  | 'patchFromPrompt'
  | 'clearInterventions'
  | 'undoIntervention'
  | 'redoIntervention';

/** Heat of one feature on every token, or of each token's strongest feature. */
export interface TokenHeat {
  readonly kind: 'pinned' | 'strongest';
  readonly title: string;
  /** `[position]`, in the SAE's units; 0 where nothing is active. */
  readonly values: Float32Array;
  /** The value that gets full colour. */
  readonly max: number;
}

/** A feature as it stands on the selected token. */
export interface ActiveFeature extends FeatureInfo {
  readonly activation: number;
  readonly pinned: boolean;
}

/** How the chosen SAE is read, and the one command that helps when it is not read right. */
export interface SaeNote {
  readonly text: string;
  readonly isWarning: boolean;
  readonly action?: { readonly title: string; readonly command: ViewCommand };
}

/** Everything the token panel draws. */
export interface TokensState {
  readonly message?: ViewMessage;
  /** True while a newer text is being computed; what is shown is of the text before. */
  readonly computing: boolean;
  readonly title: string;
  readonly model?: ModelInfo;
  readonly saes: readonly SaeInfo[];
  readonly sae?: SaeInfo;
  /** How the SAE is read, as far as that is worth knowing beside its name; a warning when it is not read right. */
  readonly saeNote?: SaeNote;
  readonly run?: string;
  readonly strip?: TokenStrip;
  readonly heat?: TokenHeat;
  readonly probabilities?: Float32Array;
  /** Selected position, −1 when there is none. */
  readonly selected: number;
  readonly selectedFeature?: FeatureRef;
  readonly pinned: readonly FeatureInfo[];
  /** Strongest features of the selected token. */
  readonly features: readonly ActiveFeature[];
  /** What the model says after the selected token. */
  readonly predictions: readonly Prediction[];
  readonly attention?: AttentionSource;
  readonly contrast?: Contrast;
  readonly contrastValue?: number;
  readonly interventions: number;
  readonly effect?: Effect;
  readonly comparison?: PromptComparison;
  readonly milliseconds?: number;
  readonly reused?: number;
  readonly provenance?: Provenance;
  /** A head whose attention another panel wants seen; each wish has a number of its own. */
  readonly headWish?: HeadWish;
}

/** The wish to see a head's attention. */
export interface HeadWish {
  readonly layer: number;
  readonly head: number;
  readonly number: number;
}

/** The token panel's questions and wishes. */
export interface TokensViewApi {
  state(request: Record<string, never>, options?: CallOptions): Promise<TokensState>;
  selectToken(request: { readonly position: number; readonly reveal: boolean }): Promise<void>;
  selectFeature(request: { readonly feature?: FeatureRef }): Promise<void>;
  pinFeature(request: { readonly feature: FeatureRef; readonly pinned: boolean }): Promise<void>;
  chooseSae(request: { readonly sae: SaeId }): Promise<void>;
  featureInfo(request: { readonly feature: FeatureRef }, options?: CallOptions): Promise<FeatureInfo>;
  ablateFeature(request: { readonly feature: FeatureRef }): Promise<void>;
  ablateHead(request: { readonly layer: number; readonly head: number }): Promise<void>;
  steerFeature(request: { readonly feature: FeatureRef; readonly amount?: number }): Promise<void>;
  copyFeature(request: { readonly feature: FeatureRef }): Promise<void>;
  logitLens(request: Record<string, never>, options?: CallOptions): Promise<LogitLens>;
  attentionPattern(request: { readonly layer: number }, options?: CallOptions): Promise<AttentionPattern>;
  residualAttribution(
    request: { readonly position: number },
    options?: CallOptions,
  ): Promise<ResidualAttribution>;
  /** The same contrast by the features of the SAE that is chosen. */
  featureAttribution(
    request: { readonly position: number; readonly sae: SaeId },
    options?: CallOptions,
  ): Promise<FeatureAttribution>;
  runCommand(request: { readonly command: ViewCommand }): Promise<void>;
}

/** Notifications from the host: state must be asked for again; a selection moved and nothing else did. */
export interface ViewEvents {
  readonly changed: Record<string, never>;
  readonly selectionChanged: { readonly position: number };
}

/** Name of the JSON-RPC notification for each event. */
export const viewEvents: { readonly [E in keyof ViewEvents]: string } = {
  changed: 'view/changed',
  selectionChanged: 'view/selectionChanged',
};
