/**
 * Payloads that are too large to be held: delivered piece by piece.
 *
 * The choice here: the pieces are messages of their own, so that a chart sees a transfer as states (started, running,
 * ended) and holds nothing. Given up: where a payload is cut into pieces says nothing, so no test may count them.
 */
import type { ByteQueue } from './byte-queue.js';
import { type Codec, type MessageDescription, PeerError, truncatedUnlessEmpty } from './codec.js';
import { LengthHeader } from './length-header.js';
import { checkedPayload } from './length-prefixed.js';
import { checkBoolean, checkInteger, checkOneOf, show } from './options.js';
import { DEFAULT_MAX_CHUNK_BYTES } from './raw.js';
import { restoredCount } from './restored-count.js';

/** One payload is a PAYLOAD_START, as many PAYLOAD_CHUNK as needed (none if it is empty), and a PAYLOAD_END. */
export type PayloadMessage =
  | { type: 'PAYLOAD_START'; byteLength: number }
  | { type: 'PAYLOAD_CHUNK'; bytes: Uint8Array }
  | { type: 'PAYLOAD_END' };

export interface StreamedOptions {
  /** Size of the length in front of each payload, in bytes. Default 4; with 8 a payload may have up to 2^53 - 1 bytes. */
  readonly lengthBytes?: 4 | 8;
  /** Whether the length's lowest byte comes first. Default `false`: network order. */
  readonly littleEndian?: boolean;
  /** Whether the length counts its own bytes too. Default `false`. */
  readonly lengthIncludesHeader?: boolean;
  /** Longest payload in either direction, in bytes, above 0. Default: what the length can say. */
  readonly maxPayloadBytes?: number;
  /** Most bytes in one decoded PAYLOAD_CHUNK, above 0. Default 65 536. Encoding has no such limit. */
  readonly maxChunkBytes?: number;
}

/** Bytes of a payload still to come; `undefined` between payloads. */
type Missing = number | undefined;

/**
 * Length-prefixed payloads of any size, handed over as they arrive: nothing is held back, whatever length is announced.
 * Keeps where it is in both directions, so each session needs its own.
 *
 * ```ts
 * const upload = streamed({ lengthBytes: 8 });
 * upload.encode({ type: 'PAYLOAD_START', byteLength: 2 }); // 0, 0, 0, 0, 0, 0, 0, 2
 * upload.encode({ type: 'PAYLOAD_CHUNK', bytes: Uint8Array.of(7, 8) }); // 7, 8
 * upload.encode({ type: 'PAYLOAD_END' }); // nothing
 * ```
 *
 * Decoding throws FRAME_TOO_LONG and FRAME_INVALID as `lengthPrefixed` does; a FIN within a payload is FRAME_TRUNCATED. Encoding throws a
 * `TypeError` for a message out of order, for chunks above the announced length and for an end below it.
 * @throws {RangeError} an option out of its range.
 * @throws {TypeError} a switch that is neither `true` nor `false`.
 */
export function streamed(options: StreamedOptions = {}): Codec<PayloadMessage> {
  const { lengthBytes = 4, littleEndian = false, lengthIncludesHeader = false } = options;
  const { maxPayloadBytes = Number.MAX_SAFE_INTEGER, maxChunkBytes = DEFAULT_MAX_CHUNK_BYTES } = options;
  checkOneOf('lengthBytes', lengthBytes, [4, 8]);
  const header = new LengthHeader({
    size: lengthBytes,
    littleEndian: checkBoolean('littleEndian', littleEndian),
    countedBytes: checkBoolean('lengthIncludesHeader', lengthIncludesHeader) ? lengthBytes : 0,
    maxPayloadBytes: checkInteger('maxPayloadBytes', maxPayloadBytes, 1),
  });
  return new Streamed(header, checkInteger('maxChunkBytes', maxChunkBytes, 1));
}

class Streamed implements Codec<PayloadMessage> {
  readonly #header: LengthHeader;
  readonly #maxChunkBytes: number;
  #arriving: Missing;
  #leaving: Missing;

