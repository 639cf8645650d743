/** What the model says after the selected token, and what the interventions changed about it. */

import type { JSX } from 'preact';
import type { Effect, Prediction } from '../../src/shared/analysis.ts';
import { formatProbability } from '../../src/shared/format.ts';
import { Note } from '../lib/message.tsx';
import { say, strings } from '../lib/strings.ts';
import { spokenToken, TokenText } from '../lib/tokenText.tsx';
import { BarList, type BarRow } from '../marks/barList.tsx';
import { TokenHeading } from './tokenHeading.tsx';
import type { TokensStore } from './tokensStore.ts';

/** Distribution after the selected token; at the last one also before and after the interventions. */
export function NextTokenTab({ store }: { readonly store: TokensStore }): JSX.Element {
  const state = store.state.value;
  const tokens = state?.strip?.tokens ?? [];
  const token = tokens[store.selected.value];
  if (!state || !token) return <Note text={strings.noSelection} />;
  const effect = state.interventions > 0 ? state.effect : undefined;
  const atEnd = store.selected.value === tokens.length - 1;
  return (
    <>
      <TokenHeading template={strings.nextAfter} text={token.text} />
      {effect && atEnd ? <Change effect={effect} /> : <Distribution predictions={state.predictions} />}
      {effect && !atEnd && (
        <>
          <div class="heading heading-later">
            <h2>{strings.nextEnd}</h2>
          </div>
          <Change effect={effect} />
        </>
      )}
    </>
  );
}

function Distribution({ predictions }: { readonly predictions: readonly Prediction[] }): JSX.Element {
  if (predictions.length === 0) return <Note text={strings.nextNone} />;
  const scale = predictions[0]?.probability || 1;
  const rows = predictions.map((prediction) => ({
    key: String(prediction.id),
    name: <TokenText text={prediction.text} />,
    share: prediction.probability / scale,
    value: formatProbability(prediction.probability),
    label: say('nextRow', {
      token: spokenToken(prediction.text),
      value: formatProbability(prediction.probability),
    }),
  }));
  return <BarList rows={rows} />;
}

function Change({ effect }: { readonly effect: Effect }): JSX.Element {
  return (
    <>
      <p class="change-legend small quiet">
        <i class="bar bar-before" aria-hidden="true" /> {strings.nextWithout}
        <i class="bar" aria-hidden="true" /> {strings.nextWith}
      </p>
      <BarList rows={changeRows(effect)} />
    </>
  );
}

/** Every token of either list, most probable (in the better of its two cases) first. */
export function changeRows(effect: Effect): readonly BarRow[] {
  const merged = new Map<number, { text: string; before?: number; after?: number }>();
  for (const { id, text, probability } of effect.before) merged.set(id, { text, before: probability });
  for (const { id, text, probability } of effect.after) {
    merged.set(id, { ...merged.get(id), text, after: probability });
  }
  const best = (row: { before?: number; after?: number }): number =>
    Math.max(row.before ?? 0, row.after ?? 0);
  const rows = [...merged].sort(([, a], [, b]) => best(b) - best(a));
  const scale = rows[0] ? best(rows[0][1]) || 1 : 1;
  return rows.map(([id, { text, before, after }]) => {
    // A token that fell out of one list is less probable there than that list's last.
    const beforeValue = before === undefined ? boundOf(effect.before) : formatProbability(before);
    const value = after === undefined ? boundOf(effect.after) : formatProbability(after);
    return {
      key: String(id),
      name: <TokenText text={text} />,
      share: (after ?? 0) / scale,
      value,
      before: (before ?? 0) / scale,
      beforeValue,
      label: say('nextRowChange', { token: spokenToken(text), before: beforeValue, after: value }),
    };
  });
}

function boundOf(predictions: readonly Prediction[]): string {
  const last = predictions[predictions.length - 1];
  if (!last) return '–';
  const text = formatProbability(last.probability);
  return text.startsWith('<') ? text : `< ${text}`;
}
