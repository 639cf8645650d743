/** Completeness: every set K as a point, the circuit without it against the model without it. */

import type { JSX } from 'preact';
import { classTitle, paperFigures, studyNodeName } from '../../src/shared/ioiPaper.ts';
import type { StudiedCircuit, StudyRemoval } from '../../src/shared/study.ts';
import { say, strings } from '../lib/strings.ts';
import { type Glyph, ScatterKey, ScatterPlot, type ScatterPoint } from '../marks/scatterPlot.tsx';
import { decimal, percent } from './studyFormat.ts';

interface RemovedSet extends StudyRemoval {
  readonly name: string;
  readonly glyph: Glyph;
}

/** The plot and its twin. */
export function Completeness({ circuit }: { readonly circuit: StudiedCircuit }): JSX.Element {
  const sets = setsOf(circuit);
  const worst = Math.max(0, ...sets.map(({ incompleteness }) => incompleteness));
  return (
    <>
      <h3>{strings.studyCompleteness}</h3>
      <p class="small quiet">{strings.studyCompletenessAbout}</p>
      <div class="completeness">
        <ScatterPlot
          label={say('studyScatterLabel', { count: sets.length, worst: percent(worst) })}
          across={strings.studyAcrossFull}
          up={strings.studyUpFull}
          diagonal={strings.studyDiagonal}
          points={[...sets.map(pointOf), paperPoint]}
        />
        <p class="scatter-legend small">
          <ScatterKey glyph="star" name={strings.studySetNone} />
          <ScatterKey glyph="circle" name={strings.studySetRandom} />
          <ScatterKey glyph="square" name={strings.studySetClass} />
          {circuit.completeness.greedy && <ScatterKey glyph="triangle" name={strings.studySetGreedy} />}
          <ScatterKey glyph="openStar" name={strings.studySetPaper} />
        </p>
      </div>
      <details>
        <summary>{strings.studyAsTable}</summary>
        <SetTable sets={sets} />
      </details>
    </>
  );
}

function pointOf(set: RemovedSet): ScatterPoint {
  const numbers = `${decimal(set.model)}, ${decimal(set.circuit)} (${percent(set.incompleteness)})`;
  return {
    x: set.model,
    y: set.circuit,
    glyph: set.glyph,
    title: `${set.name}: ${numbers}\n${removedNodes(set)}`,
  };
}

/** Where the circuit of the paper lies. */
const paperPoint: ScatterPoint = {
  x: paperFigures.logitDifference,
  y: paperFigures.circuit,
  glyph: 'openStar',
  title: strings.studySetPaper,
};

function setsOf({ completeness, model, circuit, unfaithfulness }: StudiedCircuit): readonly RemovedSet[] {
  const { random, byClass, greedy } = completeness;
  const whole = { removed: [], model, circuit, incompleteness: unfaithfulness };
  return [
    ...random.map((set): RemovedSet => ({ ...set, name: strings.studySetRandom, glyph: 'circle' })),
    ...byClass.map((set): RemovedSet => ({ ...set, name: classTitle(set.class), glyph: 'square' })),
    ...(greedy ? [{ ...greedy, name: strings.studySetGreedy, glyph: 'triangle' } as const] : []),
    { ...whole, name: strings.studySetNone, glyph: 'star' },
  ];
}

function SetTable({ sets }: { readonly sets: readonly RemovedSet[] }): JSX.Element {
  return (
    <div class="wide-table">
      <table class="figures" aria-label={strings.studyCompleteness}>
        <thead>
          <tr>
            <th scope="col">{strings.studySet}</th>
            <th scope="col">{strings.studyRemoved}</th>
            <th scope="col" class="number">
              {strings.studyAcross}
            </th>
            <th scope="col" class="number">
              {strings.studyUp}
            </th>
            <th scope="col" class="number">
              {strings.studyApart}
            </th>
          </tr>
        </thead>
        <tbody>
          {sets.map((set, i) => (
            <tr key={i}>
              <th scope="row">{set.name}</th>
              <td title={removedNodes(set)}>{say('studySetSize', { count: set.removed.length })}</td>
              <td class="number">{decimal(set.model)}</td>
              <td class="number">{decimal(set.circuit)}</td>
              <td class="number">{percent(set.incompleteness)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function removedNodes({ removed }: RemovedSet): string {
  return removed.map(studyNodeName).join(', ') || strings.studyNothing;
}
