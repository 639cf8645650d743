/** What a model comes down to, whether it lies in a folder or in one GGUF file: config, weights, tokenizer. */
import type { TokenizerFiles } from './tokenizerFile.ts';
import type { ModelWeights } from './weights.ts';

export interface ModelFiles {
  /** Real path of the folder or file; the model's id. */
  readonly path: string;
  /** For people: `owner/name` for one of the Hugging Face cache, else the folder's or file's name. */
  readonly name: string;
  /** The content of `config.json`, or the same made from a GGUF file's metadata; `path` is for messages. */
  readonly config: { readonly path: string; readonly content: unknown };
  readonly weights: ModelWeights;
  /** The content of `tokenizer.json` and `tokenizer_config.json`, or the same made from a GGUF file's metadata. */
  readonly tokenizer: TokenizerFiles;
  /** First 16 hex digits of a SHA-256 that changes with config or weights. */
  readonly hash: string;
}
