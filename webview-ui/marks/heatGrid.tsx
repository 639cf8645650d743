/** A heat map of cells on a plane: color and sign from zero, unknown cells empty, a crosshair, one tab stop. */

import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { type Palette, signedFill } from '../lib/color.ts';
import { PureComponent } from '../lib/pureComponent.ts';
import { columnWindow, scrollToColumn } from './columnWindow.ts';
import { GridColumns, useScrollView } from './gridColumns.tsx';
import { type GridSpot, moveOnGrid } from './gridKeys.ts';

/** Sizes in pixels. Rows are lower where there are many. */
const headerWidth = 84;
const [tallRow, lowRow, manyRows] = [24, 18, 14];
const [narrowest, widest] = [16, 64];
/** Narrower columns have no room for a number. */
const textWidth = 32;
/** Narrower columns have no room for every number of theirs. */
const indexWidth = 22;
const indexStep = 5;
const extraColumns = 3;

/** A row's or column's heading. */
export interface HeatLine {
  readonly key: string;
  readonly heading: ComponentChildren;
  /** Whether it fits over a narrow column. */
  readonly isShort?: boolean;
  readonly title?: string;
  /** Its number, which stands between cells and heading. */
  readonly index?: number;
}

/** What the grid shows and tells. `label` says what a cell is, in words; the handlers may change between draws. */
export interface HeatGridProps {
  readonly label: string;
  readonly rows: readonly HeatLine[];
  readonly columns: readonly HeatLine[];
  /** What columns are, where their headings do not say it. */
  readonly corner?: string;
  /** The effect at a place: NaN where nothing is known, undefined where there is no cell. */
  readonly valueAt: (row: number, column: number) => number | undefined;
  /** Whether more is to come for a known cell. */
  readonly isPartial: (row: number, column: number) => boolean;
  readonly labelOf: (row: number, column: number) => string;
  /** An effect as it is written into a cell. */
  readonly text: (value: number) => string;
  /** The effect that gets full color. */
  readonly scale: number;
  readonly palette: Palette;
  readonly selected: GridSpot | undefined;
  readonly onSelect: (spot: GridSpot) => void;
  readonly onOpen: (spot: GridSpot) => void;
}

/** The grid: a click or Enter opens a cell, arrow keys move over cells. */
export function HeatGrid(props: HeatGridProps): JSX.Element {
  const scroller = useRef<HTMLDivElement>(null);
  const latest = useRef(props);
  latest.current = props;
  const moved = useRef(false);
  /** The selected cell that was brought into view last. */
  const seen = useRef('');
  const [hovered, setHovered] = useState<GridSpot | undefined>(undefined);
  const view = useScrollView(scroller, headerWidth);
  const handlers = useRef<CellHandlers>(makeHandlers(latest, moved, setHovered)).current;
  const { rows, columns, selected } = props;
  const rowHeight = rows.length > manyRows ? lowRow : tallRow;
  // As wide as lets all columns into view, within bounds.
  const fitting = Math.floor((view.width - 2) / Math.max(1, columns.length));
  const columnWidth = Math.min(widest, Math.max(narrowest, fitting));
  const shown = columnWindow({ ...view, columnWidth, count: columns.length, extra: extraColumns });

  useEffect(() => {
    const element = scroller.current;
    if (!element || !selected) return;
    const width = element.clientWidth - headerWidth;
    const left = scrollToColumn({ left: element.scrollLeft, width, columnWidth, column: selected.column });
    element.scrollLeft = left;
  }, [selected?.column, columnWidth]);

  useEffect(() => {
    const key = selected ? `${selected.row} ${selected.column}` : '';
    if (!selected || (!moved.current && key === seen.current)) return;
    const cell = cellElement(scroller.current, selected);
    if (!cell) return;
    // A cell chosen elsewhere, as in a list, comes into view; the keyboard stays where it is.
    if (moved.current) cell.focus({ preventScroll: true });
    cell.scrollIntoView({ block: 'nearest' });
    moved.current = false;
    seen.current = key;
  });

  const isFlat = columnWidth >= widest || columns.every(({ isShort }) => isShort);
  const cross = hovered ?? selected;
  const first = { row: 0, column: shown.first };
  const inView = selected && selected.column >= shown.first && selected.column < shown.end;
  const tabStop = inView ? selected : first;
  return (
    <>
      <div class="heat-scroll" ref={scroller}>
        <div
          class="heat-plane"
          style={{
            width: `${headerWidth + columns.length * columnWidth}px`,
            '--row-height': `${rowHeight}px`,
          }}
        >
          {cross && <Cross spot={cross} columnWidth={columnWidth} rowHeight={rowHeight} />}
          <table
            class="heat"
            aria-label={props.label}
            aria-colcount={columns.length + 1}
            style={{ width: `${headerWidth + columns.length * columnWidth}px` }}
          >
            <GridColumns {...shown} count={columns.length} headerWidth={headerWidth} width={columnWidth} />
            <tbody>
              {rows.map((line, row) => (
                <tr key={line.key}>
                  <th scope="row" class={cross?.row === row ? 'heat-current' : undefined} title={line.title}>
                    {line.heading}
                  </th>
                  <td aria-hidden="true" />
                  {columns.slice(shown.first, shown.end).map((_, i) => (
                    <Cell
                      key={shown.first + i}
                      row={row}
                      column={shown.first + i}
                      value={props.valueAt(row, shown.first + i)}
                      isPartial={props.isPartial(row, shown.first + i)}
                      scale={props.scale}
                      palette={props.palette}
                      showsText={columnWidth >= textWidth}
                      isSelected={selected?.row === row && selected.column === shown.first + i}
                      isTabStop={tabStop?.row === row && tabStop.column === shown.first + i}
                      latest={latest}
                      handlers={handlers}
                    />
                  ))}
                  <td aria-hidden="true" />
                </tr>
              ))}
            </tbody>
            <tfoot>
              <tr class={isFlat ? 'heat-flat' : 'heat-steep'}>
                <td class="heat-corner">{props.corner}</td>
                <td aria-hidden="true" />
                {columns.slice(shown.first, shown.end).map((line, i) => (
                  <th
                    key={line.key}
                    scope="col"
                    aria-colindex={shown.first + i + 2}
                    class={cross?.column === shown.first + i ? 'heat-current' : undefined}
                    title={line.title}
                  >
                    {line.index !== undefined && (
                      <Index index={line.index} isNarrow={columnWidth < indexWidth} />
                    )}
                    <span class="heat-heading">{line.heading}</span>
                  </th>
                ))}
                <td aria-hidden="true" />
              </tr>
            </tfoot>
          </table>
        </div>
      </div>
      <p class="heat-readout small" aria-hidden="true">
        {hovered && props.labelOf(hovered.row, hovered.column)}
      </p>
    </>
  );
}

