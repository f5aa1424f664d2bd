/** The server's life: starting, stopping, limits, the sweeper and its records. One session's life: test/session. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import echo from '../examples/echo/index.js';
import { createTcpServer, type TcpServerOptions } from '../src/server.js';
import { StartError } from '../src/session/starting.js';
import { RegistryError } from '../src/session/registry.js';
import { VirtualTime } from '../src/time/virtual-time.js';
import { FakeLayer, type FakeSocket } from './session/fake-layer.js';
import { heard, labProtocol, left, nothingIsLeft, says } from './session/lab.js';
import { microtasks, processErrors } from './session/process-errors.js';
import { start } from './session/start.js';

const process = processErrors();
beforeEach(() => process.watch());
afterEach(async () => {
  expect(await process.seen()).toEqual([]);
});

/** A server that was not started yet. */
function made(options: TcpServerOptions = {}, change: (layer: FakeLayer) => void = () => {}) {
  const time = new VirtualTime();
  const layer = new FakeLayer(time);
  change(layer);
  const server = createTcpServer(labProtocol(), { time, layer, maxSessions: 100, ...options });
  return { time, layer, server, errors: [] };
}

const nothing = { sockets: 0, timers: 0, sessions: 0, groups: 0 };

describe('start', () => {
  test.each([
    ['EADDRINUSE', '127.0.0.1:7000 is in use by another process'],
    ['EADDRNOTAVAIL', '127.0.0.1 is not an address of this machine'],
    ['EACCES', 'no permission to listen on 127.0.0.1:7000'],
    ['EMFILE', 'cannot listen on 127.0.0.1:7000: listen EMFILE'],
  ])('rejects with %s and a text for people, leaves nothing, and can be tried again', async (code, message) => {
    const { server, layer, time } = made(
      { port: 7_000 },
      (l) => (l.listenFailure = { code, message: `listen ${code}` }),
    );
    const failure = await server.start().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StartError);
    expect(failure).toMatchObject({ name: 'StartError', code, message });
    expect(server.state.value).toBe('closed');
    expect(server.address()).toBeUndefined();
    expect(left({ server, layer, time })).toEqual(nothing);
    layer.listenFailure = undefined;
    await server.start();
    expect(server.state.value).toBe('accepting');
    expect(server.address()).toMatchObject({ port: 7_000 });
    await server.stop();
    expect(left({ server, layer, time })).toEqual(nothing);
  });

  test('rejects with ENOTFOUND when the name is not known, and with RESOLVE_TIMEOUT at 10 000 ms, not 1 ms earlier', async () => {
    const unknown = made({ host: 'nowhere' }, (l) => (l.unanswered = 'RESOLVE'));
    const started = unknown.server.start();
    unknown.layer.server!.report({ type: 'ERROR', code: 'ENOTFOUND', message: 'getaddrinfo ENOTFOUND' });
    await expect(started).rejects.toMatchObject({
      code: 'ENOTFOUND',
      message: 'the name nowhere is not known, or no name server answers (ENOTFOUND)',
    });
    expect(left(unknown)).toEqual(nothing);

    const slow = made({ host: 'slow' }, (l) => (l.unanswered = 'RESOLVE'));
    const failed = slow.server.start().catch((error: unknown) => error);
    await slow.time.advanceByAsync(9_999);
    expect(slow.server.state.value).toBe('resolving');
    await slow.time.advanceByAsync(1);
    expect(await failed).toMatchObject({ code: 'RESOLVE_TIMEOUT' });
    expect(left(slow)).toEqual(nothing);
  });

  test.each(['LISTEN', 'CONFIGURE'])(
    'rejects with OPEN_TIMEOUT when %s is not answered for 10 000 ms',
    async (command) => {
      const { server, time, layer } = made({}, (l) => (l.unanswered = command));
      const failed = server.start().catch((error: unknown) => error);
      await time.advanceByAsync(9_999);
      expect(server.state.value).not.toBe('closed');
      await time.advanceByAsync(1);
      expect(await failed).toMatchObject({ name: 'StartError', code: 'OPEN_TIMEOUT' });
      expect(left({ server, layer, time })).toEqual(nothing);
    },
  );

  test('a second start rejects with ALREADY_STARTED, also while the first is under way, and disturbs nothing', async () => {
    const { server, layer, time } = made();
    const first = server.start();
    await expect(server.start()).rejects.toMatchObject({ name: 'StartError', code: 'ALREADY_STARTED' });
    await first;
    await expect(server.start()).rejects.toMatchObject({ code: 'ALREADY_STARTED' });
    says(layer.connect(), 'x');
    expect(server.sessions.size).toBe(1);
    await server.stop();
    expect(left({ server, layer, time })).toEqual(nothing);
  });

  test('with a signal that is aborted already, or meanwhile, rejects with STOPPED; afterwards the signal means nothing', async () => {
    const { server, layer, time } = made({}, (l) => (l.unanswered = 'RESOLVE'));
    await expect(server.start({ signal: AbortSignal.abort(new Error('no')) })).rejects.toMatchObject({
      code: 'STOPPED',
      message: 'the start was aborted: no',
    });
    for (const unanswered of ['RESOLVE', 'LISTEN', 'CONFIGURE']) {
      layer.unanswered = unanswered;
      const abort = new AbortController();
      const started = server.start({ signal: abort.signal });
      abort.abort();
      await expect(started).rejects.toMatchObject({ code: 'STOPPED' });
      expect(server.state.value).toBe('closed');
      expect(left({ server, layer, time })).toEqual(nothing);
    }
    layer.unanswered = undefined;
    const abort = new AbortController();
    await server.start({ signal: abort.signal });
    abort.abort();
    expect(server.state.value).toBe('accepting');
    await server.stop();
    expect(left({ server, layer, time })).toEqual(nothing);
  });

  test('of a stopped server 1 000 times, with a session each time, leaves nothing', async () => {
    const { server, layer, time } = made();
    for (let n = 0; n < 1_000; n += 1) {
      await server.start();
      says(layer.connect(), 'x');
      await server.stop();
    }
    expect(left({ server, layer, time })).toEqual(nothing);
    expect(server.statistics.value).toMatchObject({ accepted: 1_000, closed: 1_000, sessions: 0 });
  });

  test('what is no protocol, or no option, is refused when the server is made', () => {
    expect(() => createTcpServer({} as never)).toThrow('protocol: expected what defineProtocol returned');
    const wrong: [object, string][] = [
      [{ prot: 1 }, 'server.prot: there is no such option; did you mean port?'],
      [{ port: 65_536 }, 'server.port: expected an integer from 0 to 65535, got 65536'],
      [{ host: '' }, 'server.host: expected an address or a name, got ""'],
      [{ path: 7 }, 'server.path: expected the path of a Unix socket, got 7'],
      [{ maxSessions: 0 }, 'server.maxSessions: expected an integer from 1 to 9007199254740991, got 0'],
      [{ atMaxSessions: 'wait' }, 'server.atMaxSessions: expected "refuse" or "queue" or "stopListening", got "wait"'],
      [{ waitTimeoutMs: 0 }, 'server.waitTimeoutMs: expected an integer from 1 to 2147483647, got 0'],
      [{ lowWaterMarkBytes: 65_537 }, 'server.lowWaterMarkBytes: expected an integer from 0 to 65536, got 65537'],
      [{ heldBytesMax: 1 }, 'server.heldBytesMax: expected an integer from 65536 to 2147483647, got 1'],
      [{ socket: { backlog: 'many' } }, 'server.socket.backlog: expected an integer from 1 to 65535, got "many"'],
    ];
    for (const [options, message] of wrong) {
      expect(() => createTcpServer(echo, options)).toThrow(
        expect.objectContaining({ name: 'SocketError', code: 'OPTION_INVALID', message }),
      );
    }
  });
});

