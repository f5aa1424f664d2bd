/** Media control: each request has its answer, in order; frames are numbered without a hole that is not told; counts add up. */
import {
  DATA_HEADER_BYTES,
  type MediaAnswer,
  type MediaMessage,
  PAYLOAD_BYTES_MAX,
} from '../../../examples/media-control/codec.js';
import media from '../../../examples/media-control/index.js';
import type { ScriptedPeer } from '../../../src/explore/peer.js';
import type { TcpServer } from '../../../src/server.js';
import { isSameData } from '../../../src/testing/same-data.js';
import type { WorldPeerOptions, WorldServerOptions } from '../../../src/testing/world.js';
import { scenario, type Stage } from '../stage.js';
import { SMALL_BUFFERS } from './echo.js';

type Request = MediaMessage extends infer M ? M : never;
type Kind = 1 | 2;

/** What the peer is to be told next. `kind` and `rate` of START_OK and STOP_OK. */
interface Expected {
  readonly type: MediaAnswer['type'];
  readonly code?: number;
  readonly kind?: Kind;
  readonly payload?: Uint8Array;
  readonly rate?: { readonly bitsPerSecond: number; readonly framesPerSecond: number };
  readonly askedMs: number;
}

interface Stream {
  readonly rate: NonNullable<Expected['rate']>;
  readonly askedMs: number;
  next: number;
  count: number;
  skipped: number;
}

const ERRORS_MAX = 5;
/** Of a session: two plans of 256 frames, and those of any session. */
const TIMERS = 2 * 256 + 16;

/** A peer that knows what it must be answered, whatever it asks. */
export class Viewer {
  readonly peer: ScriptedPeer;
  readonly #stage: Stage;
  readonly #expected: Expected[] = [];
  readonly #streams = new Map<Kind, Stream>();
  #answered = 0;
  #isReady = false;
  #hasAskedForQos = false;
  readonly #running = new Set<Kind>();
  #errorCount = 0;
  /** By its own requests: nothing that it asks later is answered. */
  isOver = false;
  #hasSent = false;
  framesSeen = 0;

  constructor(stage: Stage, server: TcpServer, options: WorldPeerOptions = {}) {
    this.#stage = stage;
    this.peer = stage.world.peer(server, { ...options, keeps: false });
    this.peer.events.subscribe((event) => {
      if (event.type === 'SENT') this.#hasSent = true;
      if (event.type === 'MESSAGE') this.#take(event.message as MediaAnswer);
    });
    stage.looks.push(() => this.look());
  }

  #problem: string | undefined;

