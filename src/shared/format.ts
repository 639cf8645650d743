/** Numbers and tokens as people read them. Used by every surface, so that the same value looks the same everywhere. */

/** A number with up to three significant digits, without exponents for everyday sizes: `12.3`, `0.042`, `1,235`, `1.2e-5`. */
export function formatNumber(value: number): string {
  // JSON, through which views are told, has null for what is no number.
  if (Number.isNaN(value ?? Number.NaN)) return '–';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  if (value === 0) return '0';
  const size = Math.abs(value);
  return (value < 0 ? '−' : '') + formatSize(size);
}

function formatSize(size: number): string {
  if (size < 1e-4 || size >= 999_999.5) {
    return size.toExponential(1).replace('.0e', 'e').replace('e+', 'e');
  }
  if (size >= 999.5) return Math.round(size).toLocaleString('en-US');
  return String(Number(size.toPrecision(size < 1e-3 ? 2 : 3)));
}

/** A probability as a percentage: `97 %`, `3.1 %`, `0.02 %`, `< 0.01 %`; `100 %` only when nothing visible is missing. */
export function formatProbability(value: number): string {
  if (Number.isNaN(value)) return '–';
  const percent = value * 100;
  if (percent >= 99.95) return '100 %';
  if (percent >= 99.5) return `${percent.toFixed(1)} %`;
  if (percent >= 9.95) return `${percent.toFixed(0)} %`;
  if (percent >= 0.995) return `${percent.toFixed(1)} %`;
  return percent >= 0.01 ? `${percent.toFixed(2)} %` : '< 0.01 %';
}

/** A signed number, with its sign always shown: `+1.23`, `−0.4`. */
export function formatSigned(value: number): string {
  const text = formatNumber(value);
  return value > 0 ? `+${text}` : text;
}

/** Milliseconds as people read them: `0.4 ms`, `38 ms`, `1.2 s`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 9.95) return `${milliseconds.toFixed(1)} ms`;
  return milliseconds < 999.5 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

/** Bytes in decimal units, as disks and the hub count them: `712 B`, `4.1 MB`, `269 MB`, `1.3 GB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 || value >= 9.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit]}`;
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

/** Control and format characters (direction overrides among them), lone surrogates, and separators of every kind. */
const unseen = /[\p{Cc}\p{Cf}\p{Cs}\p{Z}]/u;

/**
 * A token's text with invisible characters made visible. Direction overrides and control characters
 * become code points, since they could disguise the text around them.
 */
export function formatToken(text: string): string {
  let out = '';
  for (const character of text) {
    const known = visible[character];
    if (known) out += known;
    else if (unseen.test(character)) {
      const code = character.codePointAt(0) ?? 0;
      out += `‹${code.toString(16).toUpperCase().padStart(4, '0')}›`;
    } else out += character;
  }
  return out;
}

/** Text of a file as one line that cannot disguise itself: as `formatToken`, with plain spaces kept. */
export function formatText(text: string): string {
  return text.split(' ').map(formatToken).join(' ');
}

/** A token between quotes for running text, with a leading space kept as a space: `" Paris"`. */
export function quoteToken(text: string): string {
  const inner = formatToken(text).replace(/^·/, ' ');
  return `"${inner}"`;
}

/** `layer.head`, as the field writes heads: `9.6`. */
export function formatHead(layer: number, head: number): string {
  return `${layer}.${head}`;
}
