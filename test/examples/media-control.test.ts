/** Media control with real sockets. What each command does in each state is in `media-control-chart.test.ts`. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { filter, firstValueFrom, interval, map } from 'rxjs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  createTcpServer,
  type RuntimeError,
  type SessionRecord,
  type TcpServer,
  type TcpServerOptions,
} from 'wirechart';
import { ByteQueue, type MessageIn, type MessageOut } from 'wirechart/codec';
import mediaControl, { peerCodec } from '../../examples/media-control/index.js';

type Answer = MessageIn<typeof peerCodec>;
type Request = MessageOut<typeof peerCodec>;
type Frame = Extract<Answer, { type: 'STREAM_DATA' }>;

let server: TcpServer;
let errors: RuntimeError[];
let peers: Peer[];

async function serve(options: TcpServerOptions = {}): Promise<void> {
  server = createTcpServer(mediaControl, { port: 0, ...options });
  server.errors.subscribe((error) => errors.push(error));
  await server.start();
}

beforeEach(() => {
  errors = [];
  peers = [];
});

afterEach(async () => {
  for (const peer of peers) peer.socket.destroy();
  await server.stop({ option: 'force' });
  expect(server.sessions.size).toBe(0);
});

/** A client: its answers in order, the frames apart from them. */
class Peer {
  readonly frames: Frame[] = [];
  readonly answers: Answer[] = [];
  /** Why it is over: `end` for the server's FIN, else the error's code. */
  readonly over: Promise<string>;
  readonly #queue = new ByteQueue();
  readonly #looks = new Set<() => void>();

  private constructor(readonly socket: Socket) {
    socket.setNoDelay(true);
    socket.on('data', (data) => {
      this.#queue.push(new Uint8Array(data));
      for (let next = peerCodec.decode(this.#queue); next; next = peerCodec.decode(this.#queue)) {
        if (next.type === 'STREAM_DATA') this.frames.push(next);
        else this.answers.push(next);
      }
      for (const look of this.#looks) look();
    });
    this.over = new Promise((resolve) => {
      socket.once('end', () => resolve('end'));
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });
  }

  static async arrive(): Promise<Peer> {
    const peer = new Peer(connect(server.address()!.port, '127.0.0.1'));
    peers.push(peer);
    await once(peer.socket, 'connect');
    return peer;
  }

  sends(...requests: readonly Request[]): void {
    this.socket.write(Buffer.concat(requests.map((request) => peerCodec.encode(request))));
  }

  /** The answer to `request`, the frames that come meanwhile left aside. */
  async asks(request: Request): Promise<Answer> {
    const before = this.answers.length;
    this.sends(request);
    await this.until(() => this.answers.length > before);
    return this.answers[before]!;
  }

  until(isReached: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!isReached()) return;
        this.#looks.delete(look);
        resolve();
      };
      this.#looks.add(look);
      look();
    });
  }

  sequences(kind: 1 | 2): number[] {
    return this.frames.flatMap((frame) => (frame.kind === kind ? [frame.sequence] : []));
  }
}

const HELLO: Request = { type: 'HELLO', version: 1 };
const QOS_ON: Request = { type: 'QOS_ENABLE', enabled: true };
const STATS: Request = { type: 'STATS' };
const ping = (...payload: number[]): Request => ({ type: 'PING', payload: Uint8Array.from(payload) });
const pong = (...payload: number[]) => ({ type: 'PONG', payload: Uint8Array.from(payload) });
const start = (kind: 1 | 2, bitsPerSecond: number, framesPerSecond: number): Request => ({
  type: 'STREAM_START',
  kind,
  bitsPerSecond,
  framesPerSecond,
});
const stop = (kind: 1 | 2): Request => ({ type: 'STREAM_STOP', kind });
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);

/** The end of the next session that ends. */
const nextEnd = (): Promise<SessionRecord> =>
  firstValueFrom(
    server.sessions.changes.pipe(
      filter((change) => change.type === 'removed'),
      map(({ record }) => record),
    ),
  );

/** Resolves when the one session's chart is in a state or has a context that fits. */
const untilChart = (isReached: (snapshot: any) => boolean): Promise<unknown> =>
  firstValueFrom(interval(5).pipe(filter(() => isReached([...server.sessions][0]?.protocolSnapshot))));

interface Stats {
  audio: { bytes: number; frames: number; drops: number };
  video: { bytes: number; frames: number; drops: number };
  tcpInfo: { state: string; bytesAcked?: number } | null;
}

async function statsOf(peer: Peer): Promise<Stats> {
  return JSON.parse(((await peer.asks(STATS)) as { json: string }).json) as Stats;
}

