/** The edges of a circuit: width is weight; positive ones are whole, negative ones dashed; those of one circuit alone carry a sign. */

import type { JSX } from 'preact';
import { PureComponent } from '../lib/pureComponent.ts';
import { edgePath, type PlacedNode } from './circuitLayout.ts';
import { changeSigns, type MarkEdge } from './circuitMark.ts';

/** Distance from the middle of a node at which edges begin and end. */
export const edgeRadius = 8;

/** Signs of changed edges that are written at rest, and on those of one node; more would cover the picture. */
const mostSigns = 10;
const mostLitSigns = 40;

interface EdgesProps {
  readonly edges: readonly MarkEdge[];
  readonly places: ReadonlyMap<string, PlacedNode>;
  /** Weight of the widest edge. */
  readonly largest: number;
  readonly lit?: boolean;
}

/** Draws the edges whose two ends are placed, the widest on top. */
export class CircuitEdges extends PureComponent<EdgesProps> {
  override render({ edges, places, largest, lit }: EdgesProps): JSX.Element {
    const signed = edges
      .filter(({ change }) => change && change !== 'same')
      .slice(0, lit ? mostLitSigns : mostSigns);
    return (
      <g class={lit ? 'edges-lit' : 'edges-all'}>
        {[...edges].reverse().map((edge) => {
          const from = places.get(edge.source);
          const to = places.get(edge.target);
          if (!from || !to) return null;
          const share = Math.abs(edge.weight) / largest;
          return (
            <path
              key={`${edge.source}→${edge.target}`}
              class={edgeClass(edge)}
              d={edgePath(from, to, edgeRadius)}
              style={{ '--width': edgeWidth(share).toFixed(2) }}
              stroke-opacity={lit ? 1 : restOpacity(edge, share, edges.length)}
              stroke-dasharray={edge.weight < 0 ? edgeDash(share) : undefined}
            />
          );
        })}
        {signed.map((edge) => {
          const from = places.get(edge.source);
          const to = places.get(edge.target);
          if (!from || !to || !edge.change) return null;
          return (
            <text
              key={`${edge.source}→${edge.target}`}
              class="edge-sign"
              x={(from.x + to.x) / 2}
              y={(from.y + to.y) / 2}
            >
              {changeSigns[edge.change]}
            </text>
          );
        })}
      </g>
    );
  }
}

function edgeClass({ weight, change }: MarkEdge): string {
  const classes = ['edge'];
  if (weight < 0) classes.push('edge-negative');
  if (change && change !== 'same') classes.push(`edge-${change}`);
  return classes.join(' ');
}

/** Edges beyond which the light ones would lie over the picture as a veil. */
const crowd = 160;

/** A few edges are all plain to see, many only by their weight; what is alike in two circuits steps back. */
export function restOpacity({ change }: MarkEdge, share: number, count: number): number {
  const crowding = Math.min(1, count / crowd);
  const least = 0.52 - 0.32 * crowding;
  const opacity = least + (0.92 - least) * Math.min(1, share) ** (0.5 + 0.35 * crowding);
  return change === 'same' ? 0.4 * opacity : opacity;
}

/** Width in pixels of an edge of which `share` is the part of the heaviest. */
export function edgeWidth(share: number): number {
  return 0.9 + 3.1 * Math.min(1, share) ** 0.8;
}

/** Dashes of a negative edge; they grow with its width, so that they stay dashes. */
export function edgeDash(share: number): string {
  return `${(4 + 5 * share).toFixed(1)} ${(3 + 3 * share).toFixed(1)}`;
}
