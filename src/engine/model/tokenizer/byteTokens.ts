/** SentencePiece's tokens for single bytes, written `<0xE2>`. */

const encoder = new TextEncoder();
const pattern = /^<0x([0-9A-F]{2})>$/;

/** The ids of the bytes of a text, or undefined when one of them has no token. */
export function byteTokens(
  ids: ReadonlyMap<string, number>,
): (text: string) => readonly number[] | undefined {
  const table = Array.from({ length: 256 }, (_, byte) =>
    ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
  );
  return (text) => {
    const found = Array.from(encoder.encode(text), (byte) => table[byte]);
    return found.every((id) => id !== undefined) ? found : undefined;
  };
}

/** The byte that a token is written for, if it is one of these. */
export function byteOfToken(token: string): number | undefined {
  const hex = pattern.exec(token)?.[1];
  return hex === undefined ? undefined : Number.parseInt(hex, 16);
}
