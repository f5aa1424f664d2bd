/** Messages that a protocol's peers may send, as the protocol and its first codec tell: few, small, and always the same. */
import type { Codec, Message } from '../codec/codec.js';
import type { AnyProtocol } from '../session/protocol.js';
import { messagesOf } from './samples.js';

/** Longest payload, in bytes: enough to be sent a byte at a time for longer than a frame may take, and to fill buffers with answers. */
const PAYLOAD_BYTES_MAX = 1_024;

/** @returns the protocol's `samples` first, then what its first codec describes; an empty array when that describes nothing. */
export function requestsOf(protocol: AnyProtocol): readonly Message[] {
  return [...samplesOf(protocol), ...describedRequestsOf(protocol)];
}

/** Of the protocol's own samples those that its first codec decodes. */
export function samplesOf(protocol: AnyProtocol): readonly Message[] {
  const samples = (protocol.samples ?? {}) as Readonly<Record<string, readonly unknown[]>>;
  return typesOf(firstCodecOf(protocol)).flatMap((type) =>
    (samples[type] ?? []).map((sample) => ({ ...(sample as object), type })),
  );
}

/** What its first codec describes: the first of each type, then the second of each, and so on: whoever tries only some of them has tried every type. */
export function describedRequestsOf(protocol: AnyProtocol): readonly Message[] {
  const codec = firstCodecOf(protocol);
  let messages: Readonly<Record<string, readonly Message[]>>;
  try {
    messages = messagesOf(codec, { bytesMax: PAYLOAD_BYTES_MAX });
  } catch {
    return []; // a field that nothing can stand in: the protocol's samples are all that there is
  }
  const lists = typesOf(codec).map((type) => messages[type]!);
  const longest = Math.max(0, ...lists.map(({ length }) => length));
  return Array.from({ length: longest }, (_, index) => lists.flatMap((list) => list[index] ?? [])).flat();
}

function firstCodecOf({ codecs, initialCodec }: AnyProtocol): Codec {
  return (codecs as Record<string, () => Codec>)[initialCodec as string]!();
}

/** Of what the peer sends. */
function typesOf({ messages }: Codec): readonly string[] {
  return messages.filter(({ direction }) => direction !== 'out').map(({ type }) => type);
}
