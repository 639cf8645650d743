/** What the tests inside VS Code can see of the extension. It is handed out in test mode only. */

import type { Edit } from '../shared/domain.ts';
import type { Look } from './prompt.ts';

/** A view of the state behind the surfaces. */
export interface TestApi {
  /** Resolves when nothing is being computed, with the latest look. */
  settled(): Promise<Look | undefined>;
  /** The failure that is shown, if any. */
  error(): unknown;
  edits(): readonly Edit[];
  /** The process id of the engine; starts it when it does not run. */
  enginePid(): Promise<number>;
  engineState(): string;
}
