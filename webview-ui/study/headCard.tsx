/** The chosen head: what was measured of it, and what can be done with it. */

import type { JSX } from 'preact';
import { studyHeadName } from '../../src/shared/ioiPaper.ts';
import type { StudiedHead } from '../../src/shared/study.ts';
import { IconButton } from '../lib/icon.tsx';
import { say, strings } from '../lib/strings.ts';
import { className, decimal, percent } from './studyFormat.ts';
import type { StudyStore } from './studyStore.ts';

/** Stands under the report as long as a head is chosen. */
export function HeadCard({
  store,
  head,
  isElsewhere,
}: {
  readonly store: StudyStore;
  readonly head: StudiedHead;
  /** Whether another model is open than the one that was studied, whose heads are others. */
  readonly isElsewhere: boolean;
}): JSX.Element {
  const { effects, attention } = head;
  const facts: readonly (readonly [string, string])[] = [
    [strings.studyEffectLogits, percent(effects.logits)],
    [strings.studyEffectQueries, percent(effects.queries)],
    [strings.studyEffectValues, percent(effects.values)],
    [strings.studyEffectKeys, percent(effects.keys)],
    [strings.studyAttentionIo, decimal(attention.IO)],
    [strings.studyAttentionS2, decimal(attention.S2)],
    [strings.studyCopy, decimal(head.copyScore)],
    [strings.studyPrevious, decimal(head.previousToken)],
    [strings.studyDuplicate, decimal(head.duplicateToken)],
    [strings.studyInduction, decimal(head.induction)],
  ];
  const name = studyHeadName(head);
  const refusal = isElsewhere ? strings.studyOtherModel : undefined;
  return (
    <aside class="head-card" aria-label={say('studyCardLabel', { head: name })}>
      <div class="head-card-title">
        <h2>{say('studyCardLabel', { head: name })}</h2>
        <span class="badge">{className(head.class) || strings.studyInClass}</span>
        <span class="head-card-actions">
          <button
            type="button"
            class="secondary"
            disabled={isElsewhere}
            title={refusal}
            onClick={() => store.showHead(head)}
          >
            {strings.studyShowAttention}
          </button>
          <button
            type="button"
            class="secondary"
            disabled={isElsewhere}
            title={refusal}
            onClick={() => store.ablateHead(head)}
          >
            {say('studyAblateHead', { head: name })}
          </button>
        </span>
        <IconButton icon="close" label={strings.cardClose} onClick={() => store.closeHead()} />
      </div>
      <dl class="head-facts">
        {facts.map(([title, value]) => (
          <div key={title}>
            <dt>{title}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </aside>
  );
}
