/** SHIFT (Marks et al. 2024, §4): taking unintended signals out of a classifier by ablating the features that carry them. */
import type { CallOptions } from './callOptions.ts';
import type { FeatureInfo, FeatureRef, ModelId, Provenance, SaeId } from './domain.ts';
import type { SearchEstimate } from './searchEstimate.ts';

/** Biographies to train and to test on, and features to judge, when a request does not say. */
export const shiftDefaults = { trainCount: 500, testCount: 400, maxFeatures: 300 } as const;

export interface ShiftRequest {
  readonly model: ModelId;
  /** SAEs whose features may be ablated: those below the layer that the classifier reads, or at it. */
  readonly saes: readonly SaeId[];
  /** Hook whose mean over positions the classifier reads; the stream after the middle layer when left out. */
  readonly hook?: string;
  /** Two professions of the biographies task; the task's first two when left out. */
  readonly professions?: readonly [string, string];
  /** Biographies to train and to test on; `shiftDefaults` when left out. */
  readonly trainCount?: number;
  readonly testCount?: number;
  /** Features offered for judgement, the strongest first; `shiftDefaults` when left out. */
  readonly maxFeatures?: number;
  /**
   * What ablated features are set to: their mean over the confounded biographies (when left out), or zero as in the paper.
   * Zero moves all answers to one side when the features of one gender are stronger than those of the other; the mean
   * leaves the mean logit where it was.
   */
  readonly ablateTo?: 'mean' | 'zero';
  readonly seed: number;
}

/** Shares of right answers on biographies in which profession and gender are independent. */
export interface ShiftAccuracy {
  readonly profession: number;
  /** How often the answer agrees with the gender that went with it in training: 0.5 when the classifier does not see it. */
  readonly gender: number;
  /** Accuracy in the worst of the four groups. */
  readonly worstGroup: number;
  readonly groups: readonly {
    readonly profession: string;
    readonly gender: string;
    readonly accuracy: number;
  }[];
}

/** A feature the classifier uses. */
export interface ShiftFeature {
  readonly feature: FeatureRef;
  readonly hook: string;
  readonly info: FeatureInfo;
  /**
   * How much the feature pushes the classifier towards a biography's own label: integrated-gradient effect on the logit
   * (zero patch, summed over positions), mean over biographies. Negative when it pushes the other way.
   */
  readonly effect: number;
  /** How well the feature alone tells gender and profession on biographies where they are independent (|AUC − ½| · 2). */
  readonly tellsGender: number;
  readonly tellsProfession: number;
  /** What the generator knows: the feature tells gender and not profession. For the benchmark, not for the judgement. */
  readonly isGender: boolean;
  /** Texts in which it is strongest, and the activation by token. */
  readonly examples: readonly FeatureExample[];
}

/** A stretch of text around a feature's maximum. */
export interface FeatureExample {
  readonly tokens: readonly string[];
  /** `[token]` */
  readonly activations: readonly number[];
}

export interface ShiftFindings {
  readonly professions: readonly [string, string];
  readonly hook: string;
  /** The classifier that was trained on biographies where gender gives the profession away. */
  readonly before: ShiftAccuracy;
  /** Strongest effect first. */
  readonly features: readonly ShiftFeature[];
  readonly provenance: Provenance;
}

/** The rows of the paper's table 2. Skylines and random draws ablate as many features, or neurons, as SHIFT does. */
export interface ShiftOutcome {
  /** "Original". */
  readonly before: ShiftAccuracy;
  /** "SHIFT": the same classifier with the features ablated. */
  readonly after: ShiftAccuracy;
  /** "SHIFT + retrain": trained again on the same biographies with the features ablated. */
  readonly retrained: ShiftAccuracy;
  readonly baselines: {
    /** A classifier on cosines with the directions of concept words. */
    readonly conceptBottleneck: ShiftAccuracy;
    /** Features drawn by chance among all others that are active. */
    readonly random: { readonly mean: ShiftAccuracy; readonly draws: readonly ShiftAccuracy[] };
    /** Features that push the classifier towards a balanced biography's gender most, on the mean. */
    readonly featureSkyline: ShiftAccuracy;
    /** Neurons of the same sites that do so most, set to their mean. */
    readonly neuronSkyline: ShiftAccuracy;
    /** Trained on balanced biographies. */
    readonly oracle: ShiftAccuracy;
  };
  readonly ablated: readonly FeatureRef[];
  readonly provenance: Provenance;
}

/** What the two halves will take, measured by short runs and reckoned up. */
export interface ShiftEstimate {
  /** Training the classifier and finding its features. */
  readonly find: SearchEstimate;
  /** Ablating features, training again, and all that is compared; less when other features are ablated afterwards. */
  readonly ablate: SearchEstimate;
}

export interface ShiftApi {
  /** Tells beforehand what SHIFT will take. */
  estimateShift(request: ShiftRequest, options?: CallOptions): Promise<ShiftEstimate>;
  /** Trains the confounded classifier and finds the features it uses. */
  findShiftFeatures(request: ShiftRequest, options?: CallOptions): Promise<ShiftFindings>;
  /** Ablates features, trains again, and compares with the baselines. `benchmark` ablates those with `isGender`. */
  applyShift(
    request: ShiftRequest & { readonly ablate: readonly FeatureRef[] | 'benchmark' },
    options?: CallOptions,
  ): Promise<ShiftOutcome>;
  /** The stretches of text where features are strongest: in the built-in generator's texts, or in given files. */
  featureExamples(
    request: {
      readonly model: ModelId;
      readonly features: readonly FeatureRef[];
      readonly count: number;
      readonly files?: readonly string[];
    },
    options?: CallOptions,
  ): Promise<readonly (readonly FeatureExample[])[]>;
}

export const shiftMethods: { readonly [M in keyof ShiftApi]: true } = {
  estimateShift: true,
  findShiftFeatures: true,
  applyShift: true,
  featureExamples: true,
};
