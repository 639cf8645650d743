/** A share of right answers: the number, a bar, and where its draws lie when it is the mean of some. */

import type { JSX } from 'preact';
import { say } from '../lib/strings.ts';

export function Share(props: {
  readonly share: number;
  readonly kind: 'worstGroup' | 'profession' | 'gender';
  /** The least and the largest of the draws. */
  readonly range?: readonly [number, number];
}): JSX.Element {
  const { share, kind, range } = props;
  return (
    <span class="shift-share">
      <span class={`shift-track shift-track-${kind}`} aria-hidden="true">
        <i class="shift-bar" style={{ width: width(share) }} />
        {range && (
          <i class="shift-range-bar" style={{ left: width(range[0]), width: width(range[1] - range[0]) }} />
        )}
      </span>
      <span class="shift-number">
        {number(share)} %{range && <Range least={number(range[0])} largest={number(range[1])} />}
      </span>
    </span>
  );
}

function Range(values: { readonly least: string; readonly largest: string }): JSX.Element {
  return (
    <>
      <span class="sr-only"> {say('shiftRangeSpoken', values)}</span>
      <span class="shift-range quiet small" aria-hidden="true">
        {say('shiftRange', values)}
      </span>
    </>
  );
}

function width(share: number): string {
  return `${Math.min(1, Math.max(0, share)) * 100}%`;
}

function number(share: number): string {
  return (100 * share).toFixed(1);
}
