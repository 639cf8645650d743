/** The circuit panel: title and metric, tools, the graph or its list, the pruning slider, the selected node's card. */

import type { JSX } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import type { CircuitGraph } from '../../src/shared/circuit.ts';
import { longestLabel } from '../../src/shared/circuitAnnotations.ts';
import type { CircuitState } from '../../src/shared/circuitViewApi.ts';
import { formatSigned } from '../../src/shared/format.ts';
import { Icon, IconButton } from '../lib/icon.tsx';
import { Activity, Connecting, Message } from '../lib/message.tsx';
import { RenameField } from '../lib/renameField.tsx';
import { formatCount, say, strings } from '../lib/strings.ts';
import { type Tab, Tabs } from '../lib/tabs.tsx';
import { labelText } from '../lib/tokenText.tsx';
import { titleCircuit } from './circuitEdits.ts';
import { onPanelKey } from './circuitKeys.ts';
import { CircuitSearch } from './circuitSearch.ts';
import type { CircuitStore, CircuitTab } from './circuitStore.ts';
import { CompareBar } from './compareBar.tsx';
import { DifferenceList } from './differenceList.tsx';
import { GraphTab, PinnedTab } from './graphTab.tsx';
import { GroupBar } from './groupBar.tsx';
import { ListTab } from './listTab.tsx';
import { metricName } from './metricName.ts';
import { NodeCard } from './nodeCard.tsx';
import { PruneBar } from './pruneBar.tsx';
import { SearchBar } from './searchBar.tsx';
import { sourceParts } from './sourceParts.ts';
import { ToolBar } from './toolBar.tsx';

/** What is renamed while the circuit's own title is written. */
const titleMark = 'title';

interface CircuitProps {
  readonly store: CircuitStore;
  readonly search: CircuitSearch;
  readonly state: CircuitState;
  readonly graph: CircuitGraph;
}

/** The whole panel. */
export function CircuitApp({ store }: { readonly store: CircuitStore }): JSX.Element {
  const search = useMemo(() => new CircuitSearch(store), [store]);
  useEffect(() => {
    // The focus may be nowhere, after a click beside the nodes.
    const onKey = (event: KeyboardEvent): void => onPanelKey(store, search, event);
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [store]);
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
      <Activity active={state.evaluating} />
      <ProgressLine store={store} state={state} alone={!graph && !state.message} />
      {(state.stale || state.staleReason !== undefined) && !state.progress && (
        <Stale store={store} state={state} />
      )}
      {graph && !state.message && state.interventions !== undefined && (
        <Ignored count={state.interventions} />
      )}
      {state.failure && !state.message && <Failure store={store} text={state.failure.text} />}
      {store.notice.value !== undefined && <Notice store={store} text={store.notice.value} />}
      {state.message && (
        <Message
          message={state.message}
          run={(command) => store.wish(store.host.api.runCommand({ command }))}
        />
      )}
      {graph && !state.message && <Circuit store={store} search={search} state={state} graph={graph} />}
    </main>
  );
}

function Circuit(props: CircuitProps): JSX.Element {
  const { store, search, state, graph } = props;
  const mark = store.markOf(store.selected.value);
  const difference = store.difference.value;
  return (
    <>
      <Title {...props} />
      <Source {...props} />
      <div class={mark ? 'circuit-body circuit-with-card' : 'circuit-body'}>
        <div class="circuit-main">
          <Tabs
            label={strings.circuitTabs}
            tabs={tabsFor(store)}
            chosen={store.tab.value}
            choose={(tab) => {
              store.tab.value = tab;
            }}
            aside={<ToolBar store={store} search={search} state={state} />}
          >
            <CompareBar store={store} state={state} />
            {search.isOpen.value && <SearchBar search={search} graph={difference?.graph ?? graph} />}
            <GroupBar store={store} />
            <Shown {...props} />
          </Tabs>
          <PruneBar store={store} state={state} graph={graph} />
        </div>
        {mark && <NodeCard store={store} state={state} graph={graph} mark={mark} />}
      </div>
    </>
  );
}

