/** Unicode normalization that remembers which part of the text became which. */
import { type AlignedText, AlignedWriter, placeEnd, placeStart } from './alignedText.ts';

export type UnicodeForm = 'NFC' | 'NFD' | 'NFKC' | 'NFKD';

/**
 * What composes with the character before it although it is no mark: Hangul (conjoining, compatibility and half-width
 * letters) and the half-width voiced sound marks of Katakana.
 */
const clusters =
  /[\u1100-\u115f\uac00-\ud7a3][\u1160-\u11ff\p{M}]*|[\u1160-\u11ff\u3131-\u318e\ua960-\ua97c\ud7b0-\ud7fb\uffa0-\uffdc][\u1100-\u11ff\u3131-\u318e\ud7b0-\ud7fb\uffa0-\uffdc\p{M}]*|[\s\S][\p{M}\uff9e\uff9f]*/gu;

/**
 * `source` in a Unicode normalization form (UAX #15). Characters that change together, such as a letter and its
 * combining marks, share the place of all of them.
 */
export function normalizeUnicode(source: AlignedText, form: UnicodeForm): AlignedText {
  const { text } = source;
  const whole = text.normalize(form);
  if (whole === text) return source;
  const writer = new AlignedWriter();
  for (const [from, to] of independentParts(text, form, whole)) writePart(writer, source, from, to, form);
  return writer.done();
}

/** Parts of `text` that are normalized independently of each other. */
function independentParts(text: string, form: UnicodeForm, whole: string): [number, number][] {
  const parts: [number, number][] = [];
  for (const { index, 0: cluster } of text.matchAll(clusters)) parts.push([index, index + cluster.length]);
  const apart = (list: readonly [number, number][]): boolean =>
    list.map(([from, to]) => text.slice(from, to).normalize(form)).join('') === whole;
  // Should something compose across clusters nevertheless, it takes larger parts.
  let list = parts;
  while (list.length > 1 && !apart(list)) {
    list = list.flatMap(([from], i) => (i % 2 === 0 ? [[from, (list[i + 1] ?? list[i]!)[1]]] : []));
  }
  return list;
}

/** The changed middle of a part stands for the changed middle of what it was; its equal ends for themselves. */
function writePart(
  writer: AlignedWriter,
  source: AlignedText,
  from: number,
  to: number,
  form: UnicodeForm,
): void {
  const before = source.text.slice(from, to);
  const after = before.normalize(form);
  const same = Math.min(before.length, after.length);
  let head = 0;
  while (head < same && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < same - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  writer.copy(source, from, from + head);
  const changed = after.slice(head, after.length - tail);
  const [start, end] = [placeStart(source, from + head), placeEnd(source, to - tail)];
  if (changed === '') writer.extend(end);
  else writer.write(changed, start, Math.max(start, end));
  writer.copy(source, to - tail, to);
}
