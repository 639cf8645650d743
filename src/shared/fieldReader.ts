/** Reads JSON of hostile origin field by field: every value is checked, and a fault names the file and the field. */

import { EngineError } from './errors.ts';
import { jsonErrorPlace } from './jsonErrorPlace.ts';

/** The bounds of a number. */
export interface Range {
  readonly min?: number;
  readonly max?: number;
}

/** Texts in a file are at most so long, unless a reader says otherwise. */
const maxText = 10_000;

/** One value of a file, and where in the file it is. */
export class FieldReader {
  constructor(
    /** The file, for messages. */
    readonly path: string,
    /** Such as `nodes[3].layer`; empty for the whole content. */
    readonly field: string,
    readonly value: unknown,
  ) {}

  /** The content of a file that should be JSON. @throws file.malformed */
  static parse(path: string, text: string): FieldReader {
    try {
      return new FieldReader(path, '', JSON.parse(text));
    } catch (error) {
      const found = describeParseError(error, text);
      throw new EngineError('file.malformed', { path, field: 'the content', expected: 'JSON', found });
    }
  }

  /** Whether the object has the key, with a value that is not null. */
  has(key: string): boolean {
    return isRecord(this.value) && Object.hasOwn(this.value, key) && this.value[key] != null;
  }

  /** The value of a key, which is undefined when the object has none. @throws file.malformed for what is no object */
  get(key: string): FieldReader {
    const record = this.record();
    const value = Object.hasOwn(record, key) ? record[key] : undefined;
    return new FieldReader(this.path, this.field === '' ? key : `${this.field}.${key}`, value);
  }

  /** What `read` makes of the key's value; undefined when it is absent or null. */
  maybe<T>(key: string, read: (value: FieldReader) => T): T | undefined {
    return this.has(key) ? read(this.get(key)) : undefined;
  }

  /** The keys' values, in the object's order. */
  entries(most: number): (readonly [string, FieldReader])[] {
    const record = this.record();
    const keys = Object.keys(record);
    if (keys.length > most) throw this.fault(`at most ${most} keys`, `${keys.length} keys`);
    return keys.map((key) => [
      key,
      new FieldReader(this.path, `${this.field}[${JSON.stringify(shorten(key))}]`, record[key]),
    ]);
  }

  /** What `read` makes of every item. */
  list<T>(most: number, read: (item: FieldReader, index: number) => T): T[] {
    const { value } = this;
    if (!Array.isArray(value)) throw this.fault('a list');
    if (value.length > most) throw this.fault(`at most ${most} items`, `${value.length} items`);
    return value.map((item: unknown, i) => read(new FieldReader(this.path, `${this.field}[${i}]`, item), i));
  }

  text(most = maxText): string {
    const { value } = this;
    if (typeof value !== 'string') throw this.fault('a text');
    if (value.length > most) throw this.fault(`at most ${most} characters`, `${value.length} characters`);
    return value;
  }

  flag(): boolean {
    if (typeof this.value !== 'boolean') throw this.fault('true or false');
    return this.value;
  }

  number({ min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY }: Range = {}): number {
    const { value } = this;
    if (typeof value !== 'number' || !Number.isFinite(value)) throw this.fault('a number');
    if (value < min || value > max) throw this.fault(rangeWords('a number', min, max));
    return value;
  }

  /** A measured number; files write `null` where there is none, which is read as NaN. */
  measure(): number {
    return this.value === null ? Number.NaN : this.number();
  }

  /** A whole number, at least 0 unless said otherwise. */
  count({ min = 0, max = Number.MAX_SAFE_INTEGER }: Range = {}): number {
    const { value } = this;
    if (!Number.isSafeInteger(value)) throw this.fault('a whole number');
    const number = value as number;
    if (number < min || number > max) throw this.fault(rangeWords('a whole number', min, max));
    return number;
  }

  oneOf<const T extends string | number | boolean>(allowed: readonly T[]): T {
    const found = allowed.find((one) => one === this.value);
    if (found === undefined) throw this.fault(allowed.map((one) => JSON.stringify(one)).join(' or '));
    return found;
  }

  /** The error that says what should have been here. */
  fault(expected: string, found: unknown = describe(this.value)): EngineError<'file.malformed'> {
    const field = this.field === '' ? 'the content' : shorten(this.field);
    return new EngineError('file.malformed', { path: this.path, field, expected, found: String(found) });
  }

  private record(): Readonly<Record<string, unknown>> {
    if (!isRecord(this.value)) throw this.fault('an object');
    return this.value;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function rangeWords(what: string, min: number, max: number): string {
  if (max === Number.POSITIVE_INFINITY || max === Number.MAX_SAFE_INTEGER)
    return `${what} of at least ${min}`;
  return min === Number.NEGATIVE_INFINITY ? `${what} of at most ${max}` : `${what} from ${min} to ${max}`;
}

/** A value as a message shows it. */
function describe(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'string') return shorten(JSON.stringify(value));
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return value !== null && typeof value === 'object' ? 'an object' : String(value);
}

/** At most 80 characters, without control characters: a hostile file cannot flood a message. */
function shorten(text: string): string {
  const plain = text.replace(/[\p{Cc}\u2028\u2029]/gu, ' ');
  return plain.length <= 80 ? plain : `${plain.slice(0, 79).replace(/[\ud800-\udbff]$/, '')}…`;
}

/** What is wrong, and where: engines of JavaScript tell the place in different ways, or not at all. */
function describeParseError(error: unknown, text: string): string {
  const message = error instanceof Error ? error.message : String(error);
  const what = shorten(message.replace(/(?: in JSON)? at position \d+(?: \(line \d+ column \d+\))?$/, ''));
  const place = jsonErrorPlace(text);
  return place ? `not: ${what}, at line ${place.line}, column ${place.column}` : `not: ${what}`;
}
