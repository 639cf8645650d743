/** Parses JSON of hostile origin, which may nest deeper than the stack of whoever walks through it. */

/** Configs and tokenizers nest ten deep. */
const maxDepth = 100;

/**
 * As `JSON.parse`, for texts that nest at most 100 deep.
 * @throws SyntaxError for other texts, saying what is wrong.
 */
export function parseJson(text: string): unknown {
  if (!opensFew(text)) checkDepth(text);
  return JSON.parse(text);
}

/** True when there are too few brackets to nest too deep, as in most files; seen much sooner than how deep they nest. */
function opensFew(text: string): boolean {
  let count = 0;
  for (const bracket of '[{') {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) {
      count += 1;
      if (count > maxDepth) return false;
    }
  }
  return true;
}

function checkDepth(text: string): void {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === quote) i = endOfText(text, i);
    else if (code === openBracket || code === openBrace) depth += 1;
    else if (code === closeBracket || code === closeBrace) depth -= 1;
    if (depth > maxDepth) throw new SyntaxError(`it nests deeper than ${maxDepth} levels at character ${i}`);
  }
}

/** Where the text that begins with the quote at `start` ends; the last character when it does not. */
function endOfText(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end >= 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end < 0 ? text.length : end;
}

/** True when an odd number of backslashes stands before the character. */
function isEscaped(text: string, at: number): boolean {
  let first = at;
  while (text.charCodeAt(first - 1) === backslash) first -= 1;
  return (at - first) % 2 === 1;
}

const quote = 0x22;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;
