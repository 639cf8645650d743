/** The chosen cell: component, token, numbers, and what can be done with it. */

import type { JSX } from 'preact';
import { formatHead, formatNumber, formatSigned } from '../../src/shared/format.ts';
import {
  type CellPlace,
  cellPlace,
  cellTarget,
  effectOf,
  effectText,
  restingValue,
} from '../../src/shared/sweepCell.ts';
import type { CellAction } from '../../src/shared/sweepViewApi.ts';
import { say, strings } from '../lib/strings.ts';
import { labelText, TokenText } from '../lib/tokenText.tsx';
import { metricName, namedComponent, tokenAt, type WordedSweep } from './cellWords.ts';
import type { SweepStore } from './sweepStore.ts';

interface DetailProps {
  readonly store: SweepStore;
  readonly sweep: WordedSweep;
  /** Whether another model is open than the one that was swept: what would run it is not offered. */
  readonly isElsewhere: boolean;
}

/** The line, or a word on how to choose a cell. */
export function CellDetail({ store, sweep, isElsewhere }: DetailProps): JSX.Element {
  const cell = store.cell.value;
  if (cell < 0 || cell >= sweep.values.length)
    return <p class="sweep-detail small quiet">{strings.sweepPick}</p>;
  const place = cellPlace(sweep.question, sweep.outline.axes, cell);
  return (
    <section class="sweep-detail" aria-live="polite">
      <div class="sweep-facts">
        <h2>
          {namedComponent(sweep, place)} <Where sweep={sweep} place={place} />
        </h2>
        <Numbers sweep={sweep} cell={cell} />
      </div>
      <Actions store={store} sweep={sweep} isElsewhere={isElsewhere} place={place} cell={cell} />
    </section>
  );
}

function Where(props: { readonly sweep: WordedSweep; readonly place: CellPlace }): JSX.Element {
  const { outline } = props.sweep;
  const { position, role, source } = props.place;
  const token = (at: number): JSX.Element => (
    <>
      <TokenText text={tokenAt(outline, at)} /> <span class="quiet small">{at}</span>
    </>
  );
  if (role !== undefined) return <span class="quiet">{labelText(role)}</span>;
  if (position === undefined && source === undefined)
    return <span class="quiet small">{strings.sweepAllPositions}</span>;
  const other = position === undefined ? undefined : outline.tokens?.corrupted[position];
  const differs = position !== undefined && other !== undefined && other !== outline.tokens?.clean[position];
  return (
    <>
      {position !== undefined && token(position)}
      {differs && (
        <span class="quiet">
          {' '}
          ← <TokenText text={other} />
        </span>
      )}
      {source !== undefined && (
        <>
          {' '}
          → <span>{token(source)}</span>
        </>
      )}
    </>
  );
}

function Numbers(props: { readonly sweep: WordedSweep; readonly cell: number }): JSX.Element {
  const { cell, sweep } = props;
  const { outline, question, pairs, values } = sweep;
  const raw = sweep.raw[cell] ?? Number.NaN;
  const { other, own } = sweep;
  const value = (own ?? values)[cell] ?? Number.NaN;
  const isPatch = question.method === 'patch';
  const shown = restingValue(question) === 1 ? effectOf(question, value) : undefined;
  return (
    <dl class="sweep-numbers">
      <div title={isPatch ? strings.sweepValueTitle : strings.sweepChangeTitle}>
        <dt>{strings.sweepValue}</dt>
        <dd>
          {isPatch ? formatNumber(value) : effectText(question, value)}
          {shown !== undefined && <span class="quiet"> ({formatSigned(shown)})</span>}
        </dd>
      </div>
      {other && (
        <>
          <div title={other.title}>
            <dt>{strings.sweepOther}</dt>
            <dd>
              {isPatch
                ? formatNumber(other.values[cell] ?? Number.NaN)
                : effectText(question, other.values[cell] ?? Number.NaN)}
            </dd>
          </div>
          <div>
            <dt>{strings.sweepDifference}</dt>
            <dd>{effectText(question, effectOf(question, values[cell] ?? Number.NaN))}</dd>
          </div>
        </>
      )}
      <div>
        <dt>{say('sweepRaw', { metric: metricName(outline.metric) })}</dt>
        <dd>{formatSigned(raw)}</dd>
      </div>
      {outline.pairCount > 1 && (
        <div>
          <dt>{strings.sweepPairsName}</dt>
          <dd>
            {pairs[cell] ?? 0} / {outline.pairCount}
          </dd>
        </div>
      )}
    </dl>
  );
}

function Actions(props: DetailProps & { readonly place: CellPlace; readonly cell: number }): JSX.Element {
  const { cell, isElsewhere, place, store, sweep } = props;
  const { question } = sweep;
  const { head, layer = 0, position, source, role } = place;
  const isPlaced = position !== undefined || source !== undefined || role !== undefined;
  const canEdit = cellTarget(place, question) !== undefined;
  const actions: readonly (readonly [action: CellAction, title: string, isOffered: boolean])[] = [
    ['clean', strings.sweepGoClean, isPlaced],
    ['corrupted', strings.sweepGoCorrupted, isPlaced && role === undefined],
    [
      'attention',
      say('sweepAttention', { head: head === undefined ? '' : formatHead(layer, head) }),
      head !== undefined,
    ],
    ['feature', strings.sweepFeature, typeof place.feature === 'number'],
    ['ablate', strings.sweepAblate, canEdit],
    ['patch', strings.sweepPatch, canEdit],
    ['copy', strings.sweepCopy, true],
  ];
  return (
    <fieldset class="sweep-actions">
      <legend class="sr-only">{strings.sweepActions}</legend>
      {actions
        .filter(([, , isOffered]) => isOffered)
        .map(([action, title]) => (
          <button
            key={action}
            type="button"
            class="secondary"
            disabled={isElsewhere && action !== 'copy'}
            title={isElsewhere && action !== 'copy' ? strings.sweepOfOtherModel : undefined}
            onClick={() => store.act(cell, action)}
          >
            {title}
          </button>
        ))}
    </fieldset>
  );
}
