/** How well the model names the indirect object. */

import type { JSX } from 'preact';
import { paperFigures } from '../../src/shared/ioiPaper.ts';
import { Icon } from '../lib/icon.tsx';
import { strings } from '../lib/strings.ts';
import { type Figure, FigureTable } from './figureTable.tsx';
import type { SectionProps } from './studyApp.tsx';
import { decimal, percent } from './studyFormat.ts';

/** Nothing before it has been measured. */
export function BehaviourSection({ study }: SectionProps): JSX.Element | null {
  const { behaviour, withoutNameMovers } = study;
  if (!behaviour) return null;
  const { logitDifference, accuracy, probability, corruptedLogitDifference } = behaviour;
  const figures: Figure[] = [
    { name: strings.studyLd, here: decimal(logitDifference), paper: decimal(paperFigures.logitDifference) },
    { name: strings.studyAccuracy, here: percent(accuracy), paper: percent(paperFigures.accuracy) },
    { name: strings.studyProbability, here: percent(probability), paper: percent(paperFigures.probability) },
    { name: strings.studyCorrupted, here: decimal(corruptedLogitDifference) },
  ];
  if (withoutNameMovers !== undefined) {
    const change = (withoutNameMovers - logitDifference) / Math.abs(logitDifference);
    figures.push({
      name: strings.studyMoversOut,
      here: percent(change),
      paper: percent(paperFigures.withoutNameMovers),
    });
  }
  return (
    <section aria-labelledby="behaviour">
      <h2 id="behaviour">{strings.studyBehaviour}</h2>
      {study.doubts && (
        <p class="notice">
          <Icon name="warning" />
          <span>
            {[strings.studyDoubt, ...study.doubts.map((doubt) => strings[`studyDoubt_${doubt}`])].join(' ')}
          </span>
        </p>
      )}
      <FigureTable label={strings.studyBehaviour} figures={figures} />
    </section>
  );
}
