/** One direction of a connection: what arrives is what was sent, in order, and never more. Holds only what is under way. */

export class StreamCheck {
  readonly #pieces: Uint8Array[] = [];
  /** Taken of the first piece. */
  #offset = 0;
  #first = 0;
  #pendingBytes = 0;
  #arrivedBytes = 0;

  /** Sent and not arrived. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** The bytes are read when they arrive: whoever changes them until then changes what is expected. */
  sent(bytes: Uint8Array): void {
    if (bytes.byteLength === 0) return;
    this.#pieces.push(bytes);
    this.#pendingBytes += bytes.byteLength;
  }

  /** @returns what is wrong with these bytes; `undefined` when they are the next ones. */
  arrived(bytes: Uint8Array): string | undefined {
    if (bytes.byteLength > this.#pendingBytes) {
      return `${bytes.byteLength} bytes arrive at byte ${this.#arrivedBytes}, and only ${this.#pendingBytes} are under way`;
    }
    for (let at = 0; at < bytes.byteLength;) {
      const piece = this.#pieces[this.#first]!;
      const length = Math.min(bytes.byteLength - at, piece.byteLength - this.#offset);
      for (let index = 0; index < length; index += 1) {
        if (bytes[at + index] === piece[this.#offset + index]) continue;
        return `byte ${this.#arrivedBytes + at + index} is ${bytes[at + index]}, and was sent as ${piece[this.#offset + index]}`;
      }
      at += length;
      this.#take(piece, length);
    }
    this.#arrivedBytes += bytes.byteLength;
    return undefined;
  }

  #take(piece: Uint8Array, length: number): void {
    this.#offset += length;
    this.#pendingBytes -= length;
    if (this.#offset < piece.byteLength) return;
    this.#offset = 0;
    this.#pieces[this.#first] = NOTHING;
    this.#first += 1;
    if (this.#first < 64 || this.#first * 2 < this.#pieces.length) return;
    this.#pieces.splice(0, this.#first);
    this.#first = 0;
  }
}

const NOTHING = new Uint8Array(0);
