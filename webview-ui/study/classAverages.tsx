/** What the heads of a class do on average, beside the paper's numbers. */

import type { JSX } from 'preact';
import { type ClassAverage, classAverages } from '../../src/shared/classAverages.ts';
import type { StudiedHead } from '../../src/shared/study.ts';
import { strings } from '../lib/strings.ts';
import { FigureTable } from './figureTable.tsx';
import { decimal } from './studyFormat.ts';

const words: Readonly<Record<ClassAverage['name'], string>> = {
  moversAttention: strings.averageMoversAttention,
  moversCopy: strings.averageMoversCopy,
  negativeCopy: strings.averageNegativeCopy,
  inhibitionAttention: strings.averageInhibitionAttention,
  anyCopy: strings.averageAnyCopy,
  anyNegativeCopy: strings.averageAnyNegativeCopy,
};

/** The table; classes without heads say so. */
export function ClassAverages({ heads }: { readonly heads: readonly StudiedHead[] }): JSX.Element {
  const figures = classAverages(heads).map(({ name, paper, value }) => ({
    name: words[name],
    here: value === undefined ? strings.studyNone : decimal(value),
    paper,
  }));
  return (
    <>
      <h3>{strings.studyAverages}</h3>
      <FigureTable label={strings.studyAverages} figures={figures} />
    </>
  );
}
