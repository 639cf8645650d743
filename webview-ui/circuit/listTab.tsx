/** The same circuit as a list by layer, from the logits down to the tokens: for keyboard, screen reader and reading. */

import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { CircuitGraph, CircuitNode } from '../../src/shared/domain.ts';
import { formatSigned } from '../../src/shared/format.ts';
import type { CircuitState } from '../../src/shared/viewApi.ts';
import { rovingIndex } from '../lib/keys.ts';
import { say, strings } from '../lib/strings.ts';
import { palette } from '../lib/theme.ts';
import { TokenText } from '../lib/tokenText.tsx';
import { shareOf } from '../marks/circuitGraph.tsx';
import { NodeGlyph } from '../marks/nodeGlyph.tsx';
import { SignedBar } from '../marks/signedBarList.tsx';
import type { CircuitStore } from './circuitStore.ts';
import { nodeLabel, nodeTitle } from './nodeName.ts';

interface ListProps {
  readonly store: CircuitStore;
  readonly state: CircuitState;
  readonly graph: CircuitGraph;
}

/** Layers from the top; within a layer the strongest first. One tab stop. */
export function ListTab(props: ListProps): JSX.Element {
  const { store, graph } = props;
  const list = useRef<HTMLDivElement>(null);
  const [focused, setFocused] = useState<string | undefined>(undefined);
  const layers = layersOf(graph, store.kept.value);
  const order = layers.flatMap((layer) => layer.nodes.map((node) => node.id));
  const wanted = focused ?? store.selected.value;
  const tabStop = wanted !== undefined && order.includes(wanted) ? wanted : order[0];
  const selected = store.selected.value;

  useEffect(() => {
    list.current?.querySelector('[aria-pressed="true"]')?.scrollIntoView({ block: 'nearest' });
  }, [selected]);

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') store.select(undefined);
    const rows = [...(list.current?.querySelectorAll<HTMLElement>('.list-row') ?? [])];
    const next = rovingIndex(
      event.key,
      rows.indexOf(event.currentTarget as HTMLElement),
      rows.length,
      'vertical',
    );
    if (next === undefined) return;
    event.preventDefault();
    rows[next]?.focus();
  };
  return (
    <section class="list" ref={list} aria-label={strings.listLabel}>
      {layers.map((layer) => (
        <div key={layer.layer} class="list-layer">
          <h2 id={`layer-${layer.layer}`}>{layerTitle(layer.layer, graph.nLayers)}</h2>
          <ul aria-labelledby={`layer-${layer.layer}`}>
            {layer.nodes.map((node) => (
              <li key={node.id}>
                <ListRow
                  {...props}
                  node={node}
                  tabStop={node.id === tabStop}
                  onFocus={setFocused}
                  onKeyDown={onKeyDown}
                />
              </li>
            ))}
          </ul>
        </div>
      ))}
    </section>
  );
}

function ListRow(
  props: ListProps & {
    readonly node: CircuitNode;
    readonly tabStop: boolean;
    readonly onFocus: (id: string) => void;
    readonly onKeyDown: (event: KeyboardEvent) => void;
  },
): JSX.Element {
  const { store, state, graph, node } = props;
  const share = shareOf(node, graph);
  const underToken = node.position === state.tokenSelected;
  const pinned = state.pinned.includes(node.id);
  return (
    <button
      type="button"
      class={underToken ? 'list-row list-under' : 'list-row'}
      aria-pressed={store.selected.value === node.id}
      tabIndex={props.tabStop ? 0 : -1}
      onClick={() => store.select(node.id)}
      onMouseEnter={() => store.hover(node.id)}
      onMouseLeave={() => store.hover(undefined)}
      onFocus={() => {
        props.onFocus(node.id);
        store.hover(node.id);
      }}
      onBlur={() => store.hover(undefined)}
      onKeyDown={props.onKeyDown}
    >
      <span class="sr-only">{nodeLabel(node, graph, { underToken, pinned })}</span>
      <span class="list-parts" aria-hidden="true">
        <NodeGlyph node={node} share={share} palette={palette.value} />
        <span class="list-name">{nodeTitle(node)}</span>
        <span class="list-token quiet">
          <TokenText text={graph.tokens[node.position]?.text ?? ''} />
        </span>
        <SignedBar share={share} />
        <span class="bar-value">{formatSigned(node.effect)}</span>
      </span>
    </button>
  );
}

/** The kept nodes by layer, top layer first, strongest node first. */
export function layersOf(
  graph: CircuitGraph,
  kept: ReadonlySet<string>,
): readonly { readonly layer: number; readonly nodes: readonly CircuitNode[] }[] {
  const layers = new Map<number, CircuitNode[]>();
  for (const node of graph.nodes) {
    if (!kept.has(node.id)) continue;
    const nodes = layers.get(node.layer);
    if (nodes) nodes.push(node);
    else layers.set(node.layer, [node]);
  }
  return [...layers]
    .sort(([a], [b]) => b - a)
    .map(([layer, nodes]) => ({
      layer,
      nodes: nodes.sort((a, b) => Math.abs(b.effect) - Math.abs(a.effect)),
    }));
}

function layerTitle(layer: number, nLayers: number): string {
  if (layer < 0) return strings.tokensBandHeading;
  return layer >= nLayers ? strings.logitsBandHeading : say('layerHeading', { layer });
}
