import { expect } from 'vitest';
import { test } from 'wirechart/testing/vitest';
import echo from '../examples/echo/index.js';

test('6 s of silence end a session, and not 1 ms earlier', async ({ world }) => {
  const server = await world.server(echo);
  const peer = world.peer(server, { answersFin: false });
  world.runUntil(() => server.sessions.size === 1);
  const [session] = server.sessions;

  world.advanceBy(5_999);
  expect(session).toBeInState('accepted');

  world.advanceBy(1);
  expect(session).toBeInState('closing.finWait');
  expect(session).toHaveReason('wait timeout');

  peer.end();
  world.advanceBy(1);
  expect(server.sessions.recent[0]).toHaveClosedBy('fin', 'wait timeout');
});
