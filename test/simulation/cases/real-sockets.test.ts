/**
 * FAULTS.md on real loopback sockets: what a plain peer can do to the servers of the three examples, and what they do to it. Nothing
 * sleeps here: each wait is for an event, and its limit is that of the test.
 */
import { once } from 'node:events';
import { connect, type Socket, type TcpNetConnectOpts } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createTcpServer, type TcpServer, type TcpServerOptions } from '../../../src/server.js';
import type { RuntimeError } from '../../../src/session/errors.js';
import type { Session, SessionRecord } from '../../../src/session/session.js';
import { EXAMPLES, joined, text, WELCOME, type Example } from './scene.js';

/** A peer that is a socket of Node, and knows what it must hear. */
class Plain {
  readonly heard: Buffer[] = [];
  #heardBytes = 0;
  #due: Uint8Array;
  #asked = 0;
  error: string | undefined;

  constructor(
    readonly socket: Socket,
    private readonly example: Example,
    private readonly who: string,
  ) {
    this.#due = example.greeting(who);
    socket.on('data', (bytes: Buffer) => {
      this.heard.push(bytes);
      this.#heardBytes += bytes.byteLength;
    });
    socket.on('error', (error: NodeJS.ErrnoException) => (this.error = error.code));
  }

  hello(): void {
    this.socket.write(this.example.hello(this.who));
  }