describe('commands', () => {
  beforeEach(() => serve());

  test('HELLO, QOS_ENABLE, 20 frames of each kind, STREAM_STOP, STATS, BYE: the whole of a session', async () => {
    const peer = await Peer.arrive();
    expect(await peer.asks(HELLO)).toEqual({ type: 'HELLO_OK', session: 1 });
    expect(await peer.asks(QOS_ON)).toEqual({ type: 'QOS_OK' });
    expect(await peer.asks(start(1, 160_000, 200))).toEqual({ type: 'START_OK' });
    expect(await peer.asks(start(2, 1_000_000, 100))).toEqual({ type: 'START_OK' });
    await peer.until(() => peer.sequences(1).length >= 20 && peer.sequences(2).length >= 20);

    const audio = await peer.asks(stop(1));
    const video = await peer.asks(stop(2));
    expect(audio).toEqual({ type: 'STOP_OK', framesSent: peer.sequences(1).length, framesDropped: 0 });
    expect(video).toEqual({ type: 'STOP_OK', framesSent: peer.sequences(2).length, framesDropped: 0 });
    expect(peer.sequences(1)).toEqual(upTo(peer.sequences(1).length));
    expect(peer.sequences(2)).toEqual(upTo(peer.sequences(2).length));
    for (const { kind, sequence, microseconds, bytes } of peer.frames) {
      expect(microseconds).toBe(BigInt(sequence * (kind === 1 ? 5_000 : 10_000)));
      expect(bytes).toEqual(Uint8Array.from({ length: kind === 1 ? 100 : 1_250 }, (_, i) => sequence + i));
    }

    const stats = await statsOf(peer);
    const [audioFrames, videoFrames] = [peer.sequences(1).length, peer.sequences(2).length];
    expect(stats.audio).toEqual({ bytes: audioFrames * 100, frames: audioFrames, drops: 0 });
    expect(stats.video).toEqual({ bytes: videoFrames * 1_250, frames: videoFrames, drops: 0 });
    if (process.platform === 'linux') {
      expect(stats.tcpInfo?.state).toBe('ESTABLISHED');
      expect(stats.tcpInfo!.bytesAcked).toBeGreaterThan(audioFrames * 100);
    }

    const ended = nextEnd();
    expect(await peer.asks({ type: 'BYE' })).toEqual({ type: 'BYE_OK' });
    expect(await peer.over).toBe('end');
    expect(await ended).toMatchObject({ reason: 'protocol asked', option: 'graceful', closedBy: 'fin' });
    expect(errors).toEqual([]);
  });

  test('STREAM_START is answered before frame 0', async () => {
    const peer = await Peer.arrive();
    peer.sends(HELLO, start(1, 0, 1));
    await peer.until(() => peer.frames.length === 1);
    expect(peer.answers.map(({ type }) => type)).toEqual(['HELLO_OK', 'START_OK']);
    expect(peer.frames).toEqual([
      { type: 'STREAM_DATA', kind: 1, sequence: 0, microseconds: 0n, bytes: new Uint8Array() },
    ]);
  });

  test('ABORT is seen as ECONNRESET, with both streams running', async () => {
    const peer = await Peer.arrive();
    await peer.asks(HELLO);
    peer.sends(start(1, 8_000, 100), start(2, 8_000, 100));
    await peer.until(() => peer.frames.length >= 4);
    const ended = nextEnd();
    peer.sends({ type: 'ABORT' });
    expect(await peer.over).toBe('ECONNRESET');
    expect(await ended).toMatchObject({ reason: 'protocol asked', option: 'force', closedBy: 'rst' });
  });

  test('a HELLO of version 2 is answered with error 2 and seen as end', async () => {
    const peer = await Peer.arrive();
    expect(await peer.asks({ type: 'HELLO', version: 2 })).toMatchObject({ type: 'ERROR', code: 2, command: 1 });
    expect(await peer.over).toBe('end');
  });

  test('bytes that are wrong in 5 ways are answered with 4 and 1, and the 5th ends the session', async () => {
    const peer = await Peer.arrive();
    const frame = (command: number, ...payload: number[]) => [
      0,
      0,
      command >> 8,
      command & 0xff,
      0,
      0,
      0,
      payload.length,
      ...payload,
    ];
    const ended = nextEnd();
    peer.socket.write(
      Uint8Array.from([
        ...frame(2, 2), // QoS 2
        ...frame(3, 3, 0, 0, 0, 0, 0, 1), // kind 3
        ...frame(3, 1, 0, 0, 0, 0, 0, 0), // 0 frames a second
        ...frame(3, 1, 0x05, 0xf5, 0xe1, 0x01, 0, 1), // 100 000 001 bits a second
        ...frame(0x8001, 1), // an answer
        ...frame(8, 9),
      ]),
    );
    expect(await peer.over).toBe('end');
    const answers = peer.answers.map((answer) =>
      answer.type === 'ERROR' ? [answer.code, answer.command] : answer.type,
    );
    expect(answers).toEqual([[4, 2], [4, 3], [4, 3], [4, 3], [1, 0x8001]]); // prettier-ignore
    expect((await ended).reason).toBe('too many errors');
  });

  test('a length of 0xFFFFFFFF ends that session, and another one goes on', async () => {
    const [peer, other] = [await Peer.arrive(), await Peer.arrive()];
    await other.asks(HELLO);
    const ended = nextEnd();
    peer.socket.write(Uint8Array.of(0, 0, 0, 8, 0xff, 0xff, 0xff, 0xff));
    expect(await peer.over).toBe('end');
    expect((await ended).reason).toBe('bad frame');
    expect(await other.asks(ping(1))).toEqual(pong(1));
    expect(server.sessions.size).toBe(1);
  });

  test('1 000 PINGs in one packet, and 1 PING in 1 000 packets, are answered with the same bytes', async () => {
    const peer = await Peer.arrive();
    peer.sends(...upTo(1_000).map((n) => ping(n >> 8, n & 0xff)));
    await peer.until(() => peer.answers.length === 1_000);
    expect(peer.answers).toEqual(upTo(1_000).map((n) => pong(n >> 8, n & 0xff)));

    const payload = upTo(992).map((n) => n & 0xff);
    for (const byte of peerCodec.encode(ping(...payload))) {
      const read = firstValueFrom(server.events.pipe(filter(({ event }) => event.type === 'READ')));
      peer.socket.write(Uint8Array.of(byte));
      expect((await read).event).toEqual({ type: 'READ', bytes: Uint8Array.of(byte) });
    }
    await peer.until(() => peer.answers.length === 1_001);
    expect(peer.answers[1_000]).toEqual(pong(...payload));
  });
});

