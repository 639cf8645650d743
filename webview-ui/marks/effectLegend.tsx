/** The scale of effects that several pictures share: what it measures, its colors, five ticks, and what either end means. */

import type { JSX } from 'preact';
import { say } from '../lib/strings.ts';

const shares = [-1, -0.5, 0, 0.5, 1] as const;

/** The legend; `scale` is the effect of full color, `down` and `up` say what lies below and above zero. */
export function EffectLegend(props: {
  readonly title: string;
  readonly scale: number;
  readonly text: (effect: number) => string;
  readonly down: string;
  readonly up: string;
}): JSX.Element {
  const { down, scale, text, title, up } = props;
  const label = say('effectLegendLabel', { title, low: text(-scale), high: text(scale), down, up });
  return (
    <div class="effect-legend small quiet" role="img" aria-label={label}>
      <span class="effect-title" aria-hidden="true">
        {title}
      </span>
      <span class="effect-ends" aria-hidden="true">
        <span>{down}</span>
        <span>{up}</span>
      </span>
      <i class="effect-ramp" aria-hidden="true" />
      <span class="effect-ticks" aria-hidden="true">
        {shares.map((share) => (
          <span key={share} style={{ left: `${50 + 50 * share}%` }}>
            {text(share * scale)}
          </span>
        ))}
      </span>
    </div>
  );
}
