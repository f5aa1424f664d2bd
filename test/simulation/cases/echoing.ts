/** Protocols around the codecs of a test: each message is answered with itself. */
import { emit, setup } from 'xstate';
import type { Codec, Message } from '../../../src/codec/codec.js';
import { lines } from '../../../src/codec/lines.js';
import { defineProtocol, type AnyProtocol } from '../../../src/session/protocol.js';

/**
 * A protocol that answers each message of a codec with itself. The second codec is never used: with two of them the world makes none of
 * its own to compare with, which would be counted, or overflow the stack, as that of the session.
 */
export function echoing(name: string, codec: () => Codec<any, any>, type = 'LINE'): AnyProtocol {
  const machine = setup({
    actions: { answer: emit(({ event }: { event: Message }) => ({ type: 'SEND', message: event })) } as never,
  }).createMachine({ on: { [type]: { actions: 'answer' } } } as never);
  return defineProtocol({
    name,
    codecs: { [name]: codec, spare: lines },
    initialCodec: name,
    machine,
  } as never) as AnyProtocol;
}
