/** A server that is suspended, resumed, stopped, started again and given other limits while connections come: whoever is let in is served. */
import echo from '../../../examples/echo/index.js';
import type { SaturationPolicy } from '../../../machines/server-socket.js';
import { createTcpServer, type TcpServer, type TcpServerOptions } from '../../../src/server.js';
import { StartError } from '../../../src/session/starting.js';
import { parseTcpSocketOptions } from '../../../src/socket/options.js';
import type { WorldServerOptions } from '../../../src/testing/world.js';
import { scenario, type Stage } from '../stage.js';
import { Asker, checkService } from './echo.js';

const PLAIN = parseTcpSocketOptions({}, 'peer');
const POLICIES: readonly SaturationPolicy[] = ['refuse', 'queue', 'stopListening'];

interface Limits {
  maxSessions: number;
  readonly perAddress: number;
  readonly queueMax: number;
}

/** What counts must say at any moment. */
function watchCounts(stage: Stage, server: TcpServer, limits: Limits): void {
  let problem: string | undefined;
  const { sessions } = server;
  stage.watch(sessions.changes, ({ type, session }) => {
    if (type !== 'added') return;
    if (sessions.size > limits.maxSessions) problem ??= `${sessions.size} sessions, and ${limits.maxSessions} may live`;
    const { address } = session.peer;
    const ofAddress = [...sessions].filter(({ peer }) => peer.address === address).length;
    if (limits.perAddress > 0 && ofAddress > limits.perAddress) problem ??= `${ofAddress} sessions of ${address}`;
  });
  stage.looks.push(() => {
    if (problem) stage.fail(problem);
    const { accepted, closed, queued, leaked, forced } = server.statistics.value;
    const { context } = server.snapshots().serverSocket;
    stage.check(
      accepted === closed + sessions.size,
      () => `${accepted} accepted, ${closed} closed, ${sessions.size} live`,
    );
    stage.check(
      context.sessions === sessions.size || server.state.value === 'closed',
      () => `the chart counts ${context.sessions} sessions of ${sessions.size}`,
    );
    stage.check(queued <= limits.queueMax, () => `${queued} wait`);
    const { matches } = { matches: (state: string) => server.state.value === state };
    stage.check(
      !matches('accepting') || sessions.size < limits.maxSessions,
      () => `it accepts, with ${sessions.size} sessions of ${limits.maxSessions}`,
    );
    stage.check(
      queued === 0 || sessions.size >= limits.maxSessions,
      () => `${queued} wait, and ${sessions.size} of ${limits.maxSessions} places are taken`,
    );
    stage.check(leaked === 0 && forced === 0, () => `the sweeper found ${leaked} leaks and forced ${forced}`);
  });
}

/** Waits, in virtual time, for what was begun. @returns the error's code, if it was rejected */
export async function over(stage: Stage, promise: Promise<void>, withinMs = 120_000): Promise<string | undefined> {
  let outcome: { readonly code: string | undefined } | undefined;
  promise.then(
    () => (outcome = { code: undefined }),
    (error: unknown) => (outcome = { code: error instanceof StartError ? error.code : String(error) }),
  );
  await stage.world.settle();
  for (let passedMs = 0; outcome === undefined && passedMs < withinMs; passedMs += 250) await stage.advanceByAsync(250);
  if (outcome === undefined) stage.fail('what was begun never ends');
  return outcome!.code;
}

