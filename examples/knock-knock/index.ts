import { emit, setup } from 'xstate';
import { defineProtocol, type ProtocolCommand } from 'wirechart';
import { lines, type LineMessage } from 'wirechart/codec';

const machine = setup({
  types: {} as { events: LineMessage; emitted: ProtocolCommand<LineMessage> },
  guards: { says: ({ event }, text: string) => event.text.toLowerCase() === text },
  actions: { say: emit((_, text: string) => ({ type: 'SEND', message: { type: 'LINE', text } })) },
}).createMachine({
  initial: 'knocking',
  states: {
    knocking: {
      entry: { type: 'say', params: 'Knock, knock.' },
      on: { LINE: { target: 'naming', guard: { type: 'says', params: "who's there?" } } },
      after: { 10_000: 'leaving' }, // nobody home
    },
    naming: {
      entry: { type: 'say', params: 'Boo.' },
      on: { LINE: { target: 'leaving', guard: { type: 'says', params: 'boo who?' } } },
      after: { 10_000: 'leaving' },
    },
    leaving: {
      entry: { type: 'say', params: "Don't cry, it is only a joke." },
      type: 'final', // the session flushes, sends FIN, and waits for the peer's
    },
  },
});

export default defineProtocol({
  name: 'knock-knock',
  codecs: { lines: () => lines() },
  initialCodec: 'lines',
  machine,
  samples: { LINE: [{ text: "Who's there?" }, { text: 'Boo who?' }, { text: 'Go away.' }] },
  options: { waitTimeoutCountMax: 0 }, // the chart has deadlines of its own
});
