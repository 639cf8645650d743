/** Where the values of a JSON text stand, also while it is being written and not whole yet. */

/** One value. Offsets are UTF-16, the end exclusive, quotes and brackets included. */
export interface JsonPlace {
  /** Keys and places from the root. */
  readonly path: readonly (string | number)[];
  readonly start: number;
  readonly end: number;
}

/** Values in values at most: what lies deeper is passed over. */
const deepest = 64;

/** All values, outer ones behind inner ones. */
export function jsonPlaces(text: string): readonly JsonPlace[] {
  const found: JsonPlace[] = [];
  new Scanner(text, found).value([]);
  return found;
}

/** The value of `path`, or that of the nearest one that encloses it. */
export function placeOf(text: string, path: readonly (string | number)[]): JsonPlace | undefined {
  const places = new Map(jsonPlaces(text).map((place) => [JSON.stringify(place.path), place]));
  for (let length = path.length; length >= 0; length--) {
    const place = places.get(JSON.stringify(path.slice(0, length)));
    if (place) return place;
  }
  return undefined;
}

/** The text in quotes that `offset` is in, quotes included; nothing in a key. */
export function textAt(text: string, offset: number): JsonPlace | undefined {
  return jsonPlaces(text).find(
    ({ start, end }) =>
      text[start] === '"' && start < offset && (offset < end || isOpen(text, start, end, offset)),
  );
}

/** A text that lacks its closing quote goes on behind its last character. */
function isOpen(text: string, start: number, end: number, offset: number): boolean {
  return offset === end && (end - start < 2 || text[end - 1] !== '"');
}

class Scanner {
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly found: JsonPlace[],
  ) {}

  value(path: readonly (string | number)[]): void {
    this.blanks();
    const start = this.at;
    const character = this.text[start];
    if (character === '{' && path.length < deepest) this.fields(path);
    else if (character === '[' && path.length < deepest) this.items(path);
    else if (character === '"') this.quoted();
    else this.word();
    if (this.at > start) this.found.push({ path, start, end: this.at });
  }

  private fields(path: readonly (string | number)[]): void {
    this.at++;
    for (this.gap(); this.at < this.text.length && this.text[this.at] !== '}'; this.gap()) {
      if (this.text[this.at] !== '"') {
        this.at++;
        continue;
      }
      const key = this.quoted();
      this.blanks();
      if (this.text[this.at] !== ':') continue;
      this.at++;
      this.value([...path, key]);
    }
    this.at = Math.min(this.at + 1, this.text.length);
  }

  private items(path: readonly (string | number)[]): void {
    this.at++;
    let index = 0;
    for (this.gap(); this.at < this.text.length && this.text[this.at] !== ']'; this.gap()) {
      const before = this.at;
      this.value([...path, index++]);
      if (this.at === before) this.at++;
    }
    this.at = Math.min(this.at + 1, this.text.length);
  }

  /** A text in quotes; one that is not closed ends with its line. */
  private quoted(): string {
    const start = this.at++;
    while (this.at < this.text.length && this.text[this.at] !== '"' && this.text[this.at] !== '\n') {
      this.at += this.text[this.at] === '\\' ? 2 : 1;
    }
    this.at = Math.min(this.text[this.at] === '"' ? this.at + 1 : this.at, this.text.length);
    return read(this.text.slice(start, this.at));
  }

  private word(): void {
    while (this.at < this.text.length && !/[\s,:{}[\]"]/.test(this.text[this.at]!)) this.at++;
  }

  private blanks(): void {
    while (/\s/.test(this.text[this.at] ?? '')) this.at++;
  }

  private gap(): void {
    while (/[\s,]/.test(this.text[this.at] ?? '')) this.at++;
  }
}

function read(literal: string): string {
  try {
    return String(JSON.parse(literal));
  } catch {
    return literal.replaceAll('"', '');
  }
}