const lifecycle = scenario({
  name: 'server: suspended, resumed, stopped and started again in the middle of traffic',
  world: { latencyMs: 3, jitterMs: 3 },
  async play(stage) {
    const { world } = stage;
    const limits: Limits = { maxSessions: 3 + stage.below(4), perAddress: stage.is(0.5) ? 0 : 2, queueMax: 2 };
    const options: WorldServerOptions = {
      maxSessions: limits.maxSessions,
      atMaxSessions: stage.pick(POLICIES),
      sessionsPerAddressMax: limits.perAddress,
      queueMax: limits.queueMax,
      queueTimeoutMs: 800,
      drainTimeoutMs: 1_500,
      sweepIntervalMs: 2_000,
      closeTimeoutMs: 1_000,
      waitTimeoutCountMax: 30,
    };
    const server = await stage.server(echo, options);
    stage.audit(server).forcesLate = true;
    watchCounts(stage, server, limits);
    world.drawFaults({ perSecond: 0.5, durationMs: 20_000 });
    /** What is done as soon as the server is in a state, inside of the change. */
    let interrupt: { readonly state: string; readonly act: () => void } | undefined;
    stage.watch(server.state, (state) => {
      if (interrupt?.state !== state) return;
      const { act } = interrupt;
      interrupt = undefined;
      act();
    });
    const askers: Asker[] = [];
    const stops: Promise<void>[] = [];
    for (let step = 0; step < 45; step += 1) {
      for (let n = stage.below(4); n > 0 && server.address(); n -= 1) {
        const asker = new Asker(stage, server, `10.0.1.${1 + stage.below(4)}`);
        asker.ask(5);
        askers.push(asker);
      }
      for (const asker of askers) if (stage.is(0.3)) asker.ask(3);
      if (stage.is(0.2)) stage.pick(askers)?.peer.end();
      if (stage.is(0.15)) server.suspend();
      else if (stage.is(0.25)) server.resume();
      if (stage.is(0.15)) server.setMaxSessions((limits.maxSessions = 1 + stage.below(7)));
      if (stage.is(0.1)) interrupt = pickInterrupt(stage, server, stops);
      if (stage.is(0.06)) stops.push(server.stop(pickStop(stage)));
      if (stage.is(0.3) && server.state.value === 'closed')
        await over(
          stage,
          server.start().catch((error: unknown) => refuseOthers(stage, error)),
        );
      await stage.advanceByAsync(1 + stage.below(500));
      askers.forEach((asker) => asker.look());
    }
    interrupt = undefined;
    for (const stop of stops) await over(stage, stop);
    for (const peer of world.peers) peer.end();
    world.faults([]);
    await stage.advanceByAsync(100);
    server.resume();
    server.setMaxSessions((limits.maxSessions = 50));
    if (server.state.value === 'closed') await over(stage, server.start());
    stage.calm(10_000);
    if (server.state.value === 'closed') await over(stage, server.start());
    stage.check(['accepting', 'saturated'].includes(server.state.value), () => `after all it is ${server.state.value}`);
    checkService(stage, server);
  },
});

function refuseOthers(stage: Stage, error: unknown): void {
  const isExpected =
    error instanceof StartError && ['STOPPED', 'SUSPENDED', 'ALREADY_STARTED', 'EMFILE'].includes(error.code);
  if (!isExpected) stage.fail(`a start failed: ${String(error)}`);
}

function pickStop(stage: Stage): { option?: 'force'; deadlineMs?: number } {
  if (stage.is(0.3)) return { option: 'force' };
  return stage.is(0.3) ? { deadlineMs: stage.below(500) } : {};
}

function pickInterrupt(stage: Stage, server: TcpServer, stops: Promise<void>[]): { state: string; act: () => void } {
  const state = stage.pick(['resolving', 'opening', 'configuring', 'accepting', 'saturated', 'suspended', 'draining']);
  const act = stage.pick([
    () => server.suspend(),
    () => server.resume(),
    () => void stops.push(server.stop(pickStop(stage))),
  ]);
  return { state, act };
}

/** The queue, to the millisecond: first come, first served; who waits too long is reset; a place that is free is taken at once. */
const queue = scenario({
  name: 'server: connections that wait for a place',
  async play(stage) {
    const { world } = stage;
    const server = await stage.server(echo, {
      maxSessions: 2,
      atMaxSessions: 'queue',
      queueMax: 3,
      queueTimeoutMs: 3_000,
    });
    watchCounts(stage, server, { maxSessions: 2, perAddress: 0, queueMax: 3 });
    const askers = Array.from({ length: 6 }, () => {
      const asker = new Asker(stage, server);
      stage.advanceBy(1);
      asker.ask(1);
      return asker;
    });
    stage.advanceBy(1);
    const states = () =>
      askers
        .map(({ peer, isAnswered }) => (peer.state === 'closed' ? 'reset' : isAnswered ? 'served' : 'waits'))
        .join(' ');
    const expect = (expected: string) => stage.check(states() === expected, () => `${states()} instead of ${expected}`);
    expect('served served waits waits waits reset');
    stage.advanceBy(500 + stage.below(1_000));
    askers[stage.below(2)]!.peer.end();
    stage.advanceBy(1);
    stage.check(askers[2]!.isAnswered, () => 'the first that waits is not served');
    stage.advanceBy(4_000 - 1 - world.time.now() - 1_000);
    stage.check(
      askers[3]!.peer.state === 'connected' && !askers[3]!.isAnswered,
      () => 'one that waits is not kept for its 3 000 ms',
    );
    stage.advanceBy(10);
    stage.check(
      askers[3]!.peer.state === 'closed' && askers[4]!.peer.state === 'closed',
      () => 'one waits for longer than 3 000 ms',
    );
    const { refused } = server.statistics.value;
    stage.check(refused === 3, () => `${refused} were refused`);
  },
});

