/** Text that may stand in XML: in pictures that are saved as SVG. Pure. */

/** Markup escaped, characters that XML forbids left out. */
export function escapeXml(text: string): string {
  return allowedInXml(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

function allowedInXml(text: string): string {
  let out = '';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    const surrogate = code >= 0xd800 && code <= 0xdfff;
    if (code >= 0x20 && !surrogate && code !== 0xfffe && code !== 0xffff) out += character;
  }
  return out;
}
