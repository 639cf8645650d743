/** Values as Python writes them. Nothing that a file says can end a literal, so it never becomes code. */

/** A plain value. */
export type PythonValue =
  | string
  | number
  | boolean
  | null
  | readonly PythonValue[]
  | { readonly [name: string]: PythonValue };

/** `value` as a Python expression. Texts hold printable ASCII only; all else is escaped, invisible characters too. */
export function pythonLiteral(value: PythonValue): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return pythonNumber(value);
  if (typeof value === 'string') return `"${Array.from(value, escapeCharacter).join('')}"`;
  if (isList(value)) return `[${value.map(pythonLiteral).join(', ')}]`;
  const fields = Object.entries(value).map(
    ([name, inner]) => `${pythonLiteral(name)}: ${pythonLiteral(inner)}`,
  );
  return `{${fields.join(', ')}}`;
}

function isList(value: PythonValue): value is readonly PythonValue[] {
  return Array.isArray(value);
}

function pythonNumber(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError('Python has no literal for this number.');
  return `${value}`;
}

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (character === '"' || character === '\\') return `\\${character}`;
  if (character === '\n') return '\\n';
  if (code >= 0x20 && code < 0x7f) return character;
  const digits = code.toString(16);
  if (code <= 0xff) return `\\x${digits.padStart(2, '0')}`;
  return code <= 0xffff ? `\\u${digits.padStart(4, '0')}` : `\\U${digits.padStart(8, '0')}`;
}
