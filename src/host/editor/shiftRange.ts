/** Keeps a range of text in place while the text around and inside it is edited. */

/** UTF-16 offsets into a document. */
export interface TextRange {
  readonly start: number;
  readonly end: number;
}

/** A replacement of `rangeLength` units at `rangeOffset`, as VS Code reports it (against the text before). */
export interface TextChange {
  readonly rangeOffset: number;
  readonly rangeLength: number;
  readonly text: string;
}

/** The range after the changes. Text typed at either edge belongs to the range. */
export function shiftRange(range: TextRange, changes: readonly TextChange[]): TextRange {
  let { start, end } = range;
  // From the end of the document backwards, no change moves the offsets of one that is still to come.
  const ordered = [...changes].sort((one, other) => other.rangeOffset - one.rangeOffset);
  for (const { rangeOffset, rangeLength, text } of ordered) {
    const changeEnd = rangeOffset + rangeLength;
    const growth = text.length - rangeLength;
    if (rangeOffset > end) continue;
    if (changeEnd < start) {
      start += growth;
      end += growth;
      continue;
    }
    end = changeEnd > end ? rangeOffset + text.length : end + growth;
    start = Math.min(start, rangeOffset);
    end = Math.max(start, end);
  }
  return { start, end };
}
