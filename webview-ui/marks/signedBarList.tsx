/** Bars to both sides of zero: what adds to a number and what takes away from it. */

import type { ComponentChildren, JSX } from 'preact';
import { formatSigned } from '../../src/shared/format.ts';

/** One row of either sign. */
export interface SignedRow {
  readonly key: string;
  readonly name: ComponentChildren;
  readonly value: number;
  /** The value as it is read; with its sign when left out. */
  readonly text?: string;
  /** The whole row in words. */
  readonly label: string;
  readonly onSelect?: () => void;
}

/** The list; `total` closes it like a sum. */
export function SignedBarList(props: {
  readonly rows: readonly SignedRow[];
  readonly label: string;
  readonly total?: SignedRow;
}): JSX.Element {
  const largest = Math.max(1e-12, ...props.rows.map((row) => Math.abs(row.value)));
  return (
    <ul class="signed" aria-label={props.label}>
      {props.rows.map((row) => (
        <li key={row.key}>
          <Row row={row} largest={largest} />
        </li>
      ))}
      {props.total && (
        <li key="total" class="signed-total">
          <Row row={props.total} />
        </li>
      )}
    </ul>
  );
}

function Row({ row, largest }: { readonly row: SignedRow; readonly largest?: number }): JSX.Element {
  const parts = (
    <>
      <span class="bar-name">{row.name}</span>
      {largest === undefined ? <span /> : <SignedBar share={row.value / largest} />}
      <span class="bar-value">{row.text ?? formatSigned(row.value)}</span>
    </>
  );
  const content = (
    <>
      <span class="sr-only">{row.label}</span>
      <span class="signed-parts" aria-hidden="true">
        {parts}
      </span>
    </>
  );
  if (!row.onSelect) return <div class="signed-row">{content}</div>;
  return (
    <button type="button" class="signed-row" onClick={row.onSelect}>
      {content}
    </button>
  );
}

/** A bar from the middle to the right (positive) or to the left (negative, hatched). */
export function SignedBar({ share }: { readonly share: number }): JSX.Element {
  const size = `${Math.min(1, Math.abs(share)) * 50}%`;
  return (
    <span class="signed-track" aria-hidden="true">
      <i
        class={share < 0 ? 'bar bar-negative' : 'bar bar-positive'}
        style={share < 0 ? { width: size, right: '50%' } : { width: size, left: '50%' }}
      />
    </span>
  );
}
