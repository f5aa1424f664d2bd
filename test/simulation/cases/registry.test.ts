/** FAULTS.md, sessions, registry, sweeper: cases 51 to 56. */
import { map, take } from 'rxjs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ScriptedPeer } from '../../../src/explore/peer.js';
import type { Session } from '../../../src/session/session.js';
import { processErrors } from '../../session/process-errors.js';
import { command, EXAMPLES, makeScene, text, type Scene } from './scene.js';

const process = processErrors();
beforeEach(() => process.watch());
afterEach(async () => {
  expect(await process.seen()).toEqual([]);
});

const BROKEN: Record<string, Uint8Array> = {
  echo: Uint8Array.of(0xff, 0xff, 0xff, 0xff),
  chat: text('x'.repeat(600)),
  'media-control': command(8, new Uint8Array(0), 2 ** 32 - 1),
};

/** Every way out: what is done to a session, or not done. The longest takes 11 s, in the chat its waits. */
const EXITS: readonly ((scene: Scene, peer: ScriptedPeer, session: Session) => void)[] = [
  (_, peer) => peer.end(),
  (_, peer) => peer.reset(),
  ({ example }, peer) => (peer.write(example.request('x', 1).subarray(0, 3)), peer.end()),
  (_, peer) => (peer.write(Uint8Array.of(0)), peer.reset()),
  ({ example }, peer) => peer.write(BROKEN[example.name]!),
  (_, __, session) => session.close('graceful'),
  (_, __, session) => session.close('force'),
  (_, __, session) => (session.close('graceful'), session.close('force')),
  (_, peer, session) => (session.close('graceful'), peer.end()),
  (_, __, session) => void session.send({ type: 'NONE' } as never),
  ({ world }, peer) => world.vanish(peer),
  ({ example }, peer, session) => (peer.pause(), session.send(example.message(60_000)), session.close('graceful')),
  ({ example }, peer) => peer.write(example.request('x', 1).subarray(0, 3)),
  () => {},
];

