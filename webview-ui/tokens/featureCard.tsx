/** What is known of one feature apart from this prompt: density, range, and the logits it moves. */

import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import type { FeatureInfo, TokenLogit } from '../../src/shared/domain.ts';
import { formatNumber, formatProbability, formatSigned } from '../../src/shared/format.ts';
import { say, strings } from '../lib/strings.ts';
import { labelText, spokenToken, TokenText } from '../lib/tokenText.tsx';
import { BarList } from '../marks/barList.tsx';
import { featureKey, type TokensStore } from './tokensStore.ts';

/** The open row's card; logits are fetched when it opens. */
export function FeatureCard(props: {
  readonly store: TokensStore;
  readonly feature: FeatureInfo;
}): JSX.Element {
  const { store, feature } = props;
  const key = featureKey(feature);
  useEffect(() => {
    const { sae, index } = feature;
    void store.card.load(key, (signal) =>
      store.host.api.featureInfo({ feature: { sae, index } }, { signal }),
    );
  }, [key]);
  const fetched = store.card.state.value;
  const info: FeatureInfo = fetched.key === key && fetched.value ? fetched.value : feature;
  const known = info.topLogits !== undefined || info.bottomLogits !== undefined;
  return (
    <div class="card">
      <dl class="facts">
        {info.density !== undefined && (
          <div title={strings.densityTitle}>
            <dt>{strings.density}</dt>
            <dd>{formatProbability(info.density)}</dd>
          </div>
        )}
        {info.maxActivation !== undefined && (
          <div>
            <dt>{strings.maxActivation}</dt>
            <dd>{formatNumber(info.maxActivation)}</dd>
          </div>
        )}
      </dl>
      {info.labelSource && (
        <p class="card-source">{say('labelSource', { source: labelText(info.labelSource) })}</p>
      )}
      {known ? (
        <Logits info={info} />
      ) : (
        <p class="quiet small">{logitsMissing(fetched.loading, fetched.error)}</p>
      )}
    </div>
  );
}

function logitsMissing(loading: boolean, error: string | undefined): string {
  if (loading) return strings.computing;
  return error ?? strings.noLogits;
}

function Logits({ info }: { readonly info: FeatureInfo }): JSX.Element {
  const all = [...(info.topLogits ?? []), ...(info.bottomLogits ?? [])];
  const largest = Math.max(1e-9, ...all.map((entry) => Math.abs(entry.logit)));
  return (
    <div class="card-logits">
      <LogitColumn kind="probability" entries={info.topLogits ?? []} largest={largest} />
      <LogitColumn kind="lowering" entries={info.bottomLogits ?? []} largest={largest} />
    </div>
  );
}

function LogitColumn(props: {
  readonly kind: 'probability' | 'lowering';
  readonly entries: readonly TokenLogit[];
  readonly largest: number;
}): JSX.Element {
  const title = props.kind === 'lowering' ? strings.lowers : strings.raises;
  const rows = props.entries.map((entry) => ({
    key: String(entry.id),
    name: <TokenText text={entry.text} />,
    share: Math.abs(entry.logit) / props.largest,
    value: formatSigned(entry.logit),
    label: `${spokenToken(entry.text)}, ${formatSigned(entry.logit)}`,
  }));
  return (
    <div>
      <h3>{title}</h3>
      <BarList rows={rows} kind={props.kind} label={`${strings.decoderLogits}: ${title}`} />
    </div>
  );
}
