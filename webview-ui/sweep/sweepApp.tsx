/** The sweep panel: what is swept, how far it is, the heat map, the chosen cell, and the strongest cells as a list. */

import type { JSX } from 'preact';
import { fewPrompts } from '../../src/shared/fewPrompts.ts';
import { formatSigned } from '../../src/shared/format.ts';
import type { SweepView } from '../../src/shared/sweepViewApi.ts';
import { Announcement, quarterPercent } from '../lib/announcement.tsx';
import { Elsewhere } from '../lib/elsewhere.tsx';
import { Icon } from '../lib/icon.tsx';
import { Activity, Connecting, Message } from '../lib/message.tsx';
import { say, strings } from '../lib/strings.ts';
import { CellDetail } from './cellDetail.tsx';
import { metricName, type WordedSweep } from './cellWords.ts';
import { GridSection } from './gridSection.tsx';
import { StrongestList } from './strongestList.tsx';
import { SweepHeader, statusName } from './sweepHeader.tsx';
import { SweepProgress } from './sweepProgress.tsx';
import type { SweepStore } from './sweepStore.ts';

/** More columns take the room that the list has beside them. */
const manyColumns = 36;

/** The whole panel. */
export function SweepApp({ store }: { readonly store: SweepStore }): JSX.Element {
  const state = store.state.value;
  if (!state) {
    return (
      <main class="app">
        <Connecting failure={store.failure.value} retry={() => void store.refresh()} />
      </main>
    );
  }
  const { message, sweep } = state;
  return (
    <main class="app sweep">
      <h1 class="sr-only">{strings.sweepHeading}</h1>
      <Activity active={sweep?.status === 'estimating'} />
      {sweep && <SweepHeader store={store} state={state} sweep={sweep} />}
      <Announcement text={sweep ? announcementOf(sweep) : ''} />
      <Elsewhere note={sweep?.elsewhere} run={(command) => store.run(command)} />
      {message && <Message message={message} run={(command) => store.run(command)} />}
      {sweep && <SweepProgress store={store} sweep={sweep} />}
      {sweep && <Filled store={store} sweep={sweep} />}
    </main>
  );
}

function announcementOf({ share, status, title }: SweepView): string {
  const state = statusName(status);
  const words = { title, status: state, percent: quarterPercent(share) };
  return status === 'running' || status === 'stopped'
    ? say('sweepAnnounceShare', words)
    : say('sweepAnnounce', words);
}

/** What there is once the grid is known. */
function Filled(props: { readonly store: SweepStore; readonly sweep: SweepView }): JSX.Element | null {
  const { store } = props;
  const worded = store.worded.value;
  const layout = store.layout.value;
  if (!worded || !layout) return null;
  const { title: own, other } = props.sweep;
  const title = other ? `${own} − ${other.title}` : own;
  return (
    <div class={layout.columns.length > manyColumns ? 'sweep-body sweep-long' : 'sweep-body'}>
      <div class="sweep-main">
        <Totals sweep={worded} pairsOfFile={props.sweep.pairsOfFile} />
        <GridSection
          store={store}
          sweep={worded}
          layout={layout}
          title={title}
          isSettled={props.sweep.status !== 'running'}
        />
        <CellDetail store={store} sweep={worded} isElsewhere={props.sweep.elsewhere !== undefined} />
      </div>
      <StrongestList store={store} sweep={worded} />
    </div>
  );
}

function Totals(props: {
  readonly sweep: WordedSweep;
  readonly pairsOfFile: number | undefined;
}): JSX.Element {
  const { pairsOfFile, sweep } = props;
  const { outline } = sweep;
  const { clean, corrupted, metric, pairCount, referencePrompts = fewPrompts } = outline;
  const scale = say('sweepScale', {
    metric: metricName(metric),
    clean: formatSigned(clean),
    corrupted: formatSigned(corrupted),
  });
  return (
    <p class="sweep-totals small quiet">
      {scale}
      {pairCount > 1 && ` · ${say('sweepPairs', { count: pairCount })}`}
      {pairsOfFile !== undefined && pairCount < pairsOfFile && (
        <span class="sweep-left-out">
          <Icon name="warning" /> {say('sweepLeftOut', { used: pairCount, all: pairsOfFile })}
        </span>
      )}
      {referencePrompts < fewPrompts && (
        <span class="sweep-left-out">
          <Icon name="warning" /> {say('sweepFewPrompts', { count: referencePrompts })}
        </span>
      )}
    </p>
  );
}
