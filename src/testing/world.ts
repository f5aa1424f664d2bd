/**
 * A world: servers, clients and peers of one test on one simulated network and one virtual clock, all its chance from one seed.
 *
 * - The code is the production's: `createTcpServer`'s server, its charts, its codecs. Only sockets and time are the world's.
 * - What must always hold is looked at while it runs, not only what a test thinks of (`WatchedSession`): bytes and messages arrive
 *   once, in order and whole; a session ends once, with a reason, and nothing happens to it afterwards; the registry is the live sessions;
 *   a close has an end; timers do not pile up. The first thing that is broken is thrown by the call that moved the clock, with the
 *   seed and the end of the trace. (A tap cannot throw, and a clock cannot stop in the middle of a moment.)
 * - `end` stops what the world made; what is then still there is an error: timers, subscriptions, sessions, sockets, promises.
 */
import { filter, type Subscription } from 'rxjs';
import { createTcpClient, type TcpClient, type TcpClientOptions } from '../client.js';
import type { Codec, MessageIn, MessageOut } from '../codec/codec.js';
import { hasOtherEnd, otherEndOf } from '../codec/other-end.js';
import { Peers, type PeerOptions, type ScriptedPeer } from '../explore/peer.js';
import { makeServer, type TcpServer, type TcpServerOptions } from '../server.js';
import type { AnyProtocol, Protocol } from '../session/protocol.js';
import { checkInteger, checkObject, refuseUnknown } from '../socket/check.js';
import { Generator, seedOf } from '../socket/simulated/generator.js';
import { checkConditions, CONDITION_NAMES, type LinkConditions } from '../socket/simulated/link.js';
import { createSimulatedNetwork, type SimulatedNetwork } from '../socket/simulated/network.js';
import type { ListenAddress } from '../socket/socket-layer.js';
import { VirtualTime } from '../time/virtual-time.js';
import { checkSchedule, drawFaults, type DrawOptions, type ScheduledFault } from './faults.js';
import { FaultPlayer } from './fault-player.js';
import { Trace } from './trace.js';
import { WorldError, type WorldErrorCode } from './world-error.js';
import { WorldServer } from './world-server.js';

/** Besides these, the conditions of the network's links (`latencyMs`, `jitterMs`, `splitRate` ...). */
export interface WorldOptions extends Partial<LinkConditions> {
  /** All chance comes from it: an integer of at least 0. Default 1. */
  readonly seed?: number;
  /** Lines of the trace that are kept to be read. Default 1 000. The hash is over all. */
  readonly traceLinesMax?: number;
  /** Timers on the clock for each session and each peer, at most; more are a leak. Default 64: a chart that plans ahead needs more. */
  readonly timersPerSessionMax?: number;
  /** Which faults of a schedule come, by their place in it: for cutting a failing run down. Default: all. */
  readonly keepsFault?: (index: number) => boolean;
}

export interface WorldPeerOptions extends Omit<PeerOptions, 'codec'> {
  /** `false`: bytes alone. Default: that of the other end of the server's initial codec, where it can be said (`Codec.peer`). */
  readonly codec?: Codec<any, any> | false;
  /** Address of its machine. Default: the next one of 250. */
  readonly host?: string;
}

/** A server of a world knows its protocol's types, so that its peers do. */
export interface WorldTcpServer<P extends AnyProtocol = AnyProtocol> extends TcpServer {
  readonly protocol: P;
}

/** The peer of a server: it sends what the protocol's codecs decode, and receives what they encode. */
export type WorldPeer<P extends AnyProtocol = AnyProtocol> =
  P extends Protocol<infer Codecs, any>
    ? 0 extends 1 & Codecs
      ? ScriptedPeer
      : ScriptedPeer<MessageIn<Codecs[keyof Codecs]>, MessageOut<Codecs[keyof Codecs]>>
    : ScriptedPeer;

export type WorldServerOptions = Omit<TcpServerOptions, 'time' | 'layer'>;
export type WorldClientOptions = Omit<TcpClientOptions, 'time' | 'layer' | 'host' | 'path'> & {
  /** Address of its machine. Default 10.0.2.1, 10.0.2.2 ... */
  readonly from?: string;
};

