/** Numbers of this model beside those of the paper, one measure a row. */

import type { JSX } from 'preact';
import { strings } from '../lib/strings.ts';

/** One measure; without `paper` or `heldOut` there is no such number. */
export interface Figure {
  readonly name: string;
  readonly here: string;
  /** The same on pairs that nothing was chosen by. */
  readonly heldOut?: string;
  readonly paper?: string;
}

/** The table; `label` says what it is about, `heldOut` what the pairs of that column are. */
export function FigureTable(props: {
  readonly label: string;
  readonly figures: readonly Figure[];
  readonly heldOut?: string;
}): JSX.Element {
  const { figures, heldOut, label } = props;
  return (
    <table class="figures" aria-label={label}>
      <thead>
        <tr>
          <th scope="col">
            <span class="sr-only">{strings.studyMeasure}</span>
          </th>
          <th scope="col" class="number">
            {strings.studyThis}
          </th>
          {heldOut !== undefined && (
            <th scope="col" class="number">
              {heldOut}
            </th>
          )}
          <th scope="col" class="number paper" title={strings.studyPaperFull}>
            {strings.studyPaper}
          </th>
        </tr>
      </thead>
      <tbody>
        {figures.map((figure) => (
          <tr key={figure.name}>
            <th scope="row">{figure.name}</th>
            <td class="number">{figure.here}</td>
            {heldOut !== undefined && <td class="number">{figure.heldOut ?? ''}</td>}
            <td class="number paper">{figure.paper ?? <NoFigure />}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** A dash where the paper is silent, in words for those who hear it. */
function NoFigure(): JSX.Element {
  return (
    <span title={strings.studyNotInPaper}>
      <span aria-hidden="true">–</span>
      <span class="sr-only">{strings.studyNotInPaper}</span>
    </span>
  );
}
