/**
 * The one source of chance of a simulated network: mulberry32, 32 bits of state. It need not be good enough for anything but
 * making runs differ, and must be the same on every machine: integer arithmetic alone.
 */

export class Generator {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** @returns a number of at least 0 and below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let word = this.#state;
    word = Math.imul(word ^ (word >>> 15), word | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  }

  /** @returns an integer of at least 0 and below `count`. */
  below(count: number): number {
    return Math.floor(this.next() * count);
  }
}

/** A seed of its own for part `part` of what has `seed`: parts draw from apart, so that more draws in one change no other. */
export function seedOf(seed: number, part: number): number {
  // The high half of a seed beyond 32 bits counts too; the steps are those of MurmurHash3's finaliser.
  let word = (seed ^ Math.floor(seed / 2 ** 32) ^ Math.imul(part + 1, 0x9e3779b1)) >>> 0;
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return (word ^ (word >>> 16)) >>> 0;
}
