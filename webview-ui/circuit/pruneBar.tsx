/** The pruning slider, and how much of the answer the kept nodes explain. Nothing in it changes its size with a value. */

import type { JSX } from 'preact';
import type { CircuitGraph } from '../../src/shared/circuit.ts';
import type { CircuitState } from '../../src/shared/circuitViewApi.ts';
import { countComponents } from '../../src/shared/keepNodes.ts';
import { Icon } from '../lib/icon.tsx';
import { formatCount, say, strings } from '../lib/strings.ts';
import type { CircuitStore } from './circuitStore.ts';
import { foundLine } from './foundLine.ts';
import { type MeasureWords, measureText, measureWords, spokenMeasures } from './measureWords.ts';
import { SpokenMeasures } from './spokenMeasures.tsx';

/** Slider on the left, measures on the right. */
export function PruneBar(props: {
  readonly store: CircuitStore;
  readonly state: CircuitState;
  readonly graph: CircuitGraph;
}): JSX.Element {
  const { store, state, graph } = props;
  const counts = countComponents(graph, store.kept.value);
  // A hundred steps, or one for each node where there are more; whole numbers, so that both ends are reached.
  const steps = Math.max(100, counts.total);
  const text = say('keepValue', { kept: formatCount(counts.kept), total: formatCount(counts.total) });
  const most = say('keepValue', { kept: formatCount(counts.total), total: formatCount(counts.total) });
  return (
    <div class="prune">
      <div class="prune-slider">
        <label class="prune-label">
          <span>{strings.keepLabel}</span>
          <input
            type="range"
            min="0"
            max={steps}
            step="1"
            value={Math.round(store.slider.keep.value * steps)}
            aria-valuetext={text}
            onInput={(event) => store.slider.move(event.currentTarget.valueAsNumber / steps)}
          />
        </label>
        <span class="prune-count" style={{ minWidth: `${most.length}ch` }}>
          {text}
        </span>
        {store.byInfluence.value && <OrderSelect store={store} />}
      </div>
      <p class="prune-found small quiet">{foundLine(graph, counts.kept, store.held.value.size > 0)}</p>
      {state.cannotEvaluate === undefined ? (
        <Measures state={state} graph={graph} />
      ) : (
        <p class="prune-note small quiet" title={state.cannotEvaluate}>
          <Icon name="warning" />
          <span>
            {strings.cannotEvaluate}: {state.cannotEvaluate}
          </span>
        </p>
      )}
    </div>
  );
}

function OrderSelect({ store }: { readonly store: CircuitStore }): JSX.Element {
  return (
    <select
      class="prune-order"
      aria-label={strings.keepBy}
      value={store.order.value}
      onChange={(event) => {
        store.chosenOrder.value = event.currentTarget.value;
      }}
    >
      <option value="influence">{strings.keepByInfluence}</option>
      <option value="effect">{strings.keepByEffect}</option>
    </select>
  );
}

function Measures(props: { readonly state: CircuitState; readonly graph: CircuitGraph }): JSX.Element {
  const { evaluation, evaluating } = props.state;
  const words = measureWords(props.graph);
  return (
    <>
      <dl class="measures">
        <Measure words={words.faithfulness} value={evaluation?.faithfulness} evaluating={evaluating} />
        <Measure words={words.completeness} value={evaluation?.completeness} evaluating={evaluating} />
      </dl>
      {words.faithfulness.of !== undefined && <span class="small quiet">({words.faithfulness.of})</span>}
      <SpokenMeasures text={spokenMeasures(props.graph, evaluation, evaluating)} />
    </>
  );
}

function Measure(props: {
  readonly words: MeasureWords;
  readonly value: number | undefined;
  readonly evaluating: boolean;
}): JSX.Element {
  const { value } = props;
  const share = Math.min(1, Math.max(0, value ?? 0));
  return (
    <div title={props.words.title}>
      <dt>{props.words.name}</dt>
      <dd aria-busy={props.evaluating}>
        <span class="meter" aria-hidden="true">
          <i style={{ width: `${share * 100}%` }} />
        </span>
        <b>{measureText(value, props.evaluating)}</b>
      </dd>
    </div>
  );
}
