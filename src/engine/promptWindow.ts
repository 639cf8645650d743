/** Which part of a prompt the model reads: all of it, or as much of its end as the context holds. */

import type { Token, TokenStrip } from '../shared/domain.ts';
import { EngineError } from '../shared/errors.ts';
import { checkPromptLength, type Encoding, type Tokenizer } from './model/tokenizer.ts';

/** A prompt as the model reads it. With a beginning-of-sequence token, that is the first of `ids` and of the strip. */
export interface PromptWindow {
  readonly ids: Int32Array;
  readonly strip: TokenStrip;
}

export interface WindowOptions {
  /** Tokens that the model reads at most. */
  readonly nContext: number;
  /** The token that is put before the text, and stays there when the text is cut. */
  readonly bos?: number;
}

/**
 * Encodes `text` and takes the part that fits into `nContext` tokens. The window's start moves in strides
 * of a quarter of the context, so that typing at the end of a long prompt keeps most of the prefix and
 * with it what was computed for it.
 *
 * @throws prompt.empty, prompt.tooLong
 */
export function openWindow(
  text: string,
  tokenizer: Tokenizer,
  { nContext, bos }: WindowOptions,
): PromptWindow {
  if (text.length === 0) throw new EngineError('prompt.empty', {});
  checkPromptLength(text);
  const encoding = tokenizer.encode(text);
  const count = encoding.ids.length;
  if (count === 0) throw new EngineError('prompt.empty', {});
  const stride = Math.max(1, Math.floor(nContext / 4));
  // A context of one token is for the text.
  const before = bos === undefined || nContext < 2 ? [] : [bos];
  const room = nContext - before.length;
  const first = count <= room ? 0 : Math.ceil((count - room) / stride) * stride;
  return {
    ids: Int32Array.from([before, [...encoding.ids.subarray(first)]].flat()),
    strip: {
      tokens: [
        ...before.map(
          (id): Token => ({ id, text: tokenizer.tokenText(id), start: 0, end: 0, special: true }),
        ),
        ...tokensFrom(encoding, first, tokenizer),
      ],
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
    const [start, end] = [encoding.starts[i]!, encoding.ends[i]!];
    const marker = tokenizer.isSpecial(id) ? { marker: true as const } : undefined;
    tokens.push({ id, text: tokenizer.tokenText(id), start, end, ...marker });
  }
  return tokens;
}
