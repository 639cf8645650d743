/** The strongest features of the selected token, with what can be done to each. */

import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import { formatNumber } from '../../src/shared/format.ts';
import type { ActiveFeature } from '../../src/shared/viewApi.ts';
import { Icon, IconButton } from '../lib/icon.tsx';
import { rovingIndex } from '../lib/keys.ts';
import { Note } from '../lib/message.tsx';
import { formatCount, say, strings } from '../lib/strings.ts';
import { FeatureCard } from './featureCard.tsx';
import { featureName } from './featureName.ts';
import { TokenHeading } from './tokenHeading.tsx';
import { featureKey, type TokensStore } from './tokensStore.ts';

/** The list; one row can be open at a time. */
export function FeaturesTab({ store }: { readonly store: TokensStore }): JSX.Element {
  const state = store.state.value;
  const list = useRef<HTMLUListElement>(null);
  const token = state?.strip?.tokens[store.selected.value];
  if (!state?.sae) {
    return (
      <Note
        text={strings.featuresNoSae}
        action={{ title: strings.chooseSae, run: () => store.run('chooseSae') }}
      />
    );
  }
  if (!token) return <Note text={strings.noSelection} />;
  if (state.features.length === 0) return <Note text={strings.featuresNone} />;

  const strongest = Math.max(1e-9, ...state.features.map((feature) => feature.activation));
  const onKeyDown = (event: KeyboardEvent): void => {
    const rows = [...(list.current?.querySelectorAll<HTMLElement>('.feature-open') ?? [])];
    const index = rows.indexOf(event.currentTarget as HTMLElement);
    const next = rovingIndex(event.key, index, rows.length, 'vertical');
    if (next === undefined) return;
    event.preventDefault();
    rows[next]?.focus();
  };
  return (
    <>
      <TokenHeading template={strings.featuresOf} text={token.text}>
        <span class="quiet small mono">{state.sae.hook}</span>
      </TokenHeading>
      <ul class="features" ref={list}>
        {state.features.map((feature) => (
          <FeatureRow
            key={featureKey(feature)}
            store={store}
            feature={feature}
            share={feature.activation / strongest}
            onKeyDown={onKeyDown}
          />
        ))}
      </ul>
    </>
  );
}

function FeatureRow(props: {
  readonly store: TokensStore;
  readonly feature: ActiveFeature;
  readonly share: number;
  readonly onKeyDown: (event: KeyboardEvent) => void;
}): JSX.Element {
  const { store, feature, share } = props;
  const open = store.expanded.value === featureKey(feature);
  const name = featureName(feature);
  const value = formatNumber(feature.activation);
  return (
    <li class={open ? 'feature feature-opened' : 'feature'}>
      <div class="feature-row">
        <button
          type="button"
          class="feature-open"
          aria-expanded={open}
          onClick={() => store.openFeature(feature)}
          onKeyDown={props.onKeyDown}
        >
          <Icon name="chevron" />
          <span class="feature-bar" aria-hidden="true">
            <i class="bar bar-heat" style={{ width: `${Math.max(0, share) * 100}%` }} />
          </span>
          <span class="feature-value">
            <span class="sr-only">{strings.activation} </span>
            {value}
          </span>
          <span class="feature-label">
            {feature.label ? name : <span class="quiet">{strings.featureUnlabelled}</span>}
          </span>
          <span class="feature-index quiet mono small">#{feature.index}</span>
        </button>
        <FeatureActions store={store} feature={feature} name={name} />
      </div>
      {open && <FeatureCard store={store} feature={feature} />}
    </li>
  );
}

function FeatureActions(props: {
  readonly store: TokensStore;
  readonly feature: ActiveFeature;
  readonly name: string;
}): JSX.Element {
  const { store, feature, name } = props;
  const named = (action: string): string => say('actionOn', { action, name });
  return (
    <span class="feature-actions">
      <IconButton
        icon="pin"
        label={named(strings.pin)}
        title={feature.pinned ? strings.unpin : strings.pin}
        pressed={feature.pinned}
        onClick={() => store.pinFeature(feature, !feature.pinned)}
      />
      <IconButton
        icon="ablate"
        label={named(strings.ablate)}
        title={strings.ablate}
        onClick={() => store.ablateFeature(feature)}
      />
      <IconButton
        icon="steer"
        label={named(strings.steer)}
        title={strings.steer}
        onClick={() => store.steerFeature(feature)}
      />
      <IconButton
        icon="copy"
        label={named(strings.copyId)}
        title={`${strings.copyId} (${formatCount(feature.index)})`}
        onClick={() => store.copyFeature(feature)}
      />
    </span>
  );
}
