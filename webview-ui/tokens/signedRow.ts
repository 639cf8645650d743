/** A part of a sum of logits as a row: its name, its value, and what a screen reader says of it. */

import { formatSigned } from '../../src/shared/format.ts';
import { say } from '../lib/strings.ts';
import type { SignedRow } from '../marks/signedBarList.tsx';

/** `value` in logits. */
export function signedRow(key: string, name: string, value: number): SignedRow {
  return { key, name, value, label: say('attributionRow', { name, value: formatSigned(value) }) };
}
