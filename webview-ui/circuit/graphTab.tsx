/** The circuit as a graph, with a legend of its marks. */

import { useComputed } from '@preact/signals';
import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import type { CircuitGraph, CircuitNodeKind } from '../../src/shared/domain.ts';
import type { CircuitState } from '../../src/shared/viewApi.ts';
import { Note } from '../lib/message.tsx';
import { strings } from '../lib/strings.ts';
import { palette } from '../lib/theme.ts';
import { CircuitGraphView } from '../marks/circuitGraph.tsx';
import { glyphPaths } from '../marks/nodeGlyph.tsx';
import type { CircuitStore } from './circuitStore.ts';
import { drawnEdges, layoutKept, nameBeside, showsNames } from './drawnCircuit.ts';
import { countComponents } from './keepNodes.ts';
import { kindName, nodeLabel, nodeTitle } from './nodeName.ts';

/** Graph and legend. */
export function GraphTab(props: {
  readonly store: CircuitStore;
  readonly state: CircuitState;
  readonly graph: CircuitGraph;
}): JSX.Element {
  const { store, state, graph } = props;
  const drawn = useComputed(() => {
    const current = store.graph.value ?? graph;
    const kept = store.kept.value;
    return {
      edges: drawnEdges(current, kept),
      named: showsNames(kept) ? layoutKept(current, kept, true) : undefined,
      plain: layoutKept(current, kept, false),
    };
  });
  const handlers = useRef({
    onSelect: (id: string | undefined) => store.select(id),
    onHover: (id: string | undefined) => store.hover(id),
  }).current;
  if (countComponents(graph, store.kept.value).kept === 0) {
    return (
      <div class="graph-none">
        <Note text={strings.nodesNone} />
      </div>
    );
  }
  const { edges, named, plain } = drawn.value;
  return (
    <CircuitGraphView
      graph={graph}
      named={named}
      plain={plain}
      edges={edges}
      palette={palette.value}
      selected={store.selected.value}
      hovered={store.hovered.value}
      pinned={state.pinned}
      tokenSelected={state.tokenSelected}
      nameOf={nameBeside}
      titleOf={nodeTitle}
      labelOf={(node) =>
        nodeLabel(node, graph, {
          underToken: node.position === state.tokenSelected,
          pinned: state.pinned.includes(node.id),
        })
      }
      legend={<Legend />}
      {...handlers}
    />
  );
}

const legendKinds: readonly CircuitNodeKind[] = ['feature', 'head', 'mlp', 'error'];

function Legend(): JSX.Element {
  return (
    <div class="graph-legend small quiet">
      {legendKinds.map((kind) => (
        <span key={kind}>
          <svg viewBox="-11 -11 22 22" width="14" height="14" aria-hidden="true" focusable="false">
            <path
              d={glyphPaths[kind]}
              fill={kind === 'error' ? 'none' : 'currentColor'}
              stroke="currentColor"
              stroke-width="1.6"
            />
          </svg>
          {kindName(kind)}
        </span>
      ))}
      <span>
        <svg
          class="legend-line"
          viewBox="0 0 24 6"
          width="24"
          height="6"
          aria-hidden="true"
          focusable="false"
        >
          <path class="edge" d="M0 3h24" stroke-width="2.5" />
        </svg>
        {strings.legendPositive}
      </span>
      <span>
        <svg
          class="legend-line"
          viewBox="0 0 24 6"
          width="24"
          height="6"
          aria-hidden="true"
          focusable="false"
        >
          <path class="edge edge-negative" d="M0 3h24" stroke-width="2.5" stroke-dasharray="6 4" />
        </svg>
        {strings.legendNegative}
      </span>
    </div>
  );
}
