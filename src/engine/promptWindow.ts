/** Which part of a prompt the model reads: all of it, or as much of its end as the context holds. */

import type { Token, TokenStrip } from '../shared/domain.ts';
import { EngineError } from '../shared/errors.ts';
import { checkPromptLength, type Encoding, type Tokenizer } from './model/tokenizer.ts';

/** A prompt as the model reads it. */
export interface PromptWindow {
  readonly ids: Int32Array;
  readonly strip: TokenStrip;
}

/**
 * Encodes `text` and takes the part that fits into `nContext` tokens. The window's start moves in strides
 * of a quarter of the context, so that typing at the end of a long prompt keeps most of the prefix and
 * with it what was computed for it.
 *
 * @throws prompt.empty, prompt.tooLong
 */
export function openWindow(text: string, tokenizer: Tokenizer, nContext: number): PromptWindow {
  if (text.length === 0) throw new EngineError('prompt.empty', {});
  checkPromptLength(text);
  const encoding = tokenizer.encode(text);
  const count = encoding.ids.length;
  if (count === 0) throw new EngineError('prompt.empty', {});
  const stride = Math.max(1, Math.floor(nContext / 4));
  const first = count <= nContext ? 0 : Math.ceil((count - nContext) / stride) * stride;
  return {
    ids: encoding.ids.slice(first),
    strip: {
      tokens: tokensFrom(encoding, first, tokenizer),
      used: { start: encoding.starts[first] ?? 0, end: encoding.ends[count - 1] ?? text.length },
      truncated: first > 0,
      exact: encoding.exact,
    },
  };
}

function tokensFrom(encoding: Encoding, first: number, tokenizer: Tokenizer): Token[] {
  const tokens: Token[] = [];
  for (let i = first; i < encoding.ids.length; i++) {
    const id = encoding.ids[i]!;
    tokens.push({ id, text: tokenizer.tokenText(id), start: encoding.starts[i]!, end: encoding.ends[i]! });
  }
  return tokens;
}
