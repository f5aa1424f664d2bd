/** Echo: a 4-byte big-endian length and a payload; each frame is answered with the same frame. */
import { emit, setup } from 'xstate';
import { defineProtocol, type ProtocolCommand } from 'wirechart';
import { lengthPrefixed, type MessageIn } from 'wirechart/codec';

const frames = () => lengthPrefixed({ lengthBytes: 4 });

type Frame = MessageIn<typeof frames>;

const echoMachine = setup({
  types: {} as { events: Frame; emitted: ProtocolCommand<Frame> },
  actions: {
    answer: emit(({ event }) => ({ type: 'SEND', message: event })),
  },
}).createMachine({
  id: 'echo',
  initial: 'answering',
  states: {
    answering: {
      on: { FRAME: { actions: 'answer' } },
    },
  },
});

export default defineProtocol({
  name: 'echo',
  codecs: { frames },
  initialCodec: 'frames',
  machine: echoMachine,
});
