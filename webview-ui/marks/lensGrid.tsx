/** Logit lens as a grid: layers from bottom to top, positions from left to right, the top token in each cell. */

import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { LogitLens, Prediction } from '../../src/shared/analysis.ts';
import type { Token } from '../../src/shared/domain.ts';
import { formatProbability } from '../../src/shared/format.ts';
import { type Fill, type Palette, signedFill } from '../lib/color.ts';
import { PureComponent } from '../lib/pureComponent.ts';
import { say, strings } from '../lib/strings.ts';
import { spokenToken, TokenText } from '../lib/tokenText.tsx';
import { columnWindow, scrollToColumn } from './columnWindow.ts';
import { GridColumns, useScrollView } from './gridColumns.tsx';
import { moveOnGrid } from './gridKeys.ts';

/** Width of a column and of the row names, in pixels; the style sheet has the same numbers. */
const columnWidth = 88;
const headerWidth = 72;
const extraColumns = 3;

/** What the grid shows and tells. */
export interface LensGridProps {
  readonly lens: LogitLens;
  readonly tokens: readonly Token[];
  readonly palette: Palette;
  readonly position: number;
  /** Selected row, counted from the bottom. */
  readonly row: number;
  readonly onSelect: (position: number, row: number) => void;
}

/** The grid: one tab stop, arrow keys move over cells. */
export function LensGrid(props: LensGridProps): JSX.Element {
  const { lens, tokens, position, row } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const moved = useRef(false);
  const view = useScrollView(scroller, headerWidth);
  const columns = columnWindow({ ...view, columnWidth, count: tokens.length, extra: extraColumns });

  useEffect(() => {
    const element = scroller.current;
    if (!element || position < 0) return;
    const width = element.clientWidth - headerWidth;
    element.scrollLeft = scrollToColumn({ left: element.scrollLeft, width, columnWidth, column: position });
  }, [position]);

  useEffect(() => {
    if (!moved.current) return;
    const cell = scroller.current?.querySelector<HTMLElement>('.lens-cell[tabindex="0"]');
    if (Number(cell?.dataset.position) !== position) return;
    cell?.focus({ preventScroll: true });
    moved.current = false;
  });

  const onKeyDown = (event: KeyboardEvent): void => {
    const top = lens.layers.length - 1;
    const size = { rows: lens.layers.length, columns: tokens.length };
    const to = moveOnGrid(event.key, { row: top - row, column: position }, size);
    if (!to) return;
    event.preventDefault();
    moved.current = true;
    props.onSelect(to.column, top - to.row);
  };
  const rows = lens.layers.map((_, i) => lens.layers.length - 1 - i);
  const inView = position >= columns.first && position < columns.end;
  const tabStop = inView ? position : columns.first;
  return (
    <div class="lens-scroll" ref={scroller}>
      <table
        class="lens"
        aria-label={strings.lensLabel}
        aria-colcount={tokens.length + 1}
        style={{ width: `${headerWidth + tokens.length * columnWidth}px` }}
      >
        <GridColumns {...columns} count={tokens.length} headerWidth={headerWidth} width={columnWidth} />
        <tbody>
          {rows.map((r) => (
            <LensRow
              key={r}
              grid={props}
              row={r}
              first={columns.first}
              end={columns.end}
              tabStop={r === row ? tabStop : -1}
              onKeyDown={onKeyDown}
            />
          ))}
        </tbody>
        <tfoot>
          <tr>
            <td class="lens-corner" />
            <td aria-hidden="true" />
            {tokens.slice(columns.first, columns.end).map((token, i) => (
              <th
                key={columns.first + i}
                scope="col"
                aria-colindex={columns.first + i + 2}
                class={columns.first + i === position ? 'lens-current' : undefined}
              >
                <TokenText text={token.text} />
              </th>
            ))}
            <td aria-hidden="true" />
          </tr>
        </tfoot>
      </table>
    </div>
  );
}

function LensRow(props: {
  readonly grid: LensGridProps;
  readonly row: number;
  readonly first: number;
  readonly end: number;
  readonly tabStop: number;
  readonly onKeyDown: (event: KeyboardEvent) => void;
}): JSX.Element {
  const { grid, row, first, end } = props;
  const { lens } = grid;
  const cells = lens.cells[row] ?? [];
  const final = lens.cells[lens.layers.length - 1] ?? [];
  const layer = layerName(lens.layers[row] ?? '');
  return (
    <tr>
      <th scope="row" class={row === grid.row ? 'lens-current' : undefined}>
        {layer}
      </th>
      <td aria-hidden="true" />
      {cells.slice(first, end).map((cell, i) => {
        const position = first + i;
        const fill = signedFill(cell[0]?.probability ?? 0, grid.palette);
        return (
          <LensCell
            key={position}
            top={cell[0]}
            label={cellLabel(layer, grid.tokens[position]?.text ?? '', cell[0])}
            position={position}
            row={row}
            background={fill.background}
            text={fill.text}
            settled={cell[0] !== undefined && cell[0].id === final[position]?.[0]?.id}
            selected={position === grid.position && row === grid.row}
            tabStop={position === props.tabStop}
            onSelect={grid.onSelect}
            onKeyDown={props.onKeyDown}
          />
        );
      })}
      <td aria-hidden="true" />
    </tr>
  );
}

interface LensCellProps extends Fill {
  readonly top: Prediction | undefined;
  readonly label: string;
  readonly position: number;
  readonly row: number;
  readonly settled: boolean;
  readonly selected: boolean;
  readonly tabStop: boolean;
  readonly onSelect: (position: number, row: number) => void;
  readonly onKeyDown: (event: KeyboardEvent) => void;
}

class LensCell extends PureComponent<LensCellProps> {
  override render(props: LensCellProps): JSX.Element {
    const { top, position, row } = props;
    return (
      <td aria-colindex={position + 2}>
        <button
          type="button"
          class={props.settled ? 'lens-cell lens-settled' : 'lens-cell'}
          aria-current={props.selected ? 'true' : undefined}
          data-position={position}
          tabIndex={props.tabStop ? 0 : -1}
          style={{ backgroundColor: props.background, color: props.text }}
          onClick={() => props.onSelect(position, row)}
          onKeyDown={props.onKeyDown}
        >
          <span class="sr-only">{props.label}</span>
          {top && (
            <span class="lens-parts" aria-hidden="true">
              <TokenText text={top.text} />
              <span class="lens-probability">{Math.round(top.probability * 100)}</span>
            </span>
          )}
        </button>
      </td>
    );
  }
}

/** A layer's name as people read it: `embedding`, `layer 3`. */
export function layerName(layer: string): string {
  if (layer === 'embed') return strings.lensEmbed;
  return /^\d+$/.test(layer) ? say('lensLayer', { layer }) : layer;
}

function cellLabel(layer: string, token: string, top: Prediction | undefined): string {
  return say('lensCell', {
    layer,
    token: spokenToken(token),
    prediction: top ? spokenToken(top.text) : '–',
    value: top ? formatProbability(top.probability) : '–',
  });
}
