/**
 * The bytes of one stream that no frame has taken yet.
 *
 * The choice here: one contiguous piece instead of a list of chunks. An empty queue adopts what is pushed; a queue that
 * still holds bytes copies into a buffer of its own that at least doubles. Given up: when a frame is cut by the end of a
 * chunk, the next chunk is copied once. Won: every read is an index into one array, a byte-by-byte peer costs no
 * objects, and `peek` never has to join anything.
 */

const EMPTY = new Uint8Array(0);

/**
 * Smallest buffer the queue makes for itself, and largest that costs next to nothing, in bytes: V8 keeps typed arrays up to
 * this size inside its own heap.
 */
const SMALL_BUFFER_BYTES = 64;

/** Copies and searches up to this many bytes are done in a loop: below it a call of the built-in costs more (measured). */
const LOOP_MAX = 48;

/** Nothing: where no copied run is at hand. */
const NO_RUN: ArrayBufferLike = EMPTY.buffer;

/** A slice is handed out as a view only if its backing buffer is at most this many times as large. */
const BACKING_FACTOR_MAX = 4;

/**
 * Unconsumed bytes of one stream: the session pushes what arrives, a codec looks and takes.
 *
 * Offsets count from the first byte that was not taken. Every method that is asked for bytes that are not there throws
 * a `RangeError`: that is the codec's fault, not the peer's. Work is linear in the bytes pushed, however they are split;
 * after `settle` the queue keeps at most four times `byteLength` (or 64 bytes) in memory.
 *
 * ```ts
 * const queue = new ByteQueue();
 * queue.push(Uint8Array.of(0, 3, 97, 98));
 * queue.uint(0, 2); // 3: a frame of 3 bytes, of which 2 are here
 * queue.push(Uint8Array.of(99));
 * queue.skip(2);
 * queue.take(3); // 97, 98, 99
 * ```
 */
export class ByteQueue {
  #bytes: Uint8Array = EMPTY;
  #start = 0;
  #end = 0;
  /** Whether `#bytes` is ours to write behind `#end`. What lies before `#end` is never written again: views of it are out. */
  #owned = false;
  /** A copy of `#bytes` from `#runStart` to `#runEnd`, which small slices share as long as each is a quarter of it. */
  #run = NO_RUN;
  #runStart = 0;
  #runEnd = 0;

  /** Bytes that were pushed and not taken. */
  get byteLength(): number {
    return this.#end - this.#start;
  }

  /**
   * Adds bytes at the end. An empty queue adopts them without a copy, so the caller must not change them afterwards;
   * the queue never does.
   */
  push(bytes: Uint8Array): void {
    const added = bytes.byteLength;
    if (added === 0) return;
    if (this.#start !== this.#end) {
      this.#append(bytes, added);
      return;
    }
    // A Buffer's own methods return Buffers; behind a plain view everything that leaves the queue is a plain Uint8Array.
    this.#bytes = bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, added);
    this.#start = 0;
    this.#end = added;
    this.#owned = false;
  }

  /** The byte at `offset`, 0 to 255. */
  byteAt(offset: number): number {
    this.#require(offset, 1);
    return this.#bytes[this.#start + offset]!;
  }

  /** A view of the first `length` bytes; nothing is taken. Valid until the next call of any method that changes the queue. */
  peek(length: number): Uint8Array {
    return this.view(0, length);
  }

  /** As `peek`, from `offset`. */
  view(offset: number, length: number): Uint8Array {
    this.#require(offset, length);
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + this.#start + offset, length);
  }

  /**
   * `length` bytes from `offset`, for good; nothing is taken. A plain `Uint8Array`, also when Buffers were pushed: a view
   * when it is at least a quarter of the buffer behind it, else a copy, so that a small slice that a protocol keeps never holds a
   * big buffer in memory. A copy of up to 64 bytes has its exact size; above, neighbours share a buffer of at most four times
   * the slice, because a buffer of its own costs ten times the view.
   */
  slice(offset: number, length: number): Uint8Array {
    this.#require(offset, length);
    const bytes = this.#bytes;
    const from = this.#start + offset;
    if (length * BACKING_FACTOR_MAX >= bytes.buffer.byteLength) {
      return new Uint8Array(bytes.buffer, bytes.byteOffset + from, length);
    }
    if (length > SMALL_BUFFER_BYTES) return this.#sliceOfRun(from, length);
    if (length > LOOP_MAX) return bytes.slice(from, from + length);
    const copy = new Uint8Array(length);
    for (let i = 0; i < length; i++) copy[i] = bytes[from + i]!;
    return copy;
  }

  /** Takes the first `length` bytes: a view or a copy, as `slice` says. */
  take(length: number): Uint8Array {
    const taken = this.slice(0, length);
    this.skip(length);
    return taken;
  }

