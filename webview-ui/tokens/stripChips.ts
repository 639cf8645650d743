/** Turns the panel's state into the chips of the strip. Pure. */

import type { Token } from '../../src/shared/domain.ts';
import { formatNumber, formatProbability } from '../../src/shared/format.ts';
import type { TokensState } from '../../src/shared/viewApi.ts';
import { heatFill, type Palette } from '../lib/color.ts';
import { say, strings } from '../lib/strings.ts';
import { spokenToken } from '../lib/tokenText.tsx';
import type { Chip } from '../marks/heatStrip.tsx';

/** A chip for every token; `before` lends the chips that did not change, so that they are not drawn again. */
export function stripChips(state: TokensState, palette: Palette, before: readonly Chip[]): readonly Chip[] {
  const tokens = state.strip?.tokens ?? [];
  const others = otherTokens(state);
  const max = state.heat?.max || 1;
  return tokens.map((token, position) => {
    const activation = state.heat?.values[position] ?? 0;
    const given = state.probabilities?.[position] ?? Number.NaN;
    const other = others?.get(position);
    const chip: Chip = {
      text: token.text,
      label: chipLabel(token, position, state.heat ? activation : Number.NaN, given, other),
      fill: heatFill(activation / max, palette),
      given,
      other: other?.text,
      differs: other?.differs ?? false,
      endsLine: token.text.includes('\n'),
      special: token.special === true || token.marker === true,
    };
    const old = before[position];
    return old && sameChip(old, chip) ? old : chip;
  });
}

interface OtherToken {
  /** '' when the other prompt has no token here. */
  readonly text: string;
  readonly differs: boolean;
}

function otherTokens(state: TokensState): ReadonlyMap<number, OtherToken> | undefined {
  const comparison = state.comparison;
  if (!comparison) return undefined;
  const found = new Map<number, OtherToken>();
  let last = 0;
  for (const pair of comparison.pairs) {
    const text = comparison.corrupted.tokens[pair.corrupted]?.text ?? '';
    if (pair.clean >= 0) last = pair.clean;
    // Tokens that only the other prompt has stand with the token before them.
    const standing = pair.clean < 0 ? (found.get(last)?.text ?? '') : '';
    found.set(last, { text: standing + text, differs: !pair.same });
  }
  return found;
}

function chipLabel(
  { text, special, marker }: Token,
  position: number,
  activation: number,
  given: number,
  other: OtherToken | undefined,
): string {
  let label = say('chipLabel', { token: spokenToken(text), position });
  if (special) label += strings.chipSpecial;
  if (marker) label += strings.chipMarker;
  if (!Number.isNaN(activation)) label += say('chipActivation', { value: formatNumber(activation) });
  if (!Number.isNaN(given)) label += say('chipProbability', { value: formatProbability(given) });
  if (other) {
    label += say('chipOther', { token: other.text ? spokenToken(other.text) : strings.chipMissing });
    if (other.differs) label += strings.chipDiffers;
  }
  return label;
}

function sameChip(a: Chip, b: Chip): boolean {
  return (
    a.label === b.label &&
    a.text === b.text &&
    a.other === b.other &&
    Object.is(a.given, b.given) &&
    a.fill.background === b.fill.background &&
    a.fill.text === b.fill.text
  );
}
