/** What every call to the engine takes beside its request. */
import type { Progress } from './domain.ts';

/** Every call can be cancelled, and long ones report how far they are. */
export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly report?: (progress: Progress) => void;
}
