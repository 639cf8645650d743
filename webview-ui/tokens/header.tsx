/** First line of the token panel: which model, which SAE, how many tokens, how long it took. */

import type { JSX } from 'preact';
import type { ModelInfo } from '../../src/shared/domain.ts';
import { formatDuration } from '../../src/shared/format.ts';
import type { TokensState } from '../../src/shared/viewApi.ts';
import { Icon } from '../lib/icon.tsx';
import { formatCount, say, strings } from '../lib/strings.ts';
import type { TokensStore } from './tokensStore.ts';

/** The header line and, when the prompt is cut, the note that says so. */
export function Header(props: {
  readonly store: TokensStore;
  readonly state: TokensState;
  readonly model: ModelInfo;
}): JSX.Element {
  const { store, state, model } = props;
  const count = state.strip?.tokens.length;
  return (
    <header class="header">
      <div class="header-line">
        <strong class="model-name" title={model.path}>
          {model.name}
        </strong>
        <SaeSelect store={store} state={state} />
        <span class="header-end quiet small">
          {count !== undefined && <span>{countTokens(count)}</span>}
          {state.milliseconds !== undefined && (
            <span title={strings.timingTitle}>{timing(state.milliseconds, state.reused ?? 0)}</span>
          )}
        </span>
      </div>
      <SaeNote store={store} state={state} />
      <StripNotes state={state} />
    </header>
  );
}

function timing(milliseconds: number, reused: number): string {
  const time = formatDuration(milliseconds);
  return reused > 0 ? say('timing', { time, reused: formatCount(reused) }) : time;
}

function countTokens(count: number): string {
  return count === 1 ? strings.countOneToken : say('countTokens', { count: formatCount(count) });
}

function SaeSelect({
  store,
  state,
}: {
  readonly store: TokensStore;
  readonly state: TokensState;
}): JSX.Element {
  if (state.saes.length === 0) {
    return (
      <button type="button" class="link" onClick={() => store.run('chooseSae')}>
        {strings.chooseSae}
      </button>
    );
  }
  return (
    <select
      class="sae-select"
      aria-label={strings.saeSelect}
      title={state.sae ? `${strings.hook}: ${state.sae.hook}` : strings.saeSelect}
      value={state.sae?.id ?? ''}
      onChange={(event) => store.chooseSae(event.currentTarget.value)}
    >
      {!state.sae && <option value="">{strings.saeNone}</option>}
      {state.saes.map((sae) => (
        <option key={sae.id} value={sae.id}>
          {sae.name}
        </option>
      ))}
    </select>
  );
}

/** That the SAE is read otherwise than declared, or that it is not read right. */
function SaeNote({
  store,
  state: { saeNote },
}: {
  readonly store: TokensStore;
  readonly state: TokensState;
}): JSX.Element | null {
  if (!saeNote) return null;
  const { action } = saeNote;
  return (
    <p class={saeNote.isWarning ? 'notice small' : 'quiet small'}>
      {saeNote.isWarning && <Icon name="warning" />}
      <span>{saeNote.text}</span>
      {action && (
        <button type="button" class="link" onClick={() => store.run(action.command)}>
          {action.title}
        </button>
      )}
    </p>
  );
}

function StripNotes({ state }: { readonly state: TokensState }): JSX.Element | null {
  const strip = state.strip;
  if (!strip || (!strip.truncated && strip.exact)) return null;
  return (
    <p class="notice small">
      <Icon name="warning" />
      <span>
        {strip.truncated &&
          say('truncated', {
            start: formatCount(strip.used.start + 1),
            end: formatCount(strip.used.end),
          })}
        {!strip.exact && ` ${strings.inexact}`}
      </span>
    </p>
  );
}
