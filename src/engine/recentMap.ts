/** A map that forgets what was not used for longest. */

/** How much a `RecentMap` keeps. The entry set last stays, however much it weighs. */
export interface RecentMapLimits<V> {
  readonly entries: number;
  /** Of all entries together, in the unit of `weigh`. */
  readonly weight: number;
  weigh(value: V): number;
}

/** Keeps the entries that were set or read last, within its limits. */
export class RecentMap<V> {
  private readonly entries = new Map<string, V>();

  constructor(private readonly limits: RecentMapLimits<V>) {}

  get(key: string): V | undefined {
    const value = this.entries.get(key);
    if (value !== undefined) this.set(key, value);
    return value;
  }

  set(key: string, value: V): void {
    this.entries.delete(key);
    this.entries.set(key, value);
    const { entries, weight, weigh } = this.limits;
    let total = 0;
    for (const kept of this.entries.values()) total += weigh(kept);
    for (const [oldest, kept] of this.entries) {
      const fits = this.entries.size <= entries && total <= weight;
      if (fits || this.entries.size === 1) return;
      this.entries.delete(oldest);
      total -= weigh(kept);
    }
  }

  /** All of them, without counting as read. */
  values(): IterableIterator<V> {
    return this.entries.values();
  }

  deleteWhere(test: (value: V) => boolean): void {
    for (const [key, value] of this.entries) if (test(value)) this.entries.delete(key);
  }
}
