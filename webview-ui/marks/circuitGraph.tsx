/** A circuit drawn as columns of token positions and bands of layers, with panning, zooming and one tab stop. */

import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { CircuitEdge, CircuitGraph, CircuitNode } from '../../src/shared/domain.ts';
import { formatToken } from '../../src/shared/format.ts';
import type { Palette } from '../lib/color.ts';
import { IconButton } from '../lib/icon.tsx';
import { planeNeighbor } from '../lib/keys.ts';
import { PureComponent } from '../lib/pureComponent.ts';
import { say, strings } from '../lib/strings.ts';
import { TokenText } from '../lib/tokenText.tsx';
import { CircuitEdges } from './circuitEdges.tsx';
import type { CircuitLayout, PlacedNode } from './circuitLayout.ts';
import { NodeGlyph } from './nodeGlyph.tsx';
import { usePanZoom, useSize } from './panZoom.ts';
import { stretchLayout, type View } from './planeView.ts';

/** What the graph shows and tells. */
export interface CircuitGraphProps {
  readonly graph: CircuitGraph;
  /** Places with room for names beside the marks; left out when there are too many nodes. */
  readonly named: CircuitLayout | undefined;
  /** Places of marks alone. */
  readonly plain: CircuitLayout;
  /** Edges among the placed nodes, heaviest first. */
  readonly edges: readonly CircuitEdge[];
  readonly palette: Palette;
  readonly selected: string | undefined;
  readonly hovered: string | undefined;
  readonly pinned: readonly string[];
  /** Position selected in the editor. */
  readonly tokenSelected: number;
  /** Name beside a mark. */
  readonly nameOf: (node: CircuitNode) => string | undefined;
  readonly titleOf: (node: CircuitNode) => string;
  readonly labelOf: (node: CircuitNode) => string;
  /** Explains the marks, below the graph. */
  readonly legend: ComponentChildren;
  readonly onSelect: (id: string | undefined) => void;
  readonly onHover: (id: string | undefined) => void;
}

/** Least scale at which names are drawn. */
const leastNamedScale = 0.78;

