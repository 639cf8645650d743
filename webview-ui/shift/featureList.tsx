/** The features to be judged: a box for each, its label, its effect, and a stretch of text in which it is strong. */

import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { shiftKey } from '../../src/shared/shiftViewApi.ts';
import { rovingIndex } from '../lib/keys.ts';
import { say, strings } from '../lib/strings.ts';
import { FeatureRow } from './featureRow.tsx';
import type { ShiftStore } from './shiftStore.ts';

/** The list with what can be done with it; one tab stop for each kind of control, arrows move between features. */
export function FeatureList(props: { readonly store: ShiftStore; readonly isBusy: boolean }): JSX.Element {
  const { store, isBusy } = props;
  const features = store.shown.value;
  const list = useRef<HTMLUListElement>(null);
  const [current, setCurrent] = useState(0);
  const strongest = Math.max(...store.features.value.map(({ effect }) => Math.abs(effect)), 1e-9);
  const go = (event: KeyboardEvent, row: number): void => {
    const next = rovingIndex(event.key, row, features.length, 'vertical');
    if (next === undefined) return;
    event.preventDefault();
    const kind = (event.currentTarget as HTMLElement).dataset.kind;
    setCurrent(next);
    list.current?.querySelector<HTMLElement>(`[data-row="${next}"] [data-kind="${kind}"]`)?.focus();
  };
  return (
    <section class="shift-features">
      <Tools store={store} isBusy={isBusy} />
      <p class="shift-legend small quiet">
        {strings.shiftEffectLegend}
        {store.known.value && ` ${strings.shiftTellsLegend}`}
      </p>
      {features.length === 0 && <p class="quiet shift-none">{strings.shiftNoneShown}</p>}
      <ul class="shift-list" ref={list} aria-label={strings.shiftFeatures}>
        {features.map((feature, row) => {
          const key = shiftKey(feature.feature);
          return (
            <FeatureRow
              key={key}
              store={store}
              feature={feature}
              row={row}
              isMarked={store.marked.value.has(key)}
              isOpen={store.open.value === key}
              isTabStop={row === Math.min(current, features.length - 1)}
              share={feature.effect / strongest}
              onKeyDown={(event) => go(event, row)}
              onFocus={() => setCurrent(row)}
            />
          );
        })}
      </ul>
    </section>
  );
}

/** Narrows the list; what is narrowed to can be marked at once. */
function Filter({ store }: { readonly store: ShiftStore }): JSX.Element {
  const count = store.shown.value.length;
  const isNarrow = store.filter.value.trim() !== '';
  return (
    <>
      <input
        type="search"
        class="shift-filter"
        placeholder={strings.shiftFilter}
        aria-label={strings.shiftFilterLabel}
        value={store.filter.value}
        onInput={(event) => {
          store.filter.value = event.currentTarget.value;
        }}
      />
      {isNarrow && count > 0 && (
        <button type="button" class="link small" onClick={store.markShown}>
          {say('shiftMarkShown', { count })}
        </button>
      )}
    </>
  );
}

function Tools({ store, isBusy }: { readonly store: ShiftStore; readonly isBusy: boolean }): JSX.Element {
  const marks = store.marked.value;
  const features = store.features.value;
  const count = features.filter(({ feature }) => marks.has(shiftKey(feature))).length;
  return (
    <div class="shift-tools">
      <h2>{strings.shiftFeatures}</h2>
      <span class="quiet small" role="status">
        {say('shiftMarked', { count, total: features.length })}
      </span>
      <Filter store={store} />
      <label class="shift-known small" title={strings.shiftKnownTitle}>
        <input
          type="checkbox"
          checked={store.known.value}
          onChange={(event) => {
            store.known.value = event.currentTarget.checked;
          }}
        />
        {strings.shiftKnown}
      </label>
      {store.known.value && (
        <button type="button" class="link small" onClick={store.markKnown}>
          {strings.shiftMarkKnown}
        </button>
      )}
      {count > 0 && (
        <button type="button" class="link small" onClick={store.clearMarks}>
          {strings.shiftClear}
        </button>
      )}
      <button
        type="button"
        class="primary shift-ablate"
        disabled={count === 0 || isBusy}
        title={count === 0 ? strings.shiftMarkSome : undefined}
        onClick={store.ablate}
      >
        {count === 0 ? strings.shiftAblateNone : say('shiftAblate', { count })}
      </button>
    </div>
  );
}
