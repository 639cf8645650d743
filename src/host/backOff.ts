/** Decides when a process that keeps stopping may be started again. It knows nothing of processes. */

/** Stops within this time count together. */
const windowMilliseconds = 60_000;

/** So many stops within the window are a crash loop. */
const mostStops = 5;

/** The longest wait before a start. */
const longestDelay = 8_000;

/** May the process start, and after how many milliseconds? */
export type StartDecision =
  | { readonly kind: 'start'; readonly delay: number }
  | { readonly kind: 'refuse'; readonly stops: number };

/** Doubling waits: the first restart is immediate, a crash loop is refused until the window has passed. */
export class BackOff {
  private stops: number[] = [];

  constructor(private readonly now: () => number = Date.now) {}

  /** Remembers that the process stopped without being asked to. */
  stopped(): void {
    this.stops.push(this.now());
  }

  /** What to do about the next start. */
  decide(): StartDecision {
    const since = this.now() - windowMilliseconds;
    this.stops = this.stops.filter((time) => time > since);
    const count = this.stops.length;
    if (count >= mostStops) return { kind: 'refuse', stops: count };
    if (count <= 1) return { kind: 'start', delay: 0 };
    return { kind: 'start', delay: Math.min(longestDelay, 250 * 2 ** (count - 1)) };
  }

  /** Forgets all stops: the user asked for a fresh start. */
  reset(): void {
    this.stops = [];
  }
}
