/** Batches with their gradients, kept while they are small: effects of nodes and of edges come from the same ones. */
import type { GradientRun } from './nodeEffects.ts';

/** Floats of gradients that are kept between the effects of nodes and those of edges. */
const keptFloats = 64 * 2 ** 20;

/** Keeps the batches that effects were estimated with, while they are small, so that edges need not run them again. */
export class KeptRuns {
  private runs: GradientRun[] | undefined = [];
  private floats = 0;

  keep(run: GradientRun): void {
    // Streams, values, gradients and changes are of about one size.
    this.floats += 4 * run.gradients.reduce((sum, { length }) => sum + length, 0);
    if (this.floats > keptFloats) this.runs = undefined;
    this.runs?.push(run);
  }

  /** All batches; run anew by `again` when they were too large, or none was shown. */
  async *all(again: () => AsyncIterable<GradientRun>): AsyncGenerator<GradientRun> {
    if (this.runs && this.runs.length > 0) yield* this.runs;
    else yield* again();
  }
}