describe('a peer that is slow to read', () => {
  beforeEach(() => serve());

  test('QoS on: video is dropped and counted, audio arrives without a gap', async () => {
    const peer = await Peer.arrive();
    await peer.asks(HELLO);
    await peer.asks(QOS_ON);
    await peer.asks(start(1, 640_000, 100));
    await peer.asks(start(2, 100_000_000, 240));
    peer.socket.pause();
    await untilChart(({ context }) => context.video.framesDropped >= 20);
    peer.socket.resume();
    const video = (await peer.asks(stop(2))) as { framesSent: number; framesDropped: number };
    const audio = await peer.asks(stop(1));
    expect(audio).toEqual({ type: 'STOP_OK', framesSent: peer.sequences(1).length, framesDropped: 0 });
    expect(peer.sequences(1)).toEqual(upTo(peer.sequences(1).length));
    expect(video.framesDropped).toBeGreaterThanOrEqual(20);
    expect(video.framesSent).toBe(peer.sequences(2).length);
    expect(peer.sequences(2).at(-1)! + 1).toBe(video.framesSent + video.framesDropped);
    expect(peer.sequences(2)).toEqual([...peer.sequences(2)].sort((a, b) => a - b));
    const stats = await statsOf(peer);
    expect([stats.audio.drops, stats.video.drops]).toEqual([0, video.framesDropped]);
    expect(errors).toEqual([]);
  });

  test('QoS off: both streams pause, go on where they stopped, and nothing is dropped', async () => {
    const peer = await Peer.arrive();
    await peer.asks(HELLO);
    await peer.asks(start(1, 640_000, 100));
    await peer.asks(start(2, 100_000_000, 240));
    peer.socket.pause();
    const paused = { open: { audio: { streaming: 'paused' }, video: { streaming: 'paused' } } };
    await untilChart((snapshot) => snapshot.matches(paused));
    peer.socket.resume();
    const [audioSeen, videoSeen] = [peer.sequences(1).length, peer.sequences(2).length];
    await peer.until(() => peer.sequences(1).length > audioSeen + 10 && peer.sequences(2).length > videoSeen + 100);
    for (const kind of [1, 2] as const) {
      const stopped = await peer.asks(stop(kind));
      expect(stopped).toEqual({ type: 'STOP_OK', framesSent: peer.sequences(kind).length, framesDropped: 0 });
      expect(peer.sequences(kind)).toEqual(upTo(peer.sequences(kind).length));
    }
  });

  test('QoS on: audio beyond the hard cap of 4 MiB ends the session with "slow reader"', async () => {
    const peer = await Peer.arrive();
    await peer.asks(HELLO);
    await peer.asks(QOS_ON);
    const ended = nextEnd();
    peer.sends(start(1, 100_000_000, 100));
    peer.socket.pause();
    expect(await ended).toMatchObject({ reason: 'slow reader', option: 'force', closedBy: 'rst' });
  });
});

describe('waits of 100 ms, 5 of them', () => {
  beforeEach(() => serve({ waitTimeoutCountMax: 5 }));

  test('a peer that only listens to its 100 frames a second is ended, one that PINGs is not', async () => {
    const [listening, pinging] = [await Peer.arrive(), await Peer.arrive()];
    listening.sends(HELLO, start(1, 8_000, 100));
    pinging.sends(HELLO, start(1, 8_000, 20));
    let seen = 0;
    pinging.socket.on('data', () => {
      if (pinging.frames.length > seen) pinging.sends(ping(seen & 0xff));
      seen = pinging.frames.length;
    });
    const ended = await nextEnd();
    expect(ended.reason).toBe('wait timeout');
    expect(await listening.over).toBe('end');
    expect(listening.frames.length).toBeGreaterThan(20);
    const { length } = pinging.frames;
    await pinging.until(() => pinging.frames.length >= length + 20);
    expect(server.sessions.size).toBe(1);
  });
});
