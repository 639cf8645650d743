/** The line that watches an answer against a wrong one, and what the interventions did to it. */

import type { JSX } from 'preact';
import { formatNumber, formatSigned } from '../../src/shared/format.ts';
import type { TokensState } from '../../src/shared/viewApi.ts';
import { IconButton } from '../lib/icon.tsx';
import { say, strings } from '../lib/strings.ts';
import { TokenText } from '../lib/tokenText.tsx';
import type { TokensStore } from './tokensStore.ts';

/** Contrast on the left, interventions on the right. */
export function ContrastLine({
  store,
  state,
}: {
  readonly store: TokensStore;
  readonly state: TokensState;
}): JSX.Element {
  return (
    <div class="contrast-line">
      {state.contrast ? <Contrast store={store} state={state} /> : <NoContrast store={store} />}
      {state.interventions > 0 && <Interventions store={store} state={state} />}
    </div>
  );
}

function NoContrast({ store }: { readonly store: TokensStore }): JSX.Element {
  return (
    <span class="contrast">
      <button type="button" class="link" onClick={() => store.run('setContrast')}>
        {strings.contrastSet}
      </button>
    </span>
  );
}

function Contrast({
  store,
  state,
}: {
  readonly store: TokensStore;
  readonly state: TokensState;
}): JSX.Element {
  const edited = state.effect?.contrast;
  const value = edited?.clean ?? state.contrastValue;
  const [before, after = ''] = strings.contrastOver.split('{wrong}') as [string, string?];
  const [start, middle = ''] = before.split('{answer}') as [string, string?];
  return (
    <span class="contrast">
      <span>
        {start}
        <TokenText text={state.contrast?.answer ?? ''} />
        <span class="quiet">{middle}</span>
        <TokenText text={state.contrast?.wrong ?? ''} />
        {after}
      </span>
      <span class="contrast-value">
        <span class="quiet">{strings.contrastLabel}</span>{' '}
        {value !== undefined && <b class={edited ? 'was' : undefined}>{formatSigned(value)}</b>}
        {edited && (
          <>
            <span class="quiet"> → </span>
            <span class="sr-only">{say('contrastEdited', { value: '' })}</span>
            <b>{formatSigned(edited.edited)}</b>
          </>
        )}
      </span>
      <button type="button" class="link" onClick={() => store.run('setContrast')}>
        {strings.contrastChange}
      </button>
    </span>
  );
}

function Interventions({
  store,
  state,
}: {
  readonly store: TokensStore;
  readonly state: TokensState;
}): JSX.Element {
  const count = state.interventions;
  return (
    <span class="interventions">
      <span class="badge">{count === 1 ? strings.oneIntervention : say('manyInterventions', { count })}</span>
      {state.effect && (
        <span class="quiet" title={strings.klTitle}>
          {say('kl', { value: formatNumber(state.effect.kl) })}
        </span>
      )}
      <IconButton icon="undo" label={strings.undo} onClick={() => store.run('undoIntervention')} />
      <button type="button" class="link" onClick={() => store.run('clearInterventions')}>
        {strings.clear}
      </button>
    </span>
  );
}
