/** Regular expressions from tokenizer files: translated for JavaScript, and kept from running without end. */
import { createContext, Script } from 'node:vm';
import { SplitPreTokenizer } from '@huggingface/tokenizers';
import type { EngineError } from '../../../shared/errors.ts';
import { malformed } from '../../files/fileErrors.ts';

/** Finds a pattern in several texts: for each of them `[start, end, start, end, …]` of the matches. */
export type Matcher = (texts: readonly string[]) => readonly (readonly number[])[];

const maxPatternLength = 4000;
const maxRepetition = 1000;
/** Milliseconds for one search; ordinary patterns take a few per hundred thousand characters. */
const searchTime = 3000;

/**
 * Patterns of the families that Fovea knows (Llama 3, Qwen 2 and its kin, GPT-4's and OLMo 2's); all of them run in
 * time proportional to the text, so they run directly.
 */
const knownPatterns: ReadonlySet<string> = new Set([
  String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
  String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
  String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
  String.raw`\p{N}{1,3}`,
  ' {2,}',
  ' ',
]);

/** A matcher for the `pattern` of a part of a tokenizer file; `field` is for messages. @throws file.malformed */
export function patternMatcher(path: string, field: string, pattern: unknown): Matcher {
  const source = readPattern(pattern);
  if (source === undefined) throw malformed(path, field, 'a Regex or a String', pattern);
  if (source.literal !== undefined) return (texts) => texts.map((text) => findLiteral(text, source.literal!));
  const { regex } = source;
  if (regex.length > maxPatternLength)
    throw malformed(path, field, `a pattern of at most ${maxPatternLength} characters`, regex);
  for (const [, least, most] of regex.matchAll(/(?<!\\[xuU])\{(\d+)(?:,(\d*))?\}/g)) {
    if (Number(most || least) > maxRepetition || Number(least) > maxRepetition)
      throw malformed(path, field, `repetitions of at most ${maxRepetition}`, regex);
  }
  const compiled = compile(path, field, regex);
  return knownPatterns.has(regex)
    ? (texts) => texts.map((text) => findAll(text, compiled))
    : guarded(compiled, path, field);
}

function readPattern(
  pattern: unknown,
): { regex: string; literal?: undefined } | { literal: string } | undefined {
  const { Regex, String: literal } = (pattern ?? {}) as { Regex?: unknown; String?: unknown };
  if (typeof Regex === 'string') return { regex: Regex };
  return typeof literal === 'string' && literal !== '' ? { literal } : undefined;
}

/** Oniguruma's dialect, in which the files are written, as the tokenizer library translates it. */
function compile(path: string, field: string, Regex: string): RegExp {
  try {
    const { pattern } = new SplitPreTokenizer({
      type: 'Split',
      pattern: { Regex },
      behavior: 'Isolated',
      invert: false,
    });
    if (pattern) return pattern;
  } catch {
    // Told below.
  }
  throw malformed(path, field, 'a regular expression that JavaScript has too', Regex);
}

function findLiteral(text: string, literal: string): number[] {
  const found: number[] = [];
  for (let at = text.indexOf(literal); at >= 0; at = text.indexOf(literal, at + literal.length))
    found.push(at, at + literal.length);
  return found;
}

function findAll(text: string, pattern: RegExp): number[] {
  const found: number[] = [];
  for (const match of text.matchAll(pattern)) found.push(match.index, match.index + match[0].length);
  return found;
}

/** Node ends a search that takes too long only when it runs in a context of its own. */
function guarded(pattern: RegExp, path: string, field: string): Matcher {
  const sandbox = createContext({ work: (): unknown => undefined });
  const script = new Script('work()');
  let broken = false;
  return (texts) => {
    if (broken) throw tooSlow(path, field);
    sandbox.work = () => texts.map((text) => findAll(text, pattern));
    try {
      return script.runInContext(sandbox, { timeout: searchTime });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
      broken = true;
      throw tooSlow(path, field);
    } finally {
      sandbox.work = () => undefined;
    }
  };
}

function tooSlow(path: string, field: string): EngineError {
  return malformed(path, field, `a pattern that is found within ${searchTime} ms`, 'one that takes longer');
}
