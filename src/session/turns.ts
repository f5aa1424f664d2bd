/**
 * Turns of one runtime: an event from outside and all that it leads to, in whichever sessions. What they send is written at
 * the end of the outermost turn, one write each: a broadcast of a thousand lines to ten members is ten writes, not ten thousand.
 */

/** A session that has something to write. */
export interface Writer {
  writeOutput(): void;
}

export class Turns {
  #depth = 0;
  #writers = new Set<Writer>();

  /** @param work must not throw */
  run(work: () => void): void {
    this.#depth += 1;
    try {
      work();
      // Writing may congest an output, and a chart that is told so may send again.
      while (this.#depth === 1 && this.#writers.size > 0) this.#write();
    } finally {
      this.#depth -= 1;
    }
  }

  writeLater(writer: Writer): void {
    this.#writers.add(writer);
  }

  #write(): void {
    const writers = this.#writers;
    this.#writers = new Set();
    for (const writer of writers) writer.writeOutput();
  }
}