const PEER_HOSTS = 250;
const OPTION_NAMES = ['seed', 'traceLinesMax', 'timersPerSessionMax', 'keepsFault', ...CONDITION_NAMES];
const PEER_OPTION_NAMES = ['host', 'codec', 'answersFin', 'reads', 'keeps', 'socket'];
/** Parts of the seed that are drawn from apart. The network's own are below them. */
const ORDER = 2_000_001;
const CHANCE = 2_000_002;
const FAULTS = 2_000_003;
/** Of the trace, in an error. */
const ERROR_LINES = 30;
/** After the faults: what was closing has closed by then. */
const CALM_MS = 10_000;

/**
 * ```ts
 * const world = createWorld({ seed: 7, latencyMs: 5 });
 * const server = await world.server(echo);
 * const peer = world.peer(server);
 * peer.send({ type: 'FRAME', payload: Uint8Array.of(1, 2, 3) });
 * world.advanceBy(20);
 * peer.received; // [{ type: 'FRAME', payload: Uint8Array.of(1, 2, 3) }]
 * await world.end();
 * ```
 *
 * @throws {SocketError} OPTION_INVALID
 */
export function createWorld(options: WorldOptions = {}): World {
  return new World(options);
}

export class World {
  readonly seed: number;
  readonly time: VirtualTime;
  readonly network: SimulatedNetwork;
  /** For what a test itself leaves to chance. */
  readonly chance: Generator;

  readonly #trace: Trace;
  readonly #options: WorldOptions;
  readonly #servers: WorldServer[] = [];
  readonly #clients: TcpClient[] = [];
  readonly #peers = new Map<string, Peers>();
  readonly #live = new Set<ScriptedPeer>();
  readonly #hosts = new Map<ScriptedPeer, string>();
  readonly #scanners: { readonly peers: Peers; readonly ends: Set<Subscription> };
  readonly #faults: FaultPlayer;
  #stalledMs = 0;
  #nextHost = 0;
  readonly #scheduled: ScheduledFault[] = [];
  #violation: WorldError | undefined;
  #isOver = false;

