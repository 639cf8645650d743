/** Pauses in long work that never waits, so that a cancellation can arrive and other calls are answered meanwhile. */
import { throwIfCancelled } from '../../shared/errors.ts';

/** Milliseconds of work between two pauses; shorter than anyone notices while typing. */
const stretch = 15;

/** Made where the work begins; `pause` is called after each small piece of it. */
export class Breather {
  #since = performance.now();

  constructor(private readonly signal: AbortSignal | undefined) {}

  /** Lets others run when the work has gone on for a while. @throws cancelled */
  async pause(): Promise<void> {
    throwIfCancelled(this.signal);
    if (performance.now() - this.#since < stretch) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#since = performance.now();
    throwIfCancelled(this.signal);
  }
}
