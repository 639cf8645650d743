/** Which token stands where in a document. Offsets are UTF-16 units. */

import type { TokenStrip } from '../shared/domain.ts';

/**
 * The token to the left of a caret, since what the model says next there is what follows the caret.
 * −1 when the caret is outside the text that the model reads.
 */
export function tokenBeforeCaret(strip: TokenStrip, caret: number): number {
  const { tokens, used } = strip;
  if (caret < used.start || caret > used.end || tokens.length === 0) return -1;
  let low = 0;
  let high = tokens.length - 1;
  // The first token that ends at or after the caret; tokens that share a character have equal ends.
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((tokens[middle]?.end ?? 0) < caret) low = middle + 1;
    else high = middle;
  }
  if (caret > (tokens[low]?.end ?? 0)) return -1;
  return lastWithSameSpan(strip, skipEmpty(strip, low, caret));
}

/** The token that covers the character at `offset`, for pointing at text; −1 where there is none. */
export function tokenAtCharacter(strip: TokenStrip, offset: number): number {
  const { tokens } = strip;
  for (let position = 0; position < tokens.length; position++) {
    const token = tokens[position];
    if (token && token.start <= offset && offset < token.end) return lastWithSameSpan(strip, position);
  }
  return -1;
}

/** Tokens without text of their own are not what a caret at the start of the text means. */
function skipEmpty({ tokens }: TokenStrip, position: number, caret: number): number {
  let at = position;
  for (;;) {
    const [token, next] = [tokens[at], tokens[at + 1]];
    if (token === undefined || token.start !== token.end || next === undefined || next.start > caret)
      return at;
    at++;
  }
}

/** Bytes of one character may be several tokens over the same text; the last of them completes it. */
function lastWithSameSpan(strip: TokenStrip, position: number): number {
  const { tokens } = strip;
  const token = tokens[position];
  let last = position;
  while (token && tokens[last + 1]?.start === token.start && tokens[last + 1]?.end === token.end) last++;
  return last;
}