/** Somebody else has the port, the name is nobody's, the descriptors are gone. */
const listening = scenario({
  name: 'server: what keeps it from listening',
  async play(stage) {
    const { world } = stage;
    const server = await stage.server(echo, { sweepIntervalMs: 3_000 });
    const starts = async (options: TcpServerOptions) => {
      const host = '10.0.0.77';
      const other = createTcpServer(echo, {
        layer: world.network.layer(host),
        time: world.network.clock(host),
        host,
        ...options,
      });
      const code = await over(stage, other.start());
      await over(stage, other.stop());
      return code;
    };
    const expect = async (options: TcpServerOptions, code: string | undefined) => {
      const got = await starts(options);
      stage.check(got === code, () => `${JSON.stringify(options)}: ${got} instead of ${code}`);
    };
    world.network.name('known.test', '10.0.0.77');
    await expect({ host: 'nobody.test' }, 'ENOTFOUND');
    await expect({ host: 'known.test', port: 80 }, 'EACCES');
    await expect({ host: '10.9.9.9', port: 7_000 }, 'EADDRNOTAVAIL');
    await expect({ host: 'known.test', port: 7_000 }, undefined);
    const few = world.network.layer('10.0.0.78', { descriptorLimit: 3 });
    const failing = createTcpServer(echo, {
      host: '10.0.0.78',
      layer: few,
      time: world.network.clock('10.0.0.78'),
      maxSessions: 5,
    });
    stage.check((await over(stage, failing.start())) === 'EMFILE', () => 'it listens without a descriptor');
    // The port is taken while it is suspended; it comes back when the port is free.
    const asker = new Asker(stage, server);
    stage.advanceBy(10);
    server.suspend();
    stage.advanceBy(10);
    const { host, port } = { host: '10.0.0.1', port: 7_000 };
    const layer = world.network.layer(host);
    const thief = createTcpServer(echo, { layer, time: world.network.clock(host), host, port });
    stage.check(
      (await over(stage, thief.start())) === undefined,
      () => 'the port is not free while the server is suspended',
    );
    await expect({ host, port, layer: world.network.layer(host) }, 'EADDRINUSE');
    server.resume();
    stage.advanceBy(500 + stage.below(3_000));
    asker.ask(3);
    stage.advanceBy(10);
    stage.check(asker.isAnswered, () => 'a session of a suspended server is not answered');
    stage.check(
      server.snapshots().serverSocket.matches({ suspended: 'retrying' }),
      () => `without its port it is ${server.state.value}`,
    );
    if (stage.is(0.5)) {
      server.suspend();
      stage.advanceBy(20);
      server.resume();
    }
    await over(stage, thief.stop());
    stage.world.runUntil(() => server.state.value === 'accepting', { withinMs: 31_000 });
    checkService(stage, server);
  },
});

