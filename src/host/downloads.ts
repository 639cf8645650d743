/** Downloads that are under way: what the Models view shows of them, and how each is stopped. */

import type { CallOptions } from '../shared/callOptions.ts';
import type { Progress } from '../shared/domain.ts';
import { Disposable } from './disposable.ts';
import { Emitter } from './emitter.ts';

/** One download under way. */
export interface Download {
  readonly id: string;
  /** What is fetched, for people: `openai-community/gpt2`. */
  readonly title: string;
  /** Bytes so far and in all; nothing before the first report. */
  readonly progress?: Progress;
}

interface Running {
  readonly download: Download;
  readonly controller: AbortController;
}

/** Keeps the downloads of this window. */
export class Downloads extends Disposable {
  /** Fires when one begins, gets on, or ends. */
  readonly onDidChange;
  private readonly changed = this.own(new Emitter<void>());
  private readonly running = new Map<string, Running>();
  private nextNumber = 1;

  constructor() {
    super();
    this.onDidChange = this.changed.event;
    this.own({ dispose: () => this.cancelAll() });
  }

  get current(): readonly Download[] {
    return [...this.running.values()].map(({ download }) => download);
  }

  /**
   * Runs a download and shows it until it ends. `work` gets the signal to stop by and where to report bytes;
   * `signal` stops it from outside as well. Failures are the caller's.
   */
  async run<T>(title: string, work: (options: CallOptions) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const id = `download-${this.nextNumber++}`;
    const controller = new AbortController();
    const stop = (): void => controller.abort();
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted) stop();
    this.put(id, { download: { id, title }, controller });
    try {
      const report = (progress: Progress): void => {
        if (this.running.has(id)) this.put(id, { download: { id, title, progress }, controller });
      };
      return await work({ signal: controller.signal, report });
    } finally {
      signal?.removeEventListener('abort', stop);
      this.running.delete(id);
      this.changed.fire();
    }
  }

  /** Stops a download; unknown ids are ignored. What came so far stays and is resumed by the next one. */
  cancel(id: string): void {
    this.running.get(id)?.controller.abort();
  }

  private put(id: string, running: Running): void {
    this.running.set(id, running);
    this.changed.fire();
  }

  private cancelAll(): void {
    for (const { controller } of this.running.values()) controller.abort();
  }
}
