/** A drawing of a circuit in its places: the one way in which this panel shows a graph, alone, compared, or beside another. */

import type { ComponentChildren, JSX } from 'preact';
import { useCallback, useMemo, useRef } from 'preact/hooks';
import type { CircuitGraph } from '../../src/shared/circuit.ts';
import { formatSigned } from '../../src/shared/format.ts';
import { strings } from '../lib/strings.ts';
import { palette } from '../lib/theme.ts';
import { CircuitGraphView } from '../marks/circuitGraph.tsx';
import type { Mark } from '../marks/circuitMark.ts';
import { largestEffect } from '../marks/nodeGlyph.tsx';
import type { Size } from '../marks/planeView.ts';
import { isPinned } from './circuitEdits.ts';
import { pickMark } from './circuitKeys.ts';
import { type Drawing, groupOfMark } from './circuitMarks.ts';
import type { CircuitSearch } from './circuitSearch.ts';
import type { CircuitStore } from './circuitStore.ts';
import { type BandHeights, columnName, edgesAtRest, fitDrawing, nameBeside } from './drawnCircuit.ts';
import { nodeLabel, nodeTitle } from './nodeName.ts';

interface PictureProps {
  readonly store: CircuitStore;
  readonly search: CircuitSearch;
  /** Columns, bands and sizes come from here; marks and edges from the drawing. */
  readonly graph: CircuitGraph;
  readonly drawing: Drawing;
  readonly pinned: readonly string[];
  readonly tokenSelected: number;
  readonly label?: string;
  /** What the bands are at least as high as, beside another picture. */
  readonly heights?: BandHeights;
  readonly legend?: ComponentChildren;
}

const noIds: ReadonlySet<string> = new Set();

/** The picture. */
export function CircuitPicture(props: PictureProps): JSX.Element {
  const { store, search, graph, drawing } = props;
  const { heights } = props;
  const layoutIn = useCallback(
    (size: Size) => fitDrawing(graph, drawing, size, heights),
    [graph, drawing, heights],
  );
  const atRest = useMemo(() => edgesAtRest(drawing.edges), [drawing]);
  const scale = useMemo(
    () => ({
      effect: largestEffect(graph.nodes),
      weight: graph.edges.reduce((most, { weight }) => Math.max(most, Math.abs(weight)), 1e-12),
    }),
    [graph],
  );
  const pins = useMemo(() => new Set(props.pinned), [props.pinned]);
  const handlers = useRef({
    onPick: (id: string | undefined, event?: MouseEvent) => pickMark(store, id, event),
    onOpen: (id: string) => {
      const group = groupOfMark(id) ?? store.groupIdOf(id);
      if (group !== undefined) store.toggleGroup(group);
    },
    onHover: (id: string | undefined) => store.hover(id),
  }).current;
  const chosen = store.chosen.value;
  const found = search.isOpen.value ? search.ids.value : noIds;
  const pinnedIn = useCallback((mark: Mark) => isPinned(pins, mark), [pins]);
  const { tokenSelected } = props;
  const labelOf = useCallback(
    (mark: Mark) =>
      nodeLabel(mark, graph, {
        underToken: !graph.isAggregated && mark.position === tokenSelected,
        pinned: isPinned(pins, mark),
        chosen: chosen.has(mark.id),
        found: found.has(mark.id),
      }),
    [graph, pins, chosen, found, tokenSelected],
  );
  return (
    <CircuitGraphView
      label={props.label ?? strings.graphLabel}
      nLayers={graph.nLayers}
      layoutIn={layoutIn}
      edges={drawing.edges}
      atRest={atRest}
      largestEffect={scale.effect}
      largestWeight={scale.weight}
      palette={palette.value}
      selected={store.selected.value}
      hovered={store.hovered.value}
      chosen={chosen}
      found={found}
      isPinned={pinnedIn}
      tokenSelected={props.tokenSelected}
      columnName={(column) => columnName(graph, column)}
      hasSites={graph.isAggregated === true}
      nameOf={nameBeside}
      titleOf={markTooltip}
      labelOf={labelOf}
      legend={props.legend}
      {...handlers}
    />
  );
}

/** What a mark is and does, for the pointer. */
function markTooltip(mark: Mark): string {
  const effect = formatSigned(mark.effect);
  const was = mark.change === 'changed' ? `${formatSigned(mark.otherEffect ?? 0)} → ${effect}` : effect;
  return `${nodeTitle(mark)}  ${was}`;
}
