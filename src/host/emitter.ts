/** A minimal event source with the shape of VS Code's, for state that must also live in tests without VS Code. */

import type { Disposes } from './disposable.ts';

/** Subscribes a listener; disposing of the answer ends the subscription. */
export type Event<T> = (listener: (value: T) => void) => { dispose(): void };

/** Fires an event to its listeners. One listener's failure does not keep the others from hearing it. */
export class Emitter<T> implements Disposes {
  private readonly listeners = new Set<(value: T) => void>();

  constructor(private readonly onError: (error: unknown) => void = rethrowLater) {}

  readonly event: Event<T> = (listener) => {
    const own = (value: T): void => listener(value);
    this.listeners.add(own);
    return { dispose: () => void this.listeners.delete(own) };
  };

  fire(value: T): void {
    for (const listener of [...this.listeners]) {
      try {
        listener(value);
      } catch (error) {
        this.onError(error);
      }
    }
  }

  dispose(): void {
    this.listeners.clear();
  }
}

function rethrowLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
