/** The SHIFT panel: what the classifier was, how right it is, and the features to be judged. */

import type { JSX } from 'preact';
import type { ShiftState } from '../../src/shared/shiftViewApi.ts';
import { Announcement } from '../lib/announcement.tsx';
import { Elsewhere } from '../lib/elsewhere.tsx';
import { Icon } from '../lib/icon.tsx';
import { Connecting, Message } from '../lib/message.tsx';
import { formatCount, say, strings } from '../lib/strings.ts';
import { AccuracyTable } from './accuracyTable.tsx';
import { FeatureList } from './featureList.tsx';
import type { ShiftStore } from './shiftStore.ts';

/** The whole panel. */
export function ShiftApp({ store }: { readonly store: ShiftStore }): JSX.Element {
  const state = store.state.value;
  if (!state) {
    return (
      <main class="app">
        <Connecting failure={store.failure.value} retry={() => void store.refresh()} />
      </main>
    );
  }
  if (state.message) {
    return (
      <main class="app">
        <h1 class="sr-only">SHIFT</h1>
        <Message message={state.message} run={(command) => store.run(command)} />
      </main>
    );
  }
  return (
    <main class="app shift">
      <Announcement text={announcementOf(state)} />
      <Header store={store} state={state} />
      <Elsewhere note={state.elsewhere} run={(command) => store.run(command)} />
      <Running store={store} state={state} />
      {state.failure !== undefined && (
        <p class="notice shift-failure" role="alert">
          <Icon name="warning" />
          <span>{state.failure}</span>
        </p>
      )}
      {state.before && (
        <AccuracyTable before={state.before} outcome={state.outcome} isStale={store.isStale.value} />
      )}
      {state.before && store.features.value.length > 0 && (
        <FeatureList store={store} isBusy={state.running !== undefined} />
      )}
    </main>
  );
}

/** Said when work begins and ends, not with every step of it. */
function announcementOf({ before, outcome, running }: ShiftState): string {
  if (running) return running.work === 'finding' ? strings.shiftFinding : strings.shiftAblating;
  if (outcome) return strings.shiftAnnounceAblated;
  return before ? strings.shiftAnnounceFound : '';
}

function Header({ store, state }: { readonly store: ShiftStore; readonly state: ShiftState }): JSX.Element {
  const [first = '', second = ''] = state.professions ?? [];
  return (
    <header class="shift-header">
      <div class="shift-title">
        <h1>{say('shiftHeading', { first, second })}</h1>
        {!state.running && (
          <button type="button" class="secondary" onClick={store.start}>
            {strings.shiftAgain}
          </button>
        )}
      </div>
      {state.hook !== undefined && (
        <p class="quiet">
          {say('shiftAbout', {
            count: formatCount(state.biographies ?? 0),
            hook: state.hook,
            model: state.model ?? '',
          })}{' '}
          {strings.shiftWhat}
        </p>
      )}
    </header>
  );
}

function Running({
  store,
  state,
}: {
  readonly store: ShiftStore;
  readonly state: ShiftState;
}): JSX.Element | null {
  const { running } = state;
  if (!running) return null;
  const { progress, work } = running;
  const title = work === 'finding' ? strings.shiftFinding : strings.shiftAblating;
  const isKnown = progress !== undefined && progress.total > 0;
  return (
    <div class="shift-running">
      <div class="shift-running-main">
        <span class="shift-running-text">
          <span>{progress?.what ?? title}</span>
          {isKnown && (
            <span class="quiet shift-percent">{Math.floor((100 * progress.done) / progress.total)} %</span>
          )}
        </span>
        <progress
          aria-label={title}
          max={isKnown ? progress.total : undefined}
          value={isKnown ? progress.done : undefined}
        />
      </div>
      <button type="button" class="secondary" onClick={store.cancel}>
        {strings.cancel}
      </button>
    </div>
  );
}
