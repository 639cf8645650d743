/** One node of a circuit's graph: a mark with its name beside it, or a group as a box. */

import type { JSX } from 'preact';
import type { Palette } from '../lib/color.ts';
import { PureComponent } from '../lib/pureComponent.ts';
import { changeSigns, type Mark } from './circuitMark.ts';
import { glyphColors, minusPath, NodeGlyph } from './nodeGlyph.tsx';

/** What a node shows and tells. The handlers should stay the same functions between draws. */
export interface NodeButtonProps {
  readonly node: Mark;
  readonly x: number;
  readonly y: number;
  /** Width of its box, when it is drawn as one. */
  readonly box: number | undefined;
  /** Characters of the name beside it; 0 when none stands there. */
  readonly nameLength: number;
  readonly nameOf: (mark: Mark, length: number) => string | undefined;
  readonly titleOf: (mark: Mark) => string;
  /** Everything about the node in one sentence; another function when that has changed. */
  readonly labelOf: (mark: Mark) => string;
  readonly share: number;
  readonly palette: Palette;
  readonly selected: boolean;
  readonly chosen: boolean;
  readonly found: boolean;
  readonly pinned: boolean;
  readonly underToken: boolean;
  readonly tabStop: boolean;
  readonly onPick: (id: string, event: MouseEvent) => void;
  readonly onOpen: (id: string) => void;
  readonly onHover: (id: string | undefined) => void;
  readonly onFocus: (id: string) => void;
  readonly onKeyDown: (event: KeyboardEvent) => void;
}

/** The node as a button. */
export class NodeButton extends PureComponent<NodeButtonProps> {
  override render(props: NodeButtonProps): JSX.Element {
    const { node, box } = props;
    const name = props.nameLength > 0 || node.members ? props.nameOf(node, props.nameLength) : undefined;
    const id = node.id;
    const change = node.change && changeSigns[node.change];
    return (
      <button
        type="button"
        class={nodeClass(props)}
        style={{
          left: `${props.x}px`,
          top: `${props.y}px`,
          width: box === undefined ? '' : `${box}px`,
        }}
        data-node={id}
        title={props.titleOf(node)}
        aria-pressed={props.selected}
        tabIndex={props.tabStop ? 0 : -1}
        onClick={(event) => props.onPick(id, event)}
        onDblClick={() => props.onOpen(id)}
        onMouseEnter={() => props.onHover(id)}
        onMouseLeave={() => props.onHover(undefined)}
        onFocus={() => {
          props.onFocus(id);
          props.onHover(id);
        }}
        onBlur={() => props.onHover(undefined)}
        onKeyDown={props.onKeyDown}
      >
        <span class="sr-only">{props.labelOf(node)}</span>
        {node.members ? (
          <GroupBox {...props} name={name ?? ''} count={node.members.length} />
        ) : (
          <NodeGlyph node={node} share={props.share} palette={props.palette} />
        )}
        {!node.members && name !== undefined && (
          <span class="node-name" aria-hidden="true">
            {name}
          </span>
        )}
        {change && (
          <span class="node-change" aria-hidden="true">
            {change}
          </span>
        )}
        {props.pinned && <i class="node-pin" aria-hidden="true" />}
      </button>
    );
  }
}

function GroupBox(props: NodeButtonProps & { readonly name: string; readonly count: number }): JSX.Element {
  const colors = glyphColors('other', props.share, props.palette);
  return (
    <span
      class="group-box"
      aria-hidden="true"
      style={{ background: colors.fill, borderColor: colors.stroke, color: colors.sign }}
    >
      {props.share < 0 && (
        <svg viewBox="-4 -4 8 8" width="8" height="8" focusable="false">
          <title>−</title>
          <path d={minusPath} stroke="currentColor" stroke-width="1.6" fill="none" />
        </svg>
      )}
      <span class="group-name">{props.name}</span>
      <span class="group-count">{props.count}</span>
    </span>
  );
}

function nodeClass(props: NodeButtonProps): string {
  const { node } = props;
  const classes = ['node'];
  if (node.members) classes.push('node-group');
  if (node.groupLabel !== undefined) classes.push('node-grouped');
  if (node.change) classes.push(`node-${node.change}`);
  if (props.underToken) classes.push('node-under');
  if (props.pinned) classes.push('node-pinned');
  if (props.chosen) classes.push('node-chosen');
  if (props.found) classes.push('node-found');
  return classes.join(' ');
}
