/** Labels of features: imported from the field's public exports, searched by text, merged with the user's own. */
import type { CallOptions } from './callOptions.ts';
import type { FeatureRef, ModelId, SaeId } from './domain.ts';

/** A label and where it comes from. */
export interface FeatureLabel {
  /** The source of features as Neuronpedia names it (`gpt2-small/8-res-jb`), or the SAE's own id. */
  readonly source: string;
  readonly index: number;
  readonly text: string;
  /** Who said so, for people: `Neuronpedia · gpt-4o-mini`, `yours`, `Fovea`. */
  readonly origin: string;
}

/** A label found by text, on a feature that is open now when `feature` is there. */
export interface FoundLabel extends FeatureLabel {
  readonly feature?: FeatureRef;
}

export interface LabelImport {
  readonly source: string;
  readonly labels: number;
  /** Lines that were left out because they are damaged. */
  readonly skipped: number;
}

export interface LabelApi {
  /** Reads exports (`.jsonl`, `.jsonl.gz`, or a JSON answer of the API) or folders of them into the local index. */
  importLabels(
    request: { readonly paths: readonly string[]; readonly source?: string },
    options?: CallOptions,
  ): Promise<readonly LabelImport[]>;
  /** Asks Neuronpedia for the labels of these features; only ever called because the user asked. Batched, rate-limited. */
  fetchLabels(
    request: {
      readonly source: string;
      readonly indices: readonly number[];
      readonly endpoint?: string;
      readonly key?: string;
    },
    options?: CallOptions,
  ): Promise<LabelImport>;
  /** Features whose label speaks of `text`, best first: every word counts, prefixes too. */
  searchLabels(
    request: {
      readonly text: string;
      readonly model: ModelId;
      /** SAEs that are listed now: their labels come first. */
      readonly saes: readonly SaeId[];
      readonly limit: number;
    },
    options?: CallOptions,
  ): Promise<readonly FoundLabel[]>;
  /** The user's own labels; they stand before all others. Replaces what was told before. */
  setUserLabels(request: { readonly labels: readonly FeatureLabel[] }, options?: CallOptions): Promise<void>;
  /** What the local index holds. */
  labelSources(
    request: Record<string, never>,
    options?: CallOptions,
  ): Promise<readonly { readonly source: string; readonly labels: number; readonly origin: string }[]>;
}

export const labelMethods: { readonly [M in keyof LabelApi]: true } = {
  importLabels: true,
  fetchLabels: true,
  searchLabels: true,
  setUserLabels: true,
  labelSources: true,
};
