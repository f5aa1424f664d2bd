import { allocate } from './allocate.js';
import { type ByteQueue, indexOfSequence } from './byte-queue.js';
import { type Codec, type MessageDescription, PeerError, truncatedUnlessEmpty } from './codec.js';
import { checkedPayload, DEFAULT_MAX_FRAME_BYTES, type FrameMessage } from './length-prefixed.js';
import { checkInteger, checkOneOf, show } from './options.js';
import { restoredCount } from './restored-count.js';

export interface DelimitedOptions {
  /** What ends each frame: bytes, or text that is sent as UTF-8; not empty. */
  readonly delimiter: string | Uint8Array;
  /** Longest payload in either direction, in bytes, without the delimiter, above 0. Default 1 048 576. */
  readonly maxFrameBytes?: number;
  /** Bytes without a delimiter at the peer's FIN: `'refuse'` them with FRAME_TRUNCATED (default), or `'deliver'` them as a frame. */
  readonly lastFrame?: 'refuse' | 'deliver';
}

/**
 * Frames that end in a delimiter of one or several bytes. Keeps how far it has searched, so each session needs its own.
 *
 * ```ts
 * const records = () => delimited({ delimiter: '\0' });
 * records().encode({ type: 'FRAME', payload: Uint8Array.of(7) }); // 7, 0
 * ```
 *
 * Decoding throws FRAME_TOO_LONG once a payload is above the limit, and may wait for a delimiter's length more to be sure. Encoding throws a
 * `TypeError` for a payload in which, or in whose end, the delimiter would be found too early. What was decoded can be encoded again.
 * @throws {RangeError} an option out of its range.
 * @throws {TypeError} a delimiter that is neither text nor bytes.
 */
export function delimited(options: DelimitedOptions): Codec<FrameMessage> {
  const { delimiter, maxFrameBytes = DEFAULT_MAX_FRAME_BYTES, lastFrame = 'refuse' } = options;
  return new Delimited(
    checkDelimiter(delimiter),
    checkInteger('maxFrameBytes', maxFrameBytes, 1),
    checkOneOf('lastFrame', lastFrame, ['refuse', 'deliver']),
  );
}

class Delimited implements Codec<FrameMessage> {
  readonly #delimiter: Uint8Array;
  readonly #needle: number | Uint8Array;
  readonly #maxFrameBytes: number;
  readonly #lastFrame: 'refuse' | 'deliver';
  /** Bytes from the start of the unfinished frame in which no delimiter begins. */
  #searched = 0;

  constructor(delimiter: Uint8Array, maxFrameBytes: number, lastFrame: 'refuse' | 'deliver') {
    this.#delimiter = delimiter;
    this.#needle = delimiter.byteLength === 1 ? delimiter[0]! : delimiter;
    this.#maxFrameBytes = maxFrameBytes;
    this.#lastFrame = lastFrame;
  }

  get messages(): readonly MessageDescription[] {
    const excludes = [Array.from(this.#delimiter)];
    return [
      {
        type: 'FRAME',
        direction: 'both',
        fields: { payload: { kind: 'bytes', max: this.#maxFrameBytes, excludes } },
      },
    ];
  }

  encode(message: FrameMessage): Uint8Array {
    const payload = checkedPayload(message, 'FRAME', message.payload, this.#maxFrameBytes);
    const delimiter = this.#delimiter;
    const bytes = allocate(payload.byteLength + delimiter.byteLength);
    bytes.set(payload);
    bytes.set(delimiter, payload.byteLength);
    // Searched as the peer will search: a payload's end can also make a delimiter together with the delimiter's beginning.
    if (indexOfSequence(bytes, delimiter, 0, bytes.byteLength) !== payload.byteLength) {
      throw new TypeError('payload of FRAME contains the delimiter: it would arrive as two frames');
    }
    return bytes;
  }

  decode(buffer: ByteQueue): FrameMessage | undefined {
    const length = buffer.indexOf(this.#needle, this.#searched);
    if (length === -1) {
      const undecided = Math.max(0, buffer.byteLength - this.#delimiter.byteLength + 1);
      if (undecided > this.#maxFrameBytes) throw this.#tooLong();
      this.#searched = undecided;
      return undefined;
    }
    if (length > this.#maxFrameBytes) throw this.#tooLong();
    const payload = buffer.take(length);
    buffer.skip(this.#delimiter.byteLength);
    this.#searched = 0;
    return { type: 'FRAME', payload };
  }

  end(buffer: ByteQueue): FrameMessage | undefined {
    const left = buffer.byteLength;
    if (left === 0 || this.#lastFrame === 'refuse') return truncatedUnlessEmpty(buffer);
    if (left > this.#maxFrameBytes) throw this.#tooLong();
    this.#searched = 0;
    return { type: 'FRAME', payload: buffer.take(left) };
  }

  save(): unknown {
    return { searched: this.#searched };
  }

  restore(state: unknown): void {
    this.#searched = restoredCount(state, 'searched');
  }

  #tooLong(): PeerError {
    return new PeerError('FRAME_TOO_LONG', `frame is longer than the limit of ${this.#maxFrameBytes} bytes`);
  }
}

/** The delimiter's bytes, as a copy: the caller's array may change later. */
function checkDelimiter(delimiter: unknown): Uint8Array {
  const bytes = typeof delimiter === 'string' ? new TextEncoder().encode(delimiter) : delimiter;
  if (!(bytes instanceof Uint8Array)) {
    throw new TypeError(`delimiter is ${show(delimiter)}, expected a string or a Uint8Array`);
  }
  if (bytes.byteLength === 0) throw new RangeError('delimiter is empty, expected one byte or more');
  return Uint8Array.from(bytes);
}
