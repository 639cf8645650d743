/** The edges of a circuit: width is weight; positive ones are whole, negative ones dashed. */

import type { JSX } from 'preact';
import type { CircuitEdge } from '../../src/shared/domain.ts';
import { PureComponent } from '../lib/pureComponent.ts';
import { edgePath, type PlacedNode } from './circuitLayout.ts';

/** Distance from the middle of a node at which edges begin and end. */
export const edgeRadius = 8;

interface EdgesProps {
  readonly edges: readonly CircuitEdge[];
  readonly places: ReadonlyMap<string, PlacedNode>;
  /** Weight of the widest edge. */
  readonly largest: number;
  readonly lit?: boolean;
}

/** Draws the edges whose two ends are placed, the widest on top. */
export class CircuitEdges extends PureComponent<EdgesProps> {
  override render({ edges, places, largest, lit }: EdgesProps): JSX.Element {
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
              class={edge.weight < 0 ? 'edge edge-negative' : 'edge'}
              d={edgePath(from, to, edgeRadius)}
              stroke-width={edgeWidth(share)}
              stroke-opacity={lit ? 1 : 0.25 + 0.55 * share}
              stroke-dasharray={edge.weight < 0 ? edgeDash(share) : undefined}
            />
          );
        })}
      </g>
    );
  }
}

/** Width in pixels of an edge of which `share` is the part of the heaviest. */
export function edgeWidth(share: number): number {
  return 0.7 + 3.3 * Math.min(1, share);
}

/** Dashes of a negative edge; they grow with its width, so that they stay dashes. */
export function edgeDash(share: number): string {
  return `${(4 + 5 * share).toFixed(1)} ${(3 + 3 * share).toFixed(1)}`;
}
