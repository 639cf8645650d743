/** Keeps the when-clause keys of the session true. */

import { setContext } from './contributions.ts';
import type { Disposes } from './disposable.ts';
import type { PromptSession } from './promptSession.ts';

/** Follows the session until it is disposed of. */
export function keepSessionContext(session: PromptSession): Disposes {
  const update = (): void => {
    setContext('promptInspected', session.look !== undefined);
    setContext('hasContrast', session.contrast !== undefined);
    setContext('hasComparison', session.other !== undefined);
    setContext('hasPins', session.pinned.length > 0);
  };
  let last = '';
  return session.onDidChange((change) => {
    if (change !== 'state' || session.computing) return;
    const now = [
      session.look !== undefined,
      session.contrast,
      session.other !== undefined,
      session.pinned.length,
    ];
    if (JSON.stringify(now) === last) return;
    last = JSON.stringify(now);
    update();
  });
}
