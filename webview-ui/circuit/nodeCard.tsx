/** Everything about the selected node or group, and what can be done to it. */

import type { JSX } from 'preact';
import type { CircuitEdge, CircuitGraph } from '../../src/shared/circuit.ts';
import { longestLabel } from '../../src/shared/circuitAnnotations.ts';
import type { CircuitState } from '../../src/shared/circuitViewApi.ts';
import { formatNumber, formatProbability, formatSigned } from '../../src/shared/format.ts';
import { isComponent, keepEdges } from '../../src/shared/keepNodes.ts';
import { siteNameOf } from '../../src/shared/siteNames.ts';
import { IconButton } from '../lib/icon.tsx';
import { RenameField } from '../lib/renameField.tsx';
import { say, strings } from '../lib/strings.ts';
import { palette } from '../lib/theme.ts';
import { labelText, TokenText } from '../lib/tokenText.tsx';
import type { Mark } from '../marks/circuitMark.ts';
import { largestEffect, NodeGlyph, shareOf } from '../marks/nodeGlyph.tsx';
import { renameMark, ungroupMark } from './circuitEdits.ts';
import { groupOfMark, mergeEdges } from './circuitMarks.ts';
import type { CircuitStore } from './circuitStore.ts';
import { Neighbors } from './neighbors.tsx';
import { NodeActions } from './nodeActions.tsx';
import { NodeDetailsView } from './nodeDetails.tsx';
import { markKind, nodeTitle, ownTitle } from './nodeName.ts';

interface CardProps {
  readonly store: CircuitStore;
  readonly state: CircuitState;
  readonly graph: CircuitGraph;
  readonly mark: Mark;
}

/** The card. */
export function NodeCard(props: CardProps): JSX.Element {
  const { store, state, graph, mark } = props;
  const isHere = groupOfMark(mark.id) !== undefined || store.nodes.value.has(mark.id);
  const linked = store.linked.value;
  // A node that only the other circuit has is told of in that circuit's terms.
  const of = isHere || !linked ? graph : linked.graph;
  const isPruned = isHere && !mark.members && !store.kept.value.has(mark.id);
  const isFeature = mark.kind === 'feature' || mark.kind === 'neuron';
  return (
    <aside class="node-card" aria-label={nodeTitle(mark)}>
      <Head {...props} />
      <Facts {...props} graph={of} />
      {!isHere && state.other && (
        <p class="small quiet card-note">{say('cardOnlyThere', { title: labelText(state.other.title) })}</p>
      )}
      {isPruned && <p class="small quiet card-note">{strings.cardPruned}</p>}
      {isHere && (isComponent(mark) || mark.members) && <NodeActions {...props} />}
      {mark.members && <Members {...props} members={mark.members} />}
      <Neighbors
        store={store}
        graph={of}
        edges={isHere ? edgesFor(store, graph, mark) : (linked?.graph.edges ?? [])}
        node={mark.id}
      />
      {isHere && isFeature && <NodeDetailsView store={store} node={mark.id} />}
    </aside>
  );
}

/** The edges of the kept nodes, with the mark's own members as one. */
function edgesFor(store: CircuitStore, graph: CircuitGraph, mark: Mark): readonly CircuitEdge[] {
  const members = new Set(mark.members?.map(({ id }) => id) ?? [mark.id]);
  const kept = store.kept.value;
  const edges = graph.edges.filter(({ source, target }) => members.has(source) || members.has(target));
  const shown = keepEdges(edges, { has: (id) => kept.has(id) || members.has(id) });
  if (!mark.members) return shown;
  return mergeEdges(shown, new Map([...members].map((id) => [id, mark.id])));
}

