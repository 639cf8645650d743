/** The heat map of the chosen part, its small multiples over it, and the legend under it. */

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { effectText, isChange, restingValue } from '../../src/shared/sweepCell.ts';
import { say, strings } from '../lib/strings.ts';
import { palette } from '../lib/theme.ts';
import { labelText, spokenToken, TokenText } from '../lib/tokenText.tsx';
import { HeatGrid, type HeatLine } from '../marks/heatGrid.tsx';
import { shortNumber, shortPercent } from '../marks/heatScale.ts';
import { HeatThumb } from '../marks/heatThumb.tsx';
import { facetsByStrength } from './cellEffects.ts';
import { cellLabel, facetName, lineText, tokenAt, type WordedSweep } from './cellWords.ts';
import { cellAt, type GridLayout, type GridLine, spotOf } from './gridLayout.ts';
import { SweepLegend } from './sweepLegend.tsx';
import type { SweepStore } from './sweepStore.ts';

/** Pixels of the small multiples, which are smaller where there are many. */
const [largeSide, smallSide, manyFacets] = [112, 58, 8];
/** Small multiples that are shown before somebody asks for all. */
const firstFacets = 14;

interface SectionProps {
  readonly store: SweepStore;
  readonly sweep: WordedSweep;
  readonly layout: GridLayout;
  readonly title: string;
  /** Whether no cells are coming: parts change their order only then. */
  readonly isSettled: boolean;
}

/** The section. */
export function GridSection(props: SectionProps): JSX.Element {
  const { layout, store, sweep, title } = props;
  const facet = Math.min(store.facet.value, layout.facets.length - 1);
  const { outline, pairs, values } = sweep;
  const resting = restingValue(sweep.question);
  const cell = (row: number, column: number): number => cellAt(layout, { facet, row, column });
  const spot = spotOf(layout, store.cell.value);
  const name = layout.facets.length > 1 ? `${title}, ${facetName(layout.facets[facet]!)}` : title;
  return (
    <section class={layout.facets.length > 1 ? 'sweep-grid sweep-faceted' : 'sweep-grid'}>
      {layout.facets.length > 1 && <Facets {...props} facet={facet} />}
      <HeatGrid
        label={say('sweepGridLabel', {
          title: name,
          rows: layout.rows.length,
          columns: layout.columns.length,
        })}
        rows={layout.rows.map((line) => heading(line, sweep, 'row'))}
        columns={layout.columns.map((line) => heading(line, sweep, 'column'))}
        corner={axisName(layout.columns[0]?.axis ?? '')}
        valueAt={(row, column) => {
          const at = cell(row, column);
          return at < 0 ? undefined : (values[at] ?? Number.NaN) - resting;
        }}
        isPartial={(row, column) => (pairs[cell(row, column)] ?? 0) < outline.pairCount}
        text={isChange(sweep.question) ? shortPercent : shortNumber}
        labelOf={(row, column) => cellLabel(sweep, cell(row, column))}
        scale={store.scale.value}
        palette={palette.value}
        selected={spot?.facet === facet ? spot : undefined}
        onSelect={({ row, column }) => store.chooseCell(cell(row, column))}
        onOpen={({ row, column }) => store.openCell(cell(row, column))}
      />
      <SweepLegend sweep={sweep} scale={store.scale.value} />
    </section>
  );
}