  constructor(header: LengthHeader, maxChunkBytes: number) {
    this.#header = header;
    this.#maxChunkBytes = maxChunkBytes;
  }

  get messages(): readonly MessageDescription[] {
    const byteLength = { kind: 'integer', min: 0, max: this.#header.maxPayloadBytes } as const;
    const bytes = { kind: 'bytes', min: 1, max: this.#maxChunkBytes } as const;
    return [
      { type: 'PAYLOAD_START', direction: 'both', fields: { byteLength } },
      { type: 'PAYLOAD_CHUNK', direction: 'both', fields: { bytes } },
      { type: 'PAYLOAD_END', direction: 'both', fields: {} },
    ];
  }

  encode(message: PayloadMessage): Uint8Array {
    switch (message.type) {
      case 'PAYLOAD_START':
        return this.#encodeStart(message.byteLength);
      case 'PAYLOAD_CHUNK': {
        const missing = this.#requireLeaving(message.type);
        const bytes = checkedPayload(message, 'PAYLOAD_CHUNK', message.bytes, missing);
        this.#leaving = missing - bytes.byteLength;
        return bytes;
      }
      case 'PAYLOAD_END': {
        const missing = this.#requireLeaving(message.type);
        if (missing > 0) throw new TypeError(`PAYLOAD_END comes ${missing} bytes below the announced length`);
        this.#leaving = undefined;
        return new Uint8Array(0);
      }
      default:
        throw new TypeError(`message is ${show((message as { type: unknown }).type)}, expected one of a payload`);
    }
  }

  decode(buffer: ByteQueue): PayloadMessage | undefined {
    const missing = this.#arriving;
    if (missing === undefined) {
      const headerBytes = this.#header.size;
      if (buffer.byteLength < headerBytes) return undefined;
      const byteLength = this.#header.read(buffer, 0);
      buffer.skip(headerBytes);
      this.#arriving = byteLength;
      return { type: 'PAYLOAD_START', byteLength };
    }
    if (missing === 0) {
      this.#arriving = undefined;
      return { type: 'PAYLOAD_END' };
    }
    const length = Math.min(missing, buffer.byteLength, this.#maxChunkBytes);
    if (length === 0) return undefined;
    this.#arriving = missing - length;
    return { type: 'PAYLOAD_CHUNK', bytes: buffer.take(length) };
  }

  end(buffer: ByteQueue): undefined {
    const missing = this.#arriving;
    if (missing === undefined) return truncatedUnlessEmpty(buffer);
    throw new PeerError('FRAME_TRUNCATED', `the peer ended ${missing} bytes before the end of its payload`);
  }

  save(): unknown {
    return { arriving: this.#arriving ?? null, leaving: this.#leaving ?? null };
  }

  restore(state: unknown): void {
    const arriving = restoredMissing(state, 'arriving');
    this.#leaving = restoredMissing(state, 'leaving');
    this.#arriving = arriving;
  }

  #encodeStart(byteLength: number): Uint8Array {
    if (this.#leaving !== undefined) throw new TypeError('PAYLOAD_START comes within a payload');
    const max = this.#header.maxPayloadBytes;
    if (!Number.isSafeInteger(byteLength) || byteLength < 0 || byteLength > max) {
      throw new TypeError(
        `byteLength of PAYLOAD_START is ${show(byteLength)}, expected a whole number from 0 to ${max}`,
      );
    }
    const bytes = new Uint8Array(this.#header.size);
    this.#header.write(bytes, 0, byteLength);
    this.#leaving = byteLength;
    return bytes;
  }

  #requireLeaving(type: string): number {
    if (this.#leaving === undefined) throw new TypeError(`${type} comes without a PAYLOAD_START`);
    return this.#leaving;
  }
}

function restoredMissing(state: unknown, name: string): Missing {
  const isNull = typeof state === 'object' && state !== null && (state as Record<string, unknown>)[name] === null;
  return isNull ? undefined : restoredCount(state, name);
}
