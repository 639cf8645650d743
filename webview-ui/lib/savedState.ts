/**
 * Where the reader was: tab, layer, head, scroll, slider. It outlives a reload; data never goes in here,
 * since the host can give it again.
 */

import { type Signal, signal } from '@preact/signals';

/** Bumped when the meaning of a saved key changes; older states are then dropped. */
const version = 1;

/** Where a state is kept; the webview's own store, or a stand-in for tests. */
export interface StateStore {
  read(): unknown;
  write(state: unknown): void;
}

type Value = string | number | boolean;

/** Signals whose values are kept, each under a key of its own. */
export class SavedState {
  readonly #values: Record<string, Value>;

  constructor(readonly store: StateStore) {
    this.#values = { ...readValues(store.read()) };
  }

  /** A signal that starts with the kept value when that has the same type as `initial`. */
  signal<T extends Value>(key: string, initial: T): Signal<T> {
    const kept = this.#values[key];
    const kind = typeof initial;
    const source = signal<T>(typeof kept === kind ? (kept as T) : initial);
    let first = true;
    source.subscribe((value) => {
      if (first) {
        first = false;
        return;
      }
      this.#values[key] = value;
      this.store.write({ version, values: { ...this.#values } });
    });
    return source;
  }
}

function readValues(state: unknown): Readonly<Record<string, Value>> {
  const saved = state as { version?: unknown; values?: unknown } | undefined | null;
  if (saved?.version !== version || typeof saved.values !== 'object' || saved.values === null) return {};
  return saved.values as Record<string, Value>;
}
