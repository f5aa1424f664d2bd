/** Bytes in the order in which they came, in the pieces in which they came. Pieces are not copied unless several are taken as one. */
export class ByteList {
  #pieces: Uint8Array[] = [];
  /** The first piece that is left; those before it are gone. */
  #first = 0;
  #length = 0;

  /** Bytes that are in. */
  get length(): number {
    return this.#length;
  }

  push(piece: Uint8Array): void {
    if (piece.byteLength === 0) return;
    this.#pieces.push(piece);
    this.#length += piece.byteLength;
  }

  /** @returns the first piece, left in its place; there must be one. */
  peek(): Uint8Array {
    return this.#pieces[this.#first]!;
  }

  /** Takes from the first piece alone. @returns at most `bytesMax` bytes of it, above 0; there must be a piece. */
  takePiece(bytesMax: number): Uint8Array {
    const piece = this.peek();
    if (piece.byteLength <= bytesMax) {
      this.#dropFirst(piece);
      return piece;
    }
    this.#pieces[this.#first] = piece.subarray(bytesMax);
    this.#length -= bytesMax;
    return piece.subarray(0, bytesMax);
  }

  /** @returns the first `bytesMax` bytes, or all when there are fewer, as one. */
  take(bytesMax: number): Uint8Array {
    const first = this.peek();
    if (first.byteLength >= bytesMax || first.byteLength === this.#length) return this.takePiece(bytesMax);
    const bytes = new Uint8Array(Math.min(bytesMax, this.#length));
    for (let filled = 0; filled < bytes.byteLength;) {
      const piece = this.takePiece(bytes.byteLength - filled);
      bytes.set(piece, filled);
      filled += piece.byteLength;
    }
    return bytes;
  }

  clear(): void {
    this.#pieces = [];
    this.#first = 0;
    this.#length = 0;
  }

  #dropFirst(piece: Uint8Array): void {
    this.#length -= piece.byteLength;
    this.#pieces[this.#first] = NOTHING; // what is taken is the taker's, and must not be held here
    this.#first += 1;
    if (this.#first === this.#pieces.length) {
      this.#pieces.length = 0;
      this.#first = 0;
    } else if (this.#first >= 64 && this.#first * 2 >= this.#pieces.length) {
      this.#pieces.splice(0, this.#first);
      this.#first = 0;
    }
  }
}

const NOTHING = new Uint8Array(0);
