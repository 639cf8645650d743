/** Attention of one layer: all heads small, the chosen one large, and what the selected token looks at. */

import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import type { AttentionPattern } from '../../src/shared/analysis.ts';
import type { Token } from '../../src/shared/domain.ts';
import { formatHead, formatProbability } from '../../src/shared/format.ts';
import { fill } from '../../src/shared/viewStrings.ts';
import { Note } from '../lib/message.tsx';
import { say, strings } from '../lib/strings.ts';
import { palette } from '../lib/theme.ts';
import { spokenToken, TokenText } from '../lib/tokenText.tsx';
import { AttentionMap } from '../marks/attentionMap.tsx';
import { strongestSources } from '../marks/attentionPattern.ts';
import { BarList } from '../marks/barList.tsx';
import { ResourceView } from './resourceView.tsx';
import { TokenHeading } from './tokenHeading.tsx';
import type { TokensStore } from './tokensStore.ts';

/** Sources listed for the selected token. */
const shownSources = 12;

/** Pixels per side of the small and the large picture. */
const smallResolution = 64;
const largeResolution = 256;

/** The tab; patterns are fetched per run and layer. */
export function AttentionTab({ store }: { readonly store: TokensStore }): JSX.Element {
  const state = store.state.value;
  const nLayers = state?.model?.nLayers ?? 1;
  const layer = Math.min(store.attentionLayer.value, nLayers - 1);
  const key = `${state?.run}/${layer}`;
  useEffect(() => {
    if (state?.run === undefined) return;
    void store.attention.load(key, (signal) => store.host.api.attentionPattern({ layer }, { signal }));
  }, [key]);
  if (store.selected.value < 0) return <Note text={strings.noSelection} />;
  return (
    <div class="attention">
      <div class="attention-controls">
        <label class="small">
          {strings.attentionLayer}{' '}
          <select
            value={String(layer)}
            onChange={(event) => {
              store.attentionLayer.value = Number(event.currentTarget.value);
            }}
          >
            {Array.from({ length: nLayers }, (_, i) => (
              <option key={i} value={String(i)}>
                {i}
              </option>
            ))}
          </select>
        </label>
        <button
          type="button"
          class="link small"
          onClick={() => store.ablateHead(layer, store.attentionHead.value)}
        >
          {say('ablateThisHead', { head: formatHead(layer, store.attentionHead.value) })}
        </button>
      </div>
      <ResourceView state={store.attention.state.value}>
        {(attention) => <Heads store={store} attention={attention} />}
      </ResourceView>
    </div>
  );
}

function Heads(props: { readonly store: TokensStore; readonly attention: AttentionPattern }): JSX.Element {
  const { store, attention } = props;
  const tokens = store.state.value?.strip?.tokens ?? [];
  const query = Math.min(store.selected.value, attention.positions - 1);
  const head = Math.min(store.attentionHead.value, attention.nHeads - 1);
  return (
    <>
      <fieldset class="heads">
        <legend class="sr-only">{say('attentionHeads', { layer: attention.layer })}</legend>
        {Array.from({ length: attention.nHeads }, (_, i) => (
          <button
            key={i}
            type="button"
            class="head"
            aria-pressed={i === head}
            aria-label={headLabel('attentionHeadLabel', attention, i, query, tokens)}
            onClick={() => {
              store.attentionHead.value = i;
            }}
          >
            <span class="head-map">
              <AttentionMap
                pattern={attention.pattern}
                head={i}
                positions={attention.positions}
                resolution={smallResolution}
                palette={palette.value}
              />
              <RowMark query={query} positions={attention.positions} />
            </span>
            <span class="small mono">{formatHead(attention.layer, i)}</span>
          </button>
        ))}
      </fieldset>
      <Enlarged store={store} attention={attention} head={head} query={query} tokens={tokens} />
    </>
  );
}

function Enlarged(props: {
  readonly store: TokensStore;
  readonly attention: AttentionPattern;
  readonly head: number;
  readonly query: number;
  readonly tokens: readonly Token[];
}): JSX.Element {
  const { store, attention, head, query, tokens } = props;
  const sources = strongestSources(attention.pattern, head, attention.positions, query, shownSources);
  const name = formatHead(attention.layer, head);
  const rows = sources.map(({ position, weight }) => {
    const text = tokens[position]?.text ?? '';
    const value = formatProbability(weight);
    return {
      key: String(position),
      name: (
        <>
          <TokenText text={text} /> <span class="quiet small">{position}</span>
        </>
      ),
      share: weight,
      value,
      label: say('attentionRow', { token: spokenToken(text), position, value }),
      onSelect: () => store.selectToken(position),
      onHover: (over: boolean) => {
        store.highlighted.value = over ? position : undefined;
      },
    };
  });
  return (
    <>
      <TokenHeading
        template={fill(strings.attentionFrom, { head: name, token: '{token}' })}
        text={tokens[query]?.text ?? ''}
      />
      <div class="head-large">
        <span class="head-map">
          <AttentionMap
            pattern={attention.pattern}
            head={head}
            positions={attention.positions}
            resolution={largeResolution}
            palette={palette.value}
            label={headLabel('attentionMapLabel', attention, head, query, tokens)}
          />
          <RowMark query={query} positions={attention.positions} />
        </span>
        <BarList rows={rows} kind="heat" />
      </div>
    </>
  );
}

/** Frames the selected query's row. */
function RowMark({ query, positions }: { readonly query: number; readonly positions: number }): JSX.Element {
  return (
    <i
      class="row-mark"
      aria-hidden="true"
      style={{ top: `${(query / positions) * 100}%`, height: `${100 / positions}%` }}
    />
  );
}

function headLabel(
  key: 'attentionHeadLabel' | 'attentionMapLabel',
  attention: AttentionPattern,
  head: number,
  query: number,
  tokens: readonly Token[],
): string {
  const top = strongestSources(attention.pattern, head, attention.positions, query, 1)[0];
  return say(key, {
    head: formatHead(attention.layer, head),
    token: spokenToken(tokens[top?.position ?? -1]?.text ?? ''),
    value: formatProbability(top?.weight ?? Number.NaN),
  });
}
