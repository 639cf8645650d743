/** Numbers of a study as they stand in its tables: two decimals, shares as percent, with real minus signs. */

import { formatSigned } from '../../src/shared/format.ts';
import { classTitles } from '../../src/shared/ioiPaper.ts';
import type { IoiHeadClass } from '../../src/shared/study.ts';
import { say } from '../lib/strings.ts';

/** With a real minus sign, and none before what is rounded to 0. */
function fixed(value: number, decimals: number): string {
  const text = value.toFixed(decimals);
  return Number(text) === 0 ? text.replace('-', '') : text.replace('-', '−');
}

/** `3.56`, `−0.99`. */
export function decimal(value: number): string {
  return fixed(value, 2);
}

/** `13.0 %`. */
export function percent(value: number): string {
  return `${fixed(100 * value, 1)} %`;
}

/** `+15 %`, `−0.5 %`, `0`: ticks of a scale. */
export function signedPercent(value: number): string {
  return value === 0 ? '0' : `${formatSigned(100 * value)} %`;
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
