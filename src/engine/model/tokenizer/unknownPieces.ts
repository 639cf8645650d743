/** What becomes of the parts of a word that a vocabulary does not have. */
import { byteTokens } from './byteTokens.ts';
import type { WordWriter } from './words.ts';

export interface UnknownRule {
  /** The id of the unknown token. */
  readonly token: number | undefined;
  /** Whether unknown pieces in a row are one token. */
  readonly fuse: boolean;
  /** Whether bytes with tokens of their own take the place of the unknown token. */
  readonly byteFallback: boolean;
}

/** Writes unknown pieces: as bytes, as the unknown token, or, without one, not at all. */
export function unknownPieces(ids: ReadonlyMap<string, number>, rule: UnknownRule) {
  const bytes = rule.byteFallback ? byteTokens(ids) : () => undefined;
  return {
    /** Whether a piece leaves no token. */
    vanishes: (piece: string): boolean => rule.token === undefined && bytes(piece) === undefined,
    /** Appends `piece`, `[start, end)` of the word; `after` tells whether the piece before it became the unknown token. */
    write(
      writer: WordWriter,
      piece: string,
      [start, end]: readonly [number, number],
      after: boolean,
    ): boolean {
      const inBytes = bytes(piece);
      for (const id of inBytes ?? []) writer.push(id, start, end);
      if (inBytes || rule.token === undefined) return false;
      if (after && rule.fuse) writer.ends[writer.ends.length - 1] = end;
      else writer.push(rule.token, start, end);
      return true;
    },
  };
}