describe('stop', () => {
  test('of a server that was never started, or has stopped, resolves at once', async () => {
    const { server, layer, time } = made();
    await server.stop();
    await server.start();
    await server.stop();
    await server.stop();
    expect(left({ server, layer, time })).toEqual(nothing);
  });

  test.each(['RESOLVE', 'LISTEN', 'CONFIGURE'])(
    'before %s is answered rejects the start with STOPPED and resolves itself',
    async (command) => {
      const { server, layer, time } = made({}, (l) => (l.unanswered = command));
      const started = server.start().catch((error: unknown) => error);
      await server.stop();
      expect(await started).toMatchObject({ name: 'StartError', code: 'STOPPED' });
      expect(left({ server, layer, time })).toEqual(nothing);
    },
  );

  test('closes each session gracefully, and resets what is left at the drain deadline of 30 000 ms, not 1 ms earlier', async () => {
    const started = await start(labProtocol({ facts: ['DRAIN'] }), { waitTimeoutCountMax: 0 });
    const { server, layer, time } = started;
    const peers = Array.from({ length: 3 }, () => layer.connect());
    let resolved = 0;
    const stopped = [server.stop(), server.stop()].map((stop) => stop.then(() => void (resolved += 1)));
    peers[0]!.peerEnds();
    await time.advanceByAsync(29_999);
    await microtasks(4);
    expect([server.sessions.size, resolved, server.state.value]).toEqual([2, 0, 'draining']);
    await time.advanceByAsync(1);
    await Promise.all(stopped);
    expect(server.sessions.recent.map(({ reason, closedBy }) => [reason, closedBy])).toEqual([
      ['peer closed', 'fin'],
      ['server stopped', 'rst'],
      ['server stopped', 'rst'],
    ]);
    expect(left(started)).toEqual(nothing);
  });

  test('with a deadline of 100 ms resets at 100 ms; the next stop has the default of 30 000 ms again', async () => {
    const started = await start(labProtocol({ facts: ['DRAIN'] }), { waitTimeoutCountMax: 0 });
    const { server, layer, time } = started;
    for (const [deadlineMs, lastsMs] of [
      [100, 100],
      [undefined, 30_000],
      [0, 0],
    ] as const) {
      layer.connect();
      const stopped = server.stop(deadlineMs === undefined ? {} : { deadlineMs });
      if (lastsMs > 0) {
        await time.advanceByAsync(lastsMs - 1);
        expect(server.sessions.size).toBe(1);
      }
      await time.advanceByAsync(lastsMs > 0 ? 1 : 0);
      await stopped;
      expect(server.sessions.size).toBe(0);
      await server.start();
    }
    await nothingIsLeft(started);
  });

  test('by force resets all at once, also when a graceful one is under way', async () => {
    const started = await start(labProtocol({ facts: ['DRAIN'] }));
    const { server, layer } = started;
    const peers = [layer.connect(), layer.connect()];
    const graceful = server.stop();
    await microtasks(4);
    expect(server.sessions.size).toBe(2);
    const forced = server.stop({ option: 'force' });
    expect(server.sessions.size).toBe(0);
    await Promise.all([graceful, forced]);
    expect(peers.map(({ types }) => types.at(-1))).toEqual(['SEND_RST', 'SEND_RST']);
    expect(left(started)).toEqual(nothing);
  });

  test('refuses a connection that is accepted in the tick of the stop: it is reset, and no session', async () => {
    const started = await start(labProtocol({ facts: ['DRAIN'] }));
    const { server, layer } = started;
    layer.connect();
    const stopped = server.stop();
    const late = layer.connect();
    expect(late.types).toEqual(['SEND_RST']);
    expect(server.sessions.size).toBe(1);
    expect(server.statistics.value.refused).toBe(1);
    const forced = server.stop({ option: 'force' });
    await Promise.all([stopped, forced]);
    expect(left(started)).toEqual(nothing);
  });

  test('leaves no socket behind that was never reported closed: the last sweep forces it', async () => {
    const started = await start(labProtocol());
    const { server, layer, time } = started;
    layer.connect({}, 10, { closesOnRst: false });
    const stopped = server.stop({ option: 'force' });
    await time.advanceByAsync(6_000);
    await stopped;
    expect(left(started)).toEqual(nothing);
  });

  test('joins the one that is under way: a second deadline is ignored', async () => {
    const started = await start(labProtocol({ facts: ['DRAIN'] }), { waitTimeoutCountMax: 0 });
    const { server, layer, time } = started;
    layer.connect();
    const stopped = [server.stop({ deadlineMs: 1_000 }), server.stop({ deadlineMs: 100 })];
    await time.advanceByAsync(999);
    expect(server.sessions.size).toBe(1);
    await time.advanceByAsync(1);
    await Promise.all(stopped);
    expect(left(started)).toEqual(nothing);
  });

  test('as an async disposal ends the server at the end of its block', async () => {
    const { server, layer, time } = made();
    {
      await using running = server;
      await running.start();
      layer.connect();
    }
    expect(server.state.value).toBe('closed');
    expect(left({ server, layer, time })).toEqual(nothing);
  });

  test.each([
    [{ deadlineMs: -1 }, 'stop.deadlineMs: expected an integer from 0 to 2147483647, got -1'],
    [{ option: 'softly' }, 'stop.option: expected "graceful" or "force", got "softly"'],
  ])('with %j rejects, and stops nothing', async (options, message) => {
    const started = await start();
    await expect(started.server.stop(options as never)).rejects.toMatchObject({ code: 'OPTION_INVALID', message });
    expect(started.server.state.value).toBe('accepting');
    await nothingIsLeft(started);
  });
});

