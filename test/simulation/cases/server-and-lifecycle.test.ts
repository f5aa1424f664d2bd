/** FAULTS.md, server and lifecycle: cases 37 to 44, on the simulated network, each moment of a start and of a stop. */
import { setup } from 'xstate';
import { describe, expect, test } from 'vitest';
import { lines } from '../../../src/codec/lines.js';
import { createTcpClient } from '../../../src/client.js';
import { defineProtocol } from '../../../src/session/protocol.js';
import { createWorld, type World } from '../../../src/testing/world.js';
import { EXAMPLES, makeScene } from './scene.js';

/** Runs so many actions of the clock, and gives promises their turns between them. */
async function runActions(world: World, count: number): Promise<void> {
  let asked = 0;
  await world.time.runUntilAsync(() => (asked += 1) > count);
}

/** Stops what has nothing to wait for but the network. */
async function stopNow(
  world: World,
  who: { stop(options?: object): Promise<void> },
  options: object = {},
): Promise<void> {
  const stopped = who.stop(options);
  await world.advanceByAsync(20);
  await stopped;
}

describe.each(EXAMPLES)('$name', (example) => {
  test('case 37: ten failed accepts in a row are reported one by one; the connection that waits is accepted after them, and live sessions go on', async () => {
    const scene = await makeScene(example);
    const { world } = scene;
    world.network.failAccepts('10.0.0.1', 10);
    const { talker, peer } = scene.intrudeAsTalker();
    talker.ask();
    world.advanceBy(20);
    talker.expectAnswers();
    peer.end();
    world.advanceBy(20);
    await scene.over({ 'peer closed': 1 }, { errors: Array.from({ length: 10 }, () => 'SOCKET_FAILED' as const) });
  });

  test('case 38: a stop in the middle of a connect, after each of its first 12 steps, leaves no connection that nobody owns', async () => {
    const seen = new Set<string>();
    for (let steps = 0; steps <= 12; steps += 1) {
      const world = createWorld({ latencyMs: 5, seed: steps });
      const server = await world.server(example.protocol, { closeTimeoutMs: 1_000 });
      const peer = world.peer(server, { codec: false });
      for (let n = 0; n < steps; n += 1) world.time.runNext();
      const stopped = server.stop();
      await world.advanceByAsync(10_000);
      await stopped;
      seen.add(`${peer.state} ${server.statistics.value.closed}`);
      expect(['closed', 'refused']).toContain(peer.state);
      expect(server.sessions.size).toBe(0);
      expect(world.pending).toMatchObject({ sessions: 0, sockets: 0, timers: 0 });
      await world.end();
    }
    expect([...seen]).toEqual(expect.arrayContaining(['refused 0', 'closed 1']));
  });

  test('case 39: a stop sends FIN to live sessions, and RST to who does not answer, at the deadline of 2 000 ms and not 1 ms earlier; a second stop joins it', async () => {
    const world = createWorld({ latencyMs: 5 });
    const server = await world.server(example.protocol);
    const peers = [
      world.peer(server, { codec: false }),
      world.peer(server, { codec: false }),
      world.peer(server, { codec: false, answersFin: false }),
    ];
    world.runUntil(() => server.sessions.size === 3);
    const startMs = world.time.now();
    const resolved: string[] = [];
    const first = server.stop({ deadlineMs: 2_000 }).then(() => resolved.push('first'));
    const second = server.stop({ deadlineMs: 1 }).then(() => resolved.push('second'));
    await world.advanceByAsync(20);
    expect(peers.map(({ state }) => state)).toEqual(['closed', 'closed', 'ended']);
    expect(server.sessions.size).toBe(1);
    expect(server.state.value).toBe('draining');
    await world.time.advanceToAsync(startMs + 1_999);
    expect([...server.sessions].map(({ transportState }) => transportState)).toEqual([{ closing: 'finWait' }]);
    expect(resolved).toEqual([]);
    await world.time.advanceToAsync(startMs + 2_000);
    await Promise.all([first, second]);
    expect(resolved.sort()).toEqual(['first', 'second']);
    expect(server.state.value).toBe('closed');
    expect(world.reasons).toEqual({ draining: 3 });
    expect(server.sessions.recent.map(({ closedBy }) => closedBy)).toEqual(['fin', 'fin', 'rst']);
    peers[2]!.reset();
    await world.end();
  });

  test('case 40: a stop before the server listens, at each step of its start; 200 starts and stops; two servers on one network that know nothing of each other', async () => {
    const world = createWorld({ latencyMs: 5 });
    const server = await world.server(example.protocol);
    const other = await world.server(example.protocol, { waitTimeoutCountMax: 0 });
    const guest = world.peer(other, { codec: false });
    world.runUntil(() => other.sessions.size === 1);
    await stopNow(world, server);
    const outcomes = new Set<string>();
    for (let steps = 0; steps <= 6; steps += 1) {
      const started = server.start().then(
        () => 'started',
        ({ code }: { code: string }) => code,
      );
      await runActions(world, steps);
      await stopNow(world, server);
      outcomes.add(await started);
      expect(server.state.value).toBe('closed');
      expect(world.pending.sockets).toBe(3); // the other server, its guest, and the guest's session
    }
    expect([...outcomes].sort()).toEqual(['STOPPED', 'started']);
    for (let n = 0; n < 200; n += 1) {
      const started = server.start();
      await world.settle();
      await started;
      const peer = world.peer(server, { codec: false });
      world.runUntil(() => server.sessions.size === 1);
      await stopNow(world, server, { option: n % 2 === 0 ? 'force' : 'graceful' });
      peer.reset();
    }
    expect(server.statistics.value).toMatchObject({ closed: 200, sessions: 0 });
    expect(other.statistics.value).toMatchObject({ closed: 0, sessions: 1 });
    expect(guest.state).toBe('connected');
    expect(other.sessions.get('1')).toBeDefined(); // the other server's session 1 was another one
    await world.end();
  });

  test('case 41: while suspended nobody is let in, live sessions go on; after the resume all are let in', async () => {
    const scene = await makeScene(example);
    const { world, server } = scene;
    server.suspend();
    await world.advanceByAsync(20);
    expect(server.state.value).toBe('suspended');
    const refused = Array.from({ length: 10 }, () => world.peer(server, { codec: false }));
    await world.advanceByAsync(3_000);
    expect(refused.map(({ state, failure }) => `${state} ${failure}`)).toEqual(
      Array.from({ length: 10 }, () => 'refused ECONNREFUSED'),
    );
    expect(server.sessions.size).toBe(1);
    scene.healthy.expectAnswers();
    server.resume();
    await world.advanceByAsync(20);
    expect(server.state.value).toBe('accepting');
    const { talker, peer } = scene.intrudeAsTalker();
    talker.ask();
    await world.advanceByAsync(20);
    talker.expectAnswers();
    peer.end();
    await world.advanceByAsync(20);
    await scene.over({ 'peer closed': 1 });
  });

  test('case 42: beyond 3 sessions connections are reset and counted; raised to 5 two more come in, lowered to 2 nobody is ended; a place is freed once', async () => {
    const scene = await makeScene(example, { server: { maxSessions: 3 } });
    const { world, server } = scene;
    const knock = () => {
      const peer = world.peer(server, { codec: false });
      world.advanceBy(30);
      return peer;
    };
    const inside = [knock(), knock()];
    const turnedAway = [knock(), knock()];
    expect(turnedAway.map(({ state }) => state)).toEqual(['closed', 'closed']);
    expect(server.statistics.value).toMatchObject({ sessions: 3, refused: 2 });
    server.setMaxSessions(5);
    inside.push(knock(), knock());
    expect(knock().state).toBe('closed');
    expect(server.statistics.value).toMatchObject({ sessions: 5, refused: 3 });
    server.setMaxSessions(2);
    expect(inside.map(({ state }) => state)).toEqual(['connected', 'connected', 'connected', 'connected']);
    for (const [n, peer] of inside.entries()) {
      // Closed twice and by both ends: its place is one place.
      const session = scene.sessionOf(peer)!;
      session.close('graceful');
      peer.end();
      session.close('force');
      world.advanceBy(30);
      expect(server.sessions.size).toBe(4 - n);
      if (n === 2) expect(knock().state).toBe('closed');
    }
    const last = knock();
    expect(last.state).toBe('connected');
    expect(knock().state).toBe('closed');
    last.end();
    world.advanceBy(30);
    await scene.over({ 'protocol asked': 4, 'peer closed': 1 });
  });

  test('case 43: a signal that aborts a start, before it and at each of its steps, and a stop that is made urgent: the server is closed, and nothing runs on', async () => {
    const world = createWorld({ latencyMs: 5 });
    const server = await world.server(example.protocol);
    await stopNow(world, server);
    await expect(server.start({ signal: AbortSignal.abort('too late') })).rejects.toMatchObject({ code: 'STOPPED' });
    const outcomes = new Set<string>();
    for (let steps = 0; steps <= 6; steps += 1) {
      const abort = new AbortController();
      const started = server.start({ signal: abort.signal }).then(
        () => 'started',
        ({ code }: { code: string }) => code,
      );
      await runActions(world, steps);
      abort.abort();
      await world.advanceByAsync(20);
      const outcome = await started;
      outcomes.add(outcome);
      // Once it has started the signal means nothing any more.
      expect(server.state.value).toBe(outcome === 'started' ? 'accepting' : 'closed');
      await stopNow(world, server);
      expect(world.pending).toMatchObject({ timers: 0, sockets: 0, sessions: 0, promises: [] });
    }
    expect([...outcomes].sort()).toEqual(['STOPPED', 'started']);
    const started = server.start();
    await world.settle();
    await started;
    const peer = world.peer(server, { codec: false, answersFin: false });
    world.runUntil(() => server.sessions.size === 1);
    const drained = server.stop();
    await world.advanceByAsync(20);
    expect(server.state.value).toBe('draining');
    const urgent = server.stop({ option: 'force' });
    await world.advanceByAsync(20);
    await Promise.all([drained, urgent]);
    expect(server.state.value).toBe('closed');
    expect(world.pending.timers).toBe(0);
    peer.reset();
    await world.end();
  });
});