  constructor(options: WorldOptions) {
    refuseUnknown('createWorld', checkObject('createWorld', options), OPTION_NAMES);
    const { seed = 1, traceLinesMax = 1_000, timersPerSessionMax = 64, keepsFault, ...conditions } = options;
    this.seed = checkInteger('createWorld.seed', seed, { min: 0, max: Number.MAX_SAFE_INTEGER });
    checkConditions('createWorld', conditions);
    checkInteger('createWorld.traceLinesMax', traceLinesMax, { min: 1, max: 1_000_000 });
    checkInteger('createWorld.timersPerSessionMax', timersPerSessionMax, { min: 1, max: 1_000_000 });
    this.#options = { timersPerSessionMax, ...(keepsFault && { keepsFault }) };
    this.#trace = new Trace(traceLinesMax);
    const order = new Generator(seedOf(seed, ORDER));
    this.chance = new Generator(seedOf(seed, CHANCE));
    this.time = new VirtualTime({ tieBreak: () => order.next() });
    this.network = createSimulatedNetwork({
      ...conditions,
      time: this.time,
      seed,
      onTrace: (line) => this.#trace.add(line),
    });
    this.#scanners = { peers: new Peers(this.network.layer('10.0.3.1')), ends: new Set() };
    this.#faults = new FaultPlayer({
      time: this.time,
      network: this.network,
      conditions,
      peers: () => this.#connected(),
      servers: () => this.#servers.map(({ host, layer, address }) => ({ host, layer, address })),
      hostOf: (peer) => this.#hosts.get(peer)!,
      vanish: (peer) => this.vanish(peer),
      scan: (address, by) => this.#scan(address, by),
      stalled: (durationMs) => (this.#stalledMs += durationMs),
      trace: (text) => this.note(text),
    });
  }

  // Who is in it

  /**
   * A server that listens. @param options as of `createTcpServer`; its host is 10.0.0.1, the next one's 10.0.0.2 ... unless it names one.
   * @throws {StartError} as its `start`
   */
  async server<P extends AnyProtocol>(protocol: P, options: WorldServerOptions = {}): Promise<WorldTcpServer<P>> {
    const made = this.#makeServer(protocol, options);
    const started = made.server.start();
    started.catch(() => {}); // awaited below
    await this.time.settle();
    await started;
    return made.server as WorldTcpServer<P>;
  }

  /** A client of a protocol, with its chart and its back-off. It does nothing before its `start`. */
  client(server: TcpServer, protocol: AnyProtocol, options: Partial<WorldClientOptions> = {}): TcpClient {
    const { from = `10.0.2.${this.#clients.length + 1}`, ...others } = options;
    const { host, port } = this.#addressOf(server);
    const layer = this.network.layer(from);
    const client = createTcpClient(protocol, { port, ...others, host, layer, time: this.network.clock(from) });
    this.#clients.push(client);
    return client;
  }

  /** A peer that connects now. What it does is the test's: see `ScriptedPeer`. @throws {SocketError} OPTION_INVALID */
  peer<P extends AnyProtocol>(server: WorldTcpServer<P>, options: WorldPeerOptions = {}): WorldPeer<P> {
    refuseUnknown('peer', checkObject('peer', options), PEER_OPTION_NAMES);
    const { host = this.#nextPeerHost(), codec, ...others } = options;
    const made = this.#worldServerOf(server);
    const chosen = codec ?? (hasOtherEnd(made.initialCodec()) && otherEndOf(made.initialCodec));
    const peer = this.#peersOn(host).connect(this.#addressOf(server), { ...others, ...(chosen && { codec: chosen }) });
    this.#hosts.set(peer, host);
    this.#live.add(peer);
    made.watchPeer(peer);
    peer.events.pipe(filter(({ type }) => type === 'CLOSE')).subscribe(() => made.peerEnded(peer));
    peer.events.subscribe({ complete: () => this.#gone(peer) });
    return peer as WorldPeer<P>;
  }

  /** Peers whose connections are not over, in the order of their making. */
  get peers(): readonly ScriptedPeer[] {
    return [...this.#live];
  }

  /** The peer's machine goes without a word: nobody hears of it any more. */
  vanish(peer: ScriptedPeer): void {
    this.network.vanish(peer.socket);
    this.#peers.get(this.#hosts.get(peer) ?? '')?.forget(peer);
  }

  // Time

  /** As `VirtualTime.advanceBy`; then whatever must hold is looked at. @throws {WorldError} PROPERTY_BROKEN */
  advanceBy(ms: number): void {
    this.time.advanceBy(ms);
    this.check();
  }

  /** As `VirtualTime.advanceTo`, likewise. */
  advanceTo(targetMs: number): void {
    this.time.advanceTo(targetMs);
    this.check();
  }

  /** As `VirtualTime.advanceByAsync`, likewise: where handlers are asynchronous. */
  async advanceByAsync(ms: number): Promise<void> {
    await this.time.advanceByAsync(ms);
    this.check();
  }

  /** As `VirtualTime.settle`, likewise. */
  async settle(): Promise<void> {
    await this.time.settle();
    this.check();
  }

  /** As `VirtualTime.runUntil`, likewise. @returns how many ms have passed */
  runUntil(predicate: () => boolean, options?: { readonly withinMs?: number }): number {
    const passedMs = this.time.runUntil(predicate, options);
    this.check();
    return passedMs;
  }

  // Faults

  /** Faults to come, counted in ms from now. @throws {SocketError} OPTION_INVALID naming what of which fault is wrong */
  faults(schedule: readonly ScheduledFault[]): void {
    checkSchedule(schedule);
    const { keepsFault } = this.#options;
    const first = this.#scheduled.length;
    this.#scheduled.push(...schedule);
    this.#faults.schedule(schedule.filter((_, index) => keepsFault?.(first + index) ?? true));
  }

  /** All faults that it was given or drew so far, kept or not. */
  get scheduledFaults(): readonly ScheduledFault[] {
    return this.#scheduled;
  }

  /** Faults that the seed chooses. @returns them, as data */
  drawFaults(options: DrawOptions): readonly ScheduledFault[] {
    const chance = new Generator(seedOf(seedOf(this.seed, FAULTS), this.#scheduled.length));
    const schedule = drawFaults(chance, options);
    this.faults(schedule);
    return schedule;
  }

  /**
   * The faults stop. Within `withinMs` (default 10 000) everything that is closing now has closed.
   * @throws {WorldError} NOT_LIVE naming what has not
   */
  calm(withinMs = CALM_MS): void {
    this.note('calm');
    this.#faults.stop();
    const closing = this.#servers.flatMap((server) => server.closing());
    this.advanceBy(withinMs);
    const left = closing.filter(({ record }) => record === undefined);
    if (left.length === 0) return;
    const names = left.map(({ session }) => `session ${session.id} (${JSON.stringify(session.transportState)})`);
    throw this.#error(
      'NOT_LIVE',
      `${withinMs} ms after the faults have stopped these are still closing: ${names.join(', ')}`,
    );
  }

  // What happened

  /** The last lines of what happened: segments, events, states, faults. Equal for equal seeds. */
  get trace(): readonly string[] {
    return this.#trace.lines;
  }

  /** Hash over the whole trace. */
  get digest(): string {
    return this.#trace.digest;
  }

  /** Sessions that have ended, by reason. */
  get reasons(): Readonly<Record<string, number>> {
    const reasons: Record<string, number> = {};
    for (const { server } of this.#servers) {
      for (const [reason, count] of Object.entries(server.statistics.value.reasons)) {
        reasons[reason] = (reasons[reason] ?? 0) + count;
      }
    }
    return reasons;
  }

  /** Writes a line into the trace. */
  note(text: string): void {
    this.#trace.add(`${this.time.now().toFixed(3)} ${text}`);
  }

  /** What waits in this world at this moment, counted. */
  get pending(): {
    readonly timers: number;
    readonly promises: readonly string[];
    readonly sessions: number;
    readonly sockets: number;
    readonly subscriptions: number;
  } {
    const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
    return {
      timers: this.time.pendingCount,
      promises: this.time.heldPromises,
      sessions: sum(this.#servers.map(({ server }) => server.sessions.size)),
      sockets: sum([
        ...this.#servers.map(({ layer }) => [...layer.sockets()].length),
        ...[...this.#peers.values()].map(({ layer }) => [...layer.sockets()].length),
      ]),
      subscriptions: sum(this.#servers.map(({ subscriptions }) => subscriptions)),
    };
  }

  /** Looks at everything that must hold now. @throws {WorldError} PROPERTY_BROKEN with the first thing that was broken so far */
  check(): void {
    if (this.#violation === undefined) {
      for (const server of this.#servers) server.look();
      this.#countTimers();
    }
    if (this.#violation !== undefined) throw this.#violation;
  }

  /**
   * Ends the world: faults stop, peers and clients close, servers drain. @throws {WorldError} LEFT_BEHIND when anything is left that was
   * made through the world or its clock, PROPERTY_BROKEN as any other step
   */
  async end(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#faults.stop();
    for (const client of this.#clients) void client.stop({ option: 'force' });
    for (const peer of this.#live) {
      peer.resume();
      peer.end();
    }
    for (const { server } of this.#servers) void server.stop();
    // Drain, close and reset have a deadline each; nothing of a server takes longer.
    for (const limitMs = this.time.now() + 120_000; this.time.now() < limitMs && this.#hasLive();) {
      await this.time.advanceByAsync(1_000);
    }
    for (const peers of [...this.#peers.values(), this.#scanners.peers]) peers.close();
    for (const end of this.#scanners.ends) end.unsubscribe();
    for (const server of this.#servers) server.unwatch();
    await this.time.settle();
    this.check();
    this.#refuseLeftovers();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }

  #makeServer(protocol: AnyProtocol, options: WorldServerOptions): WorldServer {
    const host = options.host ?? `10.0.0.${this.#servers.length + 1}`;
    const layer = this.network.layer(host);
    const made = new WorldServer({
      host,
      layer,
      protocol,
      now: () => this.time.now(),
      stalledMs: () => this.#stalledMs,
      peers: () => this.#live,
      note: (text) => this.note(text),
      broken: (property, session) => this.#broken(property, session),
    });
    made.watch(
      makeServer(protocol, { port: 7_000, ...options, host, layer, time: this.network.clock(host) }, (session) =>
        made.tapFor(session),
      ),
      options,
    );
    this.#servers.push(made);
    return made;
  }

  #hasLive(): boolean {
    return (
      this.#live.size > 0 ||
      this.#servers.some(({ server }) => server.state.value !== 'closed') ||
      this.#clients.some((client) => client.state.value !== 'closed')
    );
  }

  #refuseLeftovers(): void {
    const { timers, promises, sessions, sockets, subscriptions } = this.pending;
    const left = [
      ...(sessions > 0 ? [counted(sessions, 'session')] : []),
      ...(sockets > 0 ? [counted(sockets, 'socket')] : []),
      ...(timers > 0 ? [`${counted(timers, 'timer')}, due at ${this.#dueMoments()} ms`] : []),
      ...(subscriptions > 0 ? [`${counted(subscriptions, 'subscription')} to streams of a server`] : []),
      ...(promises.length > 0 ? [`promises: ${promises.join(', ')}`] : []),
    ];
    if (left.length > 0) throw this.#error('LEFT_BEHIND', `the world has ended, and left behind: ${left.join('; ')}`);
  }

  #dueMoments(): string {
    const moments = this.time.pending.map(({ dueMs }) => dueMs);
    return moments.length <= 5 ? moments.join(', ') : `${moments.slice(0, 5).join(', ')} ...`;
  }

  #countTimers(): void {
    const { timersPerSessionMax = 64 } = this.#options;
    const sessions = this.#servers.reduce((sum, { server }) => sum + server.sessions.size, 0);
    const most =
      64 + (sessions + this.#live.size + this.#scanners.ends.size) * timersPerSessionMax + this.#faults.pendingCount;
    if (this.time.pendingCount <= most) return;
    this.#broken(
      `${this.time.pendingCount} timers wait, for ${sessions} sessions and ${this.#live.size} peers: at most ${most} should`,
    );
  }

  #broken(property: string, session?: string): void {
    if (this.#violation !== undefined) return;
    this.note(`BROKEN ${property}`);
    this.#violation = this.#error('PROPERTY_BROKEN', property, session);
  }

  #error(code: WorldErrorCode, text: string, session?: string): WorldError {
    const tail = this.#trace.tail(ERROR_LINES, session).map((line) => `\n  ${line}`);
    return new WorldError(code, `${text} (seed ${this.seed}, at ${this.time.now()} ms)${tail.join('')}`, session);
  }

  #addressOf(server: TcpServer): { readonly host: string; readonly port: number } {
    const address = server.address();
    if (address === undefined) throw new TypeError('the server has not listened yet');
    return { host: address.address, port: address.port };
  }

  #worldServerOf(server: TcpServer): WorldServer {
    const made = this.#servers.find((one) => one.server === server);
    if (made === undefined) throw new TypeError('the server is not of this world: it is made by world.server()');
    return made;
  }

  #nextPeerHost(): string {
    const host = `10.0.1.${(this.#nextHost % PEER_HOSTS) + 1}`;
    this.#nextHost += 1;
    return host;
  }

  #peersOn(host: string): Peers {
    let peers = this.#peers.get(host);
    if (peers === undefined) this.#peers.set(host, (peers = new Peers(this.network.layer(host))));
    return peers;
  }

  #connected(): ScriptedPeer[] {
    return [...this.#live].filter(({ state }) => state === 'connected' || state === 'ended');
  }

  #gone(peer: ScriptedPeer): void {
    this.#live.delete(peer);
    this.#hosts.delete(peer);
  }

  #scan(address: ListenAddress, by: 'fin' | 'reset'): void {
    const scanner = this.#scanners.peers.connect(address);
    const end = scanner.events.subscribe({
      next: ({ type }) => {
        if (type === 'CONNECT') scanner[by === 'fin' ? 'end' : 'reset']();
      },
      complete: () => this.#scanners.ends.delete(end),
    });
    this.#scanners.ends.add(end);
  }
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