  look(): void {
    const { decodeError } = this.peer;
    if (this.#problem) this.#stage.fail(this.#problem);
    this.#stage.check(decodeError === undefined, () => `a peer cannot read what it is sent: ${String(decodeError)}`);
  }

  get isAnswered(): boolean {
    return this.#answered === this.#expected.length;
  }

  /** Asks, if it can still be heard. */
  ask(request: Request | Uint8Array): void {
    this.#hasSent = false;
    if (request instanceof Uint8Array) this.peer.write(request);
    else this.peer.send(request);
    if ((!this.#hasSent && this.peer.state !== 'connecting') || this.isOver) return;
    const expected = this.#answerTo(request);
    if (expected) this.#expected.push({ askedMs: this.#stage.world.time.now(), ...expected });
  }

  #answerTo(request: Request | Uint8Array): Omit<Expected, 'askedMs'> | undefined {
    if (request instanceof Uint8Array) return this.#refused(1);
    switch (request.type) {
      case 'HELLO':
        if (this.#isReady) return this.#refused(3);
        if (request.version !== 1) {
          this.isOver = true;
          return { type: 'ERROR', code: 2 };
        }
        this.#isReady = true;
        return this.#granted({ type: 'HELLO_OK' });
      case 'QOS_ENABLE':
        if (!this.#isReady) return this.#refused(3);
        this.#hasAskedForQos ||= request.enabled;
        return this.#granted({ type: 'QOS_OK' });
      case 'STREAM_START': {
        const { bitsPerSecond, framesPerSecond, kind } = request;
        if (!this.#isReady) return this.#refused(3);
        if (Math.floor(bitsPerSecond / 8 / framesPerSecond) + DATA_HEADER_BYTES > PAYLOAD_BYTES_MAX)
          return this.#refused(4);
        if (this.#running.has(kind as Kind)) return this.#refused(3);
        this.#running.add(kind as Kind);
        return this.#granted({ type: 'START_OK', kind: kind as Kind, rate: { bitsPerSecond, framesPerSecond } });
      }
      case 'STREAM_STOP':
        if (!this.#running.delete(request.kind as Kind)) return this.#refused(3);
        return this.#granted({ type: 'STOP_OK', kind: request.kind as Kind });
      case 'PING':
        return this.#granted({ type: 'PONG', payload: request.payload });
      case 'STATS':
        return this.#granted({ type: 'STATS_OK' });
      case 'BYE':
        this.isOver = true;
        return { type: 'BYE_OK' };
      default:
        this.isOver = true;
        return undefined;
    }
  }

  #granted(expected: Omit<Expected, 'askedMs'>): Omit<Expected, 'askedMs'> {
    this.#errorCount = 0;
    return expected;
  }

  #refused(code: number): Omit<Expected, 'askedMs'> {
    this.#errorCount += 1;
    if (this.#errorCount >= ERRORS_MAX) this.isOver = true;
    return { type: 'ERROR', code };
  }

  #take(answer: MediaAnswer): void {
    if (answer.type === 'STREAM_DATA') return this.#takeFrame(answer);
    const expected = this.#expected[this.#answered];
    this.#answered += 1;
    if (expected?.type !== answer.type) return this.#wrong(`${answer.type} instead of ${expected?.type ?? 'nothing'}`);
    if (answer.type === 'ERROR' && answer.code !== expected.code)
      this.#wrong(`ERROR ${answer.code} instead of ${expected.code}`);
    if (answer.type === 'PONG' && !isSameData(answer.payload, expected.payload))
      this.#wrong('another PONG than its PING');
    if (answer.type === 'START_OK') {
      this.#streams.set(expected.kind!, {
        rate: expected.rate!,
        askedMs: expected.askedMs,
        next: 0,
        count: 0,
        skipped: 0,
      });
    }
    if (answer.type !== 'STOP_OK') return;
    const stream = this.#streams.get(expected.kind!)!;
    this.#streams.delete(expected.kind!);
    const { framesSent, framesDropped } = answer;
    if (framesSent !== stream.count) this.#wrong(`STOP_OK says ${framesSent} frames, and ${stream.count} came`);
    if (framesDropped < stream.skipped)
      this.#wrong(`STOP_OK says ${framesDropped} were dropped, and ${stream.skipped} are missing`);
    if (expected.kind === 1 && framesDropped > 0) this.#wrong('audio frames were dropped');
  }

  #takeFrame({ kind, sequence, microseconds, bytes }: Extract<MediaAnswer, { type: 'STREAM_DATA' }>): void {
    const stream = this.#streams.get(kind as Kind);
    if (stream === undefined) return this.#wrong(`frame ${sequence} of stream ${kind}, which is not on`);
    const { framesPerSecond, bitsPerSecond } = stream.rate;
    this.framesSeen += 1;
    if (sequence < stream.next) this.#wrong(`frame ${sequence} of stream ${kind} after frame ${stream.next - 1}`);
    if (sequence > stream.next && (kind === 1 || !this.#hasAskedForQos))
      this.#wrong(`frame ${sequence} of stream ${kind}, where ${stream.next} is next`);
    stream.skipped += sequence - stream.next;
    stream.next = sequence + 1;
    stream.count += 1;
    const elapsedMs = this.#stage.world.time.now() - stream.askedMs;
    if ((sequence * 1_000) / framesPerSecond > elapsedMs + 1) this.#wrong(`frame ${sequence} after ${elapsedMs} ms`);
    if (microseconds !== (BigInt(sequence) * 1_000_000n) / BigInt(framesPerSecond))
      this.#wrong(`frame ${sequence} says ${microseconds}`);
    if (bytes.byteLength !== Math.floor(bitsPerSecond / 8 / framesPerSecond))
      this.#wrong(`a frame of ${bytes.byteLength} bytes`);
    if (
      bytes.byteLength > 0 &&
      (bytes[0] !== (sequence & 0xff) || bytes.at(-1) !== ((sequence + bytes.byteLength - 1) & 0xff))
    ) {
      this.#wrong(`frame ${sequence} has other bytes`);
    }
  }

  #wrong(what: string): void {
    this.#problem ??= `a peer got ${what}`;
  }
}

function randomRequest(stage: Stage, bitsMax: number): Request | Uint8Array {
  const kind = 1 + stage.below(2);
  const chance = stage.below(100);
  if (chance < 15) return { type: 'HELLO', version: stage.is(0.95) ? 1 : 2 };
  if (chance < 30)
    return { type: 'STREAM_START', kind, bitsPerSecond: stage.below(bitsMax), framesPerSecond: 1 + stage.below(60) };
  if (chance < 45) return { type: 'STREAM_STOP', kind };
  if (chance < 55) return { type: 'QOS_ENABLE', enabled: stage.is(0.6) };
  if (chance < 85) return { type: 'PING', payload: stage.bytes(stage.below(100)) };
  if (chance < 93) return { type: 'STATS' };
  if (chance < 95) return { type: 'STREAM_START', kind, bitsPerSecond: 100_000_000, framesPerSecond: 1 };
  if (chance < 98) return Uint8Array.of(0, 0, 0, 99, 0, 0, 0, 2, 1, 2);
  return { type: stage.is(0.5) ? 'BYE' : 'ABORT' };
}

function play(
  stage: Stage,
  server: TcpServer,
  options: { readonly steps: number; readonly bitsMax: number },
): Viewer[] {
  const viewers: Viewer[] = [];
  const come = () => {
    const viewer = new Viewer(stage, server);
    viewers.push(viewer);
    if (stage.is(0.8)) viewer.ask({ type: 'HELLO', version: 1 });
  };
  for (let n = 0; n < 5; n += 1) come();
  for (let step = 0; step < options.steps; step += 1) {
    for (const viewer of viewers) if (stage.is(0.4)) viewer.ask(randomRequest(stage, options.bitsMax));
    if (stage.is(0.15)) come();
    if (stage.is(0.05)) stage.pick(viewers).peer.end();
    stage.advanceBy(1 + stage.below(500));
  }
  return viewers;
}

function checkServed(stage: Stage, server: TcpServer): void {
  const viewer = new Viewer(stage, server);
  viewer.ask({ type: 'HELLO', version: 1 });
  viewer.ask({ type: 'PING', payload: stage.bytes(5) });
  stage.advanceBy(1_000);
  stage.check(viewer.isAnswered, () => 'a new peer is not answered');
}

const underFaults = scenario({
  name: 'media-control: requests at random, all kinds of faults',
  world: { latencyMs: 4, jitterMs: 4, splitRate: 0.1, mergeRate: 0.8, timersPerSessionMax: TIMERS },
  async play(stage) {
    const { world } = stage;
    const server = await stage.server(media, { sweepIntervalMs: 6_000 });
    stage.audit(server).forcesLate = true; // by ABORT
    world.drawFaults({ perSecond: 1, durationMs: 12_000 });
    const viewers = play(stage, server, { steps: 45, bitsMax: 200_000 });
    stage.calm(10_000, () =>
      viewers.forEach((viewer) => !viewer.isOver && viewer.ask({ type: 'PING', payload: new Uint8Array() })),
    );
    checkServed(stage, server);
  },
});

/** Peers that pause within their send timeout lose nothing: they are congested for a while, and go on. */
const pauses = scenario({
  name: 'media-control: peers that pause are congested, and go on',
  world: { latencyMs: 2, timersPerSessionMax: TIMERS },
  async play(stage) {
    const server = await stage.server(media, { ...SLOW, heldBytesMax: 500_000 });
    const viewers = Array.from({ length: 4 }, (_, n) => {
      const viewer = new Viewer(stage, server);
      viewer.ask({ type: 'HELLO', version: 1 });
      if (n > 1) viewer.ask({ type: 'QOS_ENABLE', enabled: true });
      viewer.ask({ type: 'STREAM_START', kind: 2, bitsPerSecond: 600_000, framesPerSecond: 25 });
      viewer.ask({ type: 'STREAM_START', kind: 1, bitsPerSecond: 16_000, framesPerSecond: 50 });
      return viewer;
    });
    const audit = stage.audit(server);
    let congested = 0;
    // Two waits in a row may end while they are congested: those stand still.
    for (let round = 0; round < 3; round += 1) {
      for (const { peer } of viewers) if (stage.is(0.7)) peer.pause();
      for (let n = 0; n < 12; n += 1) {
        stage.advanceBy(300 + stage.below(100));
        for (const session of server.sessions)
          if (session.transportSnapshot.matches({ connected: 'congested' })) congested += 1;
        for (const viewer of viewers) viewer.ask({ type: 'PING', payload: new Uint8Array() });
      }
      for (const { peer } of viewers) peer.resume();
      for (const viewer of viewers) viewer.ask({ type: 'PING', payload: stage.bytes(3) });
      stage.advanceBy(2_000);
    }
    stage.check(congested > 0, () => 'nobody was congested');
    stage.check(server.sessions.size === 4, () => `somebody was ended: ${JSON.stringify(stage.world.reasons)}`);
    for (const viewer of viewers) {
      viewer.ask({ type: 'STREAM_STOP', kind: 1 });
      viewer.ask({ type: 'STREAM_STOP', kind: 2 });
      viewer.ask({ type: 'BYE' });
    }
    stage.advanceBy(3_000);
    stage.check(
      viewers.every((viewer) => viewer.isAnswered && viewer.peer.closedBy === 'fin'),
      () => 'somebody is not answered, or not closed by FIN',
    );
    stage.check(
      audit.count('protocol asked', 'fin') === 4,
      () => `they ended by ${JSON.stringify(stage.world.reasons)}`,
    );
  },
});

const SLOW: WorldServerOptions = {
  highWaterMarkBytes: 8_000,
  lowWaterMarkBytes: 2_000,
  heldBytesMax: 60_000,
  sendTimeoutMs: 9_000,
  closeTimeoutMs: 2_000,
  frameTimeoutMs: 3_000,
  waitTimeoutCountMax: 30,
  socket: SMALL_BUFFERS,
};

const misbehaving = scenario({
  name: 'media-control: wrong orders, slow readers and garbage under small limits',
  world: { latencyMs: 2, jitterMs: 1, splitRate: 0.3, timersPerSessionMax: TIMERS },
  async play(stage) {
    const { world } = stage;
    const server = await stage.server(media, { ...SLOW, sendTimeoutMs: 4_000 });
    stage.audit(server).forcesLate = true;
    world.drawFaults({ perSecond: 0.5, durationMs: 10_000, kinds: ['pause', 'pause', 'reset', 'fin', 'weather'] });
    for (let n = 0; n < 12; n += 1) {
      const peer = world.peer(server, { codec: false, answersFin: !stage.is(0.3) });
      peer.write(n % 3 === 0 ? stage.bytes(1 + stage.below(200)) : Uint8Array.of(0, 0, 0, n, 0, 0x20, 0, 0, 1));
      stage.world.time.schedule(() => peer.end(), stage.below(6_000));
    }
    // As fast as it can be asked for, and never read.
    const greedy = new Viewer(stage, server);
    greedy.ask({ type: 'HELLO', version: 1 });
    greedy.ask({ type: 'QOS_ENABLE', enabled: true });
    greedy.ask({ type: 'STREAM_START', kind: 1, bitsPerSecond: 4_000_000, framesPerSecond: 100 });
    greedy.peer.pause();
    const viewers = play(stage, server, { steps: 30, bitsMax: 500_000 });
    for (let n = 0; n < 6; n += 1) viewers[0]!.ask(Uint8Array.of(0, 0, 0, 99, 0, 0, 0, 0));
    stage.calm(10_000);
    checkServed(stage, server);
  },
});

/** Without faults the count of frames is exact. */
const counted = scenario({
  name: 'media-control: frames to the millisecond',
  world: { timersPerSessionMax: TIMERS },
  async play(stage) {
    const server = await stage.server(media, { waitTimeoutCountMax: 0 });
    const framesPerSecond = 1 + stage.below(120);
    const viewer = new Viewer(stage, server);
    viewer.ask({ type: 'HELLO', version: 1 });
    stage.advanceBy(1);
    viewer.ask({ type: 'STREAM_START', kind: 2, bitsPerSecond: stage.below(100_000), framesPerSecond });
    stage.advanceBy(0);
    const elapsedMs = stage.below(8_000);
    stage.world.advanceBy(elapsedMs);
    const expected = Math.floor((elapsedMs * framesPerSecond) / 1_000 + 1e-9) + 1;
    stage.check(
      viewer.framesSeen === expected,
      () => `${viewer.framesSeen} frames in ${elapsedMs} ms instead of ${expected}`,
    );
    viewer.ask({ type: 'STREAM_STOP', kind: 2 });
    stage.world.advanceBy(5_000);
    stage.check(viewer.isAnswered && viewer.framesSeen === expected, () => 'frames after STOP_OK');
    stage.look();
  },
});

export const MEDIA_SCENARIOS = [underFaults, pauses, misbehaving, counted];
