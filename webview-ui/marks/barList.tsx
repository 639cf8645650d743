/** A list of tokens or names with a bar and a value each; with `before`, two bars show a change. */

import type { ComponentChildren, JSX } from 'preact';

/** One row. Shares are fractions of the full bar. */
export interface BarRow {
  readonly key: string;
  readonly name: ComponentChildren;
  readonly share: number;
  readonly value: string;
  /** The share before the interventions. */
  readonly before?: number;
  readonly beforeValue?: string;
  /** The whole row in words, for a screen reader. */
  readonly label: string;
  readonly onSelect?: () => void;
  readonly onHover?: (over: boolean) => void;
}

/** The list: one scale for all bars, one column for all values. `kind` chooses the color role. */
export function BarList(props: {
  readonly rows: readonly BarRow[];
  readonly label?: string;
  readonly kind?: 'probability' | 'heat' | 'lowering';
}): JSX.Element {
  const changes = props.rows.some((row) => row.before !== undefined);
  const classes = `bars bars-${props.kind ?? 'probability'}${changes ? ' bars-change' : ''}`;
  return (
    <ul class={classes} aria-label={props.label}>
      {props.rows.map((row) => (
        <li key={row.key}>
          <Row row={row} />
        </li>
      ))}
    </ul>
  );
}

function Row({ row }: { readonly row: BarRow }): JSX.Element {
  const { onSelect, onHover } = row;
  const parts = (
    <>
      <span class="bar-name">{row.name}</span>
      <span class="bar-track">
        {row.before !== undefined && <i class="bar bar-before" style={{ width: percent(row.before) }} />}
        <i class="bar" style={{ width: percent(row.share) }} />
      </span>
      <span class="bar-value">
        {row.beforeValue !== undefined && <span class="quiet">{row.beforeValue} → </span>}
        {row.value}
      </span>
    </>
  );
  const content = (
    <>
      <span class="sr-only">{row.label}</span>
      <span class="bar-parts" aria-hidden="true">
        {parts}
      </span>
    </>
  );
  if (!onSelect) return <div class="bar-row">{content}</div>;
  return (
    <button
      type="button"
      class="bar-row"
      onClick={onSelect}
      onMouseEnter={() => onHover?.(true)}
      onMouseLeave={() => onHover?.(false)}
      onFocus={() => onHover?.(true)}
      onBlur={() => onHover?.(false)}
    >
      {content}
    </button>
  );
}

function percent(share: number): string {
  return `${Math.min(1, Math.max(0, Number.isFinite(share) ? share : 0)) * 100}%`;
}
