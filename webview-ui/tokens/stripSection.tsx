/** The tokens with their heat, the legend under them, and one line about the token being looked at. */

import { useComputed } from '@preact/signals';
import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import { formatHead, formatNumber, formatProbability } from '../../src/shared/format.ts';
import type { TokensState } from '../../src/shared/viewApi.ts';
import { Icon } from '../lib/icon.tsx';
import { formatCount, say, strings } from '../lib/strings.ts';
import { palette } from '../lib/theme.ts';
import { labelText, TokenText } from '../lib/tokenText.tsx';
import { type Chip, HeatStrip } from '../marks/heatStrip.tsx';
import { featureName } from './featureName.ts';
import { stripChips } from './stripChips.ts';
import type { TokensStore } from './tokensStore.ts';

/** The strip and everything that explains it. */
export function StripSection({ store }: { readonly store: TokensStore }): JSX.Element {
  const before = useRef<readonly Chip[]>([]);
  const chips = useComputed(() => {
    const state = store.state.value;
    before.current = state ? stripChips(state, palette.value, before.current) : [];
    return before.current;
  });
  const handlers = useRef({
    onSelect: (position: number) => store.selectToken(position),
    onHover: (position: number | undefined) => {
      store.hovered.value = position;
    },
    onOpen: () => store.openStrongest(),
    onEscape: () => store.clearPins(),
  }).current;
  return (
    <section class="strip-section">
      <HeatStrip
        label={strings.stripLabel}
        chips={chips.value}
        selected={store.selected.value}
        highlighted={store.highlighted.value}
        {...handlers}
      />
      <Readout store={store} />
      <Legend store={store} />
    </section>
  );
}

/** Values of the token under the pointer, else of the selected one. Always one line high. */
function Readout({ store }: { readonly store: TokensStore }): JSX.Element {
  const state = store.state.value;
  const selected = store.selected.value;
  const position = store.hovered.value ?? selected;
  const token = state?.strip?.tokens[position];
  if (!state || !token) return <p class="readout quiet small">{strings.readoutNone}</p>;
  const given = state.probabilities?.[position];
  return (
    <p class="readout small">
      <TokenText text={token.text} />
      {token.special && <span>{strings.readoutSpecial}</span>}
      {token.marker && <span>{strings.readoutMarker}</span>}
      <span>{say('readoutPosition', { position: formatCount(position) })}</span>
      <span class="readout-id">{say('readoutId', { id: token.id })}</span>
      {state.heat && (
        <span>{say('readoutActivation', { value: formatNumber(state.heat.values[position] ?? 0) })}</span>
      )}
      {given !== undefined && !Number.isNaN(given) && (
        <span>{say('readoutGiven', { value: formatProbability(given) })}</span>
      )}
      {position === selected && <Attends state={state} />}
    </p>
  );
}

function Attends({ state }: { readonly state: TokensState }): JSX.Element | null {
  const source = state.attention;
  const token = source && state.strip?.tokens[source.source];
  if (!source || !token) return null;
  const [before, after = ''] = say('readoutAttends', {
    token: '\u0000',
    head: formatHead(source.layer, source.head),
    value: formatProbability(source.weight),
  }).split('\u0000') as [string, string?];
  return (
    <span class="readout-wide">
      {before}
      <TokenText text={token.text} />
      {after}
    </span>
  );
}

function Legend({ store }: { readonly store: TokensStore }): JSX.Element {
  const state = store.state.value;
  const heat = state?.heat;
  return (
    <div class="legend small">
      {heat && (
        <span class="legend-heat">
          <span class="legend-title" title={heat.title}>
            {heat.kind === 'strongest' ? strings.legendStrongest : labelText(heat.title)}
          </span>
          <span class="quiet">0</span>
          <i class="legend-ramp" aria-hidden="true" />
          <span class="quiet">{formatNumber(heat.max)}</span>
        </span>
      )}
      {state?.probabilities && <span class="quiet legend-under">{strings.legendUnderline}</span>}
      {state?.comparison && <span class="quiet">{strings.legendDiffers}</span>}
      {state?.comparison?.equalLength && (
        <button type="button" class="link" onClick={() => store.run('sweepPatches')}>
          {strings.sweepOffer}
        </button>
      )}
      {state && state.pinned.length > 0 && <Pins store={store} pinned={state.pinned} />}
    </div>
  );
}

function Pins(props: { readonly store: TokensStore; readonly pinned: TokensState['pinned'] }): JSX.Element {
  return (
    <span class="pins">
      {props.pinned.map((feature) => (
        <button
          key={`${feature.sae}/${feature.index}`}
          type="button"
          class="pin"
          aria-label={say('unpinNamed', { name: featureName(feature) })}
          title={say('unpinNamed', { name: featureName(feature) })}
          onClick={() => props.store.pinFeature(feature, false)}
        >
          <Icon name="pin" filled />
          <span class="pin-name">{feature.label ? featureName(feature) : `#${feature.index}`}</span>
          <Icon name="close" />
        </button>
      ))}
    </span>
  );
}
