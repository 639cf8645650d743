/** Which components wrote the answer: direct logit attribution at the selected token, as a sum. */

import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import type { ComponentAttribution, ResidualAttribution } from '../../src/shared/analysis.ts';
import { formatHead, formatSigned } from '../../src/shared/format.ts';
import { Note } from '../lib/message.tsx';
import { say, strings } from '../lib/strings.ts';
import { SignedBarList, type SignedRow } from '../marks/signedBarList.tsx';
import { FeatureAttributionView } from './featureAttributionView.tsx';
import { ResourceView } from './resourceView.tsx';
import { signedRow } from './signedRow.ts';
import { TokenHeading } from './tokenHeading.tsx';
import type { TokensStore } from './tokensStore.ts';

/** Components shown one by one; the rest are one row, so that the rows still add up to the total. */
const shownComponents = 24;

/** The sum, largest parts first. */
export function AttributionTab({ store }: { readonly store: TokensStore }): JSX.Element {
  const state = store.state.value;
  const position = store.selected.value;
  const { answer, wrong } = state?.contrast ?? {};
  const sae = state?.sae;
  const byFeature = store.byFeature.value && sae !== undefined;
  const key = JSON.stringify([state?.run, position, answer, wrong]);
  useEffect(() => {
    if (position < 0 || state?.run === undefined || byFeature) return;
    void store.attribution.load(key, (signal) =>
      store.host.api.residualAttribution({ position }, { signal }),
    );
  }, [key, byFeature]);
  if (position < 0) return <Note text={strings.noSelection} />;
  return (
    <>
      {sae && <ByFeature store={store} sae={sae.name} />}
      {sae && byFeature ? (
        <FeatureAttributionView store={store} sae={sae} question={key} />
      ) : (
        <ResourceView state={store.attribution.state.value}>
          {(attribution) => <Attribution store={store} attribution={attribution} />}
        </ResourceView>
      )}
    </>
  );
}

/** Changes between components and the chosen SAE's features. */
function ByFeature({ store, sae }: { readonly store: TokensStore; readonly sae: string }): JSX.Element {
  return (
    <label class="attribution-by">
      <input
        type="checkbox"
        checked={store.byFeature.value}
        onChange={({ currentTarget }) => {
          store.byFeature.value = currentTarget.checked;
        }}
      />
      {say('attributionByFeature', { sae })}
    </label>
  );
}

function Attribution(props: {
  readonly store: TokensStore;
  readonly attribution: ResidualAttribution;
}): JSX.Element {
  const { attribution, store } = props;
  const token = store.state.value?.strip?.tokens[attribution.position];
  const heading = say('attributionOf', { what: attribution.what });
  return (
    <>
      <TokenHeading template={`${heading} ${strings.attributionAt}`} text={token?.text ?? ''} />
      <SignedBarList
        label={heading}
        rows={attributionRows(attribution.components, shownComponents)}
        total={{
          key: 'total',
          name: strings.attributionTotal,
          value: attribution.total,
          label: say('attributionRow', {
            name: strings.attributionTotal,
            value: formatSigned(attribution.total),
          }),
        }}
      />
    </>
  );
}

/** The `count` largest components by size, and one row for the sum of the others. */
export function attributionRows(
  components: readonly ComponentAttribution[],
  count: number,
): readonly SignedRow[] {
  const sorted = [...components].sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  const rows = sorted
    .slice(0, count)
    .map((component, i) => signedRow(`${i}`, nameOf(component), component.value));
  const rest = sorted.slice(count);
  if (rest.length === 0) return rows;
  let sum = 0;
  for (const component of rest) sum += component.value;
  return [...rows, signedRow('rest', say('attributionRest', { count: rest.length }), sum)];
}

function nameOf({ component, layer, head }: ComponentAttribution): string {
  if (head !== undefined) return say('componentHead', { head: formatHead(layer, head) });
  return /mlp/i.test(component) ? say('componentMlp', { layer }) : component;
}