describe('suspend and resume', () => {
  test('live sessions go on; connections that come all the same are refused; then they are let in again', async () => {
    const started = await start(labProtocol());
    const { server, layer } = started;
    const peer = layer.connect();
    server.suspend();
    expect(server.state.value).toBe('suspended');
    says(peer, 'still');
    expect(heard(peer)).toEqual(['still']);
    expect(layer.connect().types).toEqual(['SEND_RST']);
    server.resume();
    expect(server.state.value).toBe('accepting');
    says(layer.connect(), 'x');
    expect(server.sessions.size).toBe(2);
    await nothingIsLeft(started);
  });

  test('a suspension while the name is resolved rejects the start with SUSPENDED; a resume listens', async () => {
    const { server, layer, time } = made({}, (l) => (l.unanswered = 'RESOLVE'));
    const failed = server.start().catch((error: unknown) => error);
    server.suspend();
    expect(await failed).toMatchObject({ name: 'StartError', code: 'SUSPENDED' });
    layer.server!.report({ type: 'RESOLVED', address: '127.0.0.1' });
    expect(server.state.value).toBe('suspended');
    server.resume();
    expect(server.state.value).toBe('accepting');
    await server.stop();
    expect(left({ server, layer, time })).toEqual(nothing);
  });

  test('a resume that cannot listen is reported and tried again after 100 ms, 200 ms, 400 ms, not 1 ms earlier', async () => {
    const started = await start(labProtocol());
    const { server, layer, time, errors } = started;
    const peer = layer.connect();
    server.suspend();
    layer.listenFailure = { code: 'EADDRINUSE', message: 'listen EADDRINUSE' };
    server.resume();
    const listens = () => layer.server!.types.filter((type) => type === 'LISTEN').length;
    expect(server.state.value).toBe('suspended');
    for (const [n, delayMs] of [100, 200, 400].entries()) {
      time.advanceBy(delayMs - 1);
      expect(listens()).toBe(2 + n);
      time.advanceBy(1);
      expect(listens()).toBe(3 + n);
    }
    expect(errors.map(({ code }) => code)).toEqual(Array.from({ length: 4 }, () => 'SOCKET_FAILED'));
    peer.peerEnds();
    expect(errors).toHaveLength(4);
    layer.listenFailure = undefined;
    time.advanceBy(800);
    expect(server.state.value).toBe('accepting');
    await nothingIsLeft(started);
  });

  test('a stop while suspended, and while it is retried, resolves', async () => {
    for (const retried of [false, true]) {
      const started = await start(labProtocol());
      started.server.suspend();
      if (retried) {
        started.layer.listenFailure = { code: 'EACCES', message: 'no' };
        started.server.resume();
      }
      await started.server.stop();
      expect(left(started)).toEqual(nothing);
    }
  });
});

