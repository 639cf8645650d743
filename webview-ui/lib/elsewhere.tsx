/** The note over results that were found in another model than the one that is open. */

import type { JSX } from 'preact';
import type { ViewCommand, ViewMessage } from '../../src/shared/viewApi.ts';
import { Icon } from './icon.tsx';

/** The note with the command that helps; nothing when it is the same model. */
export function Elsewhere(props: {
  readonly note: Pick<ViewMessage, 'text' | 'action'> | undefined;
  readonly run: (command: ViewCommand) => void;
}): JSX.Element | null {
  const { note, run } = props;
  if (!note) return null;
  const { action, text } = note;
  return (
    <div class="notice elsewhere" role="status">
      <Icon name="warning" />
      <span>{text}</span>
      {action && (
        <button type="button" class="secondary" onClick={() => run(action.command)}>
          {action.title}
        </button>
      )}
    </div>
  );
}