/** The graph. Arrow keys move between nodes; `+`, `-` and `0` zoom. */
export function CircuitGraphView(props: CircuitGraphProps): JSX.Element {
  const { selected, hovered } = props;
  const viewport = useRef<HTMLDivElement>(null);
  const latest = useRef(props);
  latest.current = props;
  const size = useSize(viewport);
  const { named, plain } = props;
  // Names that would have to be drawn small are not worth their room.
  const shown = named && size.width >= named.width * leastNamedScale ? named : plain;
  const layout = useMemo(() => stretchLayout(shown, size), [shown, size]);
  const plane = usePanZoom(viewport, size, layout, () => latest.current.onSelect(undefined));
  const [focused, setFocused] = useState<string | undefined>(undefined);
  const places = useMemo(() => new Map(layout.nodes.map((place) => [place.node.id, place])), [layout]);

  useEffect(() => {
    const place = selected === undefined ? undefined : places.get(selected);
    if (place) plane.reveal(place);
  }, [selected, size.width]);

  const onKeyDown = (event: KeyboardEvent): void => {
    const zoom = zoomKeys[event.key];
    if (event.key === 'Escape') props.onSelect(undefined);
    else if (event.key === '0') plane.fit();
    else if (zoom) plane.zoom(zoom);
    else {
      const id = (event.currentTarget as HTMLElement).dataset.node;
      const index = layout.nodes.findIndex(({ node }) => node.id === id);
      const next = planeNeighbor(layout.nodes, index, event.key);
      const place = next === undefined ? undefined : layout.nodes[next];
      if (!place) return;
      event.preventDefault();
      plane.reveal(place);
      focusNode(viewport.current, place.node.id);
    }
  };
  const wanted = focused ?? selected;
  const tabStop = wanted !== undefined && places.has(wanted) ? wanted : layout.nodes[0]?.node.id;
  const active = hovered ?? selected;
  const tall = !labelsFit(layout, props.graph, plane.view.scale);
  const classes = `graph${tall ? ' graph-tall' : ''}${shown === named ? ' graph-named' : ''}`;
  return (
    <section class={classes} aria-label={strings.graphLabel}>
      <Axes {...props} layout={layout} view={plane.view} />
      <div class="graph-viewport" ref={viewport}>
        <div
          class={active === undefined ? 'plane' : 'plane plane-active'}
          style={{
            width: `${layout.width}px`,
            height: `${layout.height}px`,
            transform: `translate(${plane.view.x}px, ${plane.view.y}px) scale(${plane.view.scale})`,
          }}
        >
          <Edges {...props} layout={layout} places={places} active={active} />
          {layout.nodes.map((place) => (
            <NodeButton
              key={place.node.id}
              place={place}
              label={props.labelOf(place.node)}
              title={props.titleOf(place.node)}
              name={shown === named ? props.nameOf(place.node) : undefined}
              share={shareOf(place.node, props.graph)}
              palette={props.palette}
              selected={place.node.id === selected}
              pinned={props.pinned.includes(place.node.id)}
              underToken={place.node.position === props.tokenSelected}
              tabStop={place.node.id === tabStop}
              onSelect={props.onSelect}
              onHover={props.onHover}
              onFocus={setFocused}
              onKeyDown={onKeyDown}
            />
          ))}
        </div>
      </div>
      <div class="graph-foot">
        {props.legend}
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

function focusNode(viewport: HTMLElement | null, id: string): void {
  for (const button of viewport?.querySelectorAll<HTMLElement>('[data-node]') ?? []) {
    if (button.dataset.node === id) button.focus({ preventScroll: true });
  }
}

/** A node's effect as a part of the largest effect of any component, from −1 to 1. */
export function shareOf(node: CircuitNode, graph: CircuitGraph): number {
  let largest = 0;
  for (const { kind, effect } of graph.nodes) {
    if (kind !== 'logit') largest = Math.max(largest, Math.abs(effect));
  }
  return largest > 0 ? Math.max(-1, Math.min(1, node.effect / largest)) : 0;
}

/** Whether the tokens' texts have room side by side, in a font 7 pixels wide; else they stand upright. */
function labelsFit(layout: CircuitLayout, graph: CircuitGraph, scale: number): boolean {
  return layout.columns.every(({ position, width }) => {
    const length = [...formatToken(graph.tokens[position]?.text ?? '')].length;
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
  const { graph, layout, edges, places, active } = props;
  const largest = useMemo(
    () => Math.max(1e-12, ...graph.edges.map(({ weight }) => Math.abs(weight))),
    [graph],
  );
  const lit = graph.edges.filter(({ source, target }) => source === active || target === active);
  return (
    <svg class="edges" width={layout.width} height={layout.height} aria-hidden="true" focusable="false">
      <CircuitEdges edges={edges} places={places} largest={largest} />
      {active !== undefined && <CircuitEdges edges={lit} places={places} largest={largest} lit />}
    </svg>
  );
}

/** Names of the layers at the left and of the tokens at the bottom; they move with the plane but never leave. */
function Axes(
  props: CircuitGraphProps & { readonly layout: CircuitLayout; readonly view: View },
): JSX.Element {
  const { layout, view, graph, tokenSelected } = props;
  return (
    <>
      <div class="axis-layers" aria-hidden="true">
        {layout.bands
          .filter((band) => !band.empty)
          .map((band) => (
            <span
              key={band.layer}
              style={{ top: `${band.top * view.scale + view.y}px`, height: `${band.height * view.scale}px` }}
            >
              {bandName(band.layer, graph.nLayers)}
            </span>
          ))}
      </div>
      <div class="axis-tokens" aria-hidden="true">
        {layout.columns.map((column) => {
          const left = column.left * view.scale + view.x;
          const width = column.width * view.scale;
          const current = column.position === tokenSelected;
          return (
            <span key={column.position}>
              <i
                class={current ? 'column column-current' : 'column'}
                style={{ left: `${left - 2}px`, width: `${width + 4}px` }}
              />
              {column.skipped > 0 && (
                <i
                  class="gap"
                  title={say('gap', { count: column.skipped })}
                  style={{ left: `${left - 20 * view.scale}px` }}
                >
                  ⋯
                </i>
              )}
              <b
                class={current ? 'column-token column-token-current' : 'column-token'}
                style={{ left: `${left}px`, width: `${width}px` }}
              >
                <TokenText text={graph.tokens[column.position]?.text ?? ''} />
              </b>
            </span>
          );
        })}
      </div>
    </>
  );
}

function bandName(layer: number, nLayers: number): string {
  if (layer < 0) return strings.bandTokens;
  return layer >= nLayers ? strings.bandLogits : say('bandLayer', { layer });
}

interface NodeButtonProps {
  readonly place: PlacedNode;
  readonly label: string;
  readonly title: string;
  readonly name: string | undefined;
  readonly share: number;
  readonly palette: Palette;
  readonly selected: boolean;
  readonly pinned: boolean;
  readonly underToken: boolean;
  readonly tabStop: boolean;
  readonly onSelect: (id: string) => void;
  readonly onHover: (id: string | undefined) => void;
  readonly onFocus: (id: string) => void;
  readonly onKeyDown: (event: KeyboardEvent) => void;
}

class NodeButton extends PureComponent<NodeButtonProps> {
  override render(props: NodeButtonProps): JSX.Element {
    const { place, name } = props;
    const id = place.node.id;
    const classes = ['node'];
    if (props.underToken) classes.push('node-under');
    if (props.pinned) classes.push('node-pinned');
    return (
      <button
        type="button"
        class={classes.join(' ')}
        style={{ left: `${place.x}px`, top: `${place.y}px` }}
        data-node={id}
        title={props.title}
        aria-pressed={props.selected}
        tabIndex={props.tabStop ? 0 : -1}
        onClick={() => props.onSelect(id)}
        onMouseEnter={() => props.onHover(id)}
        onMouseLeave={() => props.onHover(undefined)}
        onFocus={() => {
          props.onFocus(id);
          props.onHover(id);
        }}
        onBlur={() => props.onHover(undefined)}
        onKeyDown={props.onKeyDown}
      >
        <span class="sr-only">{props.label}</span>
        <NodeGlyph node={place.node} share={props.share} palette={props.palette} />
        {name !== undefined && (
          <span class="node-name" aria-hidden="true">
            {name}
          </span>
        )}
      </button>
    );
  }
}