describe('limits', () => {
  test('refuse: connection 3 of at most 2 is reset and counted; a place that is free is taken by the next', async () => {
    const started = await start(labProtocol(), { maxSessions: 2 });
    const { server, layer } = started;
    const [a] = [layer.connect(), layer.connect()];
    expect(server.state.value).toBe('saturated');
    expect(layer.connect().types).toEqual(['SEND_RST']);
    a.peerEnds();
    expect(server.state.value).toBe('accepting');
    says(layer.connect(), 'x');
    expect(server.statistics.value).toMatchObject({ accepted: 3, refused: 1, sessions: 2 });
    expect(layer.size).toBe(3);
    await nothingIsLeft(started);
  });

  test('queue: 2 wait paused, the 3rd is refused; each free place lets the oldest in; 5 000 ms in the queue refuse, not 1 ms earlier', async () => {
    const started = await start(labProtocol(), {
      maxSessions: 1,
      atMaxSessions: 'queue',
      queueMax: 2,
      waitTimeoutCountMax: 0,
    });
    const { server, layer, time } = started;
    const first = layer.connect();
    const [second, third, fourth] = [layer.connect(), layer.connect(), layer.connect()];
    expect(server.statistics.value).toMatchObject({ queued: 2, refused: 1, accepted: 1, sessions: 1 });
    expect([second.types, fourth.types]).toEqual([[], ['SEND_RST']]);
    time.advanceBy(4_999);
    first.peerEnds();
    expect(second.types).toEqual(['RESUME']);
    expect(server.statistics.value).toMatchObject({ queued: 1, accepted: 2, sessions: 1 });
    time.advanceBy(1);
    expect(third.types).toEqual(['SEND_RST']);
    expect(server.statistics.value).toMatchObject({ queued: 0, refused: 2, sessions: 1 });
    await nothingIsLeft(started);
  });

  test('queue: one that leaves the queue by itself makes room and is forgotten', async () => {
    const started = await start(labProtocol(), { maxSessions: 1, atMaxSessions: 'queue', queueMax: 1 });
    const { server, layer } = started;
    const first = layer.connect();
    const second = layer.connect();
    second.close(true);
    expect(server.statistics.value.queued).toBe(0);
    expect(layer.size).toBe(2);
    const third = layer.connect();
    first.peerEnds();
    expect(third.types).toEqual(['RESUME']);
    await nothingIsLeft(started);
  });

  test('queue: a stop refuses those that wait', async () => {
    const started = await start(labProtocol(), { maxSessions: 1, atMaxSessions: 'queue' });
    const { server, layer } = started;
    layer.connect();
    const waiting = layer.connect();
    await server.stop();
    expect(waiting.types).toEqual(['SEND_RST']);
    expect(left(started)).toEqual(nothing);
  });

  test('queue: raising the maximum by 2 lets the 2 oldest of 3 in', async () => {
    const started = await start(labProtocol(), { maxSessions: 1, atMaxSessions: 'queue' });
    const { server, layer, time } = started;
    layer.connect();
    const waiting = [layer.connect(), layer.connect(), layer.connect()];
    server.setMaxSessions(3);
    expect(waiting.map(({ types }) => types)).toEqual([['RESUME'], ['RESUME'], []]);
    expect(server.statistics.value).toMatchObject({ sessions: 3, queued: 1, refused: 0 });
    time.advanceBy(5_000);
    await nothingIsLeft(started);
  });

  test('stopListening: it listens no more while 1 session is live, and again when that has ended', async () => {
    const started = await start(labProtocol(), { maxSessions: 1, atMaxSessions: 'stopListening' });
    const { server, layer } = started;
    const peer = layer.connect();
    expect(layer.server!.types.at(-1)).toBe('STOP_LISTENING');
    peer.peerEnds();
    expect(layer.server!.types.slice(-2)).toEqual(['LISTEN', 'CONFIGURE']);
    expect(server.state.value).toBe('accepting');
    says(layer.connect(), 'x');
    await nothingIsLeft(started);
  });

  test('raised and lowered while running: lowering ends nobody, and lets none in before enough have left', async () => {
    const started = await start(labProtocol(), { maxSessions: 1 });
    const { server, layer } = started;
    const peers: FakeSocket[] = [layer.connect()];
    server.setMaxSessions(3);
    peers.push(layer.connect(), layer.connect());
    expect(layer.connect().closed).toBe(true);
    server.setMaxSessions(1);
    expect(server.sessions.size).toBe(3);
    peers[0]!.peerEnds();
    peers[1]!.peerEnds();
    expect(layer.connect().closed).toBe(true);
    peers[2]!.peerEnds();
    says(layer.connect(), 'x');
    expect(server.sessions.size).toBe(1);
    expect(() => server.setMaxSessions(0)).toThrow(
      'maxSessions: expected an integer from 1 to 9007199254740991, got 0',
    );
    await nothingIsLeft(started);
  });

  test('per address: the 3rd of at most 2 is refused, another address is not, and an end makes room', async () => {
    const started = await start(labProtocol(), { sessionsPerAddressMax: 2 });
    const { server, layer } = started;
    const from = (address: string) => layer.connect({ address });
    const [a] = [from('10.0.0.1'), from('10.0.0.1')];
    expect(from('10.0.0.1').types).toEqual(['SEND_RST']);
    says(from('10.0.0.2'), 'x');
    expect(server.sessions.size).toBe(3);
    a.peerResets();
    from('10.0.0.1');
    expect(server.sessions.size).toBe(3);
    expect(from('10.0.0.1').closed).toBe(true);
    await nothingIsLeft(started);
  });

  test('per address: those that wait count, too', async () => {
    const started = await start(labProtocol(), { maxSessions: 1, atMaxSessions: 'queue', sessionsPerAddressMax: 2 });
    const { server, layer } = started;
    const from = (address: string) => layer.connect({ address });
    const [first, second, third] = [from('10.0.0.1'), from('10.0.0.1'), from('10.0.0.1')];
    from('10.0.0.2');
    expect([second.types, third.types]).toEqual([[], ['SEND_RST']]);
    expect(server.statistics.value).toMatchObject({ queued: 2, refused: 1 });
    first.peerEnds();
    expect(from('10.0.0.1').types).toEqual([]);
    expect(from('10.0.0.1').types).toEqual(['SEND_RST']);
    await nothingIsLeft(started);
  });

  test('descriptors: while they cannot be counted any more the server stays saturated', async () => {
    const time = new VirtualTime();
    const layer = new FakeLayer(time);
    layer.use = { limit: 104, used: 20 };
    const server = createTcpServer(labProtocol(), { time, layer, waitTimeoutCountMax: 0 });
    await server.start();
    layer.use = undefined;
    layer.connect({}, 40);
    time.advanceBy(5_000);
    expect(server.state.value).toBe('saturated');
    layer.use = { limit: 104, used: 39 };
    time.advanceBy(1_000);
    expect(server.state.value).toBe('accepting');
    await nothingIsLeft({ server, layer, time, errors: [] });
  });

  test('descriptors: the last one saturates the server, reported once however long and whatever comes; it leaves that by itself', async () => {
    const time = new VirtualTime();
    const layer = new FakeLayer(time);
    layer.use = { limit: 104, used: 20 };
    const server = createTcpServer(labProtocol(), { time, layer, waitTimeoutCountMax: 0 });
    const codes: string[] = [];
    server.errors.subscribe(({ code }) => codes.push(code));
    await server.start();
    layer.connect({}, 39);
    expect(server.state.value).toBe('accepting');
    layer.use.used = 40;
    layer.connect({}, 40);
    expect(server.state.value).toBe('saturated');
    expect(layer.connect({}, 41).closed).toBe(true);
    expect(layer.connect({}, 41).closed).toBe(true);
    time.advanceBy(5_000);
    expect(codes).toEqual(['DESCRIPTORS_LOW']);
    layer.use.used = 39;
    time.advanceBy(1_000);
    expect(server.state.value).toBe('accepting');
    await nothingIsLeft({ server, layer, time, errors: [] });
  });

  test('1 000 sessions that come and go take and free each place once', async () => {
    const started = await start(labProtocol(), { maxSessions: 10 });
    const { server, layer } = started;
    let live: FakeSocket[] = [];
    for (let n = 0; n < 1_000; n += 1) {
      live.push(layer.connect());
      if (live.length < 10) continue;
      expect(server.sessions.size).toBe(10);
      expect(server.state.value).toBe('saturated');
      for (const peer of live.splice(0, 1 + (n % 9))) {
        if (n % 2 === 0) peer.peerResets();
        else peer.peerEnds();
      }
      expect(server.state.value).toBe('accepting');
    }
    expect(server.statistics.value.refused).toBe(0);
    live = [];
    await nothingIsLeft(started);
  });
});

