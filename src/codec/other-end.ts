/** Which codec a peer needs to talk to one of ours. */
import type { Codec, Message } from './codec.js';

/**
 * @returns what the other end of `codec` encodes and decodes with: its `peer()`, or the codec itself where both ends send the same messages.
 * @param another makes one more codec of the same kind, because one that keeps state serves one end alone.
 * @throws {TypeError} naming the messages, when there are some that go one way and the codec has no `peer()`.
 */
export function otherEndOf(another: () => Codec<any, any>): Codec<any, any> {
  const codec = another() as Codec<Message, Message>;
  if (codec.peer) return codec.peer();
  const oneWay = oneWayMessages(codec);
  if (oneWay.length === 0) return codec;
  throw new TypeError(
    `the codec has messages that go one way (${oneWay.join(', ')}) and no peer(): nobody can say how the other end encodes them`,
  );
}

/** Can it be said how the other end encodes? */
export function hasOtherEnd(codec: Codec<any, any>): boolean {
  return codec.peer !== undefined || oneWayMessages(codec as Codec<Message, Message>).length === 0;
}

function oneWayMessages(codec: Codec): string[] {
  return codec.messages.filter(({ direction }) => direction !== 'both').map(({ type }) => type);
}
