/** What the sender may know of the receiver, and from when on: acknowledgements and window updates under way. */

interface Credit {
  readonly dueMs: number;
  arrivedBytes: number;
  readBytes: number;
}

export class Credits {
  /** Acknowledged: it takes no room in the send buffer any more. */
  arrivedBytes = 0;
  /** Read by the peer's process, so that the window moved on. */
  readBytes = 0;
  /** When the sender last heard of it. */
  knownMs = -Infinity;
  /** An acknowledgement got lost: it is repeated when the path works again. */
  lost = false;
  #coming: Credit[] = [];

  /** @returns when the next one comes; `undefined` when none is under way. */
  get nextMs(): number | undefined {
    return this.#coming[0]?.dueMs;
  }

  add(dueMs: number, arrivedBytes: number, readBytes: number): void {
    const last = this.#coming.at(-1);
    if (last === undefined || last.dueMs < dueMs) {
      this.#coming.push({ dueMs, arrivedBytes, readBytes });
    } else {
      last.arrivedBytes = arrivedBytes;
      last.readBytes = readBytes;
    }
  }

  /** Takes in what has come by `nowMs`. */
  settle(nowMs: number): void {
    const coming = this.#coming;
    let count = 0;
    while (count < coming.length && coming[count]!.dueMs <= nowMs) count += 1;
    if (count === 0) return;
    const { dueMs, arrivedBytes, readBytes } = coming[count - 1]!;
    this.arrivedBytes = arrivedBytes;
    this.readBytes = readBytes;
    this.knownMs = dueMs;
    if (count === coming.length) coming.length = 0;
    else coming.splice(0, count);
  }

  /** The path back is cut. */
  lose(): void {
    if (this.#coming.length > 0) this.lost = true;
    this.#coming.length = 0;
  }
}
