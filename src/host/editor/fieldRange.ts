/** Where a field's value stands in a line of JSON, so that a squiggle can be put under it. */

/** UTF-16 offsets within the line, the end exclusive. */
export interface FieldRange {
  readonly start: number;
  readonly end: number;
}

/** The value of `field` in the object that `line` holds; all of the line's text when it has none, or is no JSON. */
export function fieldRange(line: string, field: string | undefined): FieldRange {
  const whole = { start: line.length - line.trimStart().length, end: line.trimEnd().length };
  if (field === undefined) return whole;
  let depth = 0;
  for (let at = 0; at < line.length; at++) {
    const character = line[at]!;
    if (character === '"') {
      const end = endOfText(line, at);
      const value = depth === 1 ? valueAfter(line, end) : undefined;
      if (value !== undefined && textOf(line.slice(at, end)) === field) return trimmed(line, value);
      at = end - 1;
    } else if ('{['.includes(character)) depth++;
    else if ('}]'.includes(character)) depth--;
  }
  return whole;
}

/** Where the value behind a key begins; undefined when no colon follows, so that it was no key. */
function valueAfter(line: string, keyEnd: number): number | undefined {
  const colon = /^\s*:\s*/.exec(line.slice(keyEnd))?.[0];
  return colon === undefined ? undefined : keyEnd + colon.length;
}

/** From the start of a value to the comma or bracket that ends it. */
function trimmed(line: string, start: number): FieldRange {
  let depth = 0;
  let end = start;
  while (end < line.length) {
    const character = line[end]!;
    if (character === '"') {
      end = endOfText(line, end);
      continue;
    }
    if ('{['.includes(character)) depth++;
    if (depth === 0 && ',}]'.includes(character)) break;
    if ('}]'.includes(character)) depth--;
    end++;
  }
  return { start, end: start + line.slice(start, end).trimEnd().length };
}

/** Behind the quote that ends the text beginning at `start`. */
function endOfText(line: string, start: number): number {
  let end = start + 1;
  while (end < line.length && line[end] !== '"') end += line[end] === '\\' ? 2 : 1;
  return Math.min(end + 1, line.length);
}

function textOf(literal: string): unknown {
  try {
    return JSON.parse(literal);
  } catch {
    return undefined;
  }
}
