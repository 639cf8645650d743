/** The classes of heads beside the paper's, and for every classified head what speaks for it. */

import type { JSX } from 'preact';
import { classTitles, headClasses, paperHeads, studyHeadName } from '../../src/shared/ioiPaper.ts';
import type { IoiThresholds, StudiedHead } from '../../src/shared/study.ts';
import { say, strings } from '../lib/strings.ts';
import { AttentionPlots } from './attentionPlots.tsx';
import { ClassAverages } from './classAverages.tsx';
import { HeadName } from './headName.tsx';
import type { SectionProps } from './studyApp.tsx';
import { className, decimal, percent } from './studyFormat.ts';
import type { StudyStore } from './studyStore.ts';

/** Nothing before there are effects to classify heads by. */
export function HeadsSection({ store, study, has }: SectionProps): JSX.Element | null {
  const { heads, thresholds } = study;
  if (!heads || !has('logits')) return null;
  const classified = heads.filter((head) => head.class);
  return (
    <section aria-labelledby="heads">
      <h2 id="heads">{strings.studyHeads}</h2>
      <ClassTable store={store} heads={classified} />
      {classified.length === 0 ? (
        <p class="quiet">{strings.studyNoHeads}</p>
      ) : (
        <>
          <ClassAverages heads={heads} />
          <Evidence store={store} heads={classified} limits={thresholds} />
        </>
      )}
      <AttentionPlots heads={heads} hasQueries={has('queries')} />
    </section>
  );
}

function ClassTable(props: {
  readonly store: StudyStore;
  readonly heads: readonly StudiedHead[];
}): JSX.Element {
  return (
    <table class="figures class-table" aria-label={strings.studyHeads}>
      <thead>
        <tr>
          <th scope="col">{strings.studyClass}</th>
          <th scope="col">{strings.studyThis}</th>
          <th scope="col" class="paper" title={strings.studyPaperFull}>
            {strings.studyPaper}
          </th>
        </tr>
      </thead>
      <tbody>
        {headClasses.map((name) => {
          const found = props.heads.filter((head) => head.class === name);
          return (
            <tr key={name}>
              <th scope="row">{classTitles[name]}</th>
              <td>
                {found.length === 0 ? (
                  <span class="quiet">{strings.studyNone}</span>
                ) : (
                  found.map((head) => <HeadName key={studyHeadName(head)} store={props.store} place={head} />)
                )}
              </td>
              <td class="paper">{paperHeads[name] ?? ''}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

interface Column {
  readonly title: string;
  readonly of: (head: StudiedHead) => number;
  readonly isShare?: boolean;
  readonly passes: (value: number) => boolean;
}

interface ColumnGroup {
  readonly title: string;
  readonly columns: readonly Column[];
}

function columnGroups(limits: IoiThresholds): readonly ColumnGroup[] {
  const effect = (title: string, path: keyof StudiedHead['effects'], limit: number): Column => ({
    title,
    of: ({ effects }) => effects[path],
    isShare: true,
    passes: (value) => Math.abs(value) >= limit,
  });
  const score = (title: string, of: Column['of'], limit: number): Column => ({
    title,
    of,
    passes: (value) => value >= limit,
  });
  return [
    {
      title: strings.studyGroupEffects,
      columns: [
        effect(strings.studyEffectLogits, 'logits', limits.directEffect),
        effect(strings.studyEffectOut, 'logitsKnockedOut', limits.backupEffect),
        effect(strings.studyEffectQueries, 'queries', limits.pathEffect),
        effect(strings.studyEffectValues, 'values', limits.pathEffect),
        effect(strings.studyEffectKeys, 'keys', limits.pathEffect),
      ],
    },
    {
      title: strings.studyGroupAttention,
      columns: [
        score(strings.studyAttentionIo, ({ attention }) => attention.IO, limits.attention),
        score(strings.studyAttentionS2, ({ attention }) => attention.S2, limits.attention),
      ],
    },
    {
      title: strings.studyGroupCopy,
      columns: [
        score(strings.studyCopy, ({ copyScore }) => copyScore, limits.copyScore),
        score(strings.studyCopyNegative, ({ negativeCopyScore }) => negativeCopyScore, limits.copyScore),
      ],
    },
    {
      title: strings.studyGroupRepetition,
      columns: [
        score(strings.studyPrevious, ({ previousToken }) => previousToken, limits.repetition),
        score(strings.studyDuplicate, ({ duplicateToken }) => duplicateToken, limits.repetition),
        score(strings.studyInduction, ({ induction }) => induction, limits.repetition),
      ],
    },
  ];
}

function Evidence(props: {
  readonly store: StudyStore;
  readonly heads: readonly StudiedHead[];
  readonly limits: IoiThresholds;
}): JSX.Element {
  const { store, heads, limits } = props;
  const groups = columnGroups(limits);
  const about = say('studyEvidenceAbout', {
    direct: percent(limits.directEffect),
    path: percent(limits.pathEffect),
    copy: decimal(limits.copyScore),
    attention: decimal(limits.attention),
    repetition: decimal(limits.repetition),
  });
  return (
    <>
      <h3>{strings.studyEvidence}</h3>
      <p class="small quiet">{about}</p>
      <div class="wide-table" ref={makeReachable}>
        <table class="figures evidence" aria-label={strings.studyEvidence}>
          <thead>
            <tr>
              <td colSpan={2} />
              {groups.map(({ title, columns }) => (
                <th key={title} scope="colgroup" colSpan={columns.length} class="group">
                  {title}
                </th>
              ))}
            </tr>
            <tr>
              <th scope="col">{strings.studyHead}</th>
              <th scope="col">{strings.studyClass}</th>
              {groups.flatMap(({ columns }) =>
                columns.map(({ title }, i) => (
                  <th key={title} scope="col" class={i === 0 ? 'number first' : 'number'}>
                    {title}
                  </th>
                )),
              )}
            </tr>
          </thead>
          <tbody>
            {sortByClass(heads).map((head) => (
              <tr key={studyHeadName(head)}>
                <th scope="row">
                  <HeadName store={store} place={head} />
                </th>
                <td class="class-name">{className(head.class)}</td>
                {groups.flatMap(({ columns }) =>
                  columns.map(({ title, of, isShare, passes }, i) => {
                    const value = of(head);
                    const text = isShare ? percent(value) : decimal(value);
                    return (
                      <td key={title} class={i === 0 ? 'number first' : 'number'}>
                        {passes(value) ? <b>{text}</b> : <span class="quiet">{text}</span>}
                      </td>
                    );
                  }),
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function makeReachable(element: HTMLElement | null): void {
  if (element) element.tabIndex = 0;
}

function sortByClass(heads: readonly StudiedHead[]): readonly StudiedHead[] {
  return headClasses.flatMap((name) =>
    heads
      .filter((head) => head.class === name)
      .sort((a, b) => Math.abs(b.effects.logits) - Math.abs(a.effects.logits)),
  );
}
