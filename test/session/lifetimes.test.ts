/** FAULTS.md 52: however sessions end, nothing of them is left. Counts, not timings. */
import { expect, test } from 'vitest';
import echo from '../../examples/echo/index.js';
import type { Session } from '../../src/session/session.js';
import type { FakeSocket } from './fake-layer.js';
import { nothingIsLeft } from './lab.js';
import { frame, start } from './start.js';

const ONE = frame('hello');
const HALF = ONE.subarray(0, 6);
const BROKEN = Uint8Array.of(0xff, 0xff, 0xff, 0xff);

/** Each ends a session, or starts what ends it within 11 virtual seconds. */
const ENDS: readonly ((peer: FakeSocket, session: Session) => void)[] = [
  (peer) => peer.peerEnds(),
  (peer) => peer.peerResets(),
  (peer) => peer.close(false),
  (peer) => {
    peer.read(HALF);
    peer.peerEnds();
  },
  (peer) => {
    peer.read(HALF);
    peer.peerResets();
  },
  (peer) => peer.read(BROKEN),
  (_, session) => session.close('graceful'),
  (_, session) => session.close('force'),
  (peer, session) => {
    peer.answersFin = false;
    session.close('graceful');
    session.close('force');
  },
  (peer, session) => {
    peer.answersFin = false;
    session.close('graceful');
    peer.peerEnds();
  },
  (_, session) => session.send({ type: 'NONE' }),
  (peer) => peer.report({ type: 'ERROR', code: 'EHOSTUNREACH', message: 'no route' }),
  // by a deadline:
  () => {},
  (peer) => void (peer.answersFin = false),
  (peer, session) => {
    peer.answersFin = false;
    session.close('graceful');
  },
  (peer, session) => {
    peer.takes = false;
    session.send({ type: 'FRAME', payload: new Uint8Array(10) } as never);
    session.close('graceful');
  },
];

test(`8 000 sessions that end in ${ENDS.length} ways: at each 800th nothing but the server and its sweeper is there`, async () => {
  const started = await start(echo);
  const { server, layer, time } = started;
  let closed = 0;
  for (let batch = 0; batch < 10; batch += 1) {
    for (let n = 0; n < 800; n += 1) {
      const peer = layer.connect({ address: `10.0.0.${n % 50}` });
      const session = server.sessions.get(`${(closed += 1)}`)!;
      if (n % 3 > 0) peer.read(ONE);
      ENDS[n % ENDS.length]!(peer, session);
    }
    time.advanceBy(11_000);
    expect(server.sessions.size).toBe(0);
    expect(layer.size).toBe(1);
    expect(time.pendingCount).toBe(1);
    expect(server.statistics.value).toMatchObject({ closed, sessions: 0, forced: 0, leaked: 0 });
    expect(server.sessions.recent.length).toBeLessThanOrEqual(1_000);
  }
  const { reasons } = server.statistics.value;
  expect(Object.values(reasons).reduce((sum, count) => sum + count, 0)).toBe(closed);
  expect(Object.keys(reasons).sort()).toEqual(
    [
      'bad frame', 'peer closed', 'peer reset', 'protocol asked', 'protocol failed', 'socket error', 'truncated frame', 'wait timeout',
    ],
  ); // prettier-ignore
  await nothingIsLeft(started);
});

test('20 000 frames to 200 sessions: bytes in and bytes out are equal, and no timer is added', async () => {
  const started = await start(echo);
  const { server, layer, time } = started;
  const peers = Array.from({ length: 200 }, () => layer.connect());
  const timers = time.pendingCount;
  for (let round = 0; round < 100; round += 1) {
    for (const peer of peers) peer.read(ONE);
    time.advanceBy(100);
  }
  expect(time.pendingCount).toBeLessThanOrEqual(timers);
  expect(server.statistics.value).toMatchObject({
    bytesReceived: 20_000 * ONE.byteLength,
    bytesSent: 20_000 * ONE.byteLength,
    bytesDropped: 0,
  });
  await nothingIsLeft(started);
});
