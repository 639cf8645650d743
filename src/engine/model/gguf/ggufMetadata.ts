/** Reads single values of a GGUF file's metadata, each checked; keys of the model begin with its architecture's name. */
import { EngineError } from '../../../shared/errors.ts';
import { malformed } from '../../files/fileErrors.ts';
import type { Gguf } from '../../files/gguf.ts';
import type { GgufValue } from '../../files/ggufHeader.ts';

export class GgufMetadata {
  readonly architecture: string;
  readonly #gguf: Gguf;

  /** @throws file.malformed when the file does not say its architecture. */
  constructor(gguf: Gguf) {
    this.#gguf = gguf;
    this.architecture = this.text('general.architecture') ?? this.#missing('general.architecture', 'a text');
  }

  get path(): string {
    return this.#gguf.path;
  }

  has(key: string): boolean {
    return this.#gguf.metadata.has(this.#full(key));
  }

  hasTensor(name: string): boolean {
    return this.#gguf.tensors.has(name);
  }

  isList(key: string): boolean {
    return typeof this.#gguf.metadata.get(this.#full(key)) === 'object';
  }

  /** Rows of the token embedding. @throws model.missingWeight */
  get vocabularySize(): number {
    const embedding = this.#gguf.tensors.get('token_embd.weight');
    if (!embedding)
      throw new EngineError('model.missingWeight', { path: this.path, tensor: 'token_embd.weight' });
    return embedding.shape[0]!;
  }

  text(key: string): string | undefined {
    return this.#typed(key, 'a text', (value) => typeof value === 'string');
  }

  flag(key: string): boolean | undefined {
    return this.#typed(key, 'true or false', (value) => typeof value === 'boolean');
  }

  number(key: string): number | undefined {
    return this.#typed(key, 'a number', (value) => typeof value === 'number' && Number.isFinite(value));
  }

  /** A whole number from 1 on. */
  count(key: string): number | undefined {
    const isCount = (value: GgufValue) => Number.isSafeInteger(value) && (value as number) >= 1;
    return this.#typed(key, 'a whole number from 1 on', isCount);
  }

  /** A whole number from 0 on. */
  id(key: string): number | undefined {
    const isId = (value: GgufValue) => Number.isSafeInteger(value) && (value as number) >= 0;
    return this.#typed(key, 'a whole number from 0 on', isId);
  }

  texts(key: string): readonly string[] | undefined {
    const isTexts = (value: GgufValue) =>
      Array.isArray(value) && value.every((item) => typeof item === 'string');
    return this.#typed(key, 'a list of texts', isTexts);
  }

  numbers(key: string): Float64Array | undefined {
    return this.#typed(key, 'a list of numbers', (value) => value instanceof Float64Array);
  }

  requireNumber(key: string): number {
    return this.number(key) ?? this.#missing(key, 'a number');
  }

  requireCount(key: string): number {
    return this.count(key) ?? this.#missing(key, 'a whole number from 1 on');
  }

  /** `.name` is short for the key of this architecture. */
  #full(key: string): string {
    return key.startsWith('.') ? this.architecture + key : key;
  }

  #typed<T extends GgufValue>(
    key: string,
    expected: string,
    fits: (value: GgufValue) => boolean,
  ): T | undefined {
    const full = this.#full(key);
    const value = this.#gguf.metadata.get(full);
    if (value === undefined) return undefined;
    if (!fits(value)) throw malformed(this.path, full, expected, describe(value));
    return value as T;
  }

  #missing(key: string, expected: string): never {
    throw malformed(this.path, this.#full(key), expected, undefined);
  }
}

function describe(value: GgufValue): unknown {
  return value instanceof Float64Array ? `a list of ${value.length} numbers` : value;
}
