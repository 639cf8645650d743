/** How right the classifier is before and after, beside what does the same without looking at features. */

import type { JSX } from 'preact';
import {
  rangeOf,
  type ShiftRow,
  type ShiftRowGroup,
  type ShiftRowKind,
  shiftRows,
} from '../../src/shared/describeShift.ts';
import type { ShiftAccuracy, ShiftOutcome } from '../../src/shared/shiftApi.ts';
import { say, strings } from '../lib/strings.ts';
import { Share } from './share.tsx';

/** The table; numbers carry bars, so that rows can be compared at a glance. */
export function AccuracyTable(props: {
  readonly before: ShiftAccuracy;
  readonly outcome: ShiftOutcome | undefined;
  readonly isStale: boolean;
}): JSX.Element {
  const { before, outcome, isStale } = props;
  return (
    <section class={isStale ? 'shift-accuracy shift-stale' : 'shift-accuracy'}>
      <div class="heading">
        <h2>{strings.shiftAccuracies}</h2>
        {outcome && <Gain outcome={outcome} isStale={isStale} />}
      </div>
      <div class="shift-table-scroll" ref={makeReachable}>
        <table class="shift-table">
          <Head groups={before.groups} />
          {shiftRows(before, outcome).map((group) => (
            <RowGroup key={group.kind} group={group} ablated={outcome?.ablated.length ?? 0} />
          ))}
        </table>
      </div>
    </section>
  );
}

/** What it comes to; or that the numbers are of other marks. */
function Gain({
  outcome,
  isStale,
}: {
  readonly outcome: ShiftOutcome;
  readonly isStale: boolean;
}): JSX.Element {
  if (isStale) return <span class="shift-stale-note small">{strings.shiftStale}</span>;
  const { before, retrained } = outcome;
  const values = { before: percent(before.worstGroup), after: percent(retrained.worstGroup) };
  return <span class="shift-gain">{say('shiftGain', values)}</span>;
}

/** What scrolls sideways in a narrow panel has to be reachable by keyboard. */
function makeReachable(element: HTMLElement | null): void {
  if (element) element.tabIndex = 0;
}

function Head({ groups }: Pick<ShiftAccuracy, 'groups'>): JSX.Element {
  return (
    <thead>
      <tr>
        <th scope="col">
          <span class="sr-only">{strings.shiftRow}</span>
        </th>
        <th scope="col" title={strings.shiftWorstTitle}>
          {strings.shiftWorst}
        </th>
        <th scope="col" title={strings.shiftProfessionTitle}>
          {strings.shiftProfession}
        </th>
        <th scope="col" title={strings.shiftGenderTitle}>
          {strings.shiftGender}
          <span class="shift-chance">
            <i aria-hidden="true" /> {strings.shiftChance}
          </span>
        </th>
        {groups.map(({ profession, gender }) => (
          <th scope="col" key={`${gender} ${profession}`} class="shift-group">
            {say('shiftGroup', { gender, profession })}
          </th>
        ))}
      </tr>
    </thead>
  );
}

function RowGroup({
  group,
  ablated,
}: {
  readonly group: ShiftRowGroup;
  readonly ablated: number;
}): JSX.Element {
  const { kind, rows } = group;
  return (
    <tbody>
      {kind !== 'shift' && (
        <tr>
          <th scope="rowgroup" colSpan={4 + rows[0]!.accuracy.groups.length}>
            {kind === 'comparison' ? strings.shiftComparison : strings.shiftSkyline}
          </th>
        </tr>
      )}
      {rows.map((row) => (
        <AccuracyRow key={row.kind} row={row} ablated={ablated} />
      ))}
    </tbody>
  );
}

function AccuracyRow({ row, ablated }: { readonly row: ShiftRow; readonly ablated: number }): JSX.Element {
  const { kind, accuracy, draws } = row;
  return (
    <tr class={`shift-row-${kind}`}>
      <th scope="row" title={strings[`shiftTitle_${kind}` as const]}>
        <span class="shift-row-name">{strings[`shiftName_${kind}` as const]}</span>{' '}
        <span class="shift-row-what quiet small">{whatOf(kind, ablated)}</span>
      </th>
      {(['worstGroup', 'profession', 'gender'] as const).map((measure) => (
        <td key={measure}>
          <Share
            share={accuracy[measure]}
            kind={measure}
            range={draws && rangeOf(draws, (draw) => draw[measure])}
          />
        </td>
      ))}
      {accuracy.groups.map((group) => (
        <td key={`${group.gender} ${group.profession}`} class="shift-group">
          {percent(group.accuracy)}
        </td>
      ))}
    </tr>
  );
}

function whatOf(kind: ShiftRowKind, ablated: number): string {
  if (kind !== 'after') return strings[`shiftWhat_${kind}` as const];
  return ablated === 1 ? strings.shiftAfterOne : say('shiftAfter', { count: ablated });
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
