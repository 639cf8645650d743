/** What can be asked about SAEs: whether they are read right, which public releases there are, and exports. */
import type { CallOptions } from './callOptions.ts';
import type { HookName, ModelId, SaeId } from './domain.ts';
import type { NamedFiles } from './hubApi.ts';
import type { SaeCheck, SaeConvention } from './saeCheck.ts';

/** One SAE of a public release. */
export interface ReleasedSae {
  readonly release: string;
  readonly id: string;
  /** Hub repository. */
  readonly repo: string;
  /** What of the repository it is made of. Its `SaeId` is the folder in the hub's cache, with `part`. */
  readonly files: NamedFiles;
  /** Name of its file, in a folder that may hold several SAEs. */
  readonly part?: string;
  /** Why it cannot be opened. */
  readonly problem?: string;
  readonly hook?: HookName;
  readonly l0?: number;
  readonly neuronpediaId?: string;
  /** What the release says beyond the files: applied whenever this SAE is opened from the cache. */
  readonly convention?: SaeConvention;
}

/** A public release of SAEs for one model. */
export interface SaeRelease {
  readonly release: string;
  /** The model as the release names it, such as `gpt2-small`. */
  readonly model: string;
  readonly repo: string;
  readonly saes: readonly ReleasedSae[];
}

export interface SaeApi {
  /**
   * Measures how well the SAE reconstructs on about 512 tokens of `text` (built-in text when left out; `textName` is
   * what people call it), and tries other conventions.
   */
  checkSae(
    request: {
      readonly model: ModelId;
      readonly sae: SaeId;
      readonly text?: string;
      readonly textName?: string;
    },
    options?: CallOptions,
  ): Promise<SaeCheck>;
  /**
   * Reads the SAE by `convention` from now on (an empty one: as declared). Told again after the engine restarts.
   * `check`, measured under this convention in an earlier session, goes on into `SaeInfo` and provenance.
   */
  configureSae(
    request: { readonly sae: SaeId; readonly convention: SaeConvention; readonly check?: SaeCheck },
    options?: CallOptions,
  ): Promise<void>;
  /** Public releases for the model, best match first; from an index that Fovea carries, nothing is asked of the network. */
  listReleases(request: { readonly model: ModelId }, options?: CallOptions): Promise<readonly SaeRelease[]>;
  /** Writes the SAE as another library reads it. */
  exportSae(
    request: {
      readonly sae: SaeId;
      readonly model: ModelId;
      readonly format: 'SAELens' | 'dictionary_learning';
      readonly out: string;
    },
    options?: CallOptions,
  ): Promise<void>;
}

export const saeMethods: { readonly [M in keyof SaeApi]: true } = {
  checkSae: true,
  configureSae: true,
  listReleases: true,
  exportSae: true,
};
