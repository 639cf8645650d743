/** What a window remembers of the prompt it looked at, so that a reload brings it back. */

import type { FeatureRef } from '../shared/domain.ts';
import { Disposable } from './disposable.ts';
import { readKeptContrast, readKeptEdits } from './interventionFile.ts';
import { describeForLog, type Log } from './log.ts';
import type { Memory } from './modelStore.ts';
import type { PromptSession } from './promptSession.ts';

const memoryKey = 'session';

interface Kept {
  readonly uri?: string;
  readonly contrast?: unknown;
  readonly edits?: unknown;
  readonly pins?: readonly FeatureRef[];
}

/** What the memory works with. */
export interface SessionMemoryOptions {
  readonly memory: Memory;
  readonly session: PromptSession;
  /** Looks at the document with this address, if it is still there. */
  readonly open: (uri: string) => Promise<void>;
  readonly log: Log;
}

/** Keeps the session's choices, and restores them. */
export class SessionMemory extends Disposable {
  private isRestoring: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private readonly atStart: Kept | undefined;

  constructor(private readonly options: SessionMemoryOptions) {
    super();
    const { memory, session } = options;
    this.atStart = memory.get<Kept>(memoryKey);
    if (this.atStart) {
      const { uri, contrast, edits, pins } = this.atStart;
      session.restore({ uri, contrast: readKeptContrast(contrast), pins: pins ?? [] });
      const kept = readKeptEdits(edits);
      if (kept.length > 0) session.interventions.reset(kept);
    }
    this.own(session.onDidChange((change) => change === 'state' && this.keepSoon()));
    this.own({ dispose: () => this.keepNow() });
  }

  /** Looks again at the document that was looked at last; a document that is gone leaves an empty state. */
  restorePrompt(): Promise<void> {
    this.isRestoring ??= this.restore();
    return this.isRestoring;
  }

  private async restore(): Promise<void> {
    const { session, open, log } = this.options;
    const uri = this.atStart?.uri;
    if (session.prompt || !uri) return;
    try {
      await open(uri);
    } catch (error) {
      log.info(`The prompt of the last session is gone: ${describeForLog(error)}`);
    }
  }

  private keepSoon(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      void this.keep();
    }, 200);
  }

  /** The window closes: what waits to be kept must not be lost. */
  private keepNow(): void {
    if (this.timer === undefined) return;
    clearTimeout(this.timer);
    void this.keep();
  }

  private async keep(): Promise<void> {
    const { session, memory } = this.options;
    if (!session.prompt) return;
    const kept: Kept = {
      uri: session.prompt.uri,
      contrast: session.contrast,
      edits: session.interventions.edits,
      pins: session.keptPins,
    };
    await memory.update(memoryKey, kept);
  }
}
