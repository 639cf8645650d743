/** The circuit as a graph: what is kept, or only what is pinned; of two circuits, their difference or both. */

import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import type { CircuitGraph } from '../../src/shared/circuit.ts';
import type { CircuitState } from '../../src/shared/circuitViewApi.ts';
import { formatSigned } from '../../src/shared/format.ts';
import { countComponents } from '../../src/shared/keepNodes.ts';
import { Note } from '../lib/message.tsx';
import { say, strings } from '../lib/strings.ts';
import { labelText } from '../lib/tokenText.tsx';
import { drawMarks } from './circuitMarks.ts';
import { CircuitPicture } from './circuitPicture.tsx';
import type { CircuitSearch } from './circuitSearch.ts';
import type { CircuitStore } from './circuitStore.ts';
import type { LinkedCircuit } from './comparison.ts';
import { sharedHeights } from './drawnCircuit.ts';
import { Legend } from './legend.tsx';
import { metricName } from './metricName.ts';
import { clipText } from './nodeName.ts';

interface GraphTabProps {
  readonly store: CircuitStore;
  readonly search: CircuitSearch;
  readonly state: CircuitState;
  readonly graph: CircuitGraph;
}

/** Graph and legend. */
export function GraphTab(props: GraphTabProps): JSX.Element {
  const { store, search, state, graph } = props;
  const difference = store.difference.value;
  const linked = store.linked.value;
  if (linked && state.compareAs === 'sideBySide') return <SideBySide {...props} linked={linked} />;
  if (difference && linked) {
    const title = shortTitle(linked.title);
    return (
      <CircuitPicture
        store={store}
        search={search}
        graph={difference.graph}
        drawing={difference.drawing}
        pinned={store.annotations.value.pinned}
        tokenSelected={linked.columnsHere[state.tokenSelected] ?? -1}
        legend={<Legend marks={difference.drawing.marks} otherTitle={title} />}
      />
    );
  }
  if (countComponents(graph, store.kept.value).kept === 0) return <None text={strings.nodesNone} />;
  return <Alone {...props} />;
}

/** What is pinned and grouped, alone. */
export function PinnedTab(props: GraphTabProps): JSX.Element {
  const { store } = props;
  if (store.held.value.size === 0) return <None text={strings.pinnedNone} />;
  return (
    <>
      <div class="pinned-tools">
        <button type="button" class="link" onClick={() => store.slider.move(0)}>
          {strings.pinnedOnly}
        </button>
      </div>
      <Alone {...props} />
    </>
  );
}

function Alone({ store, search, state, graph }: GraphTabProps): JSX.Element {
  const drawing = store.drawing.value;
  return (
    <CircuitPicture
      store={store}
      search={search}
      graph={graph}
      drawing={drawing}
      pinned={store.annotations.value.pinned}
      tokenSelected={state.tokenSelected}
      legend={<Legend marks={drawing.marks} />}
    />
  );
}

function SideBySide(props: GraphTabProps & { readonly linked: LinkedCircuit }): JSX.Element {
  const { store, search, state, graph, linked } = props;
  const open = store.openGroups.value;
  const there = useMemo(() => drawMarks(linked.graph, linked.annotations, linked.kept, open), [linked, open]);
  const here = store.drawing.value;
  const heights = useMemo(
    () => sharedHeights({ graph, drawing: here }, { graph: linked.graph, drawing: there }),
    [graph, here, linked, there],
  );
  const title = state.circuit?.title ?? '';
  return (
    <div class="side-by-side">
      <Half title={title} graph={graph}>
        <CircuitPicture
          store={store}
          search={search}
          graph={graph}
          drawing={here}
          heights={heights}
          pinned={store.annotations.value.pinned}
          tokenSelected={state.tokenSelected}
          label={say('graphOf', { title: labelText(title) })}
        />
      </Half>
      <Half title={linked.title} graph={linked.graph}>
        <CircuitPicture
          store={store}
          search={search}
          graph={linked.graph}
          drawing={there}
          heights={heights}
          pinned={linked.annotations.pinned}
          tokenSelected={-1}
          label={say('graphOf', { title: labelText(linked.title) })}
        />
      </Half>
    </div>
  );
}

function Half(props: {
  readonly title: string;
  readonly graph: CircuitGraph;
  readonly children: JSX.Element;
}): JSX.Element {
  const { metric } = props.graph;
  return (
    <div class="half">
      <h2 class="half-title">
        <span class="half-name">{labelText(props.title)}</span>
        <span class="quiet small">
          {metricName(metric.name)} <b>{formatSigned(metric.clean)}</b>
        </span>
      </h2>
      {props.children}
    </div>
  );
}

function None({ text }: { readonly text: string }): JSX.Element {
  return (
    <div class="graph-none">
      <Note text={text} />
    </div>
  );
}

/** A title that leaves room for the words around it. */
export function shortTitle(title: string): string {
  return clipText(labelText(title), 24);
}
