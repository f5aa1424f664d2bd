/** For `wirechart check`: no arrow leads to `lost`, and who is silent stays in `asking` for ever, because the waits are off. */
import { emit, setup } from 'xstate';
import { defineProtocol, type ProtocolCommand } from 'wirechart';
import { lines, type LineMessage } from 'wirechart/codec';

const machine = setup({
  types: {} as { events: LineMessage; emitted: ProtocolCommand<LineMessage> },
  actions: { answer: emit({ type: 'SEND', message: { type: 'LINE', text: 'and then?' } }) },
}).createMachine({
  initial: 'asking',
  states: {
    asking: { on: { LINE: { actions: 'answer' } } },
    lost: { after: { 1_000: 'asking' } },
  },
});

export default defineProtocol({
  name: 'lost-and-waiting',
  codecs: { lines: () => lines() },
  initialCodec: 'lines',
  machine,
  options: { waitTimeoutCountMax: 0 },
});
