/**
 * One thing fetched from the host under a key. A newer key cancels the older fetch; the last good value
 * stays visible while the next is on its way.
 */

import { type ReadonlySignal, signal } from '@preact/signals';
import { isEngineError } from '../../src/shared/errors.ts';

/** A value, how current it is, and why there is none. */
export interface ResourceState<T> {
  readonly value?: T;
  /** The key that `value` belongs to. */
  readonly key?: string;
  readonly loading: boolean;
  readonly error?: string;
}

/** Fetches by key, and forgets the fetches that nobody waits for any more. */
export class Resource<T> {
  readonly #state = signal<ResourceState<T>>({ loading: false });
  #wanted: string | undefined;
  #running: AbortController | undefined;

  /** What to draw now. */
  get state(): ReadonlySignal<ResourceState<T>> {
    return this.#state;
  }

  /** Fetches unless `key` is what is already shown or on its way. */
  async load(key: string, fetch: (signal: AbortSignal) => Promise<T>): Promise<void> {
    if (key === this.#wanted) return;
    this.#wanted = key;
    this.#running?.abort();
    const controller = new AbortController();
    this.#running = controller;
    this.#state.value = { ...this.#state.peek(), loading: true, error: undefined };
    try {
      const value = await fetch(controller.signal);
      if (this.#running === controller) this.#state.value = { value, key, loading: false };
    } catch (error) {
      if (this.#running !== controller) return;
      // A failed key may be asked for again.
      this.#wanted = undefined;
      this.#state.value = { ...this.#state.peek(), loading: false, error: reasonOf(error) };
    }
  }
}

/** What to tell the reader; undefined when the work was merely cancelled. */
export function reasonOf(error: unknown): string | undefined {
  if (isEngineError(error, 'cancelled')) return undefined;
  return error instanceof Error ? error.message : String(error);
}
