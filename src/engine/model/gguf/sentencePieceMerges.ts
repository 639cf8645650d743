/** Recovers the merges of a SentencePiece BPE vocabulary, which keeps pieces and scores but not how pieces arose. */

/** Longer tokens are written out ones that no merge makes; SentencePiece's own pieces have at most 16 characters. */
const maxPieceLength = 64;

interface Merge {
  readonly pair: readonly [string, string];
  readonly rank: number;
  readonly left: number;
  readonly right: number;
}

/**
 * All ways to put a token together from two others, best first: SentencePiece always joins the neighbours whose union
 * has the highest score (`rank`, by id). Among equals the longer left part comes first, as in transformers.
 */
export function sentencePieceMerges(
  tokens: readonly string[],
  ids: Readonly<Record<string, number>>,
  rank: (id: number) => number,
): readonly (readonly [string, string])[] {
  const merges: Merge[] = [];
  for (const [id, text] of tokens.entries()) {
    if (ids[text] === id) merges.push(...mergesOf(text, ids, rank(id), tokens.length));
  }
  merges.sort((a, b) => b.rank - a.rank || b.left - a.left || b.right - a.right);
  return merges.map(({ pair }) => pair);
}

function mergesOf(
  text: string,
  ids: Readonly<Record<string, number>>,
  rank: number,
  size: number,
): readonly Merge[] {
  if (text.length > 2 * maxPieceLength) return [];
  const characters = Array.from(text);
  const found: Merge[] = [];
  for (let cut = 1; cut < characters.length; cut++) {
    const [left, right] = [characters.slice(0, cut).join(''), characters.slice(cut).join('')];
    if (ids[left] === undefined || ids[right] === undefined) continue;
    found.push({ pair: [left, right], rank, left: cut, right: characters.length - cut });
  }
  const order = ({ pair: [left, right] }: Merge) => ids[left]! * size + ids[right]!;
  return found.sort((a, b) => order(a) - order(b));
}
