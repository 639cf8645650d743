/** Where models and SAEs come from: folders, the Hugging Face cache, and the hub. Only `planDownload` and `download` go online. */
import type { CallOptions } from './callOptions.ts';

/** A model that lies on this machine. */
export interface LocalModel {
  /** What `openModel` takes: a folder or a `.gguf` file. */
  readonly path: string;
  /** `owner/name` for one of the Hugging Face cache, else the folder's or file's name. */
  readonly name: string;
  readonly source: 'cache' | 'folder' | 'gguf';
  /** The commit of a cached snapshot. */
  readonly commit?: string;
  /** Bytes of its weights. */
  readonly bytes: number;
  /** The family as its config names it. */
  readonly family?: string;
  /** Why it cannot be opened, as far as can be told without reading its weights. */
  readonly problem?: string;
}

/** A repository of the hub, and what is wanted of it. */
export interface HubRequest {
  /** `owner/name`. */
  readonly repo: string;
  /** Branch, tag or commit; `main` when left out. It is resolved to a commit before anything is fetched. */
  readonly revision?: string;
  readonly what: HubPart;
  /** Address of the hub or of a mirror; when left out HF_ENDPOINT, else `https://huggingface.co`. */
  readonly endpoint?: string;
  /** When left out, HF_TOKEN or the file that `hf auth login` writes, for the endpoint they are meant for. */
  readonly token?: string;
}

/**
 * Part of a repository. `model`: config, tokenizer and safetensors. `folder`: everything of an SAE that lies below it.
 * `file`: one file, such as a GGUF model, with the config beside it. `files`: those named, which together make
 * something in `folder`, with at least one of `anyOf` and what there is of `optional`; all paths are inside the repository.
 */
export type HubPart =
  | { readonly kind: 'model' }
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'file'; readonly path: string }
  | NamedFiles;

/** Files of a repository that belong together. */
export interface NamedFiles {
  readonly kind: 'files';
  /** The folder that is opened; empty for the repository itself. */
  readonly folder: string;
  readonly files: readonly string[];
  readonly anyOf?: readonly string[];
  readonly optional?: readonly string[];
}

export interface HubFile {
  /** Path inside the repository. */
  readonly path: string;
  readonly size: number;
  /** The blob's name in the cache: SHA-256 of the content for large files (64 digits), else git's SHA-1 of it (40 digits). */
  readonly blob: string;
  /** The file lies in the cache already. */
  readonly cached: boolean;
}

/** What a download would fetch: to be shown before the first byte is asked for. */
export interface DownloadPlan {
  readonly repo: string;
  readonly revision: string;
  readonly commit: string;
  readonly what: HubPart;
  readonly endpoint: string;
  readonly files: readonly HubFile[];
  /** Bytes of all files, and of those that are not in the cache. */
  readonly bytes: number;
  readonly toDownload: number;
  /** The cache the files will lie in. */
  readonly cache: string;
  /** What the files make, for `openModel` or as an SAE folder: the snapshot, a folder in it, or the one file. */
  readonly path: string;
}

export interface HubApi {
  /** Models of the Hugging Face cache and below `folders`; nothing is asked of the network. */
  listLocalModels(
    request: { readonly folders: readonly string[] },
    options?: CallOptions,
  ): Promise<readonly LocalModel[]>;
  /** Folder of a repository's snapshot in the cache when it is complete; nothing is asked of the network. */
  locateCached(
    request: Pick<HubRequest, 'repo' | 'revision' | 'what'>,
    options?: CallOptions,
  ): Promise<{ readonly path?: string }>;
  /** Asks the hub which files there are. @throws hub.notFound, hub.refused, hub.unreachable, hub.malformed, hub.noSafetensors */
  planDownload(request: HubRequest, options?: CallOptions): Promise<DownloadPlan>;
  /** Fetches what the plan lacks, resuming partial files and verifying every checksum. @throws the same, hub.corrupt, hub.noSpace */
  download(
    request: { readonly plan: DownloadPlan; readonly token?: string },
    options?: CallOptions,
  ): Promise<{ readonly path: string }>;
}

export const hubMethods: { readonly [M in keyof HubApi]: true } = {
  listLocalModels: true,
  locateCached: true,
  planDownload: true,
  download: true,
};
