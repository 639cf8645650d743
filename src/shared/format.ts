/** Numbers and tokens as people read them. Used by every surface, so that the same value looks the same everywhere. */

/** A number with three significant digits, without exponents for everyday sizes: `12.3`, `0.042`, `1.2e-5`. */
export function formatNumber(value: number): string {
  if (Number.isNaN(value)) return '–';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  if (value === 0) return '0';
  const size = Math.abs(value);
  const digits = size >= 1000 || size < 1e-3 ? value.toPrecision(2) : value.toPrecision(3);
  const plain = size >= 1000 && size < 1e6 ? Math.round(value).toLocaleString('en-US') : digits;
  return plain.replace('-', '−').replace('e−', 'e-');
}

/** A probability as a percentage: `97 %`, `3.1 %`, `0.02 %`, `< 0.01 %`. */
export function formatProbability(value: number): string {
  if (Number.isNaN(value)) return '–';
  const percent = value * 100;
  if (percent >= 99.95) return '100 %';
  if (percent >= 10) return `${percent.toFixed(0)} %`;
  if (percent >= 1) return `${percent.toFixed(1)} %`;
  return percent >= 0.01 ? `${percent.toFixed(2)} %` : '< 0.01 %';
}

/** A signed number, with its sign always shown: `+1.23`, `−0.4`. */
export function formatSigned(value: number): string {
  const text = formatNumber(value);
  return value > 0 ? `+${text}` : text;
}

/** Milliseconds as people read them: `0.4 ms`, `38 ms`, `1.2 s`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

/** Bytes as people read them: `12 MB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let size = bytes;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit++;
  }
  return `${size >= 10 || unit === 0 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`;
}

/** Characters that would be invisible or would break a line, and the sign that stands for each. */
const visible: Readonly<Record<string, string>> = {
  ' ': '·',
  '\n': '↵',
  '\r': '␍',
  '\t': '⇥',
  '\u00a0': '⍽',
  '\u200b': '‹ZWSP›',
  '\u200d': '‹ZWJ›',
  '\ufeff': '‹BOM›',
};

/**
 * A token's text with invisible characters made visible. Direction overrides and control characters
 * become code points, since they could disguise the text around them.
 */
export function formatToken(text: string): string {
  let out = '';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    const known = visible[character];
    if (known) out += known;
    else if (code < 0x20 || (code >= 0x7f && code < 0xa0) || isDirectional(code) || isSurrogate(code)) {
      out += `‹${code.toString(16).toUpperCase().padStart(4, '0')}›`;
    } else out += character;
  }
  return out;
}

/** A token between quotes for running text, with a leading space kept as a space: `" Paris"`. */
export function quoteToken(text: string): string {
  const inner = formatToken(text).replace(/^·/, ' ');
  return `"${inner}"`;
}

function isDirectional(code: number): boolean {
  return (
    (code >= 0x202a && code <= 0x202e) ||
    (code >= 0x2066 && code <= 0x2069) ||
    code === 0x200e ||
    code === 0x200f
  );
}

function isSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdfff;
}

/** `layer.head`, as the field writes heads: `9.6`. */
export function formatHead(layer: number, head: number): string {
  return `${layer}.${head}`;
}
