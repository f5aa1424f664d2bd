/** What happened in a world, a line each: the last of them to read, and a hash over all of them to compare two runs by. */
import { createHash } from 'node:crypto';

export class Trace {
  readonly #hash = createHash('sha256');
  readonly #linesMax: number;
  #lines: string[] = [];
  #count = 0;

  /** @param linesMax kept to be read, at least; twice as many at most. */
  constructor(linesMax: number) {
    this.#linesMax = linesMax;
  }

  add(line: string): void {
    this.#hash.update(line).update('\n');
    this.#count += 1;
    this.#lines.push(line);
    if (this.#lines.length > 2 * this.#linesMax) this.#lines = this.#lines.slice(-this.#linesMax);
  }

  /** Lines since the beginning, kept or not. */
  get count(): number {
    return this.#count;
  }

  /** The last lines, oldest first: at least `linesMax`, or all. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** SHA-256 of all lines so far, in hexadecimal: equal for two runs whose lines are equal to the byte. */
  get digest(): string {
    return this.#hash.copy().digest('hex');
  }

  /**
   * The last lines, for an error. @param session if it is about one: its lines and those of its connection alone, and the faults
   * @returns at most `linesMax` of those that are kept
   */
  tail(linesMax: number, session?: string): readonly string[] {
    const marks = session === undefined ? [] : this.#marksOf(session);
    const about =
      marks.length === 0
        ? this.#lines
        : this.#lines.filter((line) => marks.some((mark) => `${line} `.includes(mark)) || NEWS.test(line));
    return about.slice(-linesMax);
  }

  /** What its lines have in them, as far as the beginning of its connection is still kept. */
  #marksOf(session: string): readonly string[] {
    const made = this.#lines.findLast((line) => line.includes(` session ${session} of `));
    const address = made === undefined ? undefined : / of (\S+)/.exec(made)?.[1];
    if (address === undefined) return [];
    const syn = this.#lines.findLast((line) => line.includes(` > SYN ${address} `));
    const accept = this.#lines.findLast((line) => / ACCEPT \d+ /.test(line) && line.includes(` ${address} `));
    const connection = syn === undefined ? undefined : / (#\d+ )/.exec(syn)?.[1];
    const handle = accept === undefined ? undefined : / ACCEPT (\d+) /.exec(accept)?.[1];
    return [
      ` session ${session} `,
      ` ${address} `,
      ...(connection === undefined ? [] : [` ${connection}`]),
      ...(handle === undefined ? [] : [` acceptedClient ${handle} `]),
    ];
  }
}

/** Lines that say something of everybody. */
const NEWS = /^\S+ (fault|calm|BROKEN|error|change|stall|partition|heal) ?/;
