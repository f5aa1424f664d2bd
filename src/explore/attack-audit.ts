/**
 * What a codec holds back, seen from outside: the bytes that it leaves in its queue, and those that it takes without making a message
 * of them. The second is the one that no limit of a session sees: a codec that collects by itself.
 *
 * Given up: a codec that takes bytes in order to drop them (a comment without end) looks the same.
 */
import type { ByteQueue } from '../codec/byte-queue.js';
import type { Codec, Message } from '../codec/codec.js';
import type { AnyProtocol } from '../session/protocol.js';

export interface CodecAudit {
  /** The protocol, with each codec watched. */
  readonly protocol: AnyProtocol;
  /** Most bytes that one codec had and made no message of. */
  readonly heldBytes: number;
}

export function auditedProtocol(protocol: AnyProtocol): CodecAudit {
  const audit = { heldBytes: 0 };
  const note = (bytes: number) => (audit.heldBytes = Math.max(audit.heldBytes, bytes));
  const codecs = Object.fromEntries(
    Object.entries(protocol.codecs as Record<string, () => Codec>).map(([name, factory]) => [
      name,
      () => auditedCodec(factory(), note),
    ]),
  );
  return {
    protocol: { ...protocol, codecs },
    get heldBytes() {
      return audit.heldBytes;
    },
  };
}

function auditedCodec(codec: Codec, note: (bytes: number) => void): Codec {
  let takenBytes = 0;
  return {
    messages: codec.messages,
    encode: (message: Message) => codec.encode(message),
    decode(buffer: ByteQueue) {
      const before = buffer.byteLength;
      const message = codec.decode(buffer);
      takenBytes = message === undefined ? takenBytes + before - buffer.byteLength : 0;
      // Behind a message there may be others: what is left is held when the codec says that it is no message.
      if (message === undefined) note(takenBytes + buffer.byteLength);
      return message;
    },
    end: (buffer: ByteQueue) => codec.end(buffer),
    ...(codec.peer && { peer: () => codec.peer!() }),
    ...(codec.save && { save: () => codec.save!() }),
    ...(codec.restore && { restore: (state: unknown) => codec.restore!(state) }),
  };
}
