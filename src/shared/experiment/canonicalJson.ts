/**
 * JSON whose text depends on its content alone, so that version control and an editor's comparison show what changed:
 * fields in the order they are given, two spaces, lists of plain values and small objects of them on a line of their own.
 */

/** What JSON can say. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

/** Characters of an object that stands on one line. */
const widest = 160;

/** The text of `value`, with a line break at its end. */
export function canonicalJson(value: JsonValue): string {
  return `${write(value, '')}\n`;
}

function write(value: JsonValue, indent: string): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const parts = isList(value)
    ? value.map((inner) => write(inner, `${indent}  `))
    : Object.entries(value).map(([name, inner]) => `${JSON.stringify(name)}: ${write(inner, `${indent}  `)}`);
  const [open, close] = isList(value) ? '[]' : '{}';
  if (parts.length === 0) return `${open}${close}`;
  if (isFlat(value)) {
    const line = isList(value) ? `[${parts.join(', ')}]` : `{ ${parts.join(', ')} }`;
    if (isList(value) || line.length <= widest) return line;
  }
  return `${open}\n${parts.map((part) => `${indent}  ${part}`).join(',\n')}\n${indent}${close}`;
}

/** A list of plain values; an object of these and of such lists. */
function isFlat(value: readonly JsonValue[] | { readonly [name: string]: JsonValue }): boolean {
  const isPlain = (inner: JsonValue): boolean => typeof inner !== 'object' || inner === null;
  if (isList(value)) return value.every(isPlain);
  return Object.values(value).every((inner) => isPlain(inner) || (isList(inner) && inner.every(isPlain)));
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/**
 * `value` as JSON: typed arrays as lists, numbers to six significant digits and to 1e-9, numbers that JSON lacks as null,
 * undefined fields left out.
 */
export function toJson(value: unknown): JsonValue {
  if (typeof value === 'number') return Number.isFinite(value) ? rounded(value) : null;
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (value === null || value === undefined) return null;
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number>, toJson);
  if (Array.isArray(value)) return value.map(toJson);
  const fields = Object.entries(value as object).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(fields.map(([name, inner]) => [name, toJson(inner)]));
}

/** Six significant digits (whole numbers stay), nothing below 1e-9: 32-bit runs agree in no more. */
export function rounded(value: number): number {
  if (Number.isInteger(value)) return value;
  const text = Number(value.toPrecision(6));
  return Math.abs(text) < 1e-9 ? 0 : text;
}

/** Five decimals, for what is told on a scale from 0 to 1. */
export function roundedShare(value: number): number | null {
  return Number.isFinite(value) ? Math.round(value * 1e5) / 1e5 + 0 : null;
}
