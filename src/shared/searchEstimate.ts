/** What a search for a circuit will take, told before it starts. */

/** Measured by short runs on a few prompts, and reckoned up to all of them. */
export interface SearchEstimate {
  /** Prompts that run forward, whole or from a layer on; each step of integrated gradients is one more. */
  readonly forward: number;
  /** Prompts that gradients run back through. Edges between features are timed, and not counted. */
  readonly backward: number;
  /** Bytes beside the model's weights, at most. */
  readonly memory: number;
  readonly seconds: number;
  /** Runs and seconds are the most that it can come to: how far a search goes shows on the way only. */
  readonly bound?: 'atMost';
}