  /** Drops the first `length` bytes. */
  skip(length: number): void {
    this.#require(0, length);
    this.#start += length;
    if (this.#start === this.#end) this.clear();
  }

  /**
   * Where `needle`, a byte or a sequence of them, first begins at or after `fromOffset` (default 0).
   * Reads each byte from there once (for a sequence of n bytes, at most n times): a codec that finds nothing remembers
   * how far it has come and goes on from there.
   * @returns the offset, or -1 when the needle is not there, or not wholly there yet.
   */
  indexOf(needle: number | Uint8Array, fromOffset = 0): number {
    if (fromOffset >= this.byteLength) return -1;
    this.#require(fromOffset, 0);
    const from = this.#start + fromOffset;
    const found =
      typeof needle === 'number'
        ? indexOfByte(this.#bytes, needle, from, this.#end)
        : indexOfSequence(this.#bytes, needle, from, this.#end);
    return found === -1 ? -1 : found - this.#start;
  }

  /** The unsigned integer of `size` bytes at `offset`. Big-endian unless told. */
  uint(offset: number, size: 1 | 2 | 4, littleEndian = false): number {
    this.#require(offset, size);
    const bytes = this.#bytes;
    const at = this.#start + offset;
    if (size === 1) return bytes[at]!;
    if (size === 2) return littleEndian ? bytes[at]! | (bytes[at + 1]! << 8) : (bytes[at]! << 8) | bytes[at + 1]!;
    return littleEndian
      ? (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
      : ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
  }

  /** The unsigned integer of 8 bytes at `offset`. Big-endian unless told. */
  bigUint(offset: number, littleEndian = false): bigint {
    const first = BigInt(this.uint(offset, 4, littleEndian));
    const second = BigInt(this.uint(offset + 4, 4, littleEndian));
    return littleEndian ? (second << 32n) | first : (first << 32n) | second;
  }

  /**
   * Lets go of a big buffer behind a small remainder: what is left is copied if it is less than a quarter of what it keeps
   * in memory (buffers up to 64 bytes are left alone). A session calls it once after its decode loop, because it may
   * sit on 10 bytes of an unfinished frame for its whole life; on an empty queue it costs nothing.
   */
  settle(): void {
    this.#dropRun();
    const backing = this.#bytes.buffer.byteLength;
    const left = this.#end - this.#start;
    if (left === 0 || backing <= SMALL_BUFFER_BYTES || left * BACKING_FACTOR_MAX >= backing) return;
    this.#bytes = this.#bytes.slice(this.#start, this.#end);
    this.#start = 0;
    this.#end = left;
    this.#owned = true;
  }

  /** Drops everything. */
  clear(): void {
    this.#bytes = EMPTY;
    this.#start = 0;
    this.#end = 0;
    this.#owned = false;
    this.#dropRun();
  }

  // Frames come in runs of like size, so what follows this slice is copied along with it, for the slices to come.
  #sliceOfRun(from: number, length: number): Uint8Array {
    const runBytes = this.#runEnd - this.#runStart;
    if (from < this.#runStart || from + length > this.#runEnd || length * BACKING_FACTOR_MAX < runBytes) {
      this.#runStart = from;
      this.#runEnd = Math.min(this.#end, from + length * BACKING_FACTOR_MAX);
      this.#run = this.#bytes.slice(from, this.#runEnd).buffer;
    }
    return new Uint8Array(this.#run, from - this.#runStart, length);
  }

  /** To be called whenever `#bytes` is another array, because the run's places are places in it. */
  #dropRun(): void {
    this.#run = NO_RUN;
    this.#runStart = 0;
    this.#runEnd = 0;
  }

  #append(bytes: Uint8Array, added: number): void {
    if (!this.#owned || this.#end + added > this.#bytes.length) {
      const held = this.#end - this.#start;
      // Room for as many bytes again as are copied here: each of these copies is paid for by the pushes before the next.
      const grown = new Uint8Array(Math.max(SMALL_BUFFER_BYTES, 2 * held + added));
      grown.set(this.#bytes.subarray(this.#start, this.#end));
      this.#bytes = grown;
      this.#dropRun();
      this.#start = 0;
      this.#end = held;
      this.#owned = true;
    }
    this.#bytes.set(bytes, this.#end);
    this.#end += added;
  }

  #require(offset: number, length: number): void {
    if (offset >= 0 && length >= 0 && offset + length <= this.#end - this.#start) return;
    throw new RangeError(`${length} bytes at offset ${offset} of a queue that holds ${this.byteLength}`);
  }
}

function indexOfByte(bytes: Uint8Array, byte: number, from: number, end: number): number {
  const loopEnd = Math.min(end, from + LOOP_MAX);
  for (let i = from; i < loopEnd; i++) {
    if (bytes[i] === byte) return i;
  }
  if (loopEnd === end) return -1;
  // The built-in would read on into the unused room of our own buffer, again on each call: a quadratic search.
  if (bytes.length === end) return bytes.indexOf(byte, loopEnd);
  const found = bytes.subarray(loopEnd, end).indexOf(byte);
  return found === -1 ? -1 : found + loopEnd;
}

/**
 * Where `sequence` first begins in `bytes[from, end)`, wholly.
 * @returns its index, or -1.
 */
export function indexOfSequence(bytes: Uint8Array, sequence: Uint8Array, from: number, end: number): number {
  const length = sequence.byteLength;
  if (length === 0) throw new RangeError('an empty sequence is everywhere');
  const first = sequence[0]!;
  const lastStart = end - length;
  let at = from;
  while (at <= lastStart) {
    at = indexOfByte(bytes, first, at, lastStart + 1);
    if (at === -1) return -1;
    let matched = 1;
    while (matched < length && bytes[at + matched] === sequence[matched]) matched++;
    if (matched === length) return at;
    at++;
  }
  return -1;
}