describe('ids', () => {
  test('come from the given source; a duplicate of a live one is refused and reported, and frees its place', async () => {
    const ids = ['a', 'a', 'b', 'a'];
    const started = await start(labProtocol(), { ids: () => ids.shift()!, maxSessions: 2 });
    const { server, layer, errors } = started;
    const first = layer.connect();
    expect(layer.connect().types).toEqual(['SEND_RST']);
    expect(errors).toMatchObject([{ code: 'PROTOCOL_FAILED', cause: { name: 'RegistryError', code: 'DUPLICATE_ID' } }]);
    expect(errors[0]!.cause).toBeInstanceOf(RegistryError);
    says(first, 'still');
    expect(heard(first)).toEqual(['still']);
    layer.connect();
    expect([...server.sessions].map(({ id }) => id)).toEqual(['a', 'b']);
    const old = server.sessions.get('a')!;
    first.peerEnds();
    layer.connect();
    expect([...server.sessions].map(({ id }) => id)).toEqual(['b', 'a']);
    // What is late for the old one does not reach the new one.
    old.dispatch({ type: 'LINE', text: 'late' } as never);
    old.close('force');
    expect(server.sessions.get('a')!.transportState).toBe('accepted');
    expect(server.sessions.size).toBe(2);
    await nothingIsLeft(started);
  });

  test('a source that throws makes no session of that connection, and the next is served', async () => {
    let calls = 0;
    const started = await start(labProtocol(), {
      ids: () => {
        if ((calls += 1) === 1) throw new Error('boom');
        return `${calls}`;
      },
    });
    expect(started.layer.connect().types).toEqual(['SEND_RST']);
    expect(started.errors).toMatchObject([{ code: 'PROTOCOL_FAILED', cause: { message: 'boom' } }]);
    const peer = started.layer.connect();
    says(peer, 'x');
    expect(heard(peer)).toEqual(['x']);
    await nothingIsLeft(started);
  });
});

