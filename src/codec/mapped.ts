import type { ByteQueue } from './byte-queue.js';
import type { Codec, Message, MessageDescription } from './codec.js';

/** Own messages over the frames of another codec. */
export interface Mapping<FrameIn extends Message, FrameOut extends Message, In extends Message, Out extends Message> {
  /**
   * The message in a frame; `undefined` passes the frame over (an empty line, a comment).
   * @throws {PeerError} FRAME_INVALID when the frame says nothing of the protocol. Anything else it throws passes through: our own fault.
   */
  decode(frame: FrameIn): In | undefined;
  /**
   * The frame that carries a message.
   * @throws {TypeError} when the message cannot be expressed.
   */
  encode(message: Out): FrameOut;
  /** The own messages as plain data. */
  readonly messages: readonly MessageDescription[];
  /** The codec of the other end, as `Codec.peer`. */
  peer?(): Codec<any, any>;
}

/**
 * A codec whose frames are another codec's, and whose messages are its own. Keeps the state of `codec`, if that has one.
 *
 * ```ts
 * type Temperature = { type: 'TEMPERATURE'; celsius: number };
 * const thermometer = () =>
 *   mapped(lines({ maxFrameBytes: 32 }), {
 *     decode: ({ text }): Temperature => {
 *       const celsius = Number(text);
 *       if (!Number.isInteger(celsius)) throw new PeerError('FRAME_INVALID', 'a temperature is not a whole number');
 *       return { type: 'TEMPERATURE', celsius };
 *     },
 *     encode: ({ celsius }: Temperature) => ({ type: 'LINE', text: String(celsius) }),
 *     messages: [{ type: 'TEMPERATURE', direction: 'both', fields: { celsius: { kind: 'integer', min: -273, max: 1000 } } }],
 *   });
 * ```
 *
 * It throws what `codec` and the mapping throw.
 */
export function mapped<FrameIn extends Message, FrameOut extends Message, In extends Message, Out extends Message = In>(
  codec: Codec<FrameIn, FrameOut>,
  mapping: Mapping<FrameIn, FrameOut, In, Out>,
): Codec<In, Out> {
  const outer: Codec<In, Out> = {
    messages: mapping.messages,
    encode: (message) => codec.encode(mapping.encode(message)),
    decode(buffer: ByteQueue) {
      for (;;) {
        const frame = codec.decode(buffer);
        if (frame === undefined) return undefined;
        const message = mapping.decode(frame);
        if (message !== undefined) return message;
      }
    },
    end(buffer: ByteQueue) {
      const frame = codec.end(buffer);
      return frame === undefined ? undefined : mapping.decode(frame);
    },
  };
  if (mapping.peer) outer.peer = () => mapping.peer!();
  if (codec.save) outer.save = () => codec.save?.();
  if (codec.restore) outer.restore = (state) => codec.restore?.(state);
  return outer;
}
