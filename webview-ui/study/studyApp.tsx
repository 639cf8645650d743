/** The study panel: what is studied, how far it is, and the report section by section as in the paper. */

import type { JSX } from 'preact';
import type { StudySoFar, StudyStage } from '../../src/shared/study.ts';
import { provenanceLine } from '../../src/shared/studyReport.ts';
import type { StudyState } from '../../src/shared/studyViewApi.ts';
import { Announcement } from '../lib/announcement.tsx';
import { Elsewhere } from '../lib/elsewhere.tsx';
import { Icon } from '../lib/icon.tsx';
import { Connecting, Message } from '../lib/message.tsx';
import { say, strings } from '../lib/strings.ts';
import { BehaviourSection } from './behaviourSection.tsx';
import { CircuitSection } from './circuitSection.tsx';
import { HeadCard } from './headCard.tsx';
import { HeadsSection } from './headsSection.tsx';
import { MethodSection } from './methodSection.tsx';
import { PathsSection } from './pathsSection.tsx';
import { SignalsSection } from './signalsSection.tsx';
import { StudyProgressBar, studyAnnouncement } from './studyProgressBar.tsx';
import type { StudyStore } from './studyStore.ts';

/** Means over fewer prompts are noisy. */
const fewPrompts = 5;

/** What every section gets. */
export interface SectionProps {
  readonly store: StudyStore;
  readonly study: StudySoFar;
  readonly has: (stage: StudyStage) => boolean;
}

/** The whole panel. */
export function StudyApp({ store }: { readonly store: StudyStore }): JSX.Element {
  const state = store.state.value;
  if (!state) {
    return (
      <main class="app">
        <Connecting failure={store.failure.value} retry={() => void store.refresh()} />
      </main>
    );
  }
  if (state.message) {
    return (
      <main class="app">
        <h1 class="sr-only">{strings.studyBehaviour}</h1>
        <Message message={state.message} run={(command) => store.run(command)} />
      </main>
    );
  }
  const head = store.head.value;
  return (
    <main class="app study">
      <div class="study-scroll" ref={makeReachable}>
        <Announcement text={studyAnnouncement(state)} />
        <Header store={store} state={state} />
        <Elsewhere note={state.elsewhere} run={(command) => store.run(command)} />
        <FewPrompts count={state.study?.smallestTemplate} />
        <StudyProgressBar store={store} state={state} />
        <Report store={store} state={state} />
      </div>
      {head && <HeadCard store={store} head={head} isElsewhere={state.elsewhere !== undefined} />}
    </main>
  );
}

/** Text alone scrolls by keyboard only when it can take the focus. */
function makeReachable(element: HTMLElement | null): void {
  if (element) element.tabIndex = 0;
}

function Header({ store, state }: { readonly store: StudyStore; readonly state: StudyState }): JSX.Element {
  const { model = '', source = '', status, study } = state;
  const { history = [], id } = state;
  return (
    <header class="study-header">
      {history.length > 1 && (
        <select
          class="study-select"
          aria-label={strings.studyHistory}
          value={id}
          onChange={(event) => store.show(event.currentTarget.value)}
        >
          {history.map((row) => (
            <option key={row.id} value={row.id}>
              {row.title}
            </option>
          ))}
        </select>
      )}
      <div class="study-title">
        <h1>{say('studyHeading', { model })}</h1>
        {status !== 'running' && (
          <span class="study-actions">
            {status === 'done' && (
              <>
                <button type="button" class="secondary" onClick={store.saveReport}>
                  {strings.studySave}
                </button>
                {study?.circuit && (
                  <button type="button" class="secondary" onClick={store.openCircuit}>
                    {strings.studyCircuitOpen}
                  </button>
                )}
              </>
            )}
            <button type="button" class="secondary" onClick={store.start}>
              {strings.studyAnew}
            </button>
          </span>
        )}
      </div>
      <p class="small quiet">{say('studyAbout', { source })}</p>
      {study?.provenance && (
        <p class="small quiet mono study-provenance">{provenanceLine(study.provenance)}</p>
      )}
    </header>
  );
}

/** What the reader should know before the first number. */
function FewPrompts({ count }: { readonly count: number | undefined }): JSX.Element | null {
  if (count === undefined || count >= fewPrompts) return null;
  return (
    <p class="notice">
      <Icon name="warning" />
      <span>{say('studyFew', { count })}</span>
    </p>
  );
}

function Report({
  store,
  state,
}: {
  readonly store: StudyStore;
  readonly state: StudyState;
}): JSX.Element | null {
  const study = store.study.value;
  if (!study) return null;
  const has = (stage: StudyStage): boolean => state.finished.includes(stage);
  const props: SectionProps = { store, study, has };
  return (
    <>
      <BehaviourSection {...props} />
      <PathsSection {...props} />
      <HeadsSection {...props} />
      <SignalsSection {...props} isOver={has('keys') && state.status === 'done'} />
      {state.stages.includes('whole') && <CircuitSection {...props} />}
      <MethodSection {...props} />
    </>
  );
}
