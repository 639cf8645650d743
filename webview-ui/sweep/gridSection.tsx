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
import { cropLayout, liveLines } from './liveLines.ts';
import { SweepLegend } from './sweepLegend.tsx';
import type { SweepStore } from './sweepStore.ts';

/** Pixels of the small multiples, which are smaller where there are many. */
const [largeSide, middleSide, smallSide] = [112, 76, 58];
const [severalFacets, manyFacets] = [4, 8];
/** Small multiples that are shown before somebody asks for all. */
const firstFacets = 14;
/** Of more rows, those without any effect are left out; of more columns, the small multiples leave them out. */
const [manyRows, manyColumns] = [24, 36];
/** The share of all rows and columns that is worth leaving out. */
const worthHiding = 0.2;

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
  const { store, sweep, title } = props;
  const facet = Math.min(store.facet.value, props.layout.facets.length - 1);
  const { outline, pairs, values } = sweep;
  const resting = restingValue(sweep.question);
  const [isAll, setAll] = useState(false);
  const { cropped, isTall, hidden } = crop(props.layout, values, resting);
  const layout = isTall && !isAll ? cropped : props.layout;
  const cell = (row: number, column: number): number => cellAt(layout, { facet, row, column });
  const spot = spotOf(layout, store.cell.value);
  const name = layout.facets.length > 1 ? `${title}, ${facetName(layout.facets[facet]!)}` : title;
  return (
    <section class={layout.facets.length > 1 ? 'sweep-grid sweep-faceted' : 'sweep-grid'}>
      {layout.facets.length > 1 && <Facets {...props} cropped={cropped} facet={facet} />}
      {!isTall && hidden > 0 && layout.facets.length > 1 && (
        <p class="sweep-cropped small quiet">{say('sweepThumbsCut', { count: hidden })}</p>
      )}
      {isTall && hidden > 0 && (
        <p class="sweep-cropped small quiet">
          {!isAll && `${say('sweepLinesHidden', { count: hidden })} `}
          <button type="button" class="link" aria-expanded={isAll} onClick={() => setAll(!isAll)}>
            {isAll ? strings.sweepLinesFewer : strings.sweepLinesAll}
          </button>
        </p>
      )}
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

/** The layout without what has no effect, where there is so much that the rest is hard to find. */
function crop(
  layout: GridLayout,
  values: Float32Array,
  resting: number,
): { readonly cropped: GridLayout; readonly isTall: boolean; readonly hidden: number } {
  const isTall = layout.rows.length > manyRows;
  if (!isTall && layout.columns.length <= manyColumns) return { cropped: layout, isTall, hidden: 0 };
  const live = liveLines(layout, values, resting);
  const lines = layout.rows.length + layout.columns.length;
  const hidden = lines - live.rows.length - live.columns.length;
  const isWorth = live.rows.length > 0 && hidden >= worthHiding * lines;
  if (!isWorth) return { cropped: layout, isTall, hidden: 0 };
  return { cropped: cropLayout(layout, live), isTall, hidden };
}

function Facets(props: SectionProps & { readonly cropped: GridLayout; readonly facet: number }): JSX.Element {
  const { cropped, facet, isSettled, layout, store, sweep } = props;
  const resting = restingValue(sweep.question);
  const [rows, columns] = [cropped.rows.length, cropped.columns.length];
  const side = sideOf(layout.facets.length);
  const [isAll, setAll] = useState(false);
  const all = layout.facets.map((_, i) => i);
  const isCut = isSettled && all.length > firstFacets;
  const ordered = isCut ? facetsByStrength(layout, sweep.values, resting) : all;
  const shown = isCut && !isAll ? withChosen(ordered.slice(0, firstFacets), facet) : ordered;
  return (
    <fieldset class="sweep-facets" style={{ '--side': `${side}px` }}>
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
        const effects = facetEffects(cropped, sweep.values, resting, i);
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
              side={side}
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

/** `[row, column]` effects of one part. */
function facetEffects(
  { cells, rows, columns }: GridLayout,
  values: Float32Array,
  resting: number,
  facet: number,
): Float32Array {
  const effects = new Float32Array(rows.length * columns.length);
  const start = facet * effects.length;
  // A plain loop: a callback for each cell is what takes the time while a large sweep runs.
  for (let place = 0; place < effects.length; place++) {
    effects[place] = (values[cells[start + place]!] ?? Number.NaN) - resting;
  }
  return effects;
}

function sideOf(facets: number): number {
  if (facets > manyFacets) return smallSide;
  return facets > severalFacets ? middleSide : largeSide;
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
