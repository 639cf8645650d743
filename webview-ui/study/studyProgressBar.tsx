/** How far the study is: its steps in a row, the one under way with its progress, and how to stop or go on. */

import type { JSX } from 'preact';
import type { StudyStage } from '../../src/shared/study.ts';
import type { StudyState } from '../../src/shared/studyViewApi.ts';
import type { ViewStrings } from '../../src/shared/viewStrings.ts';
import { Icon } from '../lib/icon.tsx';
import { formatCount, say, strings } from '../lib/strings.ts';
import { roughTime } from './studyFormat.ts';
import type { StudyStore } from './studyStore.ts';

/** What each stage is called. */
const stageNames: Readonly<Record<StudyStage, keyof ViewStrings>> = {
  behaviour: 'stageBehaviour',
  attention: 'stageAttention',
  copying: 'stageCopying',
  repetition: 'stageRepetition',
  logits: 'stageLogits',
  knockedOut: 'stageKnockedOut',
  queries: 'stageQueries',
  inhibition: 'stageInhibition',
  values: 'stageValues',
  keys: 'stageKeys',
  signals: 'stageSignals',
  whole: 'stageWhole',
  elimination: 'stageElimination',
  minimality: 'stageMinimality',
  completeness: 'stageCompleteness',
  heldOut: 'stageHeldOut',
};

/** Nothing is left of it once the study is done. */
export function StudyProgressBar(props: {
  readonly store: StudyStore;
  readonly state: StudyState;
}): JSX.Element | null {
  const { store, state } = props;
  const { status, finished, stages } = state;
  if (status === 'done') return null;
  const now = currentStage(state);
  return (
    <section class="study-progress" aria-label={strings.studyStages}>
      {status === 'running' ? (
        <Running store={store} state={state} now={now} />
      ) : (
        <div class="banner">
          <Icon name={state.failure ? 'warning' : 'refresh'} />
          <span>
            {state.failure && <>{state.failure} </>}
            {say('studyStopped', { done: finished.length, total: stages.length })}
          </span>
          {!state.elsewhere && (
            <button type="button" class="primary" onClick={store.resume}>
              {strings.studyResume}
            </button>
          )}
        </div>
      )}
      <ol class="stages">
        {stages.map((stage) => (
          <Step key={stage} stage={stage} state={state} now={now} />
        ))}
      </ol>
    </section>
  );
}

/** What a screen reader is told when a step begins, and when the study has come to an end. */
export function studyAnnouncement(state: StudyState): string {
  if (state.status === 'done') return strings.studyAnnounceDone;
  if (state.status !== 'running') return strings.studyAnnounceStopped;
  const now = currentStage(state);
  return say('studyAnnounceRunning', {
    done: now ? state.stages.indexOf(now) + 1 : state.stages.length,
    total: state.stages.length,
    stage: now ? strings[stageNames[now]] : '',
  });
}

/** The stage under way is the first that is missing; those that were passed over lie before a finished one. */
function currentStage({ stages, finished }: StudyState): StudyStage | undefined {
  const last = Math.max(-1, ...finished.map((stage) => stages.indexOf(stage)));
  return stages[last + 1];
}

function Running(props: {
  readonly store: StudyStore;
  readonly state: StudyState;
  readonly now: StudyStage | undefined;
}): JSX.Element {
  const { state, store, now } = props;
  const { progress, stages, estimate } = state;
  const stage = now ? strings[stageNames[now]] : '';
  const step = now ? stages.indexOf(now) + 1 : stages.length;
  const isKnown = progress !== undefined && progress.total > 0;
  return (
    <div class="banner">
      <div class="progress-main">
        <span>
          <b>{say('studyStep', { done: step, total: stages.length, stage })}</b>
          {isKnown && (
            <span class="quiet">
              {' · '}
              {say('progressOf', {
                what: progress.what,
                done: formatCount(progress.done),
                total: formatCount(progress.total),
              })}
            </span>
          )}
          {estimate !== undefined && (
            <span class="quiet"> · {say('studyEstimate', { time: roughTime(estimate) })}</span>
          )}
        </span>
        <progress
          aria-label={stage}
          max={isKnown ? progress.total : undefined}
          value={isKnown ? progress.done : undefined}
        />
      </div>
      <button type="button" class="secondary" onClick={store.cancel}>
        {strings.cancel}
      </button>
    </div>
  );
}

function Step(props: {
  readonly stage: StudyStage;
  readonly state: StudyState;
  readonly now: StudyStage | undefined;
}): JSX.Element {
  const { stage, state, now } = props;
  const isDone =
    state.finished.includes(stage) ||
    (now !== undefined && state.stages.indexOf(stage) < state.stages.indexOf(now));
  const isNow = stage === now && state.status === 'running';
  const open = isNow ? 'now' : 'pending';
  const kind = isDone ? 'done' : open;
  const words = { done: strings.studyDone, now: strings.studyNow, pending: strings.studyPending }[kind];
  return (
    <li class={`stage stage-${kind}`} aria-current={isNow ? 'step' : undefined}>
      <span aria-hidden="true" class="stage-mark" />
      {strings[stageNames[stage]]}
      <span class="sr-only">, {words}</span>
    </li>
  );
}