describe('the sweeper', () => {
  test('sweeps at the start, every 60 000 ms and not 1 ms earlier', async () => {
    const started = await start();
    const { server, time } = started;
    expect(server.statistics.value.sweeps).toBe(1);
    time.advanceBy(59_999);
    expect(server.statistics.value.sweeps).toBe(1);
    time.advanceBy(10);
    expect(server.statistics.value.sweeps).toBe(2);
    await nothingIsLeft(started);
  });

  test('keeps a record until the sweep after next: for 60 000 to 120 000 ms', async () => {
    const started = await start(labProtocol());
    const { server, layer, time } = started;
    layer.connect().peerEnds();
    time.advanceBy(30_000);
    layer.connect().peerEnds();
    time.advanceTo(60_010);
    expect(server.sessions.recent.map(({ id }) => id)).toEqual(['1', '2']);
    layer.connect().peerEnds();
    time.advanceTo(120_010);
    expect(server.sessions.recent.map(({ id }) => id)).toEqual(['3']);
    time.advanceTo(180_010);
    expect(server.sessions.recent).toEqual([]);
    await nothingIsLeft(started);
  });

  test('of at most 3 records lets the oldest go at the 4th end, and keeps those that it has not seen for a whole interval', async () => {
    const started = await start(labProtocol(), { recentMax: 3 });
    const { server, layer, time } = started;
    for (let n = 0; n < 3; n += 1) layer.connect().peerEnds();
    time.advanceTo(60_010);
    for (let n = 0; n < 2; n += 1) layer.connect().peerEnds();
    expect(server.sessions.recent.map(({ id }) => id)).toEqual(['3', '4', '5']);
    time.advanceTo(120_010);
    expect(server.sessions.recent.map(({ id }) => id)).toEqual(['4', '5']);
    await nothingIsLeft(started);
  });

  test('of a maximum of 0 records keeps none', async () => {
    const started = await start(labProtocol(), { recentMax: 0 });
    started.layer.connect().peerEnds();
    expect(started.server.sessions.recent).toEqual([]);
    expect(started.server.statistics.value.closed).toBe(1);
    await nothingIsLeft(started);
  });

  test('finds a session whose socket is gone without a word: a leak, counted, reported, removed, reason `swept`', async () => {
    const started = await start(labProtocol(), { waitTimeoutCountMax: 0 });
    const { server, layer, time, errors } = started;
    const peer = layer.connect();
    peer.closed = true;
    time.advanceBy(60_010);
    expect(server.sessions.size).toBe(0);
    expect(server.sessions.recent).toMatchObject([{ id: '1', reason: 'swept' }]);
    expect(server.statistics.value.leaked).toBe(1);
    expect(errors).toMatchObject([{ code: 'INTERNAL', session: '1' }]);
    await nothingIsLeft(started);
  });

  test('looks at 2 500 sockets in 3 slices with 1 ms between them, and sessions that close meanwhile disturb nothing', async () => {
    const started = await start(labProtocol(), { waitTimeoutCountMax: 0 });
    const { server, layer, time, errors } = started;
    const peers = Array.from({ length: 2_499 }, () => layer.connect());
    time.advanceTo(60_000);
    const sweeper = () => server.snapshots().sweeper!.value;
    expect(sweeper()).toBe('sweeping');
    peers[1_500]!.peerEnds();
    time.advanceTo(60_001);
    expect(sweeper()).toBe('sweeping');
    peers[2_400]!.peerResets();
    time.advanceTo(60_002);
    expect(sweeper()).toBe('idle');
    expect(errors).toEqual([]);
    expect(server.sessions.size).toBe(2_497);
    await nothingIsLeft(started);
  });

  test('runs while sessions are in each transient state, and touches none of them', async () => {
    const started = await start(labProtocol({ facts: ['PEER_END'] }), {
      waitTimeoutCountMax: 0,
      closeTimeoutMs: 100_000,
    });
    const { server, layer, time } = started;
    layer.connect();
    layer.connect({}, 10, { answersFin: false });
    server.sessions.get('2')!.close('graceful');
    layer.connect().peerEnds();
    layer.connect({}, 10, { closesOnRst: false });
    server.sessions.get('4')!.close('force');
    const states = () => [...server.sessions].map(({ transportState }) => JSON.stringify(transportState));
    const before = states();
    time.advanceBy(60_010);
    expect(states()).toEqual(before);
    await nothingIsLeft(started);
  });
});

