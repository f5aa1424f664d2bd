/** FAULTS.md, time and resources: cases 63 to 65, 67 and 69. */
import { describe, expect, test } from 'vitest';
import { createWorld } from '../../../src/testing/world.js';
import { TimeError } from '../../../src/time/time-error.js';
import { labProtocol } from '../../session/lab.js';
import { chatExample, command, EXAMPLES, frame, joined, makeScene, ofLines, text } from './scene.js';

const SHORT = { server: { waitTimeoutCountMax: 60 } };

describe.each(EXAMPLES)('$name', (example) => {
  test('case 63: a byte that arrives at the very moment of the 60th wait, 6 000 ms, wins over it, for each of 20 seeds; one that arrives 1 ms later has lost', async () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const scene = await makeScene(example, { ...SHORT, world: { seed } });
      const { world } = scene;
      const [inTime, late] = [scene.intrudeAsTalker(), scene.intrudeAsTalker()];
      inTime.talker.ask();
      late.talker.ask();
      world.runUntil(() => inTime.talker.isAnswered && late.talker.isAnswered);
      const lastReadMs = world.time.now() - 5;
      world.advanceTo(lastReadMs + 5_995);
      inTime.talker.ask(); // 5 ms on its way
      world.advanceBy(1);
      late.talker.ask();
      world.advanceTo(lastReadMs + 6_010);
      expect(inTime.session.transportState).toEqual({ connected: 'flowing' });
      inTime.talker.expectAnswers();
      world.advanceBy(30);
      expect(scene.recordOf(late.session)).toMatchObject({ reason: 'wait timeout' });
      expect(late.talker.isAnswered).toBe(false);
      inTime.peer.end();
      world.advanceBy(30);
      await scene.over({ 'wait timeout': 1, 'peer closed': 1 });
    }
  });

  test('case 64: 500 sessions keep no more timers than 1 does, and each is ended at its own 6 000 ms, under load and after 60 s of it, without drift', async () => {
    const scene = await makeScene(example, {
      ...SHORT,
      server: { ...SHORT.server, maxSessions: 3_000, socket: { keepAlive: false } },
    });
    const { world, server } = scene;
    const before = scene.counts.timers;
    const busy = scene.intrudeAsTalker();
    for (let n = 0; n < 600; n += 1) {
      busy.talker.ask(3);
      world.advanceBy(100); // 60 s, a burst at each tick
    }
    busy.talker.expectAnswers();
    const lastReadMs = world.time.now() - 95;
    const starts = new Map<string, number>();
    const errorsMs: number[] = [];
    const watching = server.sessions.changes.subscribe(({ type, session }) => {
      if (type === 'changed' && session.transportSnapshot.matches('closing') && starts.has(session.id)) {
        errorsMs.push(world.time.now() - starts.get(session.id)! - 6_000);
        starts.delete(session.id);
      }
    });
    starts.set(busy.session.id, lastReadMs);
    for (let n = 0; n < 500; n += 1) {
      world.peer(server, { codec: false, keeps: false });
      world.advanceBy(2);
    }
    world.advanceBy(20);
    for (const session of server.sessions) {
      if (session.id !== scene.sessionOf(scene.healthy.peer)!.id && session.id !== busy.session.id)
        starts.set(session.id, session.startedAtMs);
    }
    expect(server.sessions.size).toBe(502);
    expect(scene.counts.timers).toBeLessThanOrEqual(before + 2);
    world.advanceBy(6_100);
    expect(starts.size).toBe(0);
    expect(errorsMs).toHaveLength(501);
    expect(Math.max(...errorsMs.map(Math.abs))).toBeLessThan(0.001);
    watching.unsubscribe();
    await scene.over({ 'wait timeout': 501 });
  });

  test('case 67: a peer that lets a session congest and then dies: by RST it is known at once, without a word after the send timeout of 30 000 ms', async () => {
    const scene = await makeScene(example);
    const { world } = scene;
    for (const dies of ['reset', 'vanish'] as const) {
      const { peer, session } = scene.intrudeAsTalker();
      peer.pause();
      while (!session.transportSnapshot.matches({ connected: 'congested' })) {
        session.send(example.message(20_000));
        world.advanceBy(20);
      }
      const { bytesWritten, bytesSent } = session.statistics;
      expect(bytesWritten - bytesSent).toBeGreaterThan(65_536);
      const congestedMs = world.time.now();
      if (dies === 'reset') {
        peer.reset();
        world.advanceBy(10);
        expect(scene.recordOf(session)).toMatchObject({ reason: 'peer reset', closedBy: 'rst' });
        expect(session.statistics.bytesDropped).toBe(bytesWritten - bytesSent);
        continue;
      }
      world.vanish(peer);
      world.advanceTo(congestedMs + 25_000);
      expect(session.transportState).toEqual({ connected: 'congested' });
      world.advanceTo(congestedMs + 36_000); // a look each 5 s
      expect(scene.recordOf(session)).toMatchObject({ reason: 'send timeout', closedBy: 'rst' });
      expect(session.statistics.bytesDropped).toBe(bytesWritten - bytesSent);
    }
    await scene.over({ 'peer reset': 1, 'send timeout': 1 });
  });

  test('case 69: control characters that a peer sends reach no error text, no trace and no other peer', async () => {
    const scene = await makeScene(example);
    const { world } = scene;
    const evil = '\x1b[2J\x1b]0;owned\x07\r\n2026-01-01 root logged in\r\n\x9b31m';
    const bytes: Record<string, Uint8Array> = {
      echo: frame(new Uint8Array(2), 0x1b5b324a),
      chat: joined(text(`nick ${evil}\njoin ${evil}\nsay ${evil}\n`), text('x'.repeat(600))),
      'media-control': command(0x1b5b324a, text(evil), 0x7fffffff),
    };
    const heard = scene.healthy.peer.bytesReceived;
    for (let n = 0; n < 5; n += 1) {
      const { peer, session } = scene.intrude();
      peer.write(bytes[example.name]!);
      world.advanceBy(30);
      expect(scene.recordOf(session)?.reason).toBe('bad frame');
      const shown = JSON.stringify([
        scene.recordOf(session),
        ...scene.errors.map(({ message, code }) => [code, message]),
      ]);
      expect(shown).not.toMatch(/owned|logged in|\\u001b|\\u009b|\\r|\\n/i);
      if (example.name === 'chat') expect(peer.text.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
    }
    expect(world.trace.join('')).not.toMatch(/\p{Cc}|owned/u);
    expect(scene.healthy.peer.bytesReceived).toBe(heard);
    await scene.over({ 'bad frame': 5 }, { errors: Array.from({ length: 5 }, () => 'PEER_FAILED' as const) });
  });
});