function tabsFor(store: CircuitStore): readonly Tab<CircuitTab>[] {
  const count = store.held.value.size;
  const pinned: Tab<CircuitTab> = {
    id: 'pinned',
    title: count > 0 ? say('circuitPinnedCount', { count }) : strings.circuitPinned,
  };
  const list = store.difference.value ? strings.circuitDifferences : strings.circuitList;
  return [
    { id: 'graph', title: strings.circuitGraph },
    // Two circuits have no pins in common.
    ...(store.difference.value ? [] : [pinned]),
    { id: 'list', title: list },
  ];
}

function Shown(props: CircuitProps): JSX.Element {
  const { store } = props;
  const difference = store.difference.value;
  if (store.tab.value === 'list') {
    return difference ? <DifferenceList store={store} picture={difference} /> : <ListTab {...props} />;
  }
  if (store.tab.value === 'pinned' && !difference) return <PinnedTab {...props} />;
  return <GraphTab {...props} />;
}

function Title({ store, state, graph }: CircuitProps): JSX.Element {
  const { metric } = graph;
  const title = store.annotations.value.title ?? state.circuit?.title ?? '';
  const shown = labelText(title) || strings.circuitHeading;
  return (
    <header class="circuit-title">
      {store.renaming.value === titleMark ? (
        <RenameField
          label={strings.circuitTitleField}
          value={title}
          longest={longestLabel}
          onRename={(next) => titleCircuit(store, next)}
          onCancel={() => {
            store.renaming.value = undefined;
          }}
        />
      ) : (
        <h1>
          <button
            type="button"
            class="title-button"
            title={say('circuitTitleEdit', { title: shown })}
            onClick={() => {
              store.renaming.value = titleMark;
            }}
          >
            <span class="title-text">{shown}</span>
            <Icon name="pencil" />
          </button>
        </h1>
      )}
      <span
        class="metric-value"
        title={say('circuitMetricTitle', { baseline: formatSigned(metric.baseline) })}
      >
        <span class="quiet metric-name">{metricName(metric.name)}</span> <b>{formatSigned(metric.clean)}</b>
      </span>
    </header>
  );
}

/** Where the numbers come from. */
function Source({ graph }: CircuitProps): JSX.Element {
  return (
    <p class="circuit-source small quiet">
      <b class="sr-only">{strings.sourceLabel}: </b>
      {sourceParts(graph).map(({ text, title }) => (
        <span key={text} title={title}>
          {text}
        </span>
      ))}
    </p>
  );
}

function Ignored({ count }: { readonly count: number }): JSX.Element {
  return (
    <div class="banner" role="status">
      <Icon name="warning" />
      <span>
        {count === 1 ? strings.foundWithoutOne : say('foundWithout', { count: formatCount(count) })}
      </span>
    </div>
  );
}

function Notice({ store, text }: { readonly store: CircuitStore; readonly text: string }): JSX.Element {
  return (
    <div class="banner" role="alert">
      <Icon name="warning" />
      <span>{text}</span>
      <IconButton
        icon="close"
        label={strings.cardClose}
        onClick={() => {
          store.notice.value = undefined;
        }}
      />
    </div>
  );
}

function Failure({ store, text }: { readonly store: CircuitStore; readonly text: string }): JSX.Element {
  return (
    <div class="banner" role="alert">
      <Icon name="warning" />
      <span>{text}</span>
      <IconButton
        icon="close"
        label={strings.cardClose}
        onClick={() => store.wish(store.host.api.dismissFailure({}))}
      />
    </div>
  );
}

function Stale(props: { readonly store: CircuitStore; readonly state: CircuitState }): JSX.Element {
  const { store, state } = props;
  const { findAgain } = state;
  return (
    <div class="banner" role="status">
      <Icon name="warning" />
      <span>{state.stale ? strings.stale : state.staleReason}</span>
      {findAgain && (
        <button
          type="button"
          class="link"
          onClick={() => store.wish(store.host.api.runCommand({ command: findAgain }))}
        >
          {strings.findAgain}
        </button>
      )}
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
      <span class="sr-only" role="status">
        {what}
      </span>
      <div class="progress-main">
        <span>
          {known ? say('progressOf', { what, done: formatCount(done), total: formatCount(total) }) : what}
        </span>
        <progress aria-label={what} max={known ? total : undefined} value={known ? done : undefined} />
      </div>
      <button
        type="button"
        class="secondary"
        onClick={() => props.store.wish(props.store.host.api.cancel({}))}
      >
        {strings.cancel}
      </button>
    </div>
  );
}
