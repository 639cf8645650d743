/** What an open file held when it was last read or written here, so that nothing is saved over what others wrote since. */

import { createHash } from 'node:crypto';

/** What to do about a file that is no longer as it was read. */
export type ConflictAnswer = 'overwrite' | 'revert' | 'compare' | undefined;

/** What saving needs of the outside. */
export interface SavePlaces {
  /** The bytes of the file now; undefined when it is gone. */
  read(): Promise<Uint8Array | undefined>;
  write(bytes: Uint8Array): Promise<void>;
  /** Asks the user, who sees that the file has changed. */
  ask(): Promise<ConflictAnswer>;
}

/** Remembers a file by a hash: times differ between copies of the same content and may not between two of others. */
export class DiskCopy {
  private writing = 0;

  /** `hash` is undefined as long as nobody knows what the file held. */
  constructor(private known: string | undefined) {}

  /** SHA-256 of what the file held. */
  get hash(): string | undefined {
    return this.known;
  }

  /** The file was read. */
  note(bytes: Uint8Array): void {
    this.known = hashOf(bytes);
  }

  /** Whether the file is as it was left here, or is being written here right now. */
  isOurs(bytes: Uint8Array): boolean {
    return this.writing > 0 || this.known === hashOf(bytes);
  }

  /** Writes, unless the file has changed and the user wants something else; answers what the user wants instead. */
  async save(bytes: Uint8Array, places: SavePlaces): Promise<'saved' | 'revert' | 'compare' | 'cancelled'> {
    const there = await places.read();
    if (there && this.known !== hashOf(there)) {
      const answer = await places.ask();
      if (answer !== 'overwrite') return answer ?? 'cancelled';
    }
    this.writing++;
    try {
      await places.write(bytes);
      this.known = hashOf(bytes);
    } finally {
      this.writing--;
    }
    return 'saved';
  }
}

/** SHA-256 in hexadecimal digits. */
export function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
