/** Everything about the selected node, and what can be done to it. */

import type { JSX } from 'preact';
import type { CircuitGraph, CircuitNode } from '../../src/shared/domain.ts';
import { formatNumber, formatSigned } from '../../src/shared/format.ts';
import type { CircuitState } from '../../src/shared/viewApi.ts';
import { IconButton } from '../lib/icon.tsx';
import { say, strings } from '../lib/strings.ts';
import { palette } from '../lib/theme.ts';
import { TokenText } from '../lib/tokenText.tsx';
import { shareOf } from '../marks/circuitGraph.tsx';
import { NodeGlyph } from '../marks/nodeGlyph.tsx';
import { SignedBarList, type SignedRow } from '../marks/signedBarList.tsx';
import type { CircuitStore } from './circuitStore.ts';
import { isComponent } from './keepNodes.ts';
import { kindName, nodeTitle } from './nodeName.ts';

interface CardProps {
  readonly store: CircuitStore;
  readonly state: CircuitState;
  readonly graph: CircuitGraph;
  readonly node: CircuitNode;
}

/** Edges listed on each side. */
const shownEdges = 12;

/** The card. */
export function NodeCard(props: CardProps): JSX.Element {
  const { store, graph, node } = props;
  const title = nodeTitle(node);
  return (
    <aside class="node-card" aria-label={title}>
      <header class="node-card-head">
        <NodeGlyph node={node} share={shareOf(node, graph)} palette={palette.value} />
        <div class="node-card-title">
          <h2>{title}</h2>
          <p class="small quiet">{subtitle(node)}</p>
        </div>
        <IconButton icon="close" label={strings.cardClose} onClick={() => store.select(undefined)} />
      </header>
      <Facts graph={graph} node={node} />
      {isComponent(node) && <Actions {...props} />}
      <Neighbors {...props} side="source" title={strings.cardInputs} />
      <Neighbors {...props} side="target" title={strings.cardOutputs} />
    </aside>
  );
}

function subtitle(node: CircuitNode): string {
  const parts: string[] = [];
  if (node.kind === 'feature') {
    parts.push(say('featureName', { index: node.feature?.index ?? '' }));
    parts.push(say('lensLayer', { layer: node.layer }));
    if (node.labelSource) parts.push(say('labelSource', { source: node.labelSource }));
  } else if (isComponent(node)) parts.push(say('lensLayer', { layer: node.layer }));
  else parts.push(kindName(node.kind));
  return parts.join(' · ');
}

function Facts({ graph, node }: { readonly graph: CircuitGraph; readonly node: CircuitNode }): JSX.Element {
  return (
    <dl class="node-facts">
      <div>
        <dt>{strings.cardEffect}</dt>
        <dd>{formatSigned(node.effect)}</dd>
      </div>
      {node.activation !== undefined && (
        <div>
          <dt>{strings.cardActivation}</dt>
          <dd>{formatNumber(node.activation)}</dd>
        </div>
      )}
      <div>
        <dt>{strings.cardPosition}</dt>
        <dd>
          {node.position} <TokenText text={graph.tokens[node.position]?.text ?? ''} />
        </dd>
      </div>
    </dl>
  );
}

function Actions({ store, state, node }: CardProps): JSX.Element {
  const pinned = state.pinned.includes(node.id);
  return (
    <div class="node-actions">
      {node.kind !== 'error' && (
        <button type="button" class="secondary" onClick={() => store.ablate(node.id)}>
          {strings.ablate}
        </button>
      )}
      {node.kind === 'feature' && (
        <button type="button" class="secondary" onClick={() => store.steer(node.id)}>
          {strings.steer}
        </button>
      )}
      <button type="button" class="secondary" onClick={() => store.pin(node.id, !pinned)}>
        {pinned ? strings.unpin : strings.pin}
      </button>
    </div>
  );
}

function Neighbors(
  props: CardProps & { readonly side: 'source' | 'target'; readonly title: string },
): JSX.Element {
  const { store, graph, node, side } = props;
  const kept = store.kept.value;
  const rows = neighborRows(graph, node.id, side)
    .filter(({ id }) => kept.has(id))
    .slice(0, shownEdges)
    .map(({ id, weight }): SignedRow | undefined => {
      const other = store.nodes.value.get(id);
      if (!other) return undefined;
      const name = nodeTitle(other);
      return {
        key: id,
        name: (
          <>
            {name} <TokenText text={graph.tokens[other.position]?.text ?? ''} />
          </>
        ),
        value: weight,
        label: say('cardEdge', { name, value: formatSigned(weight) }),
        onSelect: () => store.select(id),
      };
    })
    .filter((row) => row !== undefined);
  return (
    <section class="neighbors">
      <h3>{props.title}</h3>
      {rows.length > 0 ? (
        <SignedBarList rows={rows} label={props.title} />
      ) : (
        <p class="small quiet">{strings.cardNone}</p>
      )}
    </section>
  );
}

/** The nodes on one side of a node's edges, heaviest edge first. */
export function neighborRows(
  graph: CircuitGraph,
  node: string,
  side: 'source' | 'target',
): readonly { readonly id: string; readonly weight: number }[] {
  const here = side === 'source' ? 'target' : 'source';
  return graph.edges
    .filter((edge) => edge[here] === node)
    .map((edge) => ({ id: edge[side], weight: edge.weight }))
    .sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
}
