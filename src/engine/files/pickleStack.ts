/** The stack on which a pickle builds its values: lists in Python's sense, with marks where containers begin. */

/**
 * What a pickle can hold here: plain values; lists and tuples as arrays; dictionaries as Maps, so that no key can reach a
 * prototype; bytes; and objects that a vocabulary built.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | Set<PickleValue>
  | object;

/** Values and marks waiting at once; only hostile pickles pile them up. */
const maxMarks = 100_000;

type Fault = (expected: string, found: unknown) => Error;

export class PickleStack {
  #values: PickleValue[] = [];
  readonly #below: PickleValue[][] = [];
  readonly #fault: Fault;

  /** `fault` makes the error for a pickle that does not fit itself. */
  constructor(fault: Fault) {
    this.#fault = fault;
  }

  push(value: PickleValue): void {
    this.#values.push(value);
  }

  top(): PickleValue {
    if (this.#values.length === 0) throw this.#fault('a value on the stack', 'an empty stack');
    return this.#values.at(-1)!;
  }

  pop(): PickleValue {
    const value = this.top();
    this.#values.pop();
    return value;
  }

  /** The last `count` values, in the order in which they were pushed. */
  popMany(count: number): PickleValue[] {
    if (this.#values.length < count) throw this.#fault(`${count} values on the stack`, this.#values.length);
    return this.#values.splice(this.#values.length - count, count);
  }

  mark(): void {
    if (this.#below.length === maxMarks) throw this.#fault(`at most ${maxMarks} marks`, 'more');
    this.#below.push(this.#values);
    this.#values = [];
  }

  /** All values behind the last mark, and the mark. */
  popMark(): PickleValue[] {
    const below = this.#below.pop();
    if (!below) throw this.#fault('a mark on the stack', 'none');
    const values = this.#values;
    this.#values = below;
    return values;
  }

  /** Drops one value, or the mark when no value lies behind it. */
  discard(): void {
    if (this.#values.length === 0 && this.#below.length > 0) this.popMark();
    else this.pop();
  }

  /** Appends to the list on top. */
  append(items: readonly PickleValue[]): void {
    const list = this.top();
    if (!Array.isArray(list)) throw this.#fault('a list to append to', 'something else');
    for (const item of items) list.push(item);
  }

  /** Adds to the set on top. */
  addItems(items: readonly PickleValue[]): void {
    const set = this.top();
    if (!(set instanceof Set)) throw this.#fault('a set to add to', 'something else');
    for (const item of items) set.add(item);
  }

  pushDictionary(pairs: readonly PickleValue[]): void {
    this.push(new Map());
    this.setItems(pairs);
  }

  /** Sets keys and values, alternating in `pairs`, in the dictionary on top. */
  setItems(pairs: readonly PickleValue[]): void {
    const target = this.top();
    if (!(target instanceof Map)) throw this.#fault('a dictionary to set items of', 'something else');
    if (pairs.length % 2 !== 0) throw this.#fault('pairs of keys and values', `${pairs.length} values`);
    for (let i = 0; i < pairs.length; i += 2) {
      const key = pairs[i]!;
      if (key !== null && typeof key === 'object' && !Array.isArray(key)) {
        throw this.#fault('a text or number as key', 'an object');
      }
      target.set(key, pairs[i + 1]!);
    }
  }
}
