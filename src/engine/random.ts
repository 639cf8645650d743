// The one source of randomness in the engine: a small seeded generator that gives the same numbers on every machine.
// It is passed in wherever something is drawn, so that every run can be repeated from its seed.

/** A seeded stream of random numbers. Drawing changes its state; `fork` does not. */
export interface Random {
  /** A number in [0, 1) with 32 random bits. */
  next(): number;
  /** A whole number in [0, n). @throws RangeError unless n is a whole number in 1 … 2^32. */
  int(n: number): number;
  /** One element of a list, all equally likely. @throws RangeError when the list is empty. */
  pick<T>(list: readonly T[]): T;
  /** A shuffled copy; the list itself is left alone. */
  shuffle<T>(list: readonly T[]): T[];
  /** A draw from the normal distribution with mean 0 and variance 1. */
  normal(): number;
  /**
   * An independent stream named by a label. It depends only on the seed this stream began with and on the label,
   * not on how much was drawn, so adding a draw in one place does not change another.
   */
  fork(label: string): Random;
  /** The state as four unsigned 32-bit words, to store with a checkpoint. */
  state(): readonly [number, number, number, number];
}

const TWO_TO_32 = 4294967296;

type State = [number, number, number, number];

/** A stream from a seed: any finite number or string. Equal seeds give equal streams. */
export function seededRandom(seed: number | string): Random {
  const hash = hashText(`${typeof seed}:${seed}`);
  return stream(stateFromHash(hash), hash);
}

/**
 * Continues a stream whose state was stored.
 *
 * Forks of a restored stream follow from the stored state, not from the first seed; fork before storing when both are needed.
 */
export function restoredRandom(state: readonly [number, number, number, number]): Random {
  const copy: State = [state[0] | 0, state[1] | 0, state[2] | 0, state[3] | 0];
  if (copy.every((word) => word === 0))
    throw new RangeError('A random state needs at least one word that is not zero.');
  return stream(copy, hashText(copy.join(',')));
}

function stream(state: State, hash: number): Random {
  const bits = () => xoshiro128starstar(state);
  const next = () => bits() / TWO_TO_32;
  const int = (n: number) => {
    if (!Number.isInteger(n) || n < 1 || n > TWO_TO_32)
      throw new RangeError(`int(n) needs a whole number from 1 to 2^32, not ${n}.`);
    // Rejecting the incomplete last block keeps every value exactly equally likely.
    const limit = TWO_TO_32 - (TWO_TO_32 % n);
    let drawn = bits();
    while (drawn >= limit) drawn = bits();
    return drawn % n;
  };
  return {
    next,
    int,
    pick: <T>(list: readonly T[]) => {
      if (list.length === 0) throw new RangeError('Cannot pick from an empty list.');
      return list[int(list.length)] as T;
    },
    shuffle: <T>(list: readonly T[]) => {
      const copy = [...list];
      for (let i = copy.length - 1; i > 0; i--) {
        const j = int(i + 1);
        const swap = copy[i] as T;
        copy[i] = copy[j] as T;
        copy[j] = swap;
      }
      return copy;
    },
    // Box–Muller; the second value is dropped so that the state alone describes the stream.
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    fork: (label) => {
      const forked = hashText(`${hash}/${label}`);
      return stream(stateFromHash(forked), forked);
    },
    state: () => [state[0] >>> 0, state[1] >>> 0, state[2] >>> 0, state[3] >>> 0],
  };
}

/** xoshiro128** 1.1 (Blackman and Vigna 2021): advances the state and returns 32 bits. */
function xoshiro128starstar(state: State): number {
  const result = Math.imul(rotateLeft(Math.imul(state[1], 5), 7), 9) >>> 0;
  const shifted = state[1] << 9;
  state[2] ^= state[0];
  state[3] ^= state[1];
  state[1] ^= state[2];
  state[0] ^= state[3];
  state[2] ^= shifted;
  state[3] = rotateLeft(state[3], 11);
  return result;
}

function rotateLeft(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}

/** Four words from one by a splitmix32 sequence, as the generator's authors advise for seeding. */
function stateFromHash(hash: number): State {
  let seed = hash | 0;
  const word = () => {
    seed = (seed + 0x9e3779b9) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return mixed ^ (mixed >>> 15);
  };
  return [word(), word(), word(), word()];
}

/** FNV-1a over UTF-16 units, finished by an avalanche step so that similar labels give unrelated hashes. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) | 0;
}
