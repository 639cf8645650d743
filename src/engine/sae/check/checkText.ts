/** The tokens on which an SAE is checked: rows of text as the model reads prompts. */

import { EngineError } from '../../../shared/errors.ts';
import type { Tokenizer } from '../../model/tokenizer.ts';
import { corpus } from '../../task/corpus.ts';

/** Tokens of the text in all, and of one row. A row is one prompt to the model. */
export const checkedTokens = 512;
const rowLength = 128;

/** Longer texts give no more tokens than are wanted. */
const mostCharacters = 20_000;

export interface CheckRows {
  /** `[row][position]`, all of one length; the first is the beginning-of-sequence token where one is put there. */
  readonly rows: readonly Int32Array[];
  /** Which text it is, for people. */
  readonly text: string;
}

/**
 * About 512 tokens of `text`, or of plain generated English, in rows that fit the model's context.
 * @throws request.invalid for a text that is too short, or when the tokenizer has no such token for `prependBos`.
 */
export function checkRows(
  tokenizer: Pick<Tokenizer, 'encode' | 'bosId'>,
  nContext: number,
  { text, prependBos }: { readonly text?: string; readonly prependBos: boolean },
): CheckRows {
  const bos = prependBos ? bosOf(tokenizer) : [];
  const length = Math.min(rowLength, nContext);
  const perRow = length - bos.length;
  const source = (text ?? builtInText()).slice(0, mostCharacters);
  const { ids } = tokenizer.encode(source, { maxTokens: checkedTokens });
  // A short text is one short row.
  const width = Math.min(perRow, ids.length);
  if (width < 2) {
    const reason = 'it has too few tokens to measure anything on; take a longer one';
    throw new EngineError('request.invalid', { what: 'The text for the check', reason });
  }
  const count = Math.max(1, Math.floor(ids.length / width));
  const rows = Array.from({ length: count }, (_, row) =>
    Int32Array.of(...bos, ...ids.subarray(row * width, (row + 1) * width)),
  );
  return { rows, text: text === undefined ? 'built-in text' : 'given text' };
}

function bosOf({ bosId }: Pick<Tokenizer, 'bosId'>): number[] {
  if (bosId !== undefined) return [bosId];
  const reason = 'the tokenizer has no beginning-of-sequence token';
  throw new EngineError('request.invalid', { what: 'Prepending one', reason });
}

function builtInText(): string {
  const documents: string[] = [];
  let length = 0;
  for (const document of corpus({ seed: 'check' })) {
    documents.push(document);
    length += document.length;
    if (length > mostCharacters) break;
  }
  return documents.join('\n\n');
}