/** Everybody at once, while the listener goes away and comes back. */
const stampede = scenario({
  name: 'server: a stampede over restarts, with few descriptors',
  world: { latencyMs: 1, jitterMs: 2 },
  async play(stage) {
    const { world } = stage;
    const server = await stage.server(echo, {
      maxSessions: 200,
      descriptorReserve: 8,
      atMaxSessions: stage.pick(POLICIES),
      sessionsPerAddressMax: 30,
      closeTimeoutMs: 1_000,
      drainTimeoutMs: 1_000,
      socket: { backlog: 20 },
    });
    stage.audit(server).forcesLate = true;
    world.drawFaults({
      perSecond: 2,
      durationMs: 8_000,
      kinds: ['descriptors', 'acceptErrors', 'stall', 'scan', 'scan', 'reset', 'weather'],
    });
    for (let round = 0; round < 4; round += 1) {
      for (let n = 0; n < 30 && server.address(); n += 1) {
        const asker = new Asker(stage, server, `10.0.1.${1 + stage.below(3)}`);
        asker.ask(4);
        stage.looks.push(() => asker.look());
        if (stage.is(0.3)) world.time.schedule(() => asker.peer.reset(), stage.below(100));
        else if (stage.is(0.5)) world.time.schedule(() => asker.peer.end(), stage.below(2_000));
      }
      await stage.advanceByAsync(5 + stage.below(20));
      if (round % 2 === 0) {
        server.suspend();
        await stage.advanceByAsync(stage.below(30));
        server.resume();
      } else {
        await over(stage, server.stop({ deadlineMs: stage.below(300) }));
        await over(stage, server.start()); // or not, without a descriptor
      }
      await stage.advanceByAsync(500 + stage.below(1_000));
    }
    for (const peer of world.peers) peer.end();
    stage.calm(10_000);
    if (server.state.value === 'closed') await over(stage, server.start());
    stage.check(server.sessions.size === 0, () => `${server.sessions.size} sessions are left of the stampede`);
    checkService(stage, server);
  },
});

/** Descriptors run out and come back: reported once, nobody who lives is hurt, and the server comes back by itself. */
const descriptors = scenario({
  name: 'server: the last descriptor',
  world: { latencyMs: 1 },
  async play(stage) {
    const host = '10.0.0.60';
    const { world } = stage;
    const limit = 20;
    const layer = world.network.layer(host, { descriptorLimit: limit });
    const maxSessions = stage.pick([8, 9, 200]);
    const atMaxSessions = stage.pick(POLICIES);
    const server = createTcpServer(echo, {
      host,
      port: 7_000,
      layer,
      time: world.network.clock(host),
      maxSessions,
      atMaxSessions,
      descriptorReserve: 8,
      queueTimeoutMs: 500,
    });
    const codes: string[] = [];
    stage.watch(server.errors, ({ code }) => void codes.push(code));
    await over(stage, server.start());
    const peers = Array.from({ length: 14 }, () => world.network.layer('10.0.4.1'));
    const sockets = peers.map((each) => {
      const socket = each.openClient({ host, port: 7_000 }, PLAIN);
      each.carryOut(socket, { type: 'CONNECT' });
      each.carryOut(socket, { type: 'RESUME' });
      return { each, socket };
    });
    await stage.advanceByAsync(20);
    const { used } = layer.descriptors()!;
    stage.check(used <= 3 + limit, () => `${used} descriptors are in use`);
    if (maxSessions === 9) {
      // Both limits at once; then descriptors are free, and places are not.
      server.setMaxSessions(4);
      for (const { each, socket } of sockets.filter((one) => !one.socket.closed).slice(0, 4))
        each.carryOut(socket, { type: 'SEND_RST' });
      await stage.advanceByAsync(1_100);
      stage.check(
        server.sessions.size === 5 && server.state.value === 'saturated',
        () => `with ${server.sessions.size} sessions of 4 it is ${server.state.value}`,
      );
    }
    // All but the first go; whoever is refused is gone already.
    for (const { each, socket } of sockets.slice(maxSessions === 9 ? 0 : stage.below(2)))
      if (!socket.closed) each.carryOut(socket, { type: 'SEND_RST' });
    await stage.advanceByAsync(3_000);
    stage.check(server.state.value === 'accepting', () => `with descriptors again it is ${server.state.value}`);
    for (const { each, socket } of sockets) if (!socket.closed) each.carryOut(socket, { type: 'SEND_RST' });
    await stage.advanceByAsync(50);
    stage.check(server.sessions.size === 0, () => 'sessions are left');
    stage.check(
      maxSessions === 8 || codes.filter((code) => code === 'DESCRIPTORS_LOW').length >= 1,
      () => `it was never told: ${codes.join()}`,
    );
    await over(stage, server.stop());
    stage.check(layer.descriptors()!.used === 3, () => `${layer.descriptors()!.used - 3} descriptors are left in use`);
    for (const { each, socket } of sockets) each.release(socket);
  },
});

export const SERVER_SCENARIOS = [lifecycle, queue, listening, stampede, descriptors];
