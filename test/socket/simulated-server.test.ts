/** A server and a client as they run in production, on the simulated network and virtual time. */
import { expect, test } from 'vitest';
import echo from '../../examples/echo/index.js';
import { createTcpServer } from '../../src/server.js';
import { parseTcpSocketOptions } from '../../src/socket/options.js';
import { createSimulatedNetwork } from '../../src/socket/simulated/network.js';
import { VirtualTime } from '../../src/time/index.js';
import { frame } from '../session/start.js';

test('an echo server on a network 10 ms away echoes, and closes a silent peer 6 000 ms after its last byte arrived', async () => {
  const time = new VirtualTime();
  const network = createSimulatedNetwork({ time, seed: 1, latencyMs: 10 });
  const server = createTcpServer(echo, {
    time: network.clock('10.0.0.1'),
    layer: network.layer('10.0.0.1'),
    host: '10.0.0.1',
    port: 7_000,
  });
  const started = server.start();
  await time.settle();
  await started;

  const layer = network.layer('10.0.0.2');
  const peer = layer.openClient({ host: '10.0.0.1', port: 7_000 }, parseTcpSocketOptions());
  layer.claim(peer, layer);
  const seen: string[] = [];
  const startMs = time.now();
  layer.events.subscribe(({ event }) => {
    seen.push(`${time.now() - startMs} ${event.type}`);
    if (event.type === 'CONNECT') layer.carryOut(peer, { type: 'WRITE', bytes: frame('hello') });
    if (event.type === 'PEER_END') layer.carryOut(peer, { type: 'SEND_FIN' });
  });
  layer.carryOut(peer, { type: 'RESUME' });
  layer.carryOut(peer, { type: 'CONNECT' });
  time.advanceBy(6_029);
  expect(seen).toEqual(['20 CONNECT', '40 READ']);
  expect(server.sessions.size).toBe(1);
  time.advanceBy(100);
  expect(seen.slice(2)).toEqual(['6040 PEER_END', '6040 CLOSE']);
  expect(server.sessions.size).toBe(0);

  const stopped = server.stop();
  await time.settle();
  await stopped;
  layer.release(peer);
  expect(time.pendingCount).toBe(0);
});
