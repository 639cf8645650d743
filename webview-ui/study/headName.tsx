/** A head's name as a button that chooses it. */

import type { JSX } from 'preact';
import { studyHeadName } from '../../src/shared/ioiPaper.ts';
import type { StudyHead } from '../../src/shared/study.ts';
import { say } from '../lib/strings.ts';
import type { StudyStore } from './studyStore.ts';

/** `mark` stands behind the name, such as letters for a class; `title` says what it means. */
export function HeadName(props: {
  readonly store: StudyStore;
  readonly place: StudyHead;
  readonly mark?: string;
  readonly title?: string;
}): JSX.Element {
  const { store, place, mark, title } = props;
  const name = studyHeadName(place);
  return (
    <button
      type="button"
      class="head-name"
      aria-pressed={store.chosen.value === name}
      aria-label={
        title ? `${say('studyCardLabel', { head: name })}, ${title}` : say('studyCardLabel', { head: name })
      }
      title={title}
      onClick={() => store.choose(place)}
    >
      {name}
      {mark && <span class="head-mark">{mark}</span>}
    </button>
  );
}
