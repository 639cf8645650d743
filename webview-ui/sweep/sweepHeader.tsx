/** First lines of the sweep panel: which sweep of which prompts, the sweeps before it, and the ways out. */

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { SweepRow, SweepState, SweepStatus, SweepView } from '../../src/shared/sweepViewApi.ts';
import { IconButton } from '../lib/icon.tsx';
import { strings } from '../lib/strings.ts';
import { palette } from '../lib/theme.ts';
import type { SweepStore } from './sweepStore.ts';
import { sweepSvg } from './sweepSvg.ts';

/** The header. */
export function SweepHeader(props: {
  readonly store: SweepStore;
  readonly state: SweepState;
  readonly sweep: SweepView;
}): JSX.Element {
  const { store, state, sweep } = props;
  return (
    <header class="sweep-header">
      <div class="sweep-line">
        <select
          class="sweep-select"
          aria-label={strings.sweepHistory}
          value={sweep.id}
          onChange={(event) => store.choose(event.currentTarget.value)}
        >
          {state.history.map((row) => (
            <option key={row.id} value={row.id}>
              {rowText(row, row.id === sweep.id)}
            </option>
          ))}
        </select>
        <Remove key={sweep.id} store={store} sweep={sweep} />
        <IconButton icon="plus" label={strings.sweepNew} onClick={() => store.run('sweepPatches')} />
      </div>
      <div class="sweep-about">
        <p class="sweep-subject small quiet" title={sweep.subject}>
          {sweep.model} · <span class="mono">{sweep.subject}</span>
        </p>
        {sweep.outline && <Exports store={store} />}
      </div>
      <Compare store={store} state={state} sweep={sweep} />
    </header>
  );
}

/** Takes the sweep off the list and the disk: at once when nothing is known of it, else after a question. */
function Remove(props: { readonly store: SweepStore; readonly sweep: SweepView }): JSX.Element {
  const { store, sweep } = props;
  const [isAsking, setAsking] = useState(false);
  if (!isAsking) {
    const ask = (): void => (sweep.share > 0 ? setAsking(true) : store.remove(sweep.id));
    return <IconButton icon="trash" label={strings.sweepRemove} onClick={ask} />;
  }
  return (
    <span class="sweep-asking small" role="alertdialog" aria-label={strings.sweepRemoveAsk}>
      <span>{strings.sweepRemoveAsk}</span>
      <button type="button" class="secondary" ref={focus} onClick={() => setAsking(false)}>
        {strings.sweepRemoveNo}
      </button>
      <button type="button" class="primary" onClick={() => store.remove(sweep.id)}>
        {strings.sweepRemoveYes}
      </button>
    </span>
  );
}

/** What was pressed is gone; the answer that changes nothing takes the keyboard. */
function focus(button: HTMLButtonElement | null): void {
  button?.focus();
}

/** Which sweep of the same cells is subtracted; nothing when there is no other. */
function Compare(props: {
  readonly store: SweepStore;
  readonly state: SweepState;
  readonly sweep: SweepView;
}): JSX.Element | null {
  const { store, state, sweep } = props;
  const rows = state.history.filter(({ comparable }) => comparable);
  if (rows.length === 0) return null;
  return (
    <label class="sweep-compare small">
      <span class="quiet">{strings.sweepCompare}</span>
      <select
        value={sweep.other?.id ?? ''}
        onChange={(event) => store.compare(event.currentTarget.value || undefined)}
      >
        <option value="">{strings.sweepCompareNone}</option>
        {rows.map((row) => (
          <option key={row.id} value={row.id}>
            {rowText(row, false)}
          </option>
        ))}
      </select>
    </label>
  );
}

function rowText({ detail, title, status, share }: SweepRow, isShown: boolean): string {
  // The prompts of the one that is shown stand under it.
  if (isShown) return title;
  const name = detail === undefined ? title : `${title} · ${detail}`;
  return status === 'done' ? name : `${name} (${statusName(status)}, ${Math.floor(share * 100)} %)`;
}

/** A status in a word. */
export function statusName(status: SweepStatus): string {
  const names: Readonly<Record<SweepStatus, string>> = {
    estimating: strings.sweepStatusEstimating,
    ready: strings.sweepStatusReady,
    running: strings.sweepStatusRunning,
    stopped: strings.sweepStatusStopped,
    done: strings.sweepStatusDone,
    failed: strings.sweepStatusFailed,
  };
  return names[status];
}

function Exports({ store }: { readonly store: SweepStore }): JSX.Element {
  const exportSvg = (): void => {
    const sweep = store.worded.peek();
    const layout = store.layout.peek();
    const { title = '', other } = store.state.peek()?.sweep ?? {};
    if (!sweep || !layout) return;
    const name = other ? `${title} − ${other.title}` : title;
    store.exportSweep('svg', sweepSvg(sweep, layout, name, store.scale.peek(), palette.peek()));
  };
  const link = (name: string, label: string, onClick: () => void): JSX.Element => (
    <button type="button" class="link" aria-label={label} title={label} onClick={onClick}>
      {name}
    </button>
  );
  return (
    <span class="sweep-exports small">
      {link('CSV', strings.sweepExportCsv, () => store.exportSweep('csv'))}
      {link('JSON', strings.sweepExportJson, () => store.exportSweep('json'))}
      {link('SVG', strings.sweepExportSvg, exportSvg)}
    </span>
  );
}
