/** The strongest cells as a list: the heat map for those who read it by keyboard or ear. */

import type { JSX } from 'preact';
import {
  cellPlace,
  componentName,
  effectOf,
  effectText,
  isChange,
  restingValue,
} from '../../src/shared/sweepCell.ts';
import { strings } from '../lib/strings.ts';
import { labelText, TokenText } from '../lib/tokenText.tsx';
import { SignedBarList, type SignedRow } from '../marks/signedBarList.tsx';
import { sharedDecimals, strongestCells } from './cellEffects.ts';
import { cellLabel, tokenAt, type WordedSweep } from './cellWords.ts';
import type { SweepStore } from './sweepStore.ts';

/** Cells that are listed. */
const listed = 20;

/** The list; a row goes to its cell and its token. */
export function StrongestList(props: {
  readonly store: SweepStore;
  readonly sweep: WordedSweep;
}): JSX.Element {
  const { store, sweep } = props;
  const { question, values } = sweep;
  const cells = strongestCells(values, restingValue(question), listed);
  const effects = cells.map((cell) => effectOf(question, values[cell] ?? Number.NaN));
  const decimals = sharedDecimals(effects);
  const text = (effect: number): string =>
    isChange(question) ? effectText(question, effect) : withSign(effect.toFixed(decimals));
  const rows = cells.map((cell, i) => rowOf({ store, sweep, cell }, effects[i]!, text(effects[i]!)));
  return (
    <section class="sweep-strongest">
      <h2>{strings.sweepStrongest}</h2>
      {rows.length > 0 ? (
        <SignedBarList rows={rows} label={strings.sweepStrongest} />
      ) : (
        <p class="small quiet">{strings.sweepStrongestNone}</p>
      )}
    </section>
  );
}

/** A token, with its position where the prompt has it more than once. */
function Place(props: { readonly outline: WordedSweep['outline']; readonly position: number }): JSX.Element {
  const { outline, position } = props;
  const text = tokenAt(outline, position);
  const isRepeated = outline.tokens?.clean.some((other, at) => at !== position && other === text);
  return (
    <>
      <TokenText text={text} />
      {isRepeated && <span class="sweep-place">{position}</span>}
    </>
  );
}

function withSign(text: string): string {
  return text.startsWith('-') ? text.replace('-', '−') : `+${text}`;
}

function rowOf(
  { store, sweep, cell }: { readonly store: SweepStore; readonly sweep: WordedSweep; readonly cell: number },
  value: number,
  text: string,
): SignedRow {
  const { outline, question } = sweep;
  const place = cellPlace(question, outline.axes, cell);
  const { position, role, source } = place;
  const label = typeof place.feature === 'number' ? sweep.labels?.[place.feature] : undefined;
  return {
    key: String(cell),
    name: (
      <>
        {componentName(place)}{' '}
        <span class="quiet">
          {position !== undefined && <Place outline={outline} position={position} />}
          {role !== undefined && labelText(role)}
          {source !== undefined && (
            <>
              {' → '}
              <Place outline={outline} position={source} />
            </>
          )}
          {label !== undefined && ` ${labelText(label)}`}
        </span>
      </>
    ),
    value,
    text,
    label: cellLabel(sweep, cell) || text,
    onSelect: () => store.openCell(cell),
  };
}
