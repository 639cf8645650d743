/** Numbers of this model beside those of the paper, one measure a row. */

import type { JSX } from 'preact';
import { strings } from '../lib/strings.ts';

/** One measure; an empty text where the paper has no number. */
export interface Figure {
  readonly name: string;
  readonly here: string;
  readonly paper?: string;
}

/** The table; `label` says what it is about. */
export function FigureTable(props: {
  readonly label: string;
  readonly figures: readonly Figure[];
}): JSX.Element {
  return (
    <table class="figures" aria-label={props.label}>
      <thead>
        <tr>
          <th scope="col">
            <span class="sr-only">{strings.studyMeasure}</span>
          </th>
          <th scope="col" class="number">
            {strings.studyThis}
          </th>
          <th scope="col" class="number paper" title={strings.studyPaperFull}>
            {strings.studyPaper}
          </th>
        </tr>
      </thead>
      <tbody>
        {props.figures.map(({ name, here, paper }) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td class="number">{here}</td>
            <td class="number paper">{paper ?? ''}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
