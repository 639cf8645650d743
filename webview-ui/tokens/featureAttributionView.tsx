/** Which features of an SAE wrote the answer: their parts at the selected token, with what the SAE adds and leaves out. */

import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import type { FeatureAttribution } from '../../src/shared/attributionApi.ts';
import type { SaeInfo } from '../../src/shared/domain.ts';
import { say, strings } from '../lib/strings.ts';
import { SignedBarList, type SignedRow } from '../marks/signedBarList.tsx';
import { ResourceView } from './resourceView.tsx';
import { signedRow } from './signedRow.ts';
import { TokenHeading } from './tokenHeading.tsx';
import type { TokensStore } from './tokensStore.ts';

/** Features shown one by one; the rest are one row, so that the rows still add up to the total. */
const shownFeatures = 24;

/** The sum, largest parts first. `question` changes with the run, the token and the contrast. */
export function FeatureAttributionView(props: {
  readonly store: TokensStore;
  readonly sae: SaeInfo;
  readonly question: string;
}): JSX.Element {
  const { question, sae, store } = props;
  const position = store.selected.value;
  const run = store.state.value?.run;
  const key = `${question} ${sae.id}`;
  useEffect(() => {
    if (position < 0 || run === undefined) return;
    void store.featureAttribution.load(key, (signal) =>
      store.host.api.featureAttribution({ position, sae: sae.id }, { signal }),
    );
  }, [key]);
  return (
    <ResourceView state={store.featureAttribution.state.value}>
      {(attribution) => <Parts store={store} sae={sae.name} attribution={attribution} />}
    </ResourceView>
  );
}

function Parts(props: {
  readonly store: TokensStore;
  readonly sae: string;
  readonly attribution: FeatureAttribution;
}): JSX.Element {
  const { attribution, sae, store } = props;
  const token = store.state.value?.strip?.tokens[attribution.position];
  const heading = say('attributionOf', { what: attribution.what });
  return (
    <>
      <TokenHeading template={`${heading} ${strings.attributionAt}`} text={token?.text ?? ''} />
      <SignedBarList
        label={heading}
        rows={featureRows(attribution, shownFeatures)}
        total={signedRow('total', say('attributionWholeHook', { sae }), attribution.total)}
      />
    </>
  );
}

/** The `count` largest features, the others as one row, and the SAE's bias and error: together the total. */
export function featureRows(
  { bias, error, features }: FeatureAttribution,
  count: number,
): readonly SignedRow[] {
  const rows = features
    .slice(0, count)
    .map(({ index, value }) => signedRow(`${index}`, say('attributionFeature', { index }), value));
  const rest = features.slice(count);
  if (rest.length > 0) {
    const sum = rest.reduce((all, { value }) => all + value, 0);
    rows.push(signedRow('rest', say('attributionFeatureRest', { count: rest.length }), sum));
  }
  return [
    ...rows,
    signedRow('bias', strings.attributionSaeBias, bias),
    signedRow('error', strings.attributionSaeError, error),
  ];
}
