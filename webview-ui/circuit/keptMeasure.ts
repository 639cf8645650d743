/** Asks for the measures of the kept nodes, once they rest, and once for the same nodes. */

/** Rest of the slider, in milliseconds, after which the host measures what is kept. */
const measureRest = 160;

/** What was asked for last, and what will be. */
export class KeptMeasure {
  #asked = '';
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly ask: (nodes: readonly string[]) => void) {}

  /** Asks soon, unless other nodes come before. */
  soon(kept: ReadonlySet<string>): void {
    clearTimeout(this.#timer);
    const key = keyOf(kept);
    if (kept.size === 0 || key === this.#asked) return;
    this.#timer = setTimeout(() => {
      this.#asked = key;
      this.ask([...kept]);
    }, measureRest);
  }

  /** What comes measured is not measured again. */
  isKnown(kept: ReadonlySet<string>): void {
    this.#asked = keyOf(kept);
  }

  /** Another circuit is shown. */
  forget(): void {
    clearTimeout(this.#timer);
    this.#asked = '';
  }
}

function keyOf(kept: ReadonlySet<string>): string {
  return [...kept].sort().join('\n');
}
