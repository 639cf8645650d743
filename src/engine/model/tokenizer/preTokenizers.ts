/** How tokenizers split a text into words before the vocabulary is asked, as the Rust library does it. */
import { malformed } from '../../files/fileErrors.ts';
import { wordPattern } from '../byteLevel.ts';
import { type AlignedText, placeStart, prefixed, sliceAligned } from './alignedText.ts';
import { toByteLevel } from './byteLevelText.ts';
import { type Part, readParts, requireText } from './parts.ts';
import { type Matcher, patternMatcher } from './pattern.ts';

/** Splits pieces of a text further. `literal` leaves out what a tokenizer puts before a text by itself. */
export type PreTokenizer = (pieces: readonly AlignedText[], literal: boolean) => readonly AlignedText[];

export interface PreTokenization {
  readonly steps: readonly PreTokenizer[];
  /** Whether the words still have to be written in the byte-level alphabet. */
  readonly byteLevel: boolean;
}

/** The `pre_tokenizer` of the tokenizer file at `path`. @throws file.malformed */
export function readPreTokenizer(path: string, part: Part | null): PreTokenization {
  const parts = readParts(path, 'pre_tokenizer', part, 'pretokenizers');
  const byteLevel = parts.at(-1)?.type === 'ByteLevel';
  const steps = parts.map((step) => preTokenizerOf(path, step));
  // Words of the last step are turned into bytes by the vocabulary's side, which remembers words.
  parts.slice(0, -1).forEach((step, i) => {
    const split = steps[i]!;
    if (step.type === 'ByteLevel') steps[i] = (pieces, literal) => split(pieces, literal).map(toByteLevel);
  });
  return { steps, byteLevel };
}

function preTokenizerOf(path: string, step: Part): PreTokenizer {
  switch (step.type) {
    case 'ByteLevel':
      return byteLevelWords(step.add_prefix_space === true, step.use_regex !== false);
    case 'Split': {
      const find = patternMatcher(path, 'pre_tokenizer.pattern', step.pattern);
      return splitter(find, behaviorOf(path, step.behavior), step.invert === true);
    }
    case 'Digits':
      return splitter(always(step.individual_digits === true ? /\p{N}/gu : /\p{N}+/gu), 'isolated');
    case 'Punctuation':
      return splitter(always(punctuation), behaviorOf(path, step.behavior ?? 'Isolated'));
    case 'Whitespace':
      return splitter(
        always(
          /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_C}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_C}\p{White_Space}]+/gu,
        ),
        'removed',
        true,
      );
    case 'WhitespaceSplit':
      return splitter(always(/\p{White_Space}/gu), 'removed');
    case 'BertPreTokenizer':
      return (pieces, literal) =>
        splitter(always(punctuation), 'isolated')(
          splitter(always(/\p{White_Space}/gu), 'removed')(pieces, literal),
          literal,
        );
    case 'CharDelimiterSplit': {
      const pattern = { String: requireText(path, 'pre_tokenizer.delimiter', step.delimiter) };
      return splitter(patternMatcher(path, 'pre_tokenizer.delimiter', pattern), 'removed');
    }
    case 'Metaspace':
      return metaspace(path, step);
    default:
      throw malformed(path, 'pre_tokenizer.type', 'a pre-tokenizer that Fovea knows', step.type);
  }
}

