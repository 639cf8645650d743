/** What stands where there is nothing to draw: why, and the one thing that helps. */

import type { JSX } from 'preact';
import type { ViewCommand, ViewMessage } from '../../src/shared/viewApi.ts';
import { Icon } from './icon.tsx';
import { say, strings } from './strings.ts';

/** The whole panel's message: empty, loading or error. */
export function Message(props: {
  readonly message: ViewMessage;
  readonly run: (command: ViewCommand) => void;
}): JSX.Element {
  const { kind, text, action } = props.message;
  return (
    <div class={`message message-${kind}`} role={kind === 'error' ? 'alert' : 'status'}>
      {kind === 'loading' && <Pulse />}
      {kind === 'error' && <Icon name="warning" />}
      <p>{text}</p>
      {action && (
        <button type="button" class="primary" onClick={() => props.run(action.command)}>
          {action.title}
        </button>
      )}
    </div>
  );
}

/** Message of a view that waits for its first answer, or did not get it. */
export function Connecting(props: {
  readonly failure: string | undefined;
  readonly retry: () => void;
}): JSX.Element {
  if (props.failure === undefined) {
    return (
      <div class="message message-loading" role="status">
        <Pulse />
        <p>{strings.connecting}</p>
      </div>
    );
  }
  return (
    <div class="message message-error" role="alert">
      <Icon name="warning" />
      <p>{say('failed', { reason: props.failure })}</p>
      <button type="button" class="primary" onClick={props.retry}>
        {strings.tryAgain}
      </button>
    </div>
  );
}

/** A small note inside a panel, with an optional way on. */
export function Note(props: {
  readonly text: string;
  readonly action?: { readonly title: string; readonly run: () => void };
}): JSX.Element {
  return (
    <div class="note">
      <p>{props.text}</p>
      {props.action && (
        <button type="button" class="secondary" onClick={props.action.run}>
          {props.action.title}
        </button>
      )}
    </div>
  );
}

function Pulse(): JSX.Element {
  return (
    <span class="pulse" aria-hidden="true">
      <i />
      <i />
      <i />
      <i />
      <i />
    </span>
  );
}

/** The thin line over a panel that runs while something newer is computed; it takes no room. */
export function Activity({ active }: { readonly active: boolean }): JSX.Element {
  return (
    <div class="activity" role="status">
      {active && (
        <>
          <span class="activity-bar" aria-hidden="true" />
          <span class="sr-only">{strings.computing}</span>
        </>
      )}
    </div>
  );
}
