/** How right the classifier is before and after, beside what does the same without looking at features. */

import type { JSX } from 'preact';
import type { ShiftAccuracy, ShiftOutcome } from '../../src/shared/shiftApi.ts';
import { say, strings } from '../lib/strings.ts';

interface Row {
  readonly name: string;
  readonly accuracy: ShiftAccuracy;
  readonly kind?: 'before' | 'main';
}

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
        {outcome && (
          <span class={isStale ? 'quiet small' : 'shift-gain'}>
            {isStale
              ? strings.shiftStale
              : say('shiftGain', {
                  before: percent(before.worstGroup),
                  after: percent(outcome.retrained.worstGroup),
                })}
          </span>
        )}
      </div>
      <div class="shift-table-scroll" ref={makeReachable}>
        <table class="shift-table">
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
              {before.groups.map(({ profession, gender }) => (
                <th scope="col" key={`${gender} ${profession}`} class="shift-group">
                  {say('shiftGroup', { gender, profession })}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rowsOf(before, outcome).map((row) => (
              <AccuracyRow key={row.name} row={row} />
            ))}
          </tbody>
          {outcome && (
            <tbody class="shift-baselines">
              <tr>
                <th scope="rowgroup" colSpan={4 + before.groups.length}>
                  {strings.shiftComparison}
                </th>
              </tr>
              {baselinesOf(outcome).map((row) => (
                <AccuracyRow key={row.name} row={row} />
              ))}
            </tbody>
          )}
        </table>
      </div>
    </section>
  );
}

/** What scrolls sideways in a narrow panel has to be reachable by keyboard. */
function makeReachable(element: HTMLElement | null): void {
  if (element) element.tabIndex = 0;
}

function rowsOf(before: ShiftAccuracy, outcome: ShiftOutcome | undefined): readonly Row[] {
  const first: Row = { name: strings.shiftBefore, accuracy: before, kind: 'before' };
  if (!outcome) return [first];
  const count = outcome.ablated.length;
  const name = count === 1 ? strings.shiftAfterOne : say('shiftAfter', { count });
  return [
    first,
    { name, accuracy: outcome.after },
    { name: strings.shiftRetrained, accuracy: outcome.retrained, kind: 'main' },
  ];
}

function baselinesOf({ baselines }: ShiftOutcome): readonly Row[] {
  return [
    { name: strings.shiftConcepts, accuracy: baselines.conceptBottleneck },
    { name: strings.shiftRandom, accuracy: baselines.random },
    { name: strings.shiftNeurons, accuracy: baselines.neurons },
    { name: strings.shiftOracle, accuracy: baselines.oracle },
  ];
}

function AccuracyRow({ row: { name, accuracy, kind } }: { readonly row: Row }): JSX.Element {
  return (
    <tr class={kind && `shift-row-${kind}`}>
      <th scope="row">{name}</th>
      <td>
        <Share share={accuracy.worstGroup} kind="worst" />
      </td>
      <td>
        <Share share={accuracy.profession} kind="profession" />
      </td>
      <td>
        <Share share={accuracy.gender} kind="gender" />
      </td>
      {accuracy.groups.map((group) => (
        <td key={`${group.gender} ${group.profession}`} class="shift-group">
          {percent(group.accuracy)}
        </td>
      ))}
    </tr>
  );
}

function Share(props: {
  readonly share: number;
  readonly kind: 'worst' | 'profession' | 'gender';
}): JSX.Element {
  const { share, kind } = props;
  return (
    <span class="shift-share">
      <span class={`shift-track shift-track-${kind}`} aria-hidden="true">
        <i style={{ width: `${Math.min(1, Math.max(0, share)) * 100}%` }} />
      </span>
      <span class="shift-number">{percent(share)}</span>
    </span>
  );
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
