/** FAULTS.md, peer behaviour: cases 1, 2, 6, 12, 16 and 21: peers that say nothing, too little, read nothing, or come and go without end. */
import { describe, expect, test } from 'vitest';
import { command, EXAMPLES, frame, makeScene, text } from './scene.js';

describe.each(EXAMPLES)('$name', (example) => {
  test('case 1: a peer that connects and never sends is ended after 60 waits, 6 000 ms (chat: 3 000 waits), and not 1 ms earlier', async () => {
    const scene = await makeScene(example);
    const { world } = scene;
    const { peer, session } = scene.intrude();
    world.advanceTo(session.startedAtMs + example.silenceMs - 1);
    expect(session.transportState).toBe('accepted');
    expect(peer.state).toBe('connected');
    world.advanceTo(session.startedAtMs + example.silenceMs);
    expect(session.transportState).toEqual({ closing: 'finWait' });
    world.advanceBy(10);
    expect(scene.recordOf(session)).toMatchObject({ reason: 'wait timeout', closedBy: 'fin' });
    expect(peer.closedBy).toBe('fin');
    await scene.over({ 'wait timeout': 1 });
  });

  test('case 2: a slow writer, a byte each 5 900 ms, never meets its waits, and is ended 30 000 ms after the first byte of its frame', async () => {
    const scene = await makeScene(example);
    const { world } = scene;
    const { peer, session } = scene.intrude();
    const endless = {
      echo: frame(new Uint8Array(8), 1_000),
      chat: text('say nothing at all'),
      'media-control': command(8, new Uint8Array(8), 1_000),
    };
    const bytes = endless[example.name as keyof typeof endless];
    peer.write(bytes.subarray(0, 1));
    world.runUntil(() => session.statistics.bytesReceived === 1);
    const firstMs = world.time.now();
    for (let n = 1; n <= 5; n += 1) {
      world.advanceTo(firstMs + n * 5_900);
      peer.write(bytes.subarray(n, n + 1));
    }
    world.advanceTo(firstMs + 29_999);
    expect(session.transportState).toEqual({ connected: 'flowing' });
    expect(session.statistics.bytesReceived).toBe(6);
    world.advanceTo(firstMs + 30_000);
    expect(session.transportState).toEqual({ closing: 'finWait' });
    world.advanceBy(10);
    expect(scene.recordOf(session)).toMatchObject({ reason: 'frame timeout', closedBy: 'fin' });
    await scene.over({ 'frame timeout': 1 });
  });

  test('case 6: of 6 peers that are sent 100 messages a second one never reads: it alone is ended, by its hard cap of 256 KiB, the others miss nothing', async () => {
    const scene = await makeScene(example, { server: { heldBytesMax: 262_144 } });
    const { world, server } = scene;
    const others = Array.from({ length: 4 }, () => scene.intrudeAsTalker());
    const slow = scene.intrudeAsTalker();
    slow.peer.pause();
    const message = example.message(1_000);
    const healthyId = scene.sessionOf(scene.healthy.peer)!.id;
    const bytes = example.messageBytes(1_000);
    const everybody = others.map(({ talker }) => talker);
    let queuedMax = 0;
    let rounds = 0;
    for (; scene.recordOf(slow.session) === undefined && rounds < 2_000; rounds += 1) {
      server.sessions.broadcast(message, { except: healthyId });
      for (const talker of everybody) talker.hears(bytes);
      world.advanceBy(10);
      expect(everybody.every((talker) => talker.isAnswered)).toBe(true);
      const { bytesWritten, bytesSent } = slow.session.statistics;
      queuedMax = Math.max(queuedMax, bytesWritten - bytesSent);
    }
    expect(scene.recordOf(slow.session)).toMatchObject({ reason: 'slow reader', closedBy: 'rst' });
    expect(queuedMax).toBeGreaterThan(65_536);
    expect(queuedMax).toBeLessThanOrEqual(262_144);
    for (const talker of everybody) talker.expectAnswers();
    for (const { peer } of others) peer.end();
    slow.peer.resume();
    world.advanceBy(1_000);
    expect(slow.peer.state).toBe('closed');
    await scene.over({ 'slow reader': 1, 'peer closed': 4 });
  });
});

describe.each(EXAMPLES)('$name', (example) => {
  test('case 16: a peer that vanishes without a word is missed after its waits, 6 000 ms, and reset 5 000 ms later; in the chat by a keep-alive probe, after 70 s', async () => {
    const scene = await makeScene(example);
    const { world } = scene;
    const { talker, peer, session } = scene.intrudeAsTalker();
    talker.ask();
    world.runUntil(() => talker.isAnswered);
    const lastReadMs = world.time.now() - 5;
    world.vanish(peer);
    if (example.name !== 'chat') {
      world.advanceTo(lastReadMs + 5_999);
      expect(session.transportState).toEqual({ connected: 'flowing' });
      world.advanceTo(lastReadMs + 6_000);
      expect(session.transportState).toEqual({ closing: 'finWait' });
      world.advanceTo(lastReadMs + 10_999);
      expect(scene.recordOf(session)).toBeUndefined();
      world.advanceTo(lastReadMs + 11_000);
      expect(scene.recordOf(session)).toMatchObject({ reason: 'wait timeout', closedBy: 'rst' });
      await scene.over({ 'wait timeout': 1 });
      return;
    }
    const heardMs = lastReadMs + 10; // the acknowledgement of its answer
    world.advanceTo(heardMs + 69_999);
    expect(session.transportState).toEqual({ connected: 'flowing' });
    world.advanceTo(heardMs + 70_000);
    expect(scene.recordOf(session)).toMatchObject({ reason: 'socket error', closedBy: 'rst' });
    await scene.over({ 'socket error': 1 });
  });

  test('case 21: a storm of 300 peers that close and come back each 10 ms, 4 times, by FIN or by RST: 1 200 sessions, and counts are as before', async () => {
    const scene = await makeScene(example, { server: { maxSessions: 5_000, socket: { backlog: 10_000 } } });
    const { world, server } = scene;
    for (let round = 0; round < 4; round += 1) {
      const peers = Array.from({ length: 300 }, () => world.peer(server, { codec: false, keeps: false }));
      world.advanceBy(10);
      expect(peers.every(({ state }) => state === 'connected')).toBe(true);
      peers.forEach((peer, n) => (n % 2 === 0 ? peer.end() : peer.reset()));
    }
    world.advanceBy(100);
    expect(server.sessions.size).toBe(1);
    expect(server.statistics.value).toMatchObject({ accepted: 1_201, closed: 1_200, refused: 0 });
    await scene.over({ 'peer closed': 600, 'peer reset': 600 });
  });
});
