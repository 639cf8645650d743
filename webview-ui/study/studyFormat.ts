/** Numbers of a study as they stand in its tables: two decimals, shares as percent, with real minus signs. */

import { classTitles } from '../../src/shared/ioiPaper.ts';
import type { IoiHeadClass } from '../../src/shared/study.ts';
import { say } from '../lib/strings.ts';

/** `3.56`, `−0.99`. */
export function decimal(value: number): string {
  return value.toFixed(2).replace('-', '−');
}

/** `13.0 %`. */
export function percent(value: number): string {
  return `${(100 * value).toFixed(1).replace('-', '−')} %`;
}

/** `13` for 13 %: in cells that all hold percent. */
export function shortPercent(value: number): string {
  return String(Math.round(100 * value)).replace('-', '−');
}

/** `40 s`, `12 min`, `3 h`. */
export function roughTime(seconds: number): string {
  if (seconds < 90) return say('studySeconds', { count: Math.max(1, Math.ceil(seconds)) });
  if (seconds < 90 * 60) return say('studyMinutes', { count: Math.round(seconds / 60) });
  return say('studyHours', { count: Math.round(seconds / 3600) });
}

/** Two letters for a class, beside the head's name where there is little room. */
export const classMarks: Readonly<Record<IoiHeadClass, string>> = {
  nameMover: 'NM',
  negativeNameMover: 'NN',
  backupNameMover: 'BN',
  direct: 'D',
  sInhibition: 'SI',
  induction: 'IN',
  duplicateToken: 'DT',
  previousToken: 'PT',
};

/** The class in words; empty for none. */
export function className(name: IoiHeadClass | undefined): string {
  return name === undefined ? '' : classTitles[name];
}

export function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