function Facets(props: SectionProps & { readonly facet: number }): JSX.Element {
  const { facet, isSettled, layout, store, sweep } = props;
  const resting = restingValue(sweep.question);
  const [rows, columns] = [layout.rows.length, layout.columns.length];
  const [isAll, setAll] = useState(false);
  const all = layout.facets.map((_, i) => i);
  const isCut = isSettled && all.length > firstFacets;
  const ordered = isCut ? facetsByStrength(layout, sweep.values, resting) : all;
  const shown = isCut && !isAll ? withChosen(ordered.slice(0, firstFacets), facet) : ordered;
  return (
    <fieldset class="sweep-facets">
      <legend class="sr-only">{strings.sweepFacets}</legend>
      {isCut && (
        <p class="sweep-facets-cue small quiet">
          {say('sweepFacetsShown', { count: shown.length, total: all.length })}{' '}
          <button type="button" class="link" aria-expanded={isAll} onClick={() => setAll(!isAll)}>
            {isAll ? strings.sweepFacetsFewer : strings.sweepFacetsAll}
          </button>
        </p>
      )}
      {shown.map((i) => {
        const one = layout.facets[i]!;
        const start = i * rows * columns;
        const effects = Float32Array.from(
          layout.cells.subarray(start, start + rows * columns),
          (cell) => (sweep.values[cell] ?? Number.NaN) - resting,
        );
        const name = facetName(one);
        return (
          <button
            key={name}
            type="button"
            class="sweep-facet"
            aria-pressed={i === facet}
            aria-label={facetLabel(sweep, name, effects)}
            onClick={() => store.chooseFacet(i)}
          >
            <HeatThumb
              values={effects}
              rows={rows}
              columns={columns}
              scale={store.scale.value}
              palette={palette.value}
              side={layout.facets.length > manyFacets ? smallSide : largeSide}
            />
            <span class="small" aria-hidden="true">
              {name}
            </span>
          </button>
        );
      })}
    </fieldset>
  );
}

/** The part that is looked at stays among those that are shown. */
function withChosen(shown: readonly number[], facet: number): readonly number[] {
  return shown.includes(facet) ? shown : [...shown, facet];
}

function facetLabel({ question }: WordedSweep, name: string, effects: Float32Array): string {
  const strongest = effects.reduce(
    (best, value) => (Math.abs(value) > Math.abs(best) ? value : best),
    effects.find((value) => !Number.isNaN(value)) ?? Number.NaN,
  );
  if (Number.isNaN(strongest)) return say('sweepFacetEmpty', { name });
  return say('sweepFacetLabel', { name, value: effectText(question, strongest) });
}

/** What columns are. */
function axisName(axis: string): string | undefined {
  const names: Readonly<Record<string, string>> = {
    head: strings.axisHead,
    pos: strings.axisPosition,
    dest_pos: strings.axisPosition,
    src_pos: strings.axisKey,
    role: strings.axisRole,
    feature: strings.axisFeature,
  };
  return names[axis];
}

/** What stands beside a row or under a column. */
function heading(line: GridLine, sweep: WordedSweep, side: 'row' | 'column'): HeatLine {
  const { outline } = sweep;
  const { axis, label } = line;
  const key = `${axis} ${label}`;
  if (/pos$/.test(axis)) return positionHeading(key, outline, Number(label), side);
  if (axis === 'feature') {
    const name = sweep.labels?.[Number(label)];
    return { key, heading: <span class="mono">{label}</span>, title: name && labelText(name) };
  }
  if (axis === 'role') return { key, heading: <b>{labelText(label)}</b>, isShort: label.length < 5 };
  const isHead = axis === 'head' && side === 'row';
  const text = isHead ? say('componentHead', { head: label }) : lineText(outline, line);
  return { key, heading: text, isShort: axis === 'head' || axis === 'mlp' };
}

function positionHeading(
  key: string,
  outline: WordedSweep['outline'],
  position: number,
  side: 'row' | 'column',
): HeatLine {
  const { tokens, common } = outline;
  const clean = tokenAt(outline, position);
  const corrupted = tokens?.corrupted[position];
  const differs = corrupted !== undefined && corrupted !== clean;
  const isRole = !tokens && !common?.tokens[position] && common?.roles[position];
  const index = side === 'column' ? position : undefined;
  if (isRole) return { key, index, heading: <b>{labelText(isRole)}</b>, title: String(position) };
  if (clean === '') return { key, heading: String(position) };
  const spoken = differs
    ? say('sweepTokensDiffer', { clean: spokenToken(clean), corrupted: spokenToken(corrupted) })
    : spokenToken(clean);
  return {
    key,
    index,
    title: `${position} ${spoken}`,
    heading: (
      <>
        <TokenText text={clean} />
        {differs && side === 'column' && (
          <span class="heat-other">
            <TokenText text={corrupted} />
          </span>
        )}
      </>
    ),
  };
}
