/** Keeps compiled programs for reuse, and frees the ones that were not used for longest. */
import type { CompiledProgram } from '../graph/session.ts';

interface Entry {
  readonly program: Promise<CompiledProgram>;
  users: number;
  evicted: boolean;
}

/** Compiled programs by key. A program is freed only when nobody is running it. */
export class ProgramCache {
  readonly #capacity: number;
  /** In order of use, oldest first. */
  readonly #entries = new Map<string, Entry>();
  #closed = false;

  /** `capacity` is the number of programs that stay compiled. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Hands the program of `key` to `use`; `build` compiles it when it is not there. */
  async use<T>(
    key: string,
    build: () => Promise<CompiledProgram>,
    use: (program: CompiledProgram) => Promise<T>,
  ): Promise<T> {
    const entry = this.#enter(key, build);
    entry.users++;
    try {
      return await use(await entry.program);
    } finally {
      entry.users--;
      if (entry.evicted && entry.users === 0) await free(entry);
    }
  }

  /** Frees every program; those in use are freed when their run ends. */
  async release(): Promise<void> {
    this.#closed = true;
    const entries = [...this.#entries.keys()];
    await Promise.all(entries.map((key) => this.#evict(key)));
  }

  #enter(key: string, build: () => Promise<CompiledProgram>): Entry {
    if (this.#closed) throw new Error('The model has been released.');
    const known = this.#entries.get(key);
    if (known) {
      this.#entries.delete(key);
      this.#entries.set(key, known);
      return known;
    }
    const entry: Entry = { program: build(), users: 0, evicted: false };
    this.#entries.set(key, entry);
    // A program that cannot be compiled now may compile later, when its file is back.
    entry.program.catch(() => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
    });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > this.#capacity && oldest !== undefined) void this.#evict(oldest);
    return entry;
  }

  async #evict(key: string): Promise<void> {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    entry.evicted = true;
    if (entry.users === 0) await free(entry);
  }
}

/** A program that failed to compile holds nothing to free. */
async function free(entry: Entry): Promise<void> {
  const program = await entry.program.catch(() => undefined);
  await program?.release();
}
