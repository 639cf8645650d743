/** The groups of a circuit as chips that open and close them, and what is selected together with what can be done to it. */

import type { JSX } from 'preact';
import type { Supernode } from '../../src/shared/circuit.ts';
import { Icon } from '../lib/icon.tsx';
import { say, strings } from '../lib/strings.ts';
import { labelText } from '../lib/tokenText.tsx';
import { groupChosen, togglePin } from './circuitEdits.ts';
import { markOfGroup } from './circuitMarks.ts';
import type { CircuitStore } from './circuitStore.ts';

/** Groups that get a chip; the list shows all. */
const mostChips = 40;

/** Nothing, when there is neither group nor selection. */
export function GroupBar({ store }: { readonly store: CircuitStore }): JSX.Element | null {
  const { supernodes } = store.annotations.value;
  const chosen = store.chosen.value;
  if (supernodes.length === 0 && chosen.size === 0) return null;
  return (
    <div class="group-bar">
      {chosen.size > 0 && (
        <div class="chosen" role="status">
          <b>{say('chosenCount', { count: chosen.size })}</b>
          <button type="button" class="link" onClick={() => groupChosen(store, undefined)}>
            {strings.group}
          </button>
          <button type="button" class="link" onClick={() => togglePin(store, [...chosen])}>
            {strings.pin}
          </button>
          <button
            type="button"
            class="link"
            onClick={() => {
              store.chosen.value = new Set();
            }}
          >
            {strings.chosenNone}
          </button>
        </div>
      )}
      {supernodes.length > 0 && (
        <ul class="group-chips" aria-label={strings.groupsLabel}>
          {supernodes.slice(0, mostChips).map((group) => (
            <li key={group.id}>
              <Chip store={store} group={group} />
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function Chip({ store, group }: { readonly store: CircuitStore; readonly group: Supernode }): JSX.Element {
  const isOpen = store.openGroups.value.has(group.id);
  const label = labelText(group.label);
  const mark = markOfGroup(group.id);
  return (
    <span class="group-chip" data-node={mark}>
      <button
        type="button"
        class="chip-twist"
        aria-expanded={isOpen}
        aria-label={say('groupToggle', { action: isOpen ? strings.collapse : strings.expand, group: label })}
        title={isOpen ? strings.collapse : strings.expand}
        onClick={() => store.toggleGroup(group.id)}
      >
        <span class={isOpen ? 'twist twist-open' : 'twist'}>
          <Icon name="chevron" />
        </span>
      </button>
      <button
        type="button"
        class="chip-name"
        title={label}
        onClick={() => store.select(mark)}
        onMouseEnter={() => store.hover(mark)}
        onMouseLeave={() => store.hover(undefined)}
      >
        <span class="chip-text">{label}</span> <span class="list-count">{group.nodes.length}</span>
      </button>
    </span>
  );
}
