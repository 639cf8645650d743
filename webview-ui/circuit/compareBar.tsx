/** Which circuit this one is compared with, how both are shown, and what differs in a few words. */

import type { JSX } from 'preact';
import type { CircuitState } from '../../src/shared/circuitViewApi.ts';
import { IconButton } from '../lib/icon.tsx';
import { say, strings } from '../lib/strings.ts';
import { labelText } from '../lib/tokenText.tsx';
import type { CircuitStore } from './circuitStore.ts';
import { countChanges } from './differenceList.tsx';

const ways = [
  { id: 'difference', title: strings.compareDifference },
  { id: 'sideBySide', title: strings.compareSideBySide },
] as const;

/** Nothing, when nothing is compared. */
export function CompareBar(props: {
  readonly store: CircuitStore;
  readonly state: CircuitState;
}): JSX.Element | null {
  const { store, state } = props;
  const { other } = state;
  const difference = store.difference.value;
  if (!other || !difference) return null;
  const chosen = state.compareAs ?? 'difference';
  const show = (as: 'difference' | 'sideBySide'): void =>
    store.wish(store.host.api.compare({ with: other.id, as }));
  return (
    <div class="compare-bar">
      <span class="compare-title" title={labelText(other.title)}>
        {say('compareWith', { title: labelText(other.title) })}
      </span>
      {store.tab.value !== 'list' && (
        <fieldset class="segments" aria-label={strings.compareAs}>
          {ways.map(({ id, title }) => (
            <label key={id} class={id === chosen ? 'segment segment-on' : 'segment'}>
              <input
                type="radio"
                class="sr-only"
                name="compareAs"
                value={id}
                checked={id === chosen}
                onChange={() => show(id)}
              />
              {title}
            </label>
          ))}
        </fieldset>
      )}
      <span class="compare-summary quiet small">
        {say('compareSummary', countChanges(difference.difference))}
        {store.linked.value?.isSummed && <> · {strings.compareByComponent}</>}
      </span>
      <IconButton
        icon="close"
        label={strings.compareEnd}
        onClick={() => store.wish(store.host.api.compare({}))}
      />
    </div>
  );
}
