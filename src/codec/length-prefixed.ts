import { allocate } from './allocate.js';
import type { ByteQueue } from './byte-queue.js';
import { type Codec, type MessageDescription, truncatedUnlessEmpty } from './codec.js';
import { LengthHeader } from './length-header.js';
import { checkBoolean, checkInteger, checkOneOf, show } from './options.js';

/** Longest frame where an option says nothing else, in bytes: 1 MiB. */
export const DEFAULT_MAX_FRAME_BYTES = 1_048_576;

export interface FrameMessage {
  type: 'FRAME';
  payload: Uint8Array;
}

export interface LengthPrefixedOptions {
  /** Size of the length in front of each payload, in bytes. Default 4. */
  readonly lengthBytes?: 1 | 2 | 4 | 8;
  /** Whether the length's lowest byte comes first. Default `false`: network order. */
  readonly littleEndian?: boolean;
  /** Whether the length counts its own bytes too. Default `false`: it counts the payload alone. */
  readonly lengthIncludesHeader?: boolean;
  /** Longest payload in either direction, in bytes, above 0. Default 1 048 576. */
  readonly maxFrameBytes?: number;
}

/**
 * Frames with their length in front. A length of 0 is a frame with an empty payload. Keeps no state: one codec may serve
 * all sessions.
 *
 * ```ts
 * const frames = lengthPrefixed({ lengthBytes: 2, maxFrameBytes: 4_096 });
 * frames.encode({ type: 'FRAME', payload: Uint8Array.of(7) }); // 0, 1, 7
 * ```
 *
 * Decoding throws FRAME_TOO_LONG as soon as a length above the limit is there, FRAME_INVALID for a length that is less than the
 * header it counts, FRAME_TRUNCATED for a FIN within a frame. A payload that is kept for long is never the view of a much
 * larger buffer: see `ByteQueue.slice`.
 * @throws {RangeError} an option out of its range.
 * @throws {TypeError} a switch that is neither `true` nor `false`.
 */
export function lengthPrefixed(options: LengthPrefixedOptions = {}): Codec<FrameMessage> {
  const { lengthBytes = 4, littleEndian = false, lengthIncludesHeader = false } = options;
  const { maxFrameBytes = DEFAULT_MAX_FRAME_BYTES } = options;
  checkOneOf('lengthBytes', lengthBytes, [1, 2, 4, 8]);
  return new LengthPrefixed(
    new LengthHeader({
      size: lengthBytes,
      littleEndian: checkBoolean('littleEndian', littleEndian),
      countedBytes: checkBoolean('lengthIncludesHeader', lengthIncludesHeader) ? lengthBytes : 0,
      maxPayloadBytes: checkInteger('maxFrameBytes', maxFrameBytes, 1),
    }),
  );
}

class LengthPrefixed implements Codec<FrameMessage> {
  readonly #header: LengthHeader;
  readonly #headerBytes: number;

  constructor(header: LengthHeader) {
    this.#header = header;
    this.#headerBytes = header.size;
  }

  get messages(): readonly MessageDescription[] {
    return [
      { type: 'FRAME', direction: 'both', fields: { payload: { kind: 'bytes', max: this.#header.maxPayloadBytes } } },
    ];
  }

  encode(message: FrameMessage): Uint8Array {
    const payload = checkedPayload(message, 'FRAME', message.payload, this.#header.maxPayloadBytes);
    const bytes = allocate(this.#headerBytes + payload.byteLength);
    this.#header.write(bytes, 0, payload.byteLength);
    bytes.set(payload, this.#headerBytes);
    return bytes;
  }

  decode(buffer: ByteQueue): FrameMessage | undefined {
    const headerBytes = this.#headerBytes;
    const available = buffer.byteLength - headerBytes;
    if (available < 0) return undefined;
    const length = this.#header.read(buffer, 0);
    if (available < length) return undefined;
    const payload = buffer.slice(headerBytes, length);
    buffer.skip(headerBytes + length);
    return { type: 'FRAME', payload };
  }

  end(buffer: ByteQueue): undefined {
    return truncatedUnlessEmpty(buffer);
  }
}

/**
 * The payload of a message that is about to be encoded.
 * @throws {TypeError} when the message is of another type, or its payload is not bytes, or longer than `maxBytes`.
 */
export function checkedPayload(
  message: { readonly type: string },
  type: string,
  payload: unknown,
  maxBytes: number,
): Uint8Array {
  if (message.type !== type) throw new TypeError(`message is ${show(message.type)}, expected ${show(type)}`);
  if (!(payload instanceof Uint8Array))
    throw new TypeError(`bytes of ${type} are ${show(payload)}, expected a Uint8Array`);
  if (payload.byteLength > maxBytes) {
    throw new TypeError(`${type} has ${payload.byteLength} bytes, above the limit of ${maxBytes}`);
  }
  return payload;
}
