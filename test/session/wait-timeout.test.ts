import { expect, test } from 'vitest';
import { start, frame } from './start.js';

test('6 s of silence (60 waits of 100 ms) starts the close, and not 1 ms earlier', async () => {
  const { time, layer } = await start();
  const peer = layer.connect();
  peer.read(frame('hello'));

  time.advanceBy(5_999);
  expect(peer.types).not.toContain('SEND_FIN');

  time.advanceBy(1);
  expect(peer.types).toContain('SEND_FIN');
});

test('the 6 s begin anew with each READ, and what the server sends does not count', async () => {
  const { time, layer, server } = await start();
  const peer = layer.connect();
  for (let second = 0; second < 30; second += 1) {
    time.advanceBy(1_000);
    if (second % 5 === 0) peer.read(frame('x'));
    for (const session of server.sessions) session.send({ type: 'FRAME', payload: new Uint8Array(1) } as never);
  }
  expect(server.sessions.size).toBe(1);
  time.advanceBy(2_000);
  expect(server.sessions.size).toBe(0);
  expect(server.sessions.recent.at(-1)).toMatchObject({ reason: 'wait timeout', option: 'graceful', closedBy: 'fin' });
});
