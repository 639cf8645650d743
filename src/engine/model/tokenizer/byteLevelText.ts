/** Texts in the byte-level alphabet, with the places of the characters whose bytes they are. */
import { locateBytes, toByteCharacters } from '../byteLevel.ts';
import { type AlignedText, AlignedWriter, placeEnd, placeStart } from './alignedText.ts';

/** `source` with every byte of its UTF-8 as a character; all bytes of a character have its place. */
export function toByteLevel(source: AlignedText): AlignedText {
  const writer = new AlignedWriter();
  const { starts, ends } = locateBytes(source.text);
  const characters = toByteCharacters(source.text);
  for (let i = 0; i < characters.length; i++)
    writer.write(characters[i]!, placeStart(source, starts[i]!), placeEnd(source, ends[i]!));
  return writer.done();
}
