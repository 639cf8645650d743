/** Asks for a view's whole state: one question at a time, and once more when something changed meanwhile. */

import { reasonOf } from './resource.ts';

/** Folds any number of "changed" events into as few questions as keep the view current. */
export class Refresher<State> {
  #running = false;
  #stale = false;

  constructor(
    readonly ask: () => Promise<State>,
    readonly accept: (state: State) => void,
    readonly fail: (reason: string | undefined) => void,
  ) {}

  /** Resolves when the view is as new as the host was after the last call. */
  async refresh(): Promise<void> {
    this.#stale = true;
    if (this.#running) return;
    this.#running = true;
    try {
      while (this.#stale) {
        this.#stale = false;
        this.accept(await this.ask());
      }
    } catch (error) {
      this.fail(reasonOf(error));
    } finally {
      this.#running = false;
    }
  }
}
