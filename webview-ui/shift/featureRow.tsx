/** One feature: box, label, effect, its strongest stretch of text, and the others when it is open. */

import type { JSX } from 'preact';
import { featureName } from '../../src/shared/describeShift.ts';
import { formatNumber, formatProbability, formatSigned } from '../../src/shared/format.ts';
import type { ShiftFeature } from '../../src/shared/shiftApi.ts';
import { shiftKey } from '../../src/shared/shiftViewApi.ts';
import { Icon, IconButton } from '../lib/icon.tsx';
import { PureComponent } from '../lib/pureComponent.ts';
import { say, strings } from '../lib/strings.ts';
import { labelText } from '../lib/tokenText.tsx';
import { ExampleStrip } from '../marks/exampleStrip.tsx';
import { SignedBar } from '../marks/signedBarList.tsx';
import type { ShiftStore } from './shiftStore.ts';

interface FeatureRowProps {
  readonly store: ShiftStore;
  readonly feature: ShiftFeature;
  readonly row: number;
  readonly isMarked: boolean;
  readonly isOpen: boolean;
  readonly isTabStop: boolean;
  /** Of the strongest effect, −1 to 1. */
  readonly share: number;
  readonly onKeyDown: (event: KeyboardEvent) => void;
  readonly onFocus: () => void;
}

/** The row. */
export function FeatureRow(props: FeatureRowProps): JSX.Element {
  const { store, feature, row, isMarked, isOpen, isTabStop, onKeyDown, onFocus } = props;
  const key = shiftKey(feature.feature);
  const name = labelText(featureName(feature));
  const effect = formatSigned(feature.effect);
  const tabIndex = isTabStop ? 0 : -1;
  return (
    <li class={isMarked ? 'shift-feature shift-feature-marked' : 'shift-feature'} data-row={row}>
      <div class="shift-feature-row">
        <input
          type="checkbox"
          data-kind="mark"
          checked={isMarked}
          tabIndex={tabIndex}
          aria-label={say('shiftMarkLabel', { name, site: feature.hook, effect })}
          onChange={(event) => store.mark(key, event.currentTarget.checked)}
          onKeyDown={onKeyDown}
          onFocus={onFocus}
        />
        <button
          type="button"
          class="shift-open"
          data-kind="open"
          tabIndex={tabIndex}
          aria-expanded={isOpen}
          onClick={() => store.toggle(key)}
          onKeyDown={onKeyDown}
          onFocus={onFocus}
        >
          <Icon name="chevron" />
          <span class="shift-label">
            {feature.info.label ? name : <span class="quiet">{strings.shiftUnlabelled}</span>}
          </span>
          <span class="shift-site quiet small mono">
            {siteOf(feature.hook)} #{feature.feature.index}
          </span>
        </button>
        <Effect share={props.share} effect={effect} />
      </div>
      {store.known.value && <Known feature={feature} />}
      {isOpen ? <Card store={store} feature={feature} /> : <FirstExample feature={feature} />}
    </li>
  );
}

function Effect(props: { readonly share: number; readonly effect: string }): JSX.Element {
  const { share, effect } = props;
  return (
    <span class="shift-effect" title={strings.shiftEffectTitle}>
      <SignedBar share={share} />
      <span class="sr-only">{say('shiftEffect', { value: effect })}</span>
      <span class="shift-number" aria-hidden="true">
        {effect}
      </span>
    </span>
  );
}

/** What a person who judges would not know. */
function Known({ feature }: { readonly feature: ShiftFeature }): JSX.Element {
  return (
    <p class="shift-known-line small quiet" title={strings.shiftTellsTitle}>
      <span>{say('shiftTellsGender', { value: feature.tellsGender.toFixed(2) })}</span>
      <span>{say('shiftTellsProfession', { value: feature.tellsProfession.toFixed(2) })}</span>
      {feature.isGender && <span class="badge">{strings.shiftIsGender}</span>}
    </p>
  );
}

/** Drawn again only when its feature is another: there are a hundred of them. */
class FirstExample extends PureComponent<{ readonly feature: ShiftFeature }> {
  override render({ feature }: { readonly feature: ShiftFeature }): JSX.Element | null {
    const [first] = feature.examples;
    return first ? (
      <div class="shift-examples shift-examples-first">
        <ExampleStrip example={first} template={strings.shiftExample} />
      </div>
    ) : null;
  }
}

function Card({
  store,
  feature,
}: {
  readonly store: ShiftStore;
  readonly feature: ShiftFeature;
}): JSX.Element {
  const { info, examples } = feature;
  return (
    <div class="shift-card">
      {examples.length === 0 ? (
        <p class="quiet">{strings.shiftNoExamples}</p>
      ) : (
        <div class="shift-examples">
          {examples.map((example, i) => (
            <ExampleStrip key={i} example={example} template={strings.shiftExample} />
          ))}
        </div>
      )}
      <p class="shift-facts small quiet">
        {info.density !== undefined && (
          <span>{say('shiftDensity', { value: formatProbability(info.density) })}</span>
        )}
        {info.maxActivation !== undefined && (
          <span>{say('shiftMaximum', { value: formatNumber(info.maxActivation) })}</span>
        )}
        {info.labelSource !== undefined && <span>{labelText(info.labelSource)}</span>}
        <button type="button" class="link" onClick={() => store.label(feature)}>
          {strings.shiftLabel}
        </button>
        <IconButton icon="copy" label={strings.copyId} onClick={() => store.copy(feature)} />
      </p>
    </div>
  );
}

/** `blocks.1.hook_resid_post` is `1.resid_post` in a narrow column. */
function siteOf(hook: string): string {
  return hook.replace(/^blocks\./, '').replace(/hook_/, '');
}