  /** Asks, and waits for the answers. */
  async ask(count = 1): Promise<void> {
    const requests = Array.from({ length: count }, () => {
      this.#asked += 1;
      this.#due = joined(this.#due, this.example.answer(this.who, this.#asked));
      return this.example.request(this.who, this.#asked);
    });
    this.socket.write(joined(...requests));
    while (this.#heardBytes < this.#due.byteLength) await once(this.socket, 'data');
    expect(Buffer.concat(this.heard).equals(Buffer.from(this.#due))).toBe(true);
  }

  get isOver(): Promise<unknown> {
    // Not `once` of node:events, which rejects at an error.
    return this.socket.closed ? Promise.resolve() : new Promise((resolve) => this.socket.once('close', resolve));
  }
}

/** A server, a peer that behaves, and what is told of all others. */
class Stage {
  readonly records: SessionRecord[] = [];
  readonly errors: RuntimeError[] = [];
  readonly peers: Plain[] = [];
  healthy!: Plain;
  /** A second server, on the port of the first. */
  again: TcpServer | undefined;

  private constructor(
    readonly example: Example,
    readonly server: TcpServer,
  ) {
    server.errors.subscribe((error) => this.errors.push(error));
    server.sessions.changes.subscribe((change) => change.type === 'removed' && this.records.push(change.record));
  }

  static async open(example: Example, options: TcpServerOptions = {}): Promise<Stage> {
    const stage = new Stage(example, createTcpServer(example.protocol, { ...PATIENT, ...options }));
    await stage.server.start();
    stage.healthy = await stage.arrive();
    stage.healthy.hello();
    await stage.healthy.ask();
    return stage;
  }

  /** A socket that connects; nothing is waited for. */
  dial(options: Partial<TcpNetConnectOpts> = {}): Plain {
    const { port } = this.server.address()!;
    const peer = new Plain(connect({ port, host: '127.0.0.1', ...options }), this.example, `p${this.peers.length}`);
    this.peers.push(peer);
    return peer;
  }

  async arrive(options: Partial<TcpNetConnectOpts> = {}, server = this.server): Promise<Plain> {
    const peer = this.dial(options);
    await once(peer.socket, 'connect');
    await this.until(() => this.sessionOf(peer, server) !== undefined, server);
    return peer;
  }

  sessionOf({ socket }: Plain, server = this.server): Session | undefined {
    return [...server.sessions].find(({ peer }) => peer.port === socket.localPort);
  }

  /** Looks again at each event of the server and of its registry. */
  until(predicate: () => boolean, { events, sessions }: TcpServer = this.server): Promise<void> {
    if (predicate()) return Promise.resolve();
    return new Promise((resolve) => {
      const look = () => {
        if (!predicate()) return;
        for (const wire of wires) wire.unsubscribe();
        resolve();
      };
      // Of an event its consequences come after it.
      const wires = [events.subscribe(() => queueMicrotask(look)), sessions.changes.subscribe(look)];
    });
  }

  ended(count: number): Promise<void> {
    return this.until(() => this.records.length >= count);
  }

  /** @param reasons of all others, sorted */
  async over(reasons: readonly string[], errors: readonly string[] = []): Promise<void> {
    await this.healthy.ask(3);
    await this.ended(reasons.length);
    expect(this.records.map(({ reason }) => reason).sort()).toEqual(reasons);
    expect(this.server.sessions.size).toBe(1);
    expect(this.errors.map(({ code }) => code)).toEqual(errors);
    expect(this.server.statistics.value).toMatchObject({ closed: reasons.length, leaked: 0, forced: 0 });
  }
}

/** Waits are off: on a busy machine a peer may have to be silent for longer than 6 s, and no case here is about that. */
const PATIENT: TcpServerOptions = { waitTimeoutCountMax: 0 };

let stage: Stage | undefined;

afterEach(async () => {
  for (const { socket } of stage?.peers ?? []) socket.destroy();
  for (const server of [stage?.server, stage?.again]) {
    await server?.stop({ option: 'force' });
    expect(server?.sessions.size ?? 0).toBe(0);
  }
  stage = undefined;
});

const slowest = (counts: readonly number[]) => counts.indexOf(Math.min(...counts));

const many = (count: number, reason: string) => Array.from({ length: count }, () => reason);

describe.each(EXAMPLES)('$name, on real sockets', (example) => {
  test('case 8: 50 peers that send FIN as soon as they are connected, and 50 that send RST: no session is left, and nothing is reported', async () => {
    stage = await Stage.open(example);
    for (let n = 0; n < 100; n += 1) {
      const { socket } = stage.dial();
      socket.once('connect', () => (n % 2 === 0 ? socket.end() : socket.resetAndDestroy()));
    }
    await stage.ended(100);
    const resets = stage.records.filter(({ reason }) => reason === 'peer reset').length;
    expect(resets).toBeGreaterThan(0);
    await stage.over([...many(100 - resets, 'peer closed'), ...many(resets, 'peer reset')]);
  });

  test('case 6, real: of 4 peers that are sent 10 MB each one never reads: it alone is ended, by its hard cap of 1 MiB', async () => {
    stage = await Stage.open(example, { heldBytesMax: 1_048_576 });
    const readers = [await stage.arrive(), await stage.arrive(), await stage.arrive()];
    const slow = await stage.arrive();
    slow.socket.pause();
    const healthyId = stage.sessionOf(stage.healthy)!.id;
    const bytesHeard = () => readers.map(({ heard }) => heard.reduce((sum, { byteLength }) => sum + byteLength, 0));
    const welcomed = example.name === 'chat' ? WELCOME.byteLength : 0;
    const { byteLength } = example.messageBytes(50_000);
    for (let round = 1; round <= 200; round += 1) {
      stage.server.sessions.broadcast(example.message(50_000), { except: healthyId });
      const due = welcomed + round * byteLength;
      while (Math.min(...bytesHeard()) < due) await once(readers[slowest(bytesHeard())]!.socket, 'data');
    }
    expect(bytesHeard()).toEqual(readers.map(() => welcomed + 200 * byteLength));
    await stage.ended(1);
    expect(stage.records[0]).toMatchObject({ reason: 'slow reader', closedBy: 'rst' });
    for (const { socket } of readers) socket.end();
    await stage.over([...many(3, 'peer closed'), 'slow reader']);
  });

  test('case 9, real: an RST in the middle of a frame is `peer reset`', async () => {
    stage = await Stage.open(example);
    const peer = await stage.arrive();
    const session = stage.sessionOf(peer)!;
    peer.socket.write(example.request('x', 1).subarray(0, 3));
    await stage.until(() => session.statistics.bytesReceived === 3);
    peer.socket.resetAndDestroy();
    await stage.over(['peer reset']);
  });

  test('case 10: an RST while the server has 20 MB of unsent bytes is `peer reset`, and so is what is sent after it: refused, and no crash', async () => {
    stage = await Stage.open(example, { heldBytesMax: 64 * 1_048_576 });
    const peer = await stage.arrive();
    const session = stage.sessionOf(peer)!;
    peer.socket.pause();
    for (let n = 0; n < 400; n += 1) session.send(example.message(50_000)); // 20 MB: more than both kernels take
    expect(session.transportState).toEqual({ connected: 'congested' });
    peer.socket.resetAndDestroy();
    await stage.ended(1);
    expect(stage.records[0]).toMatchObject({ reason: 'peer reset', closedBy: 'rst' });
    expect(session.send(example.message(10))).toBe(false);
    await stage.over(['peer reset']);
  });

  test('case 12, real: a peer that half-closes and does not read what it is owed is reset at the close deadline, here 200 ms', async () => {
    stage = await Stage.open(example, {
      closeTimeoutMs: 200,
      highWaterMarkBytes: 4 * 1_048_576,
      socket: { sendBufferBytes: 16_384 },
    });
    const peer = await stage.arrive({ allowHalfOpen: true });
    const session = stage.sessionOf(peer)!;
    peer.socket.pause();
    for (let n = 0; n < 70; n += 1) session.send(example.message(50_000)); // more than both kernels take
    const owed = session.statistics.bytesWritten - session.statistics.bytesSent;
    peer.socket.end();
    await stage.ended(1);
    expect(owed).toBeGreaterThan(0);
    expect(stage.records[0]).toMatchObject({ reason: 'peer closed', closedBy: 'rst' });
    await stage.over(['peer closed']);
  });

  test('case 14, real: a FIN behind part of a frame is `truncated frame`; the chat takes it for a last line', async () => {
    stage = await Stage.open(example);
    const { socket } = await stage.arrive();
    socket.end(example.request('x', 1).subarray(0, -1));
    if (example.name === 'chat') await stage.over(['peer closed']);
    else await stage.over(['truncated frame'], ['PEER_FAILED']);
  });

  test('case 15, real: what comes after our FIN is dropped, and beyond 1 000 bytes the peer is reset', async () => {
    stage = await Stage.open(example, { discardedBytesMax: 1_000 });
    const peer = await stage.arrive({ allowHalfOpen: true });
    peer.hello();
    await peer.ask();
    const heard = Buffer.concat(peer.heard).byteLength;
    stage.sessionOf(peer)!.close('graceful');
    await once(peer.socket, 'end');
    peer.socket.write(Buffer.concat(Array.from({ length: 200 }, (_, n) => example.request('x', n))));
    await stage.ended(1);
    expect(stage.records[0]).toMatchObject({ reason: 'protocol asked', closedBy: 'rst' });
    expect(Buffer.concat(peer.heard).byteLength).toBe(heard);
    await stage.over(['protocol asked']);
  });

  test('case 17: writes of no bytes do nothing; 64 KiB of requests that are sent before the connection is there are all answered', async () => {
    stage = await Stage.open(example);
    const peer = stage.dial();
    for (let n = 0; n < 10; n += 1) peer.socket.write('');
    peer.hello();
    await peer.ask(Math.ceil(65_536 / example.request('p1', 1_000).byteLength));
    peer.socket.write('');
    await peer.ask();
    peer.socket.end();
    await stage.over(['peer closed']);
  });

  test('case 18: a TLS hello, an HTTP request, a PROXY header and 4 KiB of garbage end their sessions alone, or are told off', async () => {
    stage = await Stage.open(example);
    const wrong = [
      Uint8Array.of(0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03, 0x9a),
      text('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
      text('PROXY TCP4 10.0.0.1 10.0.0.2 1000 7000\r\n'),
      Uint8Array.from({ length: 4_096 }, (_, n) => 255 - (n % 200)),
    ];
    for (const bytes of wrong) {
      const peer = await stage.arrive();
      peer.socket.end(bytes);
      await peer.isOver;
      if (example.name === 'chat')
        expect(Buffer.concat(peer.heard).toString()).toMatch(/^\* welcome.*\n(! try: .*\n)*$/);
      else expect(peer.heard).toEqual([]);
    }
    await stage.ended(4);
    const reasons = {
      echo: many(4, 'bad frame'),
      chat: ['bad frame', ...many(3, 'peer closed')], // the garbage is a line of more than 512 bytes
      'media-control': [...many(3, 'bad frame'), 'truncated frame'], // to it the TLS hello is the beginning of a frame of 64 KiB
    }[example.name]!;
    await stage.over(reasons, many(example.name === 'chat' ? 1 : 4, 'PEER_FAILED'));
  });

  test('case 20: of 1 000 connects at once all are let in, while a live session gets each of its answers', async () => {
    stage = await Stage.open(example, { socket: { backlog: 2_000 } });
    const crowd = Array.from({ length: 1_000 }, () => stage!.dial());
    for (let n = 0; n < 20; n += 1) await stage.healthy.ask();
    await stage.until(() => stage!.server.sessions.size === 1_001);
    await stage.healthy.ask();
    for (const { socket } of crowd) socket.resetAndDestroy();
    await stage.ended(1_000);
    await stage.over(many(1_000, 'peer reset'));
  });

  test('case 21, real: 20 peers that come back 10 times, by FIN or by RST: 200 sessions, and none is left', async () => {
    stage = await Stage.open(example);
    for (let round = 1; round <= 10; round += 1) {
      for (let n = 0; n < 20; n += 1) {
        const { socket } = stage.dial();
        socket.once('connect', () => (n % 2 === 0 ? socket.end(example.request('x', 1)) : socket.resetAndDestroy()));
      }
      await stage.ended(round * 20);
    }
    const resets = stage.records.filter(({ reason }) => reason === 'peer reset').length;
    await stage.over([...many(200 - resets, 'peer closed'), ...many(resets, 'peer reset')]);
  });

  test('case 22: the 4th session of an address that may have 3 is reset, another address is let in', async () => {
    stage = await Stage.open(example, { sessionsPerAddressMax: 3 });
    const inside = [await stage.arrive(), await stage.arrive()];
    const refused = stage.dial();
    await refused.isOver;
    const other = await stage.arrive({ localAddress: '127.0.0.2' });
    other.hello();
    await other.ask();
    expect(stage.server.statistics.value).toMatchObject({ refused: 1, sessions: 4 });
    for (const { socket } of [...inside, other]) socket.end();
    await stage.over(many(3, 'peer closed'));
  });

  test('case 39, real: a stop sends FIN, and RST at its deadline of 1 s to who does not answer; a second stop joins it', async () => {
    stage = await Stage.open(example);
    const rude = await stage.arrive({ allowHalfOpen: true });
    const polite = await stage.arrive();
    const stopped = [stage.server.stop({ deadlineMs: 1_000 }), stage.server.stop()];
    await Promise.all(stopped);
    expect(stage.records.map(({ reason, closedBy }) => `${reason} ${closedBy}`).sort()).toEqual([
      'draining fin',
      'draining fin',
      'draining rst',
    ]);
    expect(stage.server.state.value).toBe('closed');
    await Promise.all([polite.isOver, stage.healthy.isOver]);
    expect([polite.error, stage.healthy.error, rude.socket.readableEnded || rude.error === 'ECONNRESET']).toEqual([
      undefined,
      undefined,
      true,
    ]);
  });

  test('case 23, real: peers that connect all the time while the server is stopped and started 3 times on one port: all are served afterwards', async () => {
    stage = await Stage.open(example);
    const { server } = stage;
    const { port } = server.address()!;
    await server.stop({ option: 'force' });
    const again = (stage.again = createTcpServer(example.protocol, { ...PATIENT, port }));
    let refused = 0;
    let hammering = true;
    const hammer = (): void => {
      if (!hammering) return;
      const { socket } = stage!.dial({ port });
      socket.on('error', (error: NodeJS.ErrnoException) => (refused += error.code === 'ECONNREFUSED' ? 1 : 0));
      socket.once('connect', () => socket.write(example.request('x', 1)));
      socket.once('close', hammer);
    };
    for (let n = 0; n < 20; n += 1) hammer();
    for (let round = 0; round < 3; round += 1) {
      await again.start();
      await stage.until(() => again.sessions.size >= 20, again);
      await again.stop({ option: 'force' });
      expect(again.sessions.size).toBe(0);
    }
    hammering = false;
    await again.start();
    const last = await stage.arrive({ port }, again);
    last.hello();
    await last.ask();
    expect(refused).toBeGreaterThan(0);
    const { closed, reasons } = again.statistics.value;
    expect(Object.values(reasons).reduce((sum, count) => sum + count, 0)).toBe(closed);
  });

  test('case 40, real: 50 starts and stops on one port, with a session each time', async () => {
    stage = await Stage.open(example);
    const { port } = stage.server.address()!;
    await stage.server.stop({ option: 'force' });
    const again = (stage.again = createTcpServer(example.protocol, { ...PATIENT, port }));
    for (let n = 0; n < 50; n += 1) {
      await again.start();
      const peer = await stage.arrive({ port }, again);
      peer.hello();
      await peer.ask();
      const stopped = again.stop({ option: n % 2 === 0 ? 'graceful' : 'force' });
      await Promise.all([stopped, peer.isOver]);
    }
    expect(again.statistics.value).toMatchObject({ closed: 50, sessions: 0, accepted: 50 });
  });

  test('case 41, real: while suspended connects are refused and live sessions answered; then all are let in', async () => {
    stage = await Stage.open(example);
    const { server } = stage;
    const stateIs = (wanted: string) =>
      new Promise<void>((resolve) => {
        const wire = server.state.subscribe(
          (state) => state === wanted && queueMicrotask(() => (wire.unsubscribe(), resolve())),
        );
      });
    server.suspend();
    await stateIs('suspended');
    const refused = stage.dial();
    await refused.isOver;
    expect(refused.error).toBe('ECONNREFUSED');
    await stage.healthy.ask();
    server.resume();
    await stateIs('accepting');
    const { socket } = await stage.arrive();
    socket.end();
    await stage.over(['peer closed']);
  });

  test('case 42, real: beyond 2 sessions connections are reset; each place that is freed is taken once', async () => {
    stage = await Stage.open(example, { maxSessions: 2 });
    for (let round = 0; round < 10; round += 1) {
      const inside = await stage.arrive();
      const refused = stage.dial();
      await refused.isOver;
      expect(stage.server.statistics.value).toMatchObject({ sessions: 2, refused: round + 1 });
      inside.socket.end();
      await stage.ended(round + 1);
    }
    await stage.over(many(10, 'peer closed'));
  });

  test('case 46, real: closes of both kinds, in any order, are one end; case 47, real: what is sent afterwards is refused', async () => {
    stage = await Stage.open(example);
    for (const [first, second] of [
      ['graceful', 'graceful'],
      ['graceful', 'force'],
      ['force', 'graceful'],
      ['force', 'force'],
    ] as const) {
      const peer = await stage.arrive();
      const session = stage.sessionOf(peer)!;
      session.close(first);
      session.close(second);
      expect(session.send(example.message(10))).toBe(false);
      await peer.isOver;
    }
    await stage.over(many(4, 'protocol asked'));
  });
});
