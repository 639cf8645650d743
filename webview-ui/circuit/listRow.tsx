/** One row of the circuit's list: a layer's heading, or a node with its token and effect. */

import type { JSX } from 'preact';
import type { CircuitGraph } from '../../src/shared/circuit.ts';
import { formatSigned } from '../../src/shared/format.ts';
import { Icon } from '../lib/icon.tsx';
import { say, strings } from '../lib/strings.ts';
import { palette } from '../lib/theme.ts';
import { TokenText } from '../lib/tokenText.tsx';
import type { Mark } from '../marks/circuitMark.ts';
import { NodeGlyph, shareOf } from '../marks/nodeGlyph.tsx';
import { SignedBar } from '../marks/signedBarList.tsx';
import { isPinned } from './circuitEdits.ts';
import type { ListRow } from './listRows.ts';
import { nodeLabel, nodeTitle, placeName } from './nodeName.ts';

/** Height of a row in pixels. */
export const rowHeight = 25;

interface RowProps {
  readonly row: ListRow;
  readonly index: number;
  readonly graph: CircuitGraph;
  readonly largest: number;
  readonly selected: boolean;
  readonly chosen: boolean;
  readonly found: boolean;
  readonly pins: ReadonlySet<string>;
  readonly tokenSelected: number;
  readonly isTabStop: boolean;
  readonly onPick: (event: MouseEvent) => void;
  readonly onHover: (id: string | undefined) => void;
  readonly onFocus: () => void;
  readonly onKeyDown: (event: KeyboardEvent) => void;
}

/** The row. */
export function ListRowView(props: RowProps): JSX.Element {
  const { row, index } = props;
  if (row.kind === 'mark')
    return <MarkRow {...props} mark={row.mark} level={row.level} isOpen={row.isOpen} />;
  return (
    <tr
      class="list-layer"
      tabIndex={props.isTabStop ? 0 : -1}
      aria-rowindex={index + 2}
      aria-level={1}
      aria-expanded={row.isOpen}
      onClick={props.onPick}
      onFocus={props.onFocus}
      onKeyDown={props.onKeyDown}
    >
      <th scope="row" colSpan={3}>
        <Twist isOpen={row.isOpen} />
        {layerTitle(row.layer, props.graph.nLayers)} <span class="list-count">{row.count}</span>
      </th>
    </tr>
  );
}

function MarkRow(
  props: RowProps & { readonly mark: Mark; readonly level: number; readonly isOpen: boolean | undefined },
): JSX.Element {
  const { mark, graph, level } = props;
  const share = shareOf(mark.effect, props.largest);
  const underToken = !graph.isAggregated && mark.position === props.tokenSelected;
  const pinned = isPinned(props.pins, mark);
  const state = { underToken, pinned, chosen: props.chosen, found: props.found };
  return (
    <tr
      class={rowClass(props, underToken)}
      data-node={mark.id}
      tabIndex={props.isTabStop ? 0 : -1}
      aria-rowindex={props.index + 2}
      aria-level={level}
      aria-expanded={props.isOpen}
      aria-selected={props.selected}
      aria-label={nodeLabel(mark, graph, state)}
      onClick={props.onPick}
      onFocus={props.onFocus}
      onKeyDown={props.onKeyDown}
      onMouseEnter={() => props.onHover(mark.id)}
      onMouseLeave={() => props.onHover(undefined)}
    >
      <th scope="row">
        <span class="list-name">
          {props.isOpen !== undefined && <Twist isOpen={props.isOpen} />}
          <NodeGlyph node={mark} share={share} palette={palette.value} />
          <span class="list-title">{nodeTitle(mark)}</span>
          {pinned && <Icon name="pin" filled />}
        </span>
      </th>
      <td class="list-token quiet">{placeOf(mark, graph)}</td>
      <td>
        <span class="list-effect">
          <SignedBar share={share} />
          <span class="bar-value">{formatSigned(mark.effect)}</span>
        </span>
      </td>
    </tr>
  );
}

function placeOf(mark: Mark, graph: CircuitGraph): JSX.Element | string {
  if (mark.members) return say('groupMembers', { count: mark.members.length });
  if (graph.isAggregated) return placeName(mark).split(' · ')[1] ?? '';
  return <TokenText text={graph.tokens[mark.position]?.text ?? ''} />;
}

function rowClass(props: RowProps & { readonly level: number }, underToken: boolean): string {
  const classes = ['list-row'];
  if (underToken) classes.push('list-under');
  if (props.chosen) classes.push('list-chosen');
  if (props.found) classes.push('list-found');
  if (props.level === 3) classes.push('list-member');
  return classes.join(' ');
}

/** The arrow of what can be opened; a click on it opens, and does nothing else. */
function Twist({ isOpen }: { readonly isOpen: boolean }): JSX.Element {
  return (
    <span class={isOpen ? 'twist twist-open' : 'twist'} data-twist="">
      <Icon name="chevron" />
    </span>
  );
}

/** The heading of a layer. */
export function layerTitle(layer: number, nLayers: number): string {
  if (layer < 0) return strings.tokensBandHeading;
  return layer >= nLayers ? strings.logitsBandHeading : say('layerHeading', { layer });
}
