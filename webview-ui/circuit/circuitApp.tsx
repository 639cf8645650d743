/** The circuit panel: metric and exports, the graph or its list, the pruning slider, the selected node's card. */

import type { JSX } from 'preact';
import type { CircuitGraph } from '../../src/shared/domain.ts';
import { formatSigned } from '../../src/shared/format.ts';
import type { CircuitState } from '../../src/shared/viewApi.ts';
import { Icon } from '../lib/icon.tsx';
import { Activity, Connecting, Message } from '../lib/message.tsx';
import { formatCount, say, strings } from '../lib/strings.ts';
import { type Tab, Tabs } from '../lib/tabs.tsx';
import { palette } from '../lib/theme.ts';
import type { CircuitStore, CircuitTab } from './circuitStore.ts';
import { circuitSvg } from './circuitSvg.ts';
import { drawnEdges, layoutKept } from './drawnCircuit.ts';
import { GraphTab } from './graphTab.tsx';
import { ListTab } from './listTab.tsx';
import { NodeCard } from './nodeCard.tsx';
import { PruneBar } from './pruneBar.tsx';

const tabs: readonly Tab<CircuitTab>[] = [
  { id: 'graph', title: strings.circuitGraph },
  { id: 'list', title: strings.circuitList },
];

/** The whole panel. */
export function CircuitApp({ store }: { readonly store: CircuitStore }): JSX.Element {
  const state = store.state.value;
  if (!state) {
    return (
      <main class="app">
        <Connecting failure={store.failure.value} retry={() => void store.refresh()} />
      </main>
    );
  }
  const graph = store.graph.value;
  return (
    <main class="app circuit">
      <h1 class="sr-only">{strings.circuitHeading}</h1>
      <Activity active={state.evaluating} />
      <ProgressLine store={store} state={state} alone={!graph && !state.message} />
      {state.stale && !state.progress && <Stale store={store} />}
      {state.message && <Message message={state.message} run={(command) => store.run(command)} />}
      {graph && !state.message && <Circuit store={store} state={state} graph={graph} />}
    </main>
  );
}

function Circuit(props: {
  readonly store: CircuitStore;
  readonly state: CircuitState;
  readonly graph: CircuitGraph;
}): JSX.Element {
  const { store, state, graph } = props;
  const node = store.nodes.value.get(store.selected.value ?? '');
  return (
    <div class={node ? 'circuit-body circuit-with-card' : 'circuit-body'}>
      <div class="circuit-main">
        <Tabs
          label={strings.circuitTabs}
          tabs={tabs}
          chosen={store.tab.value}
          choose={(tab) => {
            store.tab.value = tab;
          }}
          aside={<Metric store={store} graph={graph} />}
        >
          {store.tab.value === 'list' ? (
            <ListTab store={store} state={state} graph={graph} />
          ) : (
            <GraphTab store={store} state={state} graph={graph} />
          )}
        </Tabs>
        <PruneBar store={store} state={state} graph={graph} />
      </div>
      {node && <NodeCard store={store} state={state} graph={graph} node={node} />}
    </div>
  );
}

function Metric({
  store,
  graph,
}: {
  readonly store: CircuitStore;
  readonly graph: CircuitGraph;
}): JSX.Element {
  const { metric, method } = graph;
  const exportSvg = (): void => {
    const kept = store.kept.peek();
    store.exportSvg(circuitSvg(graph, layoutKept(graph, kept), drawnEdges(graph, kept), palette.peek()));
  };
  return (
    <span class="metric">
      <span
        class="metric-value"
        title={say('circuitMetricTitle', { baseline: formatSigned(metric.baseline), method: method.name })}
      >
        <span class="quiet">{metric.name}</span> <b>{formatSigned(metric.clean)}</b>
      </span>
      <span class="exports small">
        <button
          type="button"
          class="link"
          aria-label={strings.exportSvg}
          title={strings.exportSvg}
          onClick={exportSvg}
        >
          SVG
        </button>
        <button
          type="button"
          class="link"
          aria-label={strings.exportJson}
          title={strings.exportJson}
          onClick={() => store.exportJson()}
        >
          JSON
        </button>
      </span>
    </span>
  );
}

function Stale({ store }: { readonly store: CircuitStore }): JSX.Element {
  return (
    <div class="banner" role="status">
      <Icon name="warning" />
      <span>{strings.stale}</span>
      <button type="button" class="link" onClick={() => store.run('findCircuit')}>
        {strings.findAgain}
      </button>
    </div>
  );
}

function ProgressLine(props: {
  readonly store: CircuitStore;
  readonly state: CircuitState;
  /** Nothing else is in the panel. */
  readonly alone: boolean;
}): JSX.Element | null {
  const progress = props.state.progress;
  if (!progress) return null;
  const { what, done, total } = progress;
  const known = total > 0;
  return (
    <div class={props.alone ? 'message progress-alone' : 'banner'}>
      <div class="progress-main">
        <span>
          {known ? say('progressOf', { what, done: formatCount(done), total: formatCount(total) }) : what}
        </span>
        <progress aria-label={what} max={known ? total : undefined} value={known ? done : undefined} />
      </div>
      <button type="button" class="secondary" onClick={() => props.store.cancel()}>
        {strings.cancel}
      </button>
    </div>
  );
}
