/** A circuit drawn as columns of token positions or sites and bands of layers, with panning, zooming and one tab stop. */

import type { ComponentChildren, JSX } from 'preact';
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { formatToken } from '../../src/shared/format.ts';
import type { Palette } from '../lib/color.ts';
import { IconButton } from '../lib/icon.tsx';
import { planeNeighbor } from '../lib/keys.ts';
import { strings } from '../lib/strings.ts';
import { Axes } from './circuitAxes.tsx';
import { CircuitEdges } from './circuitEdges.tsx';
import { anchorOf, type CircuitLayout, type PlacedNode } from './circuitLayout.ts';
import type { Mark, MarkEdge } from './circuitMark.ts';
import { CircuitNodes } from './circuitNodes.tsx';
import { usePanZoom, useSize } from './panZoom.ts';
import { isInView, type Size, stretchLayout } from './planeView.ts';

/** What the graph shows and tells. */
export interface CircuitGraphProps {
  /** What the graph is of. */
  readonly label: string;
  readonly nLayers: number;
  /** Places in a viewport; another function when the drawing is another. */
  readonly layoutIn: (viewport: Size) => CircuitLayout;
  /** Edges among the placed nodes, heaviest first, and those of them that are drawn while no node is looked at. */
  readonly edges: readonly MarkEdge[];
  readonly atRest: readonly MarkEdge[];
  /** The largest effect and weight, which full color and width stand for. */
  readonly largestEffect: number;
  readonly largestWeight: number;
  readonly palette: Palette;
  readonly selected: string | undefined;
  readonly hovered: string | undefined;
  readonly chosen: ReadonlySet<string>;
  readonly found: ReadonlySet<string>;
  readonly isPinned: (mark: Mark) => boolean;
  /** Column of the token that is selected in the editor. */
  readonly tokenSelected: number;
  readonly columnName: (column: number) => string;
  /** Columns are sites and not tokens. */
  readonly hasSites: boolean;
  /** Name beside a mark, of so many characters. */
  readonly nameOf: (mark: Mark, length: number) => string | undefined;
  readonly titleOf: (mark: Mark) => string;
  readonly labelOf: (mark: Mark) => string;
  /** Explains the marks, below the graph. */
  readonly legend?: ComponentChildren;
  readonly onPick: (id: string | undefined, event?: MouseEvent) => void;
  /** A double click. */
  readonly onOpen: (id: string) => void;
  readonly onHover: (id: string | undefined) => void;
}

/** From this many nodes on, only those in view are in the document. */
const mostDrawn = 300;

