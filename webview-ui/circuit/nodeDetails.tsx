/** What is known of a feature beyond the graph: texts in which it is strongest, and the logits that it moves. */

import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import type { NodeDetails } from '../../src/shared/circuitViewApi.ts';
import { formatProbability, formatSigned } from '../../src/shared/format.ts';
import { strings } from '../lib/strings.ts';
import { spokenToken, TokenText } from '../lib/tokenText.tsx';
import { BarList } from '../marks/barList.tsx';
import { ExampleStrip } from '../marks/exampleStrip.tsx';
import type { CircuitStore } from './circuitStore.ts';

/** Stretches of text that are drawn. */
const mostExamples = 8;

/** The details of a node, fetched when its card opens. */
export function NodeDetailsView(props: { readonly store: CircuitStore; readonly node: string }): JSX.Element {
  const { store, node } = props;
  const key = `${store.state.value?.circuit?.id}/${node}`;
  useEffect(() => {
    void store.details.load(key, (signal) => store.host.api.nodeDetails({ node }, { signal }));
  }, [key]);
  const fetched = store.details.state.value;
  const details = fetched.key === key ? fetched.value : undefined;
  return (
    <>
      <section class="examples" aria-busy={fetched.loading}>
        <h3>{strings.cardExamples}</h3>
        {details ? (
          <Examples details={details} />
        ) : (
          <p class="small quiet">
            {fetched.error ?? (fetched.loading ? strings.cardExamplesLoading : strings.cardExamplesNone)}
          </p>
        )}
      </section>
      {details && details.topLogits.length + details.bottomLogits.length > 0 && <Logits details={details} />}
    </>
  );
}

function Examples({ details }: { readonly details: NodeDetails }): JSX.Element {
  const examples = details.examples.slice(0, mostExamples);
  if (examples.length === 0) return <p class="small quiet">{strings.cardExamplesNone}</p>;
  const max = Math.max(...examples.flatMap(({ activations }) => activations));
  return (
    <>
      {details.density !== undefined && (
        <p class="small quiet" title={strings.densityTitle}>
          {strings.density} {formatProbability(details.density)}
        </p>
      )}
      <ul>
        {examples.map((example, i) => (
          <li key={i}>
            <ExampleStrip example={example} template={strings.cardExample} max={max} />
          </li>
        ))}
      </ul>
    </>
  );
}

function Logits({ details }: { readonly details: NodeDetails }): JSX.Element {
  const all = [...details.topLogits, ...details.bottomLogits];
  const largest = Math.max(1e-9, ...all.map(({ logit }) => Math.abs(logit)));
  return (
    <div class="card-logits">
      <Column title={strings.raises} kind="probability" entries={details.topLogits} largest={largest} />
      <Column title={strings.lowers} kind="lowering" entries={details.bottomLogits} largest={largest} />
    </div>
  );
}

function Column(props: {
  readonly title: string;
  readonly kind: 'probability' | 'lowering';
  readonly entries: NodeDetails['topLogits'];
  readonly largest: number;
}): JSX.Element {
  const rows = props.entries.slice(0, 6).map(({ text, logit }, i) => ({
    key: String(i),
    name: <TokenText text={text} />,
    share: Math.abs(logit) / props.largest,
    value: formatSigned(logit),
    label: `${spokenToken(text)}, ${formatSigned(logit)}`,
  }));
  return (
    <section>
      <h3>{props.title}</h3>
      <BarList rows={rows} kind={props.kind} label={`${strings.decoderLogits}: ${props.title}`} />
    </section>
  );
}
