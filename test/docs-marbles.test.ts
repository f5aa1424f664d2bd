import { expect } from 'vitest';
import { sessionMachine } from 'wirechart/machines';
import { playChart, playMarbles, recordMarbles, sessionStates } from 'wirechart/testing';
import { test } from 'wirechart/testing/vitest';
import echo from '../examples/echo/index.js';

const states = {
  a: 'accepted',
  c: 'connected.flowing',
  f: 'closing.flushing',
  w: 'closing.finWait',
  r: 'reset',
};

test('the last byte, not the first, begins the 6 s', async ({ world }) => {
  const server = await world.server(echo);
  const seen = recordMarbles(world.time, sessionStates(server));
  const peer = world.peer(server, { answersFin: false });

  playMarbles(world.time, '2s b 2999ms b', { b: '\0\0\0\u0001x' }, { next: (bytes) => peer.write(bytes) });
  world.advanceBy(11_000);
  expect(seen).toMatchMarbles('a 1999ms c 8999ms (fw)', states);
});

test('a peer that does not answer our FIN is reset 5 s later: the chart alone', () => {
  const { states: seen, commands } = playChart(sessionMachine, {
    input: {
      waitTimeoutCountMax: 60,
      closeTimeoutMs: 5_000,
      sendTimeoutMs: 30_000,
      frameTimeoutMs: 30_000,
      discardedBytesMax: 1_000,
      facts: [],
    },
    events: '1s (sf) 6s',
    values: { s: { type: 'STOP', option: 'graceful', reason: 'protocol asked' }, f: { type: 'FLUSHED' } },
  });
  expect(seen).toMatchMarbles('a 999ms (fw) 4996ms r', states);
  expect(commands.entries.map(({ atMs, value: { type } }) => `${atMs} ${type}`)).toEqual([
    '0 RESUME',
    '1000 RESUME',
    '1000 FLUSH',
    '1000 SEND_FIN',
    '6000 SEND_RST',
  ]);
});