/** A column's number; where columns are narrow, of every fifth. */
function Index({ index, isNarrow }: { readonly index: number; readonly isNarrow: boolean }): JSX.Element {
  return <span class="heat-index">{isNarrow && index % indexStep !== 0 ? '\u00a0' : index}</span>;
}

/** Bands along the row and the column of a cell. */
function Cross(props: {
  readonly spot: GridSpot;
  readonly columnWidth: number;
  readonly rowHeight: number;
}): JSX.Element {
  const { spot, columnWidth, rowHeight } = props;
  return (
    <>
      <i
        class="heat-cross"
        aria-hidden="true"
        style={{ top: `${spot.row * rowHeight}px`, height: `${rowHeight}px`, left: 0, right: 0 }}
      />
      <i
        class="heat-cross"
        aria-hidden="true"
        style={{
          left: `${headerWidth + spot.column * columnWidth}px`,
          width: `${columnWidth}px`,
          top: 0,
          bottom: 0,
        }}
      />
    </>
  );
}

interface CellHandlers {
  readonly click: (event: Event) => void;
  readonly enter: (event: Event) => void;
  readonly leave: () => void;
  readonly keyDown: (event: KeyboardEvent) => void;
}

interface CellProps {
  readonly row: number;
  readonly column: number;
  readonly value: number | undefined;
  readonly isPartial: boolean;
  readonly scale: number;
  readonly palette: Palette;
  readonly showsText: boolean;
  readonly isSelected: boolean;
  readonly isTabStop: boolean;
  readonly latest: { readonly current: HeatGridProps };
  readonly handlers: CellHandlers;
}

class Cell extends PureComponent<CellProps> {
  override render(props: CellProps): JSX.Element {
    const { row, column, value, handlers } = props;
    if (value === undefined) return <td aria-colindex={column + 2} />;
    const isKnown = !Number.isNaN(value);
    const share = value / props.scale;
    const fill = signedFill(share, props.palette);
    const label = props.latest.current.labelOf(row, column);
    const classes = ['heat-cell'];
    if (!isKnown) classes.push('heat-unknown');
    if (isKnown && share < -0.02) classes.push('heat-negative');
    if (isKnown && props.isPartial) classes.push('heat-partial');
    return (
      <td aria-colindex={column + 2}>
        <button
          type="button"
          class={classes.join(' ')}
          aria-label={label}
          aria-current={props.isSelected ? 'true' : undefined}
          data-row={row}
          data-column={column}
          tabIndex={props.isTabStop ? 0 : -1}
          style={isKnown ? { backgroundColor: fill.background, color: fill.text } : {}}
          onClick={handlers.click}
          onMouseEnter={handlers.enter}
          onMouseLeave={handlers.leave}
          onKeyDown={handlers.keyDown}
        >
          {isKnown && props.showsText && <span class="heat-number">{props.latest.current.text(value)}</span>}
        </button>
      </td>
    );
  }
}

function makeHandlers(
  latest: { readonly current: HeatGridProps },
  moved: { current: boolean },
  setHovered: (spot: GridSpot | undefined) => void,
): CellHandlers {
  const spotOf = (event: Event): GridSpot => {
    const { row, column } = (event.currentTarget as HTMLElement).dataset;
    return { row: Number(row), column: Number(column) };
  };
  return {
    click: (event) => latest.current.onOpen(spotOf(event)),
    enter: (event) => setHovered(spotOf(event)),
    leave: () => setHovered(undefined),
    keyDown: (event) => {
      const { rows, columns, valueAt } = latest.current;
      const from = spotOf(event);
      if (event.key === 'Enter') {
        event.preventDefault();
        return latest.current.onOpen(from);
      }
      const to = moveOnGrid(event.key, from, { rows: rows.length, columns: columns.length });
      if (!to) return;
      event.preventDefault();
      if (valueAt(to.row, to.column) === undefined) return;
      moved.current = true;
      latest.current.onSelect(to);
    },
  };
}

function cellElement(root: HTMLElement | null, { row, column }: GridSpot): HTMLElement | null {
  return root?.querySelector<HTMLElement>(`[data-row="${row}"][data-column="${column}"]`) ?? null;
}
