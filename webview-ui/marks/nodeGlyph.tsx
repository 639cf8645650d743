/** The mark of a circuit's node: its shape tells the kind, its fill the size and sign of the effect. */

import type { JSX } from 'preact';
import type { CircuitNode, CircuitNodeKind } from '../../src/shared/domain.ts';
import { mix, type Palette, readableText, toCss } from '../lib/color.ts';

/** Outlines around the origin: circles are features, squares heads, diamonds MLPs and SAE errors. */
export const glyphPaths: Readonly<Record<CircuitNodeKind, string>> = {
  feature: 'M-6.5 0a6.5 6.5 0 1 0 13 0a6.5 6.5 0 1 0 -13 0z',
  head: 'M-6 -6h12v12h-12z',
  mlp: 'M0 -8L8 0L0 8L-8 0z',
  error: 'M0 -8L8 0L0 8L-8 0z',
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
  const fill = kind === 'error' ? palette.background : mix(palette.background, tint, 0.12 + 0.88 * size);
  return { fill: toCss(fill), stroke: toCss(tint), sign: toCss(readableText(fill, palette.foreground)) };
}

/** The mark as a small picture. */
export function NodeGlyph(props: {
  readonly node: CircuitNode;
  readonly share: number;
  readonly palette: Palette;
}): JSX.Element {
  const { node, share, palette } = props;
  const colors = glyphColors(node.kind, share, palette);
  return (
    <svg class="glyph" viewBox="-11 -11 22 22" width="22" height="22" aria-hidden="true" focusable="false">
      <path d={glyphPaths[node.kind]} fill={colors.fill} stroke={colors.stroke} stroke-width="1.4" />
      {share < 0 && <path d={minusPath} stroke={colors.sign} stroke-width="1.6" fill="none" />}
    </svg>
  );
}
