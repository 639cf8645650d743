/** The mark of a circuit's node: its shape tells the kind, its fill the size and sign of the effect. */

import type { JSX } from 'preact';
import type { CircuitNodeKind } from '../../src/shared/circuit.ts';
import { mix, type Palette, readableText, toCss } from '../lib/color.ts';
import type { Mark } from './circuitMark.ts';

/** Outlines around the origin: circles are features, squares heads, diamonds MLPs and SAE errors, hexagons neurons. */
export const glyphPaths: Readonly<Record<CircuitNodeKind, string>> = {
  feature: 'M-6.5 0a6.5 6.5 0 1 0 13 0a6.5 6.5 0 1 0 -13 0z',
  head: 'M-6 -6h12v12h-12z',
  mlp: 'M0 -8L8 0L0 8L-8 0z',
  error: 'M0 -8L8 0L0 8L-8 0z',
  neuron: 'M-3.6 -6.6h7.2L7.4 0L3.6 6.6h-7.2L-7.4 0z',
  bias: 'M0 -7L7.4 6h-14.8z',
  other: 'M-2.6 -6.5h5.2v3.9h3.9v5.2h-3.9v3.9h-5.2v-3.9h-3.9v-5.2h3.9z',
  token: 'M-5 -4h10a4 4 0 0 1 0 8h-10a4 4 0 0 1 0 -8z',
  logit: 'M-6 -5h12a5 5 0 0 1 0 10h-12a5 5 0 0 1 0 -10z',
};

/** The minus sign in marks of negative effect. */
export const minusPath = 'M-3 0h6';

/** Colors of one mark, as CSS. */
export interface GlyphColors {
  readonly fill: string;
  readonly stroke: string;
  readonly sign: string;
}

/** Colors for an effect of which `share` (−1 to 1) is the part of the largest. An SAE's error stays hollow. */
export function glyphColors(kind: CircuitNodeKind, share: number, palette: Palette): GlyphColors {
  const tint = share < 0 ? palette.negative : palette.positive;
  const size = Math.min(1, Math.abs(share));
  // Effects spread over orders of magnitude: the root tells small ones apart too.
  const fill =
    kind === 'error' ? palette.background : mix(palette.background, tint, 0.08 + 0.92 * Math.sqrt(size));
  return { fill: toCss(fill), stroke: toCss(tint), sign: toCss(readableText(fill, palette.foreground)) };
}

/** Outline of the mark of a group in lists and cards: a box upon a box. */
const groupPath = 'M-8 -3a2 2 0 0 1 2 -2h10a2 2 0 0 1 2 2v8a2 2 0 0 1 -2 2h-10a2 2 0 0 1 -2 -2z';
const groupBehind = 'M-5 -7.5h11a2.5 2.5 0 0 1 2.5 2.5v8';

/** Dashes of a mark that only the earlier of two circuits has. */
export const removedDash = '2.4 2';

/** A node's effect as a part of the largest, from −1 to 1. */
export function shareOf(effect: number, largest: number): number {
  return largest > 0 ? Math.max(-1, Math.min(1, effect / largest)) : 0;
}

/** The largest size of an effect of anything but a logit, whose effect is the metric itself. */
export function largestEffect(
  nodes: readonly { readonly kind: CircuitNodeKind; readonly effect: number }[],
): number {
  let largest = 0;
  for (const { kind, effect } of nodes) if (kind !== 'logit') largest = Math.max(largest, Math.abs(effect));
  return largest;
}

/** The mark as a small picture. */
export function NodeGlyph(props: {
  readonly node: Pick<Mark, 'kind' | 'members' | 'change'>;
  readonly share: number;
  readonly palette: Palette;
}): JSX.Element {
  const { node, share, palette } = props;
  const colors = glyphColors(node.kind, share, palette);
  return (
    <svg class="glyph" viewBox="-11 -11 22 22" width="22" height="22" aria-hidden="true" focusable="false">
      {node.members && <path d={groupBehind} fill="none" stroke={colors.stroke} stroke-width="1.2" />}
      <path
        d={node.members ? groupPath : glyphPaths[node.kind]}
        fill={colors.fill}
        stroke={colors.stroke}
        stroke-width="1.4"
        stroke-dasharray={node.change === 'removed' ? removedDash : undefined}
      />
      {share < 0 && (
        <path
          d={minusPath}
          stroke={colors.sign}
          stroke-width="1.6"
          fill="none"
          transform={node.members ? 'translate(-1 1)' : undefined}
        />
      )}
    </svg>
  );
}