describe('what can be watched', () => {
  test('state: the present one first, then each change, once', async () => {
    const { server, layer, time } = made({ maxSessions: 1 });
    const seen: string[] = [];
    server.state.subscribe((state) => seen.push(state));
    await server.start();
    const peer = layer.connect();
    layer.connect();
    layer.connect();
    peer.peerEnds();
    server.suspend();
    server.resume();
    layer.connect();
    await server.stop();
    expect(seen).toEqual([
      'closed', 'resolving', 'opening', 'configuring', 'accepting', 'saturated', 'accepting', 'suspended', 'opening', 'configuring',
      'accepting', 'saturated', 'draining', 'closed',
    ]); // prettier-ignore
    expect(left({ server, layer, time })).toEqual(nothing);
  });

  test('state: a subscriber may start the server again as soon as it is closed', async () => {
    const started = await start(labProtocol());
    const { server } = started;
    let again: Promise<void> | undefined;
    const subscription = server.state.subscribe((state) => {
      if (state === 'closed') again = server.start();
    });
    await server.stop();
    await again;
    expect(server.state.value).toBe('accepting');
    subscription.unsubscribe();
    await nothingIsLeft(started);
  });

  test('statistics: a subscriber leaves no timer behind while the server is closed, and is told again after a restart', async () => {
    const { server, layer, time } = made();
    let told = 0;
    const subscription = server.statistics.subscribe(() => (told += 1));
    expect([told, time.pendingCount]).toEqual([1, 0]);
    for (const after of [2, 3]) {
      await server.start();
      time.advanceBy(1_000);
      expect(told).toBe(after);
      await server.stop();
      expect(left({ server, layer, time })).toEqual(nothing);
    }
    subscription.unsubscribe();
  });

  test('statistics: counted when asked, and told each 1 000 ms while somebody subscribes', async () => {
    const started = await start(labProtocol());
    const { server, layer, time } = started;
    const peer = layer.connect();
    says(peer, 'hello');
    layer.connect().peerResets();
    expect(server.statistics.value).toMatchObject({
      sessions: 1, accepted: 2, refused: 0, closed: 1, bytesReceived: 6, bytesSent: 6, bytesDropped: 0, answersDropped: 0, eventsDropped: 0,
      reasons: { 'peer reset': 1 }, forced: 0, leaked: 0, queued: 0,
    }); // prettier-ignore
    const seen: number[] = [];
    const subscription = server.statistics.subscribe(({ bytesReceived }) => seen.push(bytesReceived));
    time.advanceBy(999);
    says(peer, 'again');
    time.advanceBy(1);
    expect(seen).toEqual([6, 12]);
    subscription.unsubscribe();
    time.advanceBy(10_000);
    expect(seen).toEqual([6, 12]);
    await nothingIsLeft(started);
    expect(server.statistics.value).toMatchObject({ bytesReceived: 12, bytesSent: 12 });
  });

  test('an error of the server socket while it listens is reported, and it goes on', async () => {
    const started = await start(labProtocol());
    started.layer.server!.report({ type: 'ERROR', code: 'ECONNABORTED', message: 'accept ECONNABORTED' });
    expect(started.errors).toMatchObject([
      { code: 'SOCKET_FAILED', message: 'the server socket: accept ECONNABORTED' },
    ]);
    for (let n = 0; n < 10; n += 1) started.layer.server!.report({ type: 'ERROR', code: 'ENOBUFS', message: 'accept' });
    const peer = started.layer.connect();
    says(peer, 'x');
    expect(heard(peer)).toEqual(['x']);
    await nothingIsLeft(started);
  });
});

