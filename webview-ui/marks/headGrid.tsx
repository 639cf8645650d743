/** One number for every head of a model: layers from the top down, heads from left to right. A table with one tab stop. */

import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { formatHead } from '../../src/shared/format.ts';
import { type Palette, signedFill } from '../lib/color.ts';
import { strings } from '../lib/strings.ts';
import { moveOnGrid } from './gridKeys.ts';

/** Most heads whose numbers are written into the cells; more would not be read. */
const mostWithNumbers = 8;

/** What the grid shows and tells. */
export interface HeadGridProps {
  /** What is seen, for a screen reader. */
  readonly label: string;
  readonly nLayers: number;
  readonly nHeads: number;
  /** By layer and head; positive ones get the positive color. */
  readonly value: (layer: number, head: number) => number;
  /** The value of full color, above 0. */
  readonly max: number;
  /** A number as it is read in a cell. */
  readonly text: (value: number) => string;
  /** A cell in words. */
  readonly describe: (layer: number, head: number) => string;
  readonly palette: Palette;
  readonly selected?: { readonly layer: number; readonly head: number };
  readonly onSelect: (layer: number, head: number) => void;
}

/** The grid; arrow keys move, Enter selects. */
export function HeadGrid(props: HeadGridProps): JSX.Element {
  const { nLayers, nHeads, selected } = props;
  const table = useRef<HTMLTableElement>(null);
  const [focus, setFocus] = useState<number | undefined>(undefined);
  const chosen = selected && selected.layer * nHeads + selected.head;
  const tabStop = focus ?? chosen ?? (nLayers - 1) * nHeads;

  const onKeyDown = (event: KeyboardEvent): void => {
    const to = moveOnHeads(event.key, tabStop, nLayers, nHeads);
    if (to === undefined) return;
    event.preventDefault();
    const name = formatHead(Math.floor(to / nHeads), to % nHeads);
    // At once, so that the next key goes to the new cell.
    table.current?.querySelector<HTMLElement>(`[data-head="${name}"]`)?.focus();
  };
  const layers = Array.from({ length: nLayers }, (_, i) => nLayers - 1 - i);
  const heads = Array.from({ length: nHeads }, (_, head) => head);
  return (
    <table
      ref={table}
      class={nHeads <= mostWithNumbers ? 'head-grid' : 'head-grid head-grid-dense'}
      aria-label={props.label}
    >
      <thead>
        <tr>
          <td class="head-axis">{strings.axisLayer}</td>
          <td colSpan={nHeads} />
        </tr>
      </thead>
      <tbody>
        {layers.map((layer) => (
          <tr key={layer}>
            <th scope="row">{layer}</th>
            {heads.map((head) => (
              <td key={head}>
                <Cell
                  {...props}
                  layer={layer}
                  head={head}
                  isTabStop={layer * nHeads + head === tabStop}
                  onFocus={() => setFocus(layer * nHeads + head)}
                  onKeyDown={onKeyDown}
                />
              </td>
            ))}
          </tr>
        ))}
      </tbody>
      <tfoot>
        <tr>
          <td class="head-axis">{strings.axisHead}</td>
          {heads.map((head) => (
            <th key={head} scope="col">
              {head}
            </th>
          ))}
        </tr>
      </tfoot>
    </table>
  );
}

function Cell(
  props: HeadGridProps & {
    readonly layer: number;
    readonly head: number;
    readonly isTabStop: boolean;
    readonly onFocus: () => void;
    readonly onKeyDown: (event: KeyboardEvent) => void;
  },
): JSX.Element {
  const { layer, head, nHeads, selected } = props;
  const value = props.value(layer, head);
  const share = Math.max(-1, Math.min(1, value / props.max));
  const fill = signedFill(share, props.palette);
  const isSelected = selected?.layer === layer && selected.head === head;
  const words = props.describe(layer, head);
  const isWritten = nHeads <= mostWithNumbers && Math.abs(share) >= 0.04;
  return (
    <button
      type="button"
      class={cellClass(share)}
      aria-pressed={isSelected}
      title={words}
      data-head={formatHead(layer, head)}
      tabIndex={props.isTabStop ? 0 : -1}
      style={{ backgroundColor: fill.background, color: fill.text }}
      onClick={() => props.onSelect(layer, head)}
      onFocus={props.onFocus}
      onKeyDown={props.onKeyDown}
    >
      <span class="sr-only">{words}</span>
      {isWritten && <span aria-hidden="true">{props.text(value)}</span>}
    </button>
  );
}

/** Small values are written faintly. */
function cellClass(share: number): string {
  const classes = ['head-cell'];
  if (share < -0.04) classes.push('head-cell-against');
  if (Math.abs(share) < 0.12) classes.push('head-cell-faint');
  return classes.join(' ');
}

/** The head that a key leads to, as layer · heads + head; undefined when the key is not for moving. Layers go upward. */
export function moveOnHeads(key: string, from: number, nLayers: number, nHeads: number): number | undefined {
  const spot = { row: nLayers - 1 - Math.floor(from / nHeads), column: from % nHeads };
  const to = moveOnGrid(key, spot, { rows: nLayers, columns: nHeads });
  return to && (nLayers - 1 - to.row) * nHeads + to.column;
}
