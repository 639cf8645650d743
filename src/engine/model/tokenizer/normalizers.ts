/** What tokenizers do to a text before they split it, as the Rust library does it, with the places of the original kept. */
import { malformed } from '../../files/fileErrors.ts';
import {
  type AlignedText,
  AlignedWriter,
  mapCharacters,
  placeEnd,
  placeStart,
  prefixed,
  sliceAligned,
} from './alignedText.ts';
import { toByteLevel } from './byteLevelText.ts';
import { charactersMap } from './charactersMap.ts';
import { type Part, readParts, requireText } from './parts.ts';
import { type Matcher, patternMatcher } from './pattern.ts';
import { normalizeUnicode } from './unicodeForms.ts';

export type Normalizer = (source: AlignedText) => AlignedText;

/**
 * The steps of the `normalizer` of the tokenizer file at `path`, in order; with `literal`, without what is put before
 * the text.
 * @throws file.malformed
 */
export function readNormalizer(
  path: string,
  part: Part | null,
  { literal = false } = {},
): readonly Normalizer[] {
  return readParts(path, 'normalizer', part, 'normalizers')
    .filter(({ type }) => !(literal && type === 'Prepend'))
    .map((step) => normalizerOf(path, step));
}

function normalizerOf(path: string, step: Part): Normalizer {
  switch (step.type) {
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD': {
      const form = step.type;
      return (source) => normalizeUnicode(source, form);
    }
    case 'Lowercase':
      return lowercase;
    case 'StripAccents':
      return (source) => mapCharacters(source, (character) => (/\p{M}/u.test(character) ? '' : character));
    case 'Strip':
      return (source) => strip(source, step.strip_left !== false, step.strip_right !== false);
    case 'Prepend': {
      const text = requireText(path, 'normalizer.prepend', step.prepend);
      return (source) => (source.text === '' ? source : prefixed(source, text));
    }
    case 'Replace': {
      const content = requireText(path, 'normalizer.content', step.content);
      const find = patternMatcher(path, 'normalizer.pattern', step.pattern);
      return (source) => replaceAll(source, find, content);
    }
    case 'BertNormalizer':
      return bertNormalizer(step);
    case 'Precompiled':
      return charactersMap(path, step.precompiled_charsmap);
    case 'ByteLevel':
      return toByteLevel;
    default:
      throw malformed(path, 'normalizer.type', 'a normalizer that Fovea knows', step.type);
  }
}

/** Character by character, as in Rust: a sigma at the end of a word is not special. */
const lowercase: Normalizer = (source) => mapCharacters(source, (character) => character.toLowerCase());

function strip(source: AlignedText, left: boolean, right: boolean): AlignedText {
  const { text } = source;
  const from = left ? (/^\p{White_Space}+/u.exec(text)?.[0].length ?? 0) : 0;
  let to = text.length;
  // Backwards by hand: a pattern that ends in $ would take time proportional to the square of a run of spaces.
  while (right && to > from && /\p{White_Space}/u.test(text[to - 1]!)) to--;
  return from === 0 && to === text.length ? source : sliceAligned(source, from, to);
}

function replaceAll(source: AlignedText, find: Matcher, content: string): AlignedText {
  const { text } = source;
  const found = find([text])[0]!;
  if (found.length === 0) return source;
  const writer = new AlignedWriter();
  let at = 0;
  for (let i = 0; i < found.length; i += 2) {
    const [from, to] = [found[i]!, found[i + 1]!];
    writer.copy(source, at, from);
    writer.write(content, placeStart(source, from), placeEnd(source, to));
    at = to;
  }
  writer.copy(source, at, text.length);
  return writer.done();
}

const bertSpace = /[\t\n\r\p{Zs}\p{Zl}\p{Zp}]/u;
const bertControl = /[\p{Cc}\p{Cf}\p{Co}\ufffd]/u;
const chinese =
  /[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{2a6df}\u{2a700}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/u;

/** BERT's cleaning (Devlin et al. 2018). Spaces around Chinese characters stand for no text of their own. */
function bertNormalizer(step: Part): Normalizer {
  const lower = step.lowercase !== false;
  const steps: Normalizer[] = [];
  if (step.clean_text !== false) {
    steps.push((source) =>
      mapCharacters(source, (character) => {
        if (bertSpace.test(character)) return ' ';
        return bertControl.test(character) ? '' : character;
      }),
    );
  }
  if (step.handle_chinese_chars !== false) steps.push(spaceChinese);
  if (step.strip_accents ?? lower) {
    steps.push((source) => normalizeUnicode(source, 'NFD'));
    steps.push((source) =>
      mapCharacters(source, (character) => (/\p{Mn}/u.test(character) ? '' : character)),
    );
  }
  if (lower) steps.push(lowercase);
  return (source) => steps.reduce((text, apply) => apply(text), source);
}

function spaceChinese(source: AlignedText): AlignedText {
  if (!chinese.test(source.text)) return source;
  const writer = new AlignedWriter();
  let i = 0;
  for (const character of source.text) {
    const to = i + character.length;
    const apart = chinese.test(character);
    if (apart) writer.write(' ', placeStart(source, i), placeStart(source, i));
    writer.copy(source, i, to);
    if (apart) writer.write(' ', placeEnd(source, to), placeEnd(source, to));
    i = to;
  }
  return writer.done();
}