describe('case 44: a client whose server refuses, is silent, has no name, resets, or is given up, comes back within its back-off, and is ended by a stop or a signal at once', () => {
  const machine = setup({}).createMachine({ initial: 'idle', states: { idle: {} } });
  const quiet = defineProtocol({
    name: 'quiet',
    codecs: { lines: () => lines() },
    initialCodec: 'lines',
    machine: machine as never,
    options: { waitTimeoutCountMax: 0 },
  });

  /** A client of its own, at 10.0.2.9. */
  const clientOf = (world: World, host: string, attemptsMax: number, connectTimeoutMs = 1_000) =>
    createTcpClient(quiet, {
      host,
      port: 7_000,
      layer: world.network.layer('10.0.2.9'),
      time: world.network.clock('10.0.2.9'),
      connectTimeoutMs,
      seed: world.seed,
      backOff: { minMs: 100, maxMs: 400, attemptsMax },
    });

  test.each([
    { name: 'refused', host: '10.0.0.7', code: 'EHOSTUNREACH', connectTimeoutMs: 10_000 },
    { name: 'no answer', host: '10.0.0.1', code: 'CONNECT_TIMEOUT', connectTimeoutMs: 1_000 },
    { name: 'no such name', host: 'nowhere.example', code: 'ENOTFOUND', connectTimeoutMs: 1_000 },
    { name: 'nobody listens', host: '10.0.0.1', code: 'ECONNREFUSED', connectTimeoutMs: 1_000 },
  ])('$name: 3 attempts, no more, and its start rejects with $code', async ({ name, host, code, connectTimeoutMs }) => {
    const world = createWorld({ latencyMs: 5 });
    const server = await world.server(quiet);
    if (name === 'no answer') world.network.partition('10.0.0.1');
    if (name === 'nobody listens') await stopNow(world, server);
    const client = clientOf(world, host, 3, connectTimeoutMs);
    const started = client.start().then(
      () => 'started',
      (error: { code: string }) => error.code,
    );
    await world.advanceByAsync(60_000);
    expect(await started).toBe(code);
    expect(client.state.value).toBe('closed');
    expect(client.statistics.connects).toBe(0);
    world.network.heal();
    await world.end();
  });

  test('it is reset as soon as it is connected, 10 times: each delay is at most its ceiling of 100, 200 and then 400 ms, and they are not all the same', async () => {
    const world = createWorld({ latencyMs: 5 });
    const server = await world.server(quiet);
    const client = world.client(server, quiet, { seed: 3, backOff: { minMs: 100, maxMs: 400, attemptsMax: Infinity } });
    const moments: number[] = [];
    const resets = server.sessions.changes.subscribe((change) => {
      if (change.type !== 'added') return;
      moments.push(world.time.now());
      change.session.close('force');
    });
    void client.start().catch(() => {});
    await world.advanceByAsync(5_000);
    expect(moments.length).toBeGreaterThan(10);
    const delays = moments.slice(1).map((at, n) => at - moments[n]!);
    expect(delays.every((delay, n) => delay <= Math.min(400, 100 * 2 ** n) + 40)).toBe(true);
    expect(new Set(delays.map(Math.round)).size).toBeGreaterThan(5);
    await stopNow(world, client);
    const count = moments.length;
    await world.advanceByAsync(5_000);
    expect(moments).toHaveLength(count);
    resets.unsubscribe();
    await world.end();
  });

  test.each(['stop', 'signal'] as const)(
    'by a %s at each of its first 8 steps, and while it waits to try again',
    async (by) => {
      for (let steps = 0; steps <= 9; steps += 1) {
        const world = createWorld({ latencyMs: 5, seed: steps });
        const server = await world.server(quiet);
        if (steps === 9) await stopNow(world, server);
        const client = clientOf(world, '10.0.0.1', Infinity);
        const abort = new AbortController();
        const started = client.start({ signal: abort.signal }).then(
          () => 'started',
          ({ code }: { code: string }) => code,
        );
        if (steps < 9) await runActions(world, steps);
        else await world.advanceByAsync(250);
        if (steps === 9) expect(['backOff', 'connecting']).toContain(client.state.value);
        const wasConnected = client.state.value === 'connected';
        if (by === 'signal') abort.abort();
        else void client.stop();
        await world.advanceByAsync(50);
        const outcome = await started;
        expect(outcome).toBe(wasConnected ? 'started' : 'STOPPED');
        if (by === 'signal' && wasConnected) {
          await stopNow(world, client);
        }
        expect(client.state.value).toBe('closed');
        await world.end();
      }
    },
  );
});
