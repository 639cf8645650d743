/** Downloads, and models being opened, that are under way: what the Models view shows of them, and how each is stopped. */

import type { CallOptions } from '../shared/callOptions.ts';
import type { Progress } from '../shared/domain.ts';
import { Disposable } from './disposable.ts';
import { Emitter } from './emitter.ts';

/** One download under way, or one model being opened, which may have to be converted. */
export interface Download {
  readonly id: string;
  readonly kind?: 'opening';
  /** What is fetched or opened, for people: `openai-community/gpt2`. */
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
  run<T>(title: string, work: (options: CallOptions) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.follow({ id: `download-${this.nextNumber++}`, title }, work, signal);
  }

  /** The same for a model that is opened; it is shown only once it reports something, since most open at once. */
  open<T>(title: string, work: (options: CallOptions) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.follow({ id: `opening-${this.nextNumber++}`, kind: 'opening', title }, work, signal);
  }

  private async follow<T>(
    shown: Download,
    work: (options: CallOptions) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const { id } = shown;
    const controller = new AbortController();
    const stop = (): void => controller.abort();
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted) stop();
    if (!shown.kind) this.put(id, { download: shown, controller });
    let isOver = false;
    try {
      const report = (progress: Progress): void => {
        if (!isOver) this.put(id, { download: { ...shown, progress }, controller });
      };
      return await work({ signal: controller.signal, report });
    } finally {
      isOver = true;
      signal?.removeEventListener('abort', stop);
      if (this.running.delete(id)) this.changed.fire();
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
