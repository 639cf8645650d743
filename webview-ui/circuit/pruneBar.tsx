/** The pruning slider, and how much of the answer the kept nodes explain. */

import type { JSX } from 'preact';
import type { CircuitGraph } from '../../src/shared/domain.ts';
import { formatNumber } from '../../src/shared/format.ts';
import type { CircuitState } from '../../src/shared/viewApi.ts';
import { formatCount, say, strings } from '../lib/strings.ts';
import type { CircuitStore } from './circuitStore.ts';
import { countComponents } from './keepNodes.ts';

/** Slider on the left, measures on the right. */
export function PruneBar(props: {
  readonly store: CircuitStore;
  readonly state: CircuitState;
  readonly graph: CircuitGraph;
}): JSX.Element {
  const { store, state, graph } = props;
  const counts = countComponents(graph, store.kept.value);
  const text = say('keepValue', { kept: formatCount(counts.kept), total: formatCount(counts.total) });
  return (
    <div class="prune">
      <label class="prune-slider">
        <span>{strings.keepLabel}</span>
        <input
          type="range"
          min="0"
          max="1"
          step="0.01"
          value={store.keep.value}
          aria-valuetext={text}
          onInput={(event) => store.setKeep(event.currentTarget.valueAsNumber)}
        />
        <span class="prune-count">{text}</span>
      </label>
      <dl class="measures">
        <Measure
          name={strings.faithfulness}
          title={strings.faithfulnessTitle}
          value={state.evaluation?.faithfulness}
          evaluating={state.evaluating}
        />
        <Measure
          name={strings.completeness}
          title={strings.completenessTitle}
          value={state.evaluation?.completeness}
          evaluating={state.evaluating}
        />
      </dl>
    </div>
  );
}

function Measure(props: {
  readonly name: string;
  readonly title: string;
  readonly value: number | undefined;
  readonly evaluating: boolean;
}): JSX.Element {
  const { value } = props;
  const share = Math.min(1, Math.max(0, value ?? 0));
  return (
    <div title={props.title}>
      <dt>{props.name}</dt>
      <dd aria-busy={props.evaluating}>
        <span class="meter" aria-hidden="true">
          <i style={{ width: `${share * 100}%` }} />
        </span>
        <b>{value === undefined ? strings.notMeasured : formatNumber(value)}</b>
      </dd>
    </div>
  );
}
