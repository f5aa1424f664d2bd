/**
 * What a codec is: the one contract between bytes and messages.
 *
 * The choice here: a codec is a plain object made once per session (and per swap), so it may keep state; it sees nothing
 * but bytes. Its messages are the protocol chart's events as they are, so each has a `type`.
 */
import type { ByteQueue } from './byte-queue.js';

/** A decoded frame, as the protocol chart gets it: an event. Types that start with `xstate.` or `done.`, and `*`, are refused. */
export interface Message {
  readonly type: string;
}

/**
 * Encoder and decoder of one protocol. Write one by implementing `encode`, `decode` and `end`:
 *
 * ```ts
 * const bytesOfOne = (): Codec<{ type: 'BYTE'; value: number }> => ({
 *   messages: [{ type: 'BYTE', direction: 'both', fields: { value: { kind: 'integer', min: 0, max: 255 } } }],
 *   encode: (message) => Uint8Array.of(message.value),
 *   decode: (buffer) => (buffer.byteLength === 0 ? undefined : { type: 'BYTE', value: buffer.take(1)[0]! }),
 *   end: (buffer) => truncatedUnlessEmpty(buffer),
 * });
 * ```
 *
 * `In` is what the peer sends, `Out` what we send. A codec never waits, never reads time and never touches a socket.
 */
export interface Codec<In extends Message = Message, Out extends Message = In> {
  /** The messages as plain data, from which documentation and test data are made. */
  readonly messages: readonly MessageDescription[];

  /**
   * The bytes of one message. Whatever it throws ends the session with `protocol failed`: what we send is our own fault.
   * @throws {TypeError} when the message cannot be expressed (unknown type, value out of range, longer than the limit).
   */
  encode(message: Out): Uint8Array;

  /**
   * Takes the next whole message off `buffer`; `undefined` means that more bytes are needed.
   * It is called again while it returns messages. Work must stay linear however the bytes are split:
   * remember how far a search has come instead of starting again. Nothing may be allocated for a length that the peer
   * only claims.
   * @throws {PeerError} FRAME_TOO_LONG or FRAME_INVALID when the bytes can never become a frame: the stream is lost and the session ends.
   */
  decode(buffer: ByteQueue): In | undefined;

  /**
   * Told once, when the peer has sent its FIN and `decode` wants more bytes. Returns a last message, if the
   * protocol's last frame needs no end mark, else `undefined`.
   * @throws {PeerError} FRAME_TRUNCATED when bytes of an unfinished frame are left.
   */
  end(buffer: ByteQueue): In | undefined;

  /**
   * The codec of the other end, for clients and tests: it encodes what this one decodes. A new one each time, if it keeps state.
   * Not needed where both ends speak the same messages, and nothing of the wire says which end it is.
   */
  peer?(): Codec<any, any>;

  /** State kept between calls, as JSON data; only for a codec that keeps some. */
  save?(): unknown;
  /** Takes back what `save` returned. */
  restore?(state: unknown): void;
}

/** A codec's messages, inbound and outbound, as types: `MessageIn<typeof frames>` where `frames` is the factory. */
export type MessageIn<C> = C extends () => Codec<infer In, any> ? In : C extends Codec<infer In, any> ? In : never;
export type MessageOut<C> = C extends () => Codec<any, infer Out> ? Out : C extends Codec<any, infer Out> ? Out : never;

/** One message as plain data. `direction` is seen from the side that owns the codec. */
export interface MessageDescription {
  readonly type: string;
  readonly direction: 'in' | 'out' | 'both';
  readonly fields: Readonly<Record<string, FieldDescription>>;
}

/** One field as plain data. Sizes are in bytes of the encoded value; `max` may be left out where only the frame limit bounds it. */
export type FieldDescription =
  | { readonly kind: 'integer'; readonly min: number; readonly max: number }
  | { readonly kind: 'bigint'; readonly min: string; readonly max: string }
  | { readonly kind: 'boolean' }
  | {
      readonly kind: 'bytes';
      readonly min?: number;
      readonly max?: number;
      /** Byte sequences that a value must not contain. A value without the first byte of each is always allowed. */
      readonly excludes?: readonly (readonly number[])[];
    }
  | { readonly kind: 'text'; readonly min?: number; readonly max?: number; readonly excludes?: readonly string[] }
  | { readonly kind: 'constant'; readonly value: string | number };

export type PeerErrorCode = 'FRAME_TOO_LONG' | 'FRAME_INVALID' | 'FRAME_TRUNCATED';

const PEER_ERROR = Symbol.for('wirechart.peerError');

/** The peer broke the protocol: its session ends, nobody else notices. */
export class PeerError extends Error {
  override readonly name = 'PeerError';
  /** The same for every copy of this package, so that a codec of another copy blames the peer as well. */
  readonly [PEER_ERROR] = true;
  constructor(
    readonly code: PeerErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/**
 * What `end` does in a protocol where each frame has its end in the bytes: nothing is left, or the last frame is cut off.
 *
 * ```ts
 * end: (buffer) => truncatedUnlessEmpty(buffer),
 * ```
 *
 * @returns `undefined`: there is no last message.
 * @throws {PeerError} FRAME_TRUNCATED when `buffer` holds a byte or more.
 */
export function truncatedUnlessEmpty(buffer: ByteQueue): undefined {
  const left = buffer.byteLength;
  if (left > 0) {
    throw new PeerError(
      'FRAME_TRUNCATED',
      `the peer ended with ${left} ${left === 1 ? 'byte' : 'bytes'} of an unfinished frame`,
    );
  }
  return undefined;
}

/** Was this made by PeerError, of this copy of the package or another? */
export function isPeerError(error: unknown): error is PeerError {
  return typeof error === 'object' && error !== null && PEER_ERROR in error;
}
