import { emit, setup } from 'xstate';
import { expect } from 'vitest';
import { defineProtocol, type ProtocolCommand } from 'wirechart';
import { lines, type LineMessage } from 'wirechart/codec';
import { simulatedHandler } from 'wirechart/testing';
import { test } from 'wirechart/testing/vitest';

type LookUp = { type: 'LOOK_UP'; name: string };
type Event = LineMessage | { type: 'FOUND'; text: string } | { type: 'NOT_FOUND' };

const machine = setup({
  types: {} as { events: Event; emitted: ProtocolCommand<LineMessage, LookUp> },
  actions: {
    lookUp: emit(({ event }) => ({ type: 'LOOK_UP', name: (event as LineMessage).text })),
    answer: emit(({ event }) => ({ type: 'SEND', message: { type: 'LINE', text: (event as { text: string }).text } })),
    sorry: emit({ type: 'SEND', message: { type: 'LINE', text: 'not found' } }),
  },
}).createMachine({
  initial: 'asking',
  states: {
    asking: { on: { LINE: { target: 'waiting', actions: 'lookUp' } } },
    waiting: {
      tags: 'hold',
      on: {
        FOUND: { target: 'asking', actions: 'answer' },
        NOT_FOUND: { target: 'asking', actions: 'sorry' },
      },
    },
  },
});

const answer = ({ name }: LookUp) => ({ type: 'FOUND', text: `${name} lives here` }) as const;
const directory = defineProtocol({
  name: 'directory',
  codecs: { lines: () => lines() },
  initialCodec: 'lines',
  machine,
  handlers: {
    // In production: asks a database. Here: 250 ms, and never for `nobody`.
    LOOK_UP: simulatedHandler<LookUp>({
      answer,
      afterMs: ({ name }) => (name === 'nobody' ? Infinity : 250),
      deadlineMs: 1_000,
      failure: () => ({ type: 'NOT_FOUND' }) as const,
    }),
  },
});

test('an answer takes its time, and one that never comes ends at its deadline', async ({ world }) => {
  const server = await world.server(directory);
  const peer = world.peer(server);
  peer.write('ann\nnobody\n'); // the second waits until the first is answered

  world.advanceBy(249);
  expect(peer.text).toBe('');
  world.advanceBy(1);
  expect(peer.text).toBe('ann lives here\n');

  world.advanceBy(999);
  expect(peer.text).toBe('ann lives here\n');
  world.advanceBy(1);
  expect(peer.text).toBe('ann lives here\nnot found\n');
});
