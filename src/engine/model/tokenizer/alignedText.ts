/** A text on its way through a tokenizer, which remembers what part of the original text every unit of it stands for. */
import { EngineError } from '../../../shared/errors.ts';

/**
 * `text`, whose unit i stands for `[origin + i, origin + i + 1)` of the original text; or, with `places`, for
 * `[places.starts[origin + i], places.ends[origin + i])`. All positions are UTF-16 offsets.
 */
export interface AlignedText {
  readonly text: string;
  readonly origin: number;
  readonly places?: Places;
}

/** `[unit]`: where the original of a unit starts and ends. Neither ever decreases. */
export interface Places {
  readonly starts: ArrayLike<number>;
  readonly ends: ArrayLike<number>;
}

/** Where unit `i` of the text starts in the original; for the text's length, where the last unit ends. */
export function placeStart({ text, origin, places }: AlignedText, i: number): number {
  if (!places) return origin + i;
  if (i < text.length) return places.starts[origin + i]!;
  return text.length > 0 ? places.ends[origin + text.length - 1]! : 0;
}

/** Where unit `i − 1` of the text, the last one before `i`, ends in the original. */
export function placeEnd(aligned: AlignedText, i: number): number {
  if (!aligned.places) return aligned.origin + i;
  return i > 0 ? aligned.places.ends[aligned.origin + i - 1]! : placeStart(aligned, 0);
}

/** Units `[from, to)` of a text. */
export function sliceAligned({ text, origin, places }: AlignedText, from: number, to: number): AlignedText {
  return { text: text.slice(from, to), origin: origin + from, places };
}

/** A text may grow while it is normalized, but not without end: what makes it grow comes from a file. */
const maxUnits = 8_000_000;

/** Writes an aligned text piece by piece. */
export class AlignedWriter {
  readonly #parts: string[] = [];
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  /** Appends `text`, every unit of which stands for `[start, end)`. @throws request.invalid when the text gets too long. */
  write(text: string, start: number, end: number): void {
    if (this.#starts.length + text.length > maxUnits) {
      const reason = `its tokenizer makes it longer than ${maxUnits} characters`;
      throw new EngineError('request.invalid', { what: 'The text', reason });
    }
    this.#parts.push(text);
    for (let i = 0; i < text.length; i++) {
      this.#starts.push(start);
      this.#ends.push(end);
    }
  }

  /** Appends units `[from, to)` of `source`, which keep their places. */
  copy(source: AlignedText, from: number, to: number): void {
    for (let i = from; i < to; i++)
      this.write(source.text[i]!, placeStart(source, i), placeEnd(source, i + 1));
  }

  /** Lets the last unit also stand for the text up to `end`, which was left out. */
  extend(end: number): void {
    const last = this.#ends.length - 1;
    if (last >= 0) this.#ends[last] = Math.max(this.#ends[last]!, end);
  }

  done(): AlignedText {
    return { text: this.#parts.join(''), origin: 0, places: { starts: this.#starts, ends: this.#ends } };
  }
}

/** Puts `prefix` before a text; it stands for no text of its own. */
export function prefixed(source: AlignedText, prefix: string): AlignedText {
  const writer = new AlignedWriter();
  const start = placeStart(source, 0);
  writer.write(prefix, start, start);
  writer.copy(source, 0, source.text.length);
  return writer.done();
}

/** Replaces every character by what `change` makes of it; a mark that is left out counts to the character before it. */
export function mapCharacters(source: AlignedText, change: (character: string) => string): AlignedText {
  const writer = new AlignedWriter();
  let i = 0;
  let same = true;
  for (const character of source.text) {
    const out = change(character);
    const [start, end] = [placeStart(source, i), placeEnd(source, i + character.length)];
    i += character.length;
    if (out !== character) same = false;
    if (out === character && character.length > 1) writer.copy(source, i - character.length, i);
    else if (out !== '') writer.write(out, start, end);
    else if (/\p{M}/u.test(character)) writer.extend(end);
  }
  return same ? source : writer.done();
}