test("two servers on one layer and one clock know nothing of each other's sessions", async () => {
  const time = new VirtualTime();
  const layer = new FakeLayer(time);
  const [a, b] = [0, 1].map(() => createTcpServer(labProtocol(), { time, layer, maxSessions: 10 })) as [
    ReturnType<typeof createTcpServer>,
    ReturnType<typeof createTcpServer>,
  ];
  await a.start();
  const ofA = layer.connect();
  await b.start();
  const ofB = layer.connect();
  const seenByA: string[] = [];
  a.events.subscribe(({ event }) => seenByA.push(event.type));
  says(ofA, 'a');
  says(ofB, 'b');
  expect([heard(ofA), heard(ofB)]).toEqual([['a'], ['b']]);
  expect(seenByA).toEqual(['READ']);
  expect([a.sessions.size, b.sessions.size]).toEqual([1, 1]);
  await b.stop();
  says(ofA, 'again');
  expect(heard(ofA)).toEqual(['a', 'again']);
  await a.stop();
  expect([layer.size, time.pendingCount]).toEqual([0, 0]);
});

test('a peer that connects and ends, or resets, at once (a port scan) 1 000 times leaves nothing and reports nothing', async () => {
  const started = await start(labProtocol());
  for (let n = 0; n < 1_000; n += 1) {
    const peer = started.layer.connect();
    if (n % 2 === 0) peer.peerEnds();
    else peer.peerResets();
  }
  expect(started.errors).toEqual([]);
  expect(started.server.sessions.size).toBe(0);
  expect(started.layer.size).toBe(1);
  expect(started.server.statistics.value.reasons).toEqual({ 'peer closed': 500, 'peer reset': 500 });
  await nothingIsLeft(started);
});
