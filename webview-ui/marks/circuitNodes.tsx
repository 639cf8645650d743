/** The nodes of a circuit's graph. They are drawn again only when something of theirs has changed, not when the pointer moves. */

import type { JSX } from 'preact';
import type { Palette } from '../lib/color.ts';
import { PureComponent } from '../lib/pureComponent.ts';
import type { PlacedNode } from './circuitLayout.ts';
import type { Mark } from './circuitMark.ts';
import { NodeButton } from './circuitNode.tsx';
import { shareOf } from './nodeGlyph.tsx';

/** What the nodes show and tell; functions stay the same as long as what they answer does. */
export interface CircuitNodesProps {
  readonly places: readonly PlacedNode[];
  /** Characters of the names beside the marks; 0 when none stand there. */
  readonly nameLength: number;
  readonly nameOf: (mark: Mark, length: number) => string | undefined;
  readonly titleOf: (mark: Mark) => string;
  readonly labelOf: (mark: Mark) => string;
  readonly largestEffect: number;
  readonly palette: Palette;
  readonly selected: string | undefined;
  readonly chosen: ReadonlySet<string>;
  readonly found: ReadonlySet<string>;
  readonly isPinned: (mark: Mark) => boolean;
  readonly tokenSelected: number;
  readonly tabStop: string | undefined;
  readonly onPick: (id: string, event: MouseEvent) => void;
  readonly onOpen: (id: string) => void;
  readonly onHover: (id: string | undefined) => void;
  readonly onFocus: (id: string) => void;
  readonly onKeyDown: (event: KeyboardEvent) => void;
}

/** All of them. */
export class CircuitNodes extends PureComponent<CircuitNodesProps> {
  override render(props: CircuitNodesProps): JSX.Element {
    return (
      <>
        {props.places.map(({ node, x, y, box }) => (
          <NodeButton
            key={node.id}
            node={node}
            x={x}
            y={y}
            box={box}
            nameLength={props.nameLength}
            nameOf={props.nameOf}
            titleOf={props.titleOf}
            labelOf={props.labelOf}
            share={shareOf(node.effect, props.largestEffect)}
            palette={props.palette}
            selected={node.id === props.selected}
            chosen={props.chosen.has(node.id)}
            found={isFound(node, props.found)}
            pinned={props.isPinned(node)}
            underToken={node.position === props.tokenSelected}
            tabStop={node.id === props.tabStop}
            onPick={props.onPick}
            onOpen={props.onOpen}
            onHover={props.onHover}
            onFocus={props.onFocus}
            onKeyDown={props.onKeyDown}
          />
        ))}
      </>
    );
  }
}

function isFound(mark: Mark, found: ReadonlySet<string>): boolean {
  return found.has(mark.id) || (mark.members?.some(({ id }) => found.has(id)) ?? false);
}