describe.each(EXAMPLES)('$name', (example) => {
  test('case 51: a second session with a live id is refused and reported; a free id is used again, and what the old session is told reaches no one', async () => {
    const ids = ['healthy', 'twin', 'twin', 'twin'];
    const scene = await makeScene(example, { server: { ids: () => ids.shift()! } });
    const { world, server } = scene;
    const { peer: first, session: old } = scene.intrude();
    const second = world.peer(server, { codec: false });
    world.advanceBy(30);
    expect(second.closedBy).toBe('rst');
    expect(first.state).toBe('connected');
    expect(server.sessions.get('twin')).toBe(old);
    first.reset();
    world.advanceBy(30);
    const { peer: third, session: heir } = scene.intrude();
    world.advanceBy(10);
    expect(heir.id).toBe('twin');
    const heard = third.bytesReceived;
    const state = JSON.stringify(heir.protocolSnapshot.value);
    old.dispatch({ type: 'NICK', name: 'late' } as never);
    expect(old.send(example.message(10))).toBe(false);
    old.close('force');
    world.advanceBy(30);
    expect(heir.transportState).toBe('accepted');
    expect(third.bytesReceived).toBe(heard);
    expect(JSON.stringify(heir.protocolSnapshot.value)).toBe(state);
    expect(server.statistics.value).toMatchObject({ eventsDropped: 1, accepted: 4, sessions: 2 });
    third.reset();
    world.advanceBy(30);
    await scene.over({ 'peer reset': 2 }, { errors: ['PROTOCOL_FAILED'] });
  });

  test('case 52: 210 sessions that end in 14 ways: each 70 leave sockets, sessions and timers as they were, and no subscription', async () => {
    const scene = await makeScene(example, { server: { frameTimeoutMs: 5_000, waitTimeoutCountMax: 60 } });
    const { world, server } = scene;
    const before = scene.counts;
    for (let batch = 0; batch < 3; batch += 1) {
      const peers: ScriptedPeer[] = [];
      for (let n = 0; n < 70; n += 1) {
        const { peer, session } =
          n % 2 === 0 ? scene.intrude({ keeps: false, host: '10.0.1.7' }) : scene.intrudeAsTalker({ host: '10.0.1.8' });
        EXITS[(batch * 70 + n) % EXITS.length]!(scene, peer, session);
        peers.push(peer);
      }
      world.advanceBy(12_000);
      for (const peer of peers) peer.resume();
      world.advanceBy(100);
      scene.expectOthersUnharmed();
      expect(scene.counts).toEqual(before);
      expect(server.statistics.value).toMatchObject({ closed: (batch + 1) * 70, forced: 0, leaked: 0 });
    }
    const { 'peer closed': closed = 0, ...others } = world.reasons;
    expect(Object.keys(others).sort()).toEqual(
      [
        'bad frame', 'frame timeout', 'peer reset', 'protocol asked', 'protocol failed', 'wait timeout',
        ...(example.name === 'chat' ? [] : ['truncated frame']),
      ].sort(),
    ); // prettier-ignore
    const errors = scene.errors.map(({ code }) => code);
    expect(new Set(errors)).toEqual(new Set(['PEER_FAILED', 'PROTOCOL_FAILED']));
    await scene.over({ ...others, 'peer closed': closed }, { errors });
  });

  test('case 53: a sweep each millisecond, over sessions in each transient state and while they close by themselves, touches none of them', async () => {
    const scene = await makeScene(example, {
      server: { sweepIntervalMs: 1, closeTimeoutMs: 200, waitTimeoutCountMax: 60 },
    });
    const { world, server } = scene;
    const states = new Set<string>();
    const watching = server.sessions.changes.subscribe(({ session }) =>
      states.add(JSON.stringify(session.transportState)),
    );
    const exits = EXITS.slice(0, 12);
    for (const exit of exits) {
      const { peer, session } = scene.intrude({ answersFin: exits.indexOf(exit) % 2 === 0 });
      world.advanceBy(10);
      exit(scene, peer, session);
      world.advanceBy(3);
    }
    world.advanceBy(6_500);
    for (const peer of world.peers) if (peer !== scene.healthy.peer) peer.reset();
    world.advanceBy(2_000);
    expect(server.statistics.value).toMatchObject({ sessions: 1, closed: exits.length, forced: 0, leaked: 0 });
    expect(server.statistics.value.sweeps).toBeGreaterThan(6_000);
    expect(server.sessions.recent).toEqual([]); // their records are swept
    expect([...states]).toEqual(
      expect.arrayContaining(['"accepted"', '{"closing":"finWait"}', '{"closing":"flushing"}']),
    );
    watching.unsubscribe();
    const { ...reasons } = world.reasons;
    await scene.over(reasons, { errors: scene.errors.map(({ code }) => code) });
  });

  test('case 54: the registry is walked, and broadcast to, while sessions leave and join: each that was there at its turn is met once, nobody twice', async () => {
    const scene = await makeScene(example);
    const { world, server } = scene;
    const healthyId = scene.sessionOf(scene.healthy.peer)!.id;
    const crowd = Array.from({ length: 20 }, () => scene.intrude({ keeps: false }));
    const met: string[] = [];
    for (const session of server.sessions) {
      met.push(session.id);
      const next = [...server.sessions].find(({ id }) => id !== healthyId && !met.includes(id));
      next?.close('force');
      world.peer(server, { codec: false, keeps: false });
      world.advanceBy(30); // the one after it leaves, another joins
      if (met.length === 12) break;
    }
    expect(new Set(met).size).toBe(12);
    expect(met[0]).toBe(healthyId);
    const gone = [...scene.records.keys()];
    expect(gone).toHaveLength(12);
    expect(met.filter((id) => gone.includes(id))).toEqual([]);
    // A broadcast in whose middle another session is closed and one more connects.
    let told = 0;
    const telling = server.sessions.changes.subscribe((change) => {
      if (change.type === 'removed') told += 1;
    });
    const closing = [...server.sessions].filter(({ id }) => id !== healthyId);
    closing[3]!.close('force');
    const taken = server.sessions.broadcast(example.message(10), { except: [healthyId] });
    expect(taken).toBe(closing.length - 1);
    world.advanceBy(30);
    expect(told).toBe(1);
    telling.unsubscribe();
    for (const { peer } of crowd) peer.reset();
    for (const peer of world.peers) if (peer !== scene.healthy.peer) peer.reset();
    world.advanceBy(30);
    const { 'protocol asked': asked = 0, 'peer reset': reset = 0 } = world.reasons;
    expect(asked).toBe(13);
    await scene.over({ 'protocol asked': asked, 'peer reset': reset });
  });

  test('case 55: subscribers that throw at each value, of each stream of a server, end nothing: what they threw is reported, and never reaches the process', async () => {
    const scene = await makeScene(example);
    const { world, server } = scene;
    const streams = [server.events, server.state, server.statistics, server.sessions.changes, server.errors];
    const calls = streams.map(() => 0);
    const throwing = streams.map((stream, n) =>
      (stream as typeof server.events).subscribe(() => {
        calls[n]! += 1;
        throw new Error('boom');
      }),
    );
    const { talker, peer, session } = scene.intrudeAsTalker();
    talker.ask(3);
    world.advanceBy(2_000);
    talker.expectAnswers();
    session.send({ type: 'NONE' } as never); // an error, for who subscribes to errors
    world.advanceBy(30);
    expect(peer.closedBy).toBe('fin');
    for (const count of calls) expect(count).toBeGreaterThan(0);
    for (const subscription of throwing) subscription.unsubscribe();
    const codes = scene.errors.map(({ code }) => code);
    expect(codes.filter((code) => code === 'PROTOCOL_FAILED')).toHaveLength(1);
    const [events, states, statistics, changes] = calls as [number, number, number, number];
    expect(codes.filter((code) => code === 'SUBSCRIBER_FAILED')).toHaveLength(events + states + statistics + changes);
    await scene.over({ 'protocol failed': 1 }, { errors: codes });
  });

  test('case 56: an operator that throws, and a stream that somebody completes, end what is behind them alone: the shared stream goes on for all others', async () => {
    const scene = await makeScene(example);
    const { world, server } = scene;
    const failed: unknown[] = [];
    const seen = { before: 0, after: 0, two: 0, completed: 0 };
    const calm = [server.events.subscribe(() => (seen.before += 1))];
    const broken = server.events
      .pipe(map(() => JSON.parse('{') as never))
      .subscribe({ error: (error: unknown) => failed.push(error) });
    server.events.pipe(take(2)).subscribe({ next: () => (seen.two += 1), complete: () => (seen.completed += 1) });
    server.sessions.changes
      .pipe(map(() => JSON.parse('{') as never))
      .subscribe({ error: (error: unknown) => failed.push(error) });
    calm.push(server.events.subscribe(() => (seen.after += 1)));
    const { talker, peer } = scene.intrudeAsTalker();
    for (let n = 0; n < 10; n += 1) {
      talker.ask();
      world.advanceBy(100);
    }
    talker.expectAnswers();
    expect(failed).toHaveLength(2);
    expect(broken.closed).toBe(true);
    expect(seen).toMatchObject({ two: 2, completed: 1 });
    expect(seen.before).toBe(seen.after);
    expect(seen.before).toBeGreaterThan(10);
    for (const subscription of calm) subscription.unsubscribe();
    peer.end();
    world.advanceBy(30);
    await scene.over({ 'peer closed': 1 });
  });
});
