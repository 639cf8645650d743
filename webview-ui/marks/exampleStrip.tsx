/** A stretch of text with the heat of one feature: to be looked at, not to be worked with. */

import type { JSX } from 'preact';
import { formatNumber } from '../../src/shared/format.ts';
import type { FeatureExample } from '../../src/shared/shiftApi.ts';
import { fill } from '../../src/shared/viewStrings.ts';
import { heatFill } from '../lib/color.ts';
import { palette } from '../lib/theme.ts';
import { spokenToken, tokenParts } from '../lib/tokenText.tsx';

/**
 * The tokens in a row, the strongest in full heat, or that with the activation `max`. `template` says it in words:
 * {token}, {value} and {text}.
 */
export function ExampleStrip(props: {
  readonly example: FeatureExample;
  readonly template: string;
  readonly max?: number;
}): JSX.Element {
  const { tokens, activations } = props.example;
  const most = props.max || Math.max(...activations, 0) || 1;
  const peak = activations.indexOf(Math.max(...activations));
  const label = fill(props.template, {
    token: spokenToken(tokens[peak] ?? ''),
    value: formatNumber(activations[peak] ?? 0),
    text: tokens.join(''),
  });
  return (
    <div class="example" role="img" aria-label={label}>
      {tokens.map((token, i) => {
        const share = (activations[i] ?? 0) / most;
        const { background, text } = heatFill(share, palette.value);
        return (
          <span
            key={i}
            class={i === peak ? 'example-token token example-peak' : 'example-token token'}
            title={share === 0 ? undefined : formatNumber(activations[i] ?? 0)}
            style={share === 0 ? undefined : { backgroundColor: background, color: text }}
          >
            {tokenParts(token)}
          </span>
        );
      })}
    </div>
  );
}
