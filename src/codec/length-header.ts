import type { ByteQueue } from './byte-queue.js';
import { PeerError } from './codec.js';
import { writeUint } from './write-uint.js';

/** How a length stands on the wire. */
export interface LengthHeaderFormat {
  /** Size of the length itself. */
  readonly size: 1 | 2 | 4 | 8;
  readonly littleEndian: boolean;
  /** Bytes of header that the length counts besides the payload: 0, or the size of the whole header. */
  readonly countedBytes: number;
  /** Longest payload allowed, in bytes. */
  readonly maxPayloadBytes: number;
}

/** The length in a frame's header: read against its limit as soon as it is there, before anything is kept for the frame. */
export class LengthHeader {
  readonly size: 1 | 2 | 4 | 8;
  /** Longest payload, in bytes: the limit, or what fits into the length, whichever is less. */
  readonly maxPayloadBytes: number;
  readonly #littleEndian: boolean;
  readonly #countedBytes: number;
  readonly #limitBytes: number;

  constructor({ size, littleEndian, countedBytes, maxPayloadBytes }: LengthHeaderFormat) {
    this.size = size;
    this.#littleEndian = littleEndian;
    this.#countedBytes = countedBytes;
    this.#limitBytes = maxPayloadBytes;
    const expressible = size === 8 ? Number.MAX_SAFE_INTEGER : 2 ** (8 * size) - 1;
    this.maxPayloadBytes = Math.min(maxPayloadBytes, expressible - countedBytes);
  }

  /**
   * The payload's length; `buffer` holds the length at `offset`.
   * @throws {PeerError} FRAME_TOO_LONG above the limit, FRAME_INVALID when the length is less than the header it counts.
   */
  read(buffer: ByteQueue, offset: number): number {
    const size = this.size;
    const claimed =
      size === 8 ? this.#readWide(buffer, offset) : buffer.uint(offset, size, this.#littleEndian) - this.#countedBytes;
    if (claimed < 0) {
      const header = this.#countedBytes;
      throw new PeerError('FRAME_INVALID', `length ${claimed + header} is less than the header of ${header} bytes`);
    }
    if (claimed > this.#limitBytes) throw this.#tooLong(buffer, offset);
    return claimed;
  }

  /** Writes the length of a payload that is known to be within the limit. */
  write(bytes: Uint8Array, offset: number, payloadBytes: number): void {
    writeUint(bytes, offset, this.size, this.#littleEndian, payloadBytes + this.#countedBytes);
  }

  // Above 2^53 the sum is rounded, and far above any limit all the same.
  #readWide(buffer: ByteQueue, offset: number): number {
    const first = buffer.uint(offset, 4, this.#littleEndian);
    const second = buffer.uint(offset + 4, 4, this.#littleEndian);
    const [high, low] = this.#littleEndian ? [second, first] : [first, second];
    return high * 0x1_0000_0000 + low - this.#countedBytes;
  }

  #tooLong(buffer: ByteQueue, offset: number): PeerError {
    const size = this.size;
    const length =
      size === 8 ? buffer.bigUint(offset, this.#littleEndian) : BigInt(buffer.uint(offset, size, this.#littleEndian));
    const claimed = length - BigInt(this.#countedBytes);
    return new PeerError('FRAME_TOO_LONG', `frame of ${claimed} bytes is longer than the limit of ${this.#limitBytes}`);
  }
}
