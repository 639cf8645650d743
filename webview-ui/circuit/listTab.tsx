/** The same circuit as a tree grid by layer, from the logits down to the tokens: for keyboard, screen reader and reading. */

import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { CircuitGraph } from '../../src/shared/circuit.ts';
import type { CircuitState } from '../../src/shared/circuitViewApi.ts';
import { rovingIndex } from '../lib/keys.ts';
import { useRowWindow } from '../lib/rowWindow.ts';
import { strings } from '../lib/strings.ts';
import { largestEffect } from '../marks/nodeGlyph.tsx';
import { drawMarks, groupOfMark } from './circuitMarks.ts';
import type { CircuitSearch } from './circuitSearch.ts';
import type { CircuitStore } from './circuitStore.ts';
import { ListRowView, rowHeight } from './listRow.tsx';
import { type ListRow, listRows, rowId } from './listRows.ts';

interface ListTabProps {
  readonly store: CircuitStore;
  readonly search: CircuitSearch;
  readonly state: CircuitState;
  readonly graph: CircuitGraph;
}

/** A table that opens and closes rows and is walked by arrow keys (ARIA Authoring Practices, Treegrid). */
const treegrid = { role: 'treegrid', 'aria-label': strings.listLabel } as const;

const noGroups: ReadonlySet<string> = new Set();

/** One tab stop; arrow keys move, left and right close and open, Enter opens a node's card. */
export function ListTab(props: ListTabProps): JSX.Element {
  const { store, search, graph, state } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const [closedLayers, setClosedLayers] = useState<ReadonlySet<number>>(new Set());
  const [focused, setFocused] = useState<string | undefined>(undefined);
  const annotations = store.annotations.value;
  const kept = store.kept.value;
  const drawing = useMemo(() => drawMarks(graph, annotations, kept, noGroups), [graph, annotations, kept]);
  const openGroups = store.openGroups.value;
  const rows = useMemo(
    () => listRows(drawing.marks, closedLayers, openGroups),
    [drawing, closedLayers, openGroups],
  );
  const largest = useMemo(() => largestEffect(graph.nodes), [graph]);
  const shown = useRowWindow(scroller, rows.length, rowHeight, rowHeight);
  const pins = useMemo(() => new Set(annotations.pinned), [annotations]);
  const indexOf = (id: string | undefined): number => rows.findIndex((row) => rowId(row) === id);
  const selected = store.selected.value;
  // A tab stop must be in the document.
  const inWindow = (index: number): boolean => index >= shown.from && index < shown.to;
  const stop = [indexOf(focused), indexOf(selected)].find(inWindow) ?? shown.from;

  useEffect(() => {
    const index = indexOf(selected);
    if (index >= 0) shown.reveal(index);
  }, [selected]);

  const toggle = (row: ListRow): void => {
    if (row.kind === 'mark') {
      const group = groupOfMark(row.mark.id);
      if (group !== undefined) store.toggleGroup(group);
      return;
    }
    const closed = new Set(closedLayers);
    if (!closed.delete(row.layer)) closed.add(row.layer);
    setClosedLayers(closed);
  };
  const goTo = (index: number): void => {
    const row = rows[index];
    if (!row) return;
    setFocused(rowId(row));
    shown.reveal(index);
    // A row out of sight comes into the document with the next drawing.
    if (!focusRow(scroller.current, index)) requestAnimationFrame(() => focusRow(scroller.current, index));
  };
  const onKeyDown = (event: KeyboardEvent, index: number): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = rows[index]!;
    const next = rovingIndex(event.key, index, rows.length, 'vertical') ?? sideways(event.key, rows, index);
    if (next === 'toggle') toggle(row);
    else if (next !== undefined) goTo(next);
    else if (event.key === 'Enter' || event.key === ' ') activate(store, row, event, toggle);
    else return;
    event.preventDefault();
  };
  const drawn = rowsIn(shown, rows.length);
  return (
    <div class="list" ref={scroller}>
      <table {...treegrid} aria-rowcount={rows.length + 1}>
        <thead>
          <tr aria-rowindex={1}>
            <th scope="col">{strings.columnName}</th>
            <th scope="col" class="list-column-place">
              {graph.isAggregated ? strings.columnSite : strings.columnToken}
            </th>
            <th scope="col" class="list-column-effect">
              {strings.columnEffect}
            </th>
          </tr>
        </thead>
        <tbody>
          <Spacer rows={shown.from} />
          {drawn.map((index) => (
            <ListRowView
              key={rowId(rows[index]!)}
              row={rows[index]!}
              index={index}
              graph={graph}
              largest={largest}
              selected={isSelected(rows[index]!, selected)}
              chosen={store.chosen.value.has(rowId(rows[index]!))}
              found={search.isOpen.value && search.ids.value.has(rowId(rows[index]!))}
              pins={pins}
              tokenSelected={state.tokenSelected}
              isTabStop={index === stop}
              onPick={(event) => activate(store, rows[index]!, event, toggle)}
              onHover={(id) => store.hover(id)}
              onFocus={() => setFocused(rowId(rows[index]!))}
              onKeyDown={(event) => onKeyDown(event, index)}
            />
          ))}
          <Spacer rows={rows.length - shown.to} />
        </tbody>
      </table>
    </div>
  );
}

/** Room for rows that are out of sight. */
function Spacer({ rows }: { readonly rows: number }): JSX.Element | null {
  if (rows <= 0) return null;
  return (
    <tr>
      <td colSpan={3} class="list-spacer" style={{ height: `${rows * rowHeight}px` }} />
    </tr>
  );
}

function isSelected(row: ListRow, selected: string | undefined): boolean {
  return row.kind === 'mark' && row.mark.id === selected;
}

/** Enter or a click: a layer opens and closes; a mark opens its card, or with Shift joins the selection. */
function activate(
  store: CircuitStore,
  row: ListRow,
  event: MouseEvent | KeyboardEvent,
  toggle: (row: ListRow) => void,
): void {
  const isTwist = event.target instanceof Element && event.target.closest('[data-twist]') !== null;
  if (row.kind === 'layer' || (isTwist && event.type === 'click')) toggle(row);
  else if (event.shiftKey) store.choose(row.mark.id);
  else {
    store.chosen.value = new Set();
    store.select(row.mark.id);
  }
}

/** Left closes what is open or goes to the row that holds this one, right opens what is closed. */
function sideways(key: string, rows: readonly ListRow[], index: number): number | 'toggle' | undefined {
  const row = rows[index]!;
  const isOpen = row.kind === 'layer' ? row.isOpen : row.isOpen;
  if (key === 'ArrowRight') return isOpen === false ? 'toggle' : undefined;
  if (key !== 'ArrowLeft') return undefined;
  if (isOpen === true) return 'toggle';
  const level = levelOf(row);
  for (let i = index - 1; i >= 0; i--) if (levelOf(rows[i]!) < level) return i;
  return undefined;
}

function levelOf(row: ListRow): number {
  return row.kind === 'layer' ? 1 : row.level;
}

/** The rows in the document: those in the window. */
function rowsIn(window: { readonly from: number; readonly to: number }, count: number): number[] {
  const to = Math.min(window.to, count);
  return Array.from({ length: Math.max(0, to - window.from) }, (_, i) => window.from + i);
}

function focusRow(scroller: HTMLElement | null, index: number): boolean {
  const row = scroller?.querySelector<HTMLElement>(`[aria-rowindex="${index + 2}"]`);
  row?.focus({ preventScroll: true });
  return row !== null && row !== undefined;
}