test('case 69, in a room: what a member says with control characters is refused in words, and the others hear nothing of it', async () => {
  const scene = await makeScene(chatExample);
  const { world } = scene;
  const [mallory, bob] = [scene.intrude(), scene.intrude()];
  mallory.peer.write('nick mallory\njoin hall\n');
  bob.peer.write('nick bob\njoin hall\n');
  world.advanceBy(30);
  const heard = bob.peer.text.length;
  mallory.peer.write('say \x1b[31mred\nsay a\tb\nsay \x7f\nsay \u0085\nnick \x1b[31m\nsay fine\n');
  world.advanceBy(30);
  expect(bob.peer.text.slice(heard)).toBe('<mallory> fine\n');
  expect(mallory.peer.text.match(/! control characters are not sent on\n/g)).toHaveLength(4);
  for (const { peer } of [mallory, bob]) peer.end();
  world.advanceBy(30);
  await scene.over({ 'peer closed': 2 });
});

describe('case 65: the clock of a world is moved by 0, by 11 days at once, and not at all from inside of an action', () => {
  test.each(EXAMPLES)(
    '$name: by 0 nothing happens; by 1 000 000 000 ms all deadlines are met at their moments, and nothing piles up',
    async ({ protocol }) => {
      const world = createWorld({ latencyMs: 5 });
      const server = await world.server(protocol);
      const peer = world.peer(server, { codec: false, answersFin: false });
      world.runUntil(() => server.sessions.size === 1);
      const trace = world.trace.length;
      for (let n = 0; n < 100; n += 1) world.advanceBy(0);
      expect(world.trace).toHaveLength(trace);
      const ends: number[] = [];
      const [session] = [...server.sessions];
      const watching = server.sessions.changes.subscribe((change) => {
        if (change.type === 'removed') ends.push(change.record.endedAtMs - session!.startedAtMs);
      });
      world.advanceBy(1e9);
      const { waitTimeoutCountMax = 60 } = protocol.options ?? {};
      expect(ends).toEqual([waitTimeoutCountMax * 100 + 5_000]);
      expect(world.time.now()).toBeGreaterThan(1e9);
      expect(world.pending).toMatchObject({ sessions: 0, timers: 1 }); // the next sweep
      watching.unsubscribe();
      peer.reset();
      await world.end();
    },
  );

  test.each(['advanceBy', 'advanceTo', 'runUntil'] as const)(
    '%s from inside an action throws there, which ends that session alone; the clock goes on',
    async (method) => {
      const calls = {
        advanceBy: () => scene.world.time.advanceBy(1),
        advanceTo: () => scene.world.time.advanceTo(1e6),
        runUntil: () => scene.world.time.runUntil(() => true),
      };
      const move = ({ event }: { event: { text: string } }) => void (event.text === 'bad' && calls[method]());
      const lab = { implementations: { actions: { move } }, machine: { on: { LINE: { actions: ['move', 'echo'] } } } };
      const scene: Awaited<ReturnType<typeof makeScene>> = await makeScene(ofLines('moving', labProtocol(lab)));
      const { peer } = scene.intrude();
      peer.write('fine\nbad\n');
      const before = scene.world.time.now();
      scene.world.advanceBy(50);
      expect(scene.world.time.now()).toBe(before + 50);
      expect(peer.text).toBe('fine\n');
      const { cause } = scene.errors[0]!;
      expect(cause).toBeInstanceOf(TimeError);
      expect(cause).toMatchObject({ code: 'ADVANCE_REENTERED' });
      await scene.over({ 'protocol failed': 1 }, { errors: ['PROTOCOL_FAILED'] });
    },
  );
});