function Head({ store, graph, mark }: CardProps): JSX.Element {
  const isRenaming = store.renaming.value === mark.id;
  return (
    <header class="node-card-head">
      <NodeGlyph
        node={mark}
        share={shareOf(mark.effect, largestEffect(graph.nodes))}
        palette={palette.value}
      />
      <div class="node-card-title">
        <h2>
          {isRenaming ? (
            <RenameField
              label={say('renameField', { name: ownTitle(mark) })}
              value={mark.members ? mark.label : (mark.given ?? '')}
              longest={longestLabel}
              onRename={(name) => renameMark(store, mark.id, name)}
              onCancel={() => {
                store.renaming.value = undefined;
              }}
            />
          ) : (
            nodeTitle(mark)
          )}
        </h2>
        <p class="small quiet">{subtitle(mark)}</p>
      </div>
      <IconButton icon="close" label={strings.cardClose} onClick={() => store.select(undefined)} />
    </header>
  );
}

function subtitle(mark: Mark): string {
  const parts: string[] = [];
  if (mark.members) parts.push(markKind(mark), say('groupMembers', { count: mark.members.length }));
  else if (mark.given !== undefined) parts.push(ownTitle(mark));
  if (mark.kind === 'feature') parts.push(say('featureName', { index: mark.feature?.index ?? '' }));
  if (isComponent(mark) && !mark.members) parts.push(say('lensLayer', { layer: mark.layer }));
  if (mark.hook !== undefined && !mark.members) parts.push(labelText(siteNameOf(mark.hook.slice(0, 80))));
  if (mark.labelSource) parts.push(say('labelSource', { source: labelText(mark.labelSource.slice(0, 80)) }));
  if (parts.length === 0) parts.push(markKind(mark));
  if (mark.groupLabel !== undefined) parts.push(`${strings.kindGroup}: ${labelText(mark.groupLabel)}`);
  return parts.join(' · ');
}

function Facts({ store, graph, mark }: CardProps): JSX.Element {
  const there = store.linked.value?.graph.nodes.find(({ id }) => id === mark.id);
  const isHere = store.nodes.value.has(mark.id);
  return (
    <dl class="node-facts">
      <Fact name={strings.cardEffect} value={formatSigned(mark.effect)} />
      {there && isHere && <Fact name={strings.cardOtherEffect} value={formatSigned(there.effect)} />}
      {mark.activation !== undefined && (
        <Fact name={strings.cardActivation} value={formatNumber(mark.activation)} />
      )}
      {mark.probability !== undefined && (
        <Fact name={strings.cardProbability} value={formatProbability(mark.probability)} />
      )}
      {mark.influence !== undefined && (
        <Fact
          name={strings.cardInfluence}
          title={strings.cardInfluenceTitle}
          value={formatProbability(mark.influence)}
        />
      )}
      {!graph.isAggregated && !mark.members && (
        <div>
          <dt>{strings.cardPosition}</dt>
          <dd>
            {mark.position} <TokenText text={graph.tokens[mark.position]?.text ?? ''} />
          </dd>
        </div>
      )}
    </dl>
  );
}

function Fact(props: {
  readonly name: string;
  readonly value: string;
  readonly title?: string;
}): JSX.Element {
  return (
    <div title={props.title}>
      <dt>{props.name}</dt>
      <dd>{props.value}</dd>
    </div>
  );
}

function Members(props: CardProps & { readonly members: readonly Mark[] }): JSX.Element {
  const { store, graph, members } = props;
  const largest = largestEffect(graph.nodes);
  return (
    <section class="members">
      <h3>{strings.cardNodes}</h3>
      <ul>
        {members.map((member) => (
          <li key={member.id} class="member">
            <button type="button" class="member-name" onClick={() => store.openAndSelect(member.id)}>
              <NodeGlyph node={member} share={shareOf(member.effect, largest)} palette={palette.value} />
              <span class="list-title">{nodeTitle(member)}</span>
              <span class="bar-value">{formatSigned(member.effect)}</span>
            </button>
            <IconButton
              icon="close"
              label={say('takeOutNamed', { name: nodeTitle(member) })}
              title={strings.takeOut}
              onClick={() => {
                ungroupMark(store, member.id);
                if (members.length === 1) store.select(undefined);
              }}
            />
          </li>
        ))}
      </ul>
    </section>
  );
}