/** The graph. Arrow keys move between nodes; `+`, `-` and `0` zoom. */
export function CircuitGraphView(props: CircuitGraphProps): JSX.Element {
  const viewport = useRef<HTMLDivElement>(null);
  const latest = useRef(props);
  latest.current = props;
  const size = useSize(viewport);
  const { layoutIn } = props;
  const shown = useMemo(() => layoutIn(size), [layoutIn, size]);
  const layout = useMemo(() => stretchLayout(shown, size), [shown, size]);
  const hasNames = shown.nameLength > 0;
  const plane = usePanZoom(viewport, size, layout, () => latest.current.onPick(undefined));
  const [focused, setFocused] = useState<string | undefined>(undefined);
  const places = useMemo(() => new Map(layout.nodes.map((place) => [place.node.id, place])), [layout]);
  const owners = useMemo(() => ownersOf(layout.nodes), [layout]);
  const selected = owners.get(props.selected ?? '') ?? props.selected;
  const hovered = owners.get(props.hovered ?? '') ?? props.hovered;

  useEffect(() => {
    const place = selected === undefined ? undefined : places.get(selected);
    if (place) plane.reveal(place);
  }, [selected, size.width]);

  const onKeyDown = (event: KeyboardEvent): void => {
    const zoom = zoomKeys[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === '0') plane.fit();
    else if (zoom) plane.zoom(zoom);
    else {
      const id = (event.currentTarget as HTMLElement).dataset.node;
      const index = layout.nodes.findIndex(({ node }) => node.id === id);
      const next = planeNeighbor(layout.nodes, index, event.key);
      const place = next === undefined ? undefined : layout.nodes[next];
      if (!place) return;
      event.preventDefault();
      plane.reveal(place);
      setFocused(place.node.id);
      // A node out of view comes into the document with the next drawing.
      const { id: wanted } = place.node;
      if (!focusNode(viewport.current, wanted))
        requestAnimationFrame(() => focusNode(viewport.current, wanted));
    }
  };
  const keys = useRef(onKeyDown);
  keys.current = onKeyDown;
  const keyDown = useCallback((event: KeyboardEvent) => keys.current(event), []);
  const wanted = [focused, selected].find((id) => id !== undefined && places.has(id));
  const tabStop = wanted ?? layout.nodes[0]?.node.id;
  const drawn = useMemo(
    () =>
      layout.nodes.length <= mostDrawn
        ? layout.nodes
        : layout.nodes.filter((place) => place.node.id === tabStop || isInView(place, plane.view, size)),
    [layout, layout.nodes.length <= mostDrawn ? undefined : plane.view, size, tabStop],
  );
  const active = hovered ?? selected;
  const tall = !labelsFit(layout, props, plane.view.scale);
  const classes = ['graph'];
  if (tall) classes.push('graph-tall');
  if (hasNames) classes.push('graph-named');
  if (props.found.size > 0) classes.push('graph-searched');
  return (
    <section class={classes.join(' ')} aria-label={props.label}>
      <Axes
        layout={layout}
        view={plane.view}
        nLayers={props.nLayers}
        columnName={props.columnName}
        isPlain={props.hasSites}
        current={props.tokenSelected}
      />
      <div class="graph-viewport" ref={viewport}>
        <div
          class={active === undefined ? 'plane' : 'plane plane-active'}
          style={{
            '--zoom': String(plane.view.scale),
            width: `${layout.width}px`,
            height: `${layout.height}px`,
            transform: `translate(${plane.view.x}px, ${plane.view.y}px) scale(${plane.view.scale})`,
          }}
        >
          <Edges {...props} layout={layout} places={places} active={active} />
          <CircuitNodes
            places={drawn}
            nameLength={shown.nameLength}
            nameOf={props.nameOf}
            titleOf={props.titleOf}
            labelOf={props.labelOf}
            largestEffect={props.largestEffect}
            palette={props.palette}
            selected={selected}
            chosen={props.chosen}
            found={props.found}
            isPinned={props.isPinned}
            tokenSelected={props.hasSites ? -1 : props.tokenSelected}
            tabStop={tabStop}
            onPick={props.onPick}
            onOpen={props.onOpen}
            onHover={props.onHover}
            onFocus={setFocused}
            onKeyDown={keyDown}
          />
        </div>
      </div>
      <div class="graph-foot">
        {props.legend ?? <span />}
        <span class="zoom">
          <IconButton icon="minus" label={strings.zoomOut} onClick={() => plane.zoom(1 / 1.25)} />
          <IconButton icon="fit" label={strings.zoomFit} onClick={plane.fit} />
          <IconButton icon="plus" label={strings.zoomIn} onClick={() => plane.zoom(1.25)} />
        </span>
      </div>
    </section>
  );
}

const zoomKeys: Readonly<Record<string, number>> = { '+': 1.25, '=': 1.25, '-': 1 / 1.25 };

function focusNode(viewport: HTMLElement | null, id: string): boolean {
  for (const button of viewport?.querySelectorAll<HTMLElement>('[data-node]') ?? []) {
    if (button.dataset.node !== id) continue;
    button.focus({ preventScroll: true });
    return true;
  }
  return false;
}

/** By node, the closed group that stands for it. */
function ownersOf(places: readonly PlacedNode[]): ReadonlyMap<string, string> {
  const owners = new Map<string, string>();
  for (const { node } of places) for (const member of node.members ?? []) owners.set(member.id, node.id);
  return owners;
}

/** Whether the columns' texts have room side by side, in a font 7 pixels wide; else they stand upright. */
function labelsFit(layout: CircuitLayout, props: CircuitGraphProps, scale: number): boolean {
  if (props.hasSites) return true;
  return layout.columns.every(({ position, width }) => {
    const length = [...formatToken(props.columnName(position).slice(0, 60))].length;
    return Math.min(10, length) * 7 <= width * scale + 4;
  });
}

function Edges(
  props: CircuitGraphProps & {
    readonly layout: CircuitLayout;
    readonly places: ReadonlyMap<string, PlacedNode>;
    readonly active: string | undefined;
  },
): JSX.Element {
  const { layout, edges, atRest, places, active, largestWeight } = props;
  const anchors = useMemo(() => new Map([...places].map(([id, place]) => [id, anchorOf(place)])), [places]);
  const lit = useMemo(
    () =>
      active === undefined ? [] : edges.filter((edge) => edge.source === active || edge.target === active),
    [edges, active],
  );
  return (
    <svg class="edges" width={layout.width} height={layout.height} aria-hidden="true" focusable="false">
      <CircuitEdges edges={atRest} places={anchors} largest={largestWeight} />
      {active !== undefined && <CircuitEdges edges={lit} places={anchors} largest={largestWeight} lit />}
    </svg>
  );
}
