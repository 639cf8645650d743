/** Full-text search over labels, by SQLite in memory. */

import type { Database } from 'node-sqlite3-wasm';
import type { FeatureLabel } from '../../shared/labelApi.ts';

/** Words that name the kind of thing sought rather than the thing: "features about months". */
const opening =
  /^\s*(?:(?:all|the|which|show|find)\s+)*(?:features?|labels?)?\s*(?:about|on|for|of|that\s+\w+)?\s+/iu;

const maxWords = 32;

interface Row {
  readonly source: string;
  readonly feature: number;
  readonly text: string;
  readonly origin: string;
}

/**
 * An index of labels in groups; a group is what comes and goes as one (a source, the user's labels). Words are
 * compared by their stems, without regard to case and accents.
 */
export class LabelSearch {
  private readonly groups = new Set<string>();

  private constructor(private readonly database: Database) {
    database.exec(
      `CREATE VIRTUAL TABLE label USING fts5(
         text, origin UNINDEXED, source UNINDEXED, feature UNINDEXED, kept UNINDEXED,
         tokenize = 'porter unicode61 remove_diacritics 2')`,
    );
  }

  /** The library is loaded when somebody searches for the first time. */
  static async open(): Promise<LabelSearch> {
    const library = await import('node-sqlite3-wasm');
    return new LabelSearch(new library.default.Database(':memory:'));
  }

  has(group: string): boolean {
    return this.groups.has(group);
  }

  /** Puts labels in; those the group held before are dropped. */
  replace(group: string, labels: Iterable<FeatureLabel>): void {
    this.database.exec('BEGIN');
    const insert = this.database.prepare(
      'INSERT INTO label (text, origin, source, feature, kept) VALUES (?, ?, ?, ?, ?)',
    );
    try {
      this.drop(group);
      for (const { source, index, text, origin } of labels) insert.run([text, origin, source, index, group]);
      this.groups.add(group);
    } finally {
      insert.finalize();
      this.database.exec('COMMIT');
    }
  }

  /** Forgets a group. */
  drop(group: string): void {
    if (!this.groups.delete(group)) return;
    this.database.run('DELETE FROM label WHERE kept = ?', group);
  }

  /** Labels with all words of `text` (as beginnings of words), or else with any of them; best first. */
  find(text: string, limit: number): FeatureLabel[] {
    const words = wordsOf(text);
    if (words.length === 0) return [];
    const all = this.match(words.join(' AND '), limit);
    return all.length > 0 || words.length === 1 ? all : this.match(words.join(' OR '), limit);
  }

  close(): void {
    this.database.close();
  }

  private match(query: string, limit: number): FeatureLabel[] {
    const rows = this.database.all(
      'SELECT source, feature, text, origin FROM label WHERE label MATCH ? ORDER BY rank, rowid LIMIT ?',
      [query, limit],
    ) as unknown as Row[];
    return rows.map(({ source, feature, text, origin }) => ({ source, index: feature, text, origin }));
  }
}

/** Words as FTS5 wants them: quoted, so that nothing the user types is an operator of the query language. */
function wordsOf(text: string): string[] {
  const plain = text.replace(opening, '');
  const words = (plain.trim() === '' ? text : plain).match(/[\p{L}\p{N}\p{M}]+/gu) ?? [];
  return words.slice(0, maxWords).map((word) => `"${word}" *`);
}
