/** What a sweep will take before it starts, how far it is while it runs, and how to go on when it stopped. */

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { formatBytes } from '../../src/shared/format.ts';
import type { SweepView } from '../../src/shared/sweepViewApi.ts';
import { type TaskMetric, taskMetrics } from '../../src/shared/task.ts';
import { Icon } from '../lib/icon.tsx';
import { formatCount, say, strings } from '../lib/strings.ts';
import { formatSeconds, metricName } from './cellWords.ts';
import type { SweepStore } from './sweepStore.ts';

interface ProgressProps {
  readonly store: SweepStore;
  readonly sweep: SweepView;
}

/** The line, or the estimate, that fits the sweep's status. */
export function SweepProgress(props: ProgressProps): JSX.Element | null {
  const { store, sweep } = props;
  switch (sweep.status) {
    case 'estimating':
      return (
        <div class="sweep-progress">
          <div class="progress-main">
            <span class="small">{strings.sweepEstimating}</span>
            <progress aria-label={strings.sweepEstimating} />
          </div>
          <button type="button" class="secondary" onClick={() => store.cancel()}>
            {strings.cancel}
          </button>
        </div>
      );
    case 'ready':
      return <Estimate {...props} />;
    case 'running':
      return (
        <Line {...props}>
          <button type="button" class="secondary" onClick={() => store.cancel()}>
            {strings.cancel}
          </button>
        </Line>
      );
    case 'stopped':
    case 'failed':
      return (
        <>
          {sweep.error !== undefined && (
            <p class="sweep-error notice" role="alert">
              <Icon name="warning" />
              <span>{say('sweepFailed', { reason: sweep.error })}</span>
            </p>
          )}
          <Line {...props}>
            <span class="sweep-buttons">
              {!sweep.elsewhere && (
                <button type="button" class="primary" onClick={() => store.runSweep()}>
                  {strings.sweepResume}
                </button>
              )}
              <button
                type="button"
                class={sweep.elsewhere ? 'primary' : 'secondary'}
                onClick={() => store.again({})}
              >
                {strings.sweepAnew}
              </button>
            </span>
          </Line>
        </>
      );
    case 'done':
      return <Again {...props} />;
  }
}

function Line(props: ProgressProps & { readonly children: JSX.Element }): JSX.Element {
  const { sweep } = props;
  const { done, total } = sweep.runs;
  const parts = [say('sweepProgress', { done: formatCount(done), total: formatCount(total) })];
  if (sweep.status === 'stopped') parts.unshift(strings.sweepStopped);
  if (sweep.remaining !== undefined)
    parts.push(say('sweepRemaining', { time: formatSeconds(sweep.remaining) }));
  return (
    <div class="sweep-progress">
      <div class="progress-main">
        <span class="small">{parts.join(' · ')}</span>
        <progress aria-label={strings.sweepProgressLabel} max={total} value={done} />
      </div>
      {props.children}
    </div>
  );
}

function Estimate({ store, sweep }: ProgressProps): JSX.Element | null {
  const { estimate } = sweep;
  if (!estimate) return null;
  const facts: readonly (readonly [name: string, value: string])[] = [
    [strings.sweepEstimateCells, formatCount(estimate.cells)],
    [strings.sweepEstimateRuns, formatCount(estimate.runs)],
    [strings.sweepEstimateMemory, formatBytes(estimate.memory)],
    [strings.sweepEstimateTime, formatSeconds(estimate.seconds)],
  ];
  return (
    <section class="sweep-estimate" aria-label={strings.sweepEstimateHeading}>
      <dl>
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt class="small quiet">{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <span class="sweep-buttons">
        <button type="button" class="primary" onClick={() => store.runSweep()}>
          {strings.sweepStart}
        </button>
        <button type="button" class="secondary" onClick={() => store.change()}>
          {strings.sweepChange}
        </button>
      </span>
    </section>
  );
}

/** The same sweep once more, measured or directed otherwise. */
function Again({ store, sweep }: ProgressProps): JSX.Element | null {
  const { outline, question } = sweep;
  const direction = question.method === 'patch' ? (question.direction ?? 'denoising') : undefined;
  const [metric, setMetric] = useState<TaskMetric | undefined>(undefined);
  const [other, setOther] = useState<'denoising' | 'noising' | undefined>(undefined);
  if (!outline) return null;
  const isSame = (metric ?? outline.metric) === outline.metric && (other ?? direction) === direction;
  return (
    <div class="sweep-again small">
      <select
        aria-label={strings.sweepAgainMetric}
        value={metric ?? outline.metric}
        onChange={(event) => setMetric(event.currentTarget.value as TaskMetric)}
      >
        {taskMetrics.map((name) => (
          <option key={name} value={name}>
            {metricName(name)}
          </option>
        ))}
      </select>
      {direction && (
        <select
          aria-label={strings.sweepAgainDirection}
          value={other ?? direction}
          onChange={(event) => setOther(event.currentTarget.value as 'denoising' | 'noising')}
        >
          <option value="denoising">{strings.sweepDenoising}</option>
          <option value="noising">{strings.sweepNoising}</option>
        </select>
      )}
      <button
        type="button"
        class={isSame ? 'secondary' : 'primary'}
        onClick={() => store.again({ metric: metric ?? outline.metric, direction: other ?? direction })}
      >
        {strings.sweepAgain}
      </button>
      <button type="button" class="link" onClick={() => store.change()}>
        {strings.sweepChange}
      </button>
    </div>
  );
}
