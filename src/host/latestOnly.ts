/** Runs only the latest of a series of tasks: a newer one aborts the older, nothing is queued. */

/** The place where one kind of work is done, one task at a time. */
export class LatestOnly {
  private controller: AbortController | undefined;

  /** True while a task runs. */
  get isBusy(): boolean {
    return this.controller !== undefined;
  }

  /** Aborts the running task; its result and its failure are dropped. */
  cancel(): void {
    this.controller?.abort();
    this.controller = undefined;
  }

  /** Runs `work` after aborting what ran before. Answers `undefined` when it was itself overtaken. */
  async run<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    this.cancel();
    const controller = new AbortController();
    this.controller = controller;
    try {
      const result = await work(controller.signal);
      return controller.signal.aborted ? undefined : result;
    } catch (error) {
      if (controller.signal.aborted) return undefined;
      throw error;
    } finally {
      if (this.controller === controller) this.controller = undefined;
    }
  }
}