const punctuation = /[\p{P}$+<=>^`|~]/gu;

function always(pattern: RegExp): Matcher {
  return (texts) =>
    texts.map((text) =>
      Array.from(text.matchAll(pattern), (match) => [match.index, match.index + match[0].length]).flat(),
    );
}

type Behavior = 'removed' | 'isolated' | 'mergedwithprevious' | 'mergedwithnext' | 'contiguous';

function behaviorOf(path: string, value: unknown): Behavior {
  const name = typeof value === 'string' ? value.toLowerCase().replaceAll('_', '') : '';
  if (['removed', 'isolated', 'mergedwithprevious', 'mergedwithnext', 'contiguous'].includes(name))
    return name as Behavior;
  throw malformed(
    path,
    'pre_tokenizer.behavior',
    'Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous',
    value,
  );
}

function byteLevelWords(prefix: boolean, split: boolean): PreTokenizer {
  const words = splitter(always(wordPattern()), 'isolated');
  return (pieces, literal) => {
    const whole =
      prefix && !literal
        ? pieces.map((piece) => (piece.text.startsWith(' ') ? piece : prefixed(piece, ' ')))
        : pieces;
    return split ? words(whole, literal) : whole;
  };
}

/** SentencePiece's spaces: each is written `▁`, and one is put before the text or before each of its parts. */
function metaspace(path: string, step: Part): PreTokenizer {
  const mark = requireText(path, 'pre_tokenizer.replacement', step.replacement ?? '▁');
  if (mark.length !== 1) throw malformed(path, 'pre_tokenizer.replacement', 'one character', mark);
  const scheme = step.prepend_scheme ?? (step.add_prefix_space === false ? 'never' : 'always');
  const words = splitter((texts) => texts.map((text) => places(text, mark)), 'mergedwithnext');
  return (pieces, literal) => {
    const marked = pieces.map((piece) => {
      const text = piece.text.replaceAll(' ', mark);
      const same = text === piece.text ? piece : { ...piece, text };
      const first = scheme === 'first' && placeStart(piece, 0) === 0;
      const lacking = !literal && !text.startsWith(mark) && (scheme === 'always' || first);
      return lacking ? prefixed(same, mark) : same;
    });
    return step.split === false ? marked : words(marked, literal);
  };
}

function places(text: string, mark: string): number[] {
  const found: number[] = [];
  for (let at = text.indexOf(mark); at >= 0; at = text.indexOf(mark, at + 1)) found.push(at, at + 1);
  return found;
}

function splitter(find: Matcher, behavior: Behavior, invert = false): PreTokenizer {
  return (pieces) => {
    const found = find(pieces.map(({ text }) => text));
    const out: AlignedText[] = [];
    pieces.forEach((piece, i) => {
      for (const [from, to] of cuts(found[i]!, piece.text.length, behavior, invert)) {
        if (from < to)
          out.push(from === 0 && to === piece.text.length ? piece : sliceAligned(piece, from, to));
      }
    });
    return out;
  };
}

interface Stretch {
  readonly from: number;
  to: number;
  readonly match: boolean;
}

/** The parts `[from, to)` of a text of `length` in which matches were found. */
function cuts(
  found: readonly number[],
  length: number,
  behavior: Behavior,
  invert: boolean,
): [number, number][] {
  const stretches: Stretch[] = [];
  let at = 0;
  const put = (from: number, to: number, match: boolean) => {
    if (from < to) stretches.push({ from, to, match: match !== invert });
  };
  for (let i = 0; i < found.length; i += 2) {
    put(at, found[i]!, false);
    put(found[i]!, found[i + 1]!, true);
    at = found[i + 1]!;
  }
  put(at, length, false);
  return joined(stretches, behavior).map(({ from, to }) => [from, to]);
}

function joined(stretches: Stretch[], behavior: Behavior): Stretch[] {
  if (behavior === 'isolated') return stretches;
  if (behavior === 'removed') return stretches.filter(({ match }) => !match);
  const out: Stretch[] = [];
  stretches.forEach((stretch, i) => {
    const before = stretches[i - 1];
    const last = out.at(-1);
    const joins = before !== undefined && joinsTo(before.match, stretch.match, behavior);
    if (last && joins) last.to = stretch.to;
    else out.push({ ...stretch });
  });
  return out;
}

function joinsTo(before: boolean, match: boolean, behavior: Behavior): boolean {
  if (behavior === 'contiguous') return before === match;
  return behavior === 'mergedwithprevious' ? match && !before : !match && before;
}
