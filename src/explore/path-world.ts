/**
 * Where a path takes place: a server of the protocol on a simulated network of its own, its sessions watched, its peers in our hands, and
 * a clock that is moved by steps.
 */
import type { Codec, Message } from '../codec/codec.js';
import { makeServer, type TcpServer } from '../server.js';
import { messageOf, type RuntimeError } from '../session/errors.js';
import type { SessionOptions } from '../session/options.js';
import type { AnyProtocol } from '../session/protocol.js';
import { createSimulatedNetwork } from '../socket/simulated/network.js';
import type { SocketLayer } from '../socket/socket-layer.js';
import { VirtualTime } from '../time/virtual-time.js';
import { leavesOf, pathOf } from './chart-map.js';
import type { CoverageCount } from './coverage.js';
import { ExploreError } from './explore-error.js';
import type { SimulatedAnswers } from './explore-options.js';
import { exploredProtocol, type AnswerSwitch } from './explored-protocol.js';
import type { KnownAnswers } from './known-answers.js';
import { PEERS_ADDRESS, PORT, SERVER_ADDRESS } from './model-run.js';
import { Peers, type ScriptedPeer } from './peer.js';
import { messagesOf } from './samples.js';
import { SessionWatch } from './session-watch.js';

export interface PathWorldOptions {
  readonly protocol: AnyProtocol;
  readonly options: SessionOptions;
  readonly seed: number;
  readonly simulated: Readonly<Record<string, SimulatedAnswers>>;
  readonly known: KnownAnswers;
  readonly coverage: CoverageCount;
  /** Types of what the protocol has sent are added to it. */
  readonly sent: Set<string>;
}

/** A step was not possible: the path ends there. */
export class CutShort extends Error {}

const EDGE_MS = 1;
/** Virtual ms after which the last session of a path must have ended by itself. */
const END_WITHIN_MS = 3_600_000;
/** Messages that may fill an output, at most; and turns of a handler that takes real time. */
const FILL_MAX = 20_000;
const TURNS_MAX = 5_000;

export class PathWorld {
  readonly time: VirtualTime;
  readonly server: TcpServer;
  readonly answering: AnswerSwitch = { answers: 'given', isOver: false };
  /** In the order of the peers. */
  readonly watches: SessionWatch[] = [];
  readonly peers: ScriptedPeer[] = [];
  /** What the server has reported and nobody has looked at yet. */
  readonly errors: RuntimeError[] = [];
  /** What the clock's actions threw. */
  readonly faults: unknown[] = [];
  readonly #protocol: AnyProtocol;
  readonly #layers: readonly [server: SocketLayer, peers: SocketLayer];
  readonly #all: Peers;
  #stopping: Promise<void> | undefined;

  constructor({ protocol: user, options, seed, simulated, known, coverage, sent }: PathWorldOptions) {
    this.time = new VirtualTime({ onError: (error) => this.faults.push(error) });
    const network = createSimulatedNetwork({ time: this.time, seed, streamBufferBytes: 4_096 });
    this.#layers = [network.layer(SERVER_ADDRESS), network.layer(PEERS_ADDRESS)];
    const { answering, time } = this;
    const protocol = (this.#protocol = exploredProtocol(user, { answering, simulated, known, now: () => time.now() }));
    this.server = makeServer(
      protocol,
      { ...options, time, layer: this.#layers[0], host: SERVER_ADDRESS, port: PORT, maxSessions: 1_000 },
      (session) => {
        const watch = new SessionWatch(session, { protocol, coverage, sent });
        this.watches.push(watch);
        return watch;
      },
    );
    this.server.errors.subscribe((error) => this.errors.push(error));
    this.#all = new Peers(this.#layers[1]);
  }

  /** With peer 1 connected. @throws {ExploreError} SERVER_FAILED */
  async start(): Promise<void> {
    let failure: unknown;
    const started = this.server.start().catch((error: unknown) => (failure = error));
    await this.time.settle();
    await started;
    if (failure) throw new ExploreError('SERVER_FAILED', messageOf(failure), { cause: failure });
    await this.connect(1);
  }

  /** Peers up to this number. */
  async connect(number: number): Promise<void> {
    while (this.peers.length < number) {
      const at = { host: SERVER_ADDRESS, port: PORT };
      this.peers.push(this.#all.connect(at, { answersFin: false, keeps: false }));
      await this.settle();
    }
  }

  /** What is due now, and the promises of handlers that need turns of the real event loop. */
  async settle(): Promise<void> {
    await this.time.settle();
    if (this.answering.answers === 'none') return;
    for (let n = 0; n < TURNS_MAX && this.#awaitsHandler(); n += 1) await this.time.settle();
  }

  #awaitsHandler(): boolean {
    return this.time.heldPromises.some((name) => name.startsWith('the handler of'));
  }

  /** To the moment that the model says; 1 ms before it nothing may have happened. */
  async waitUntil(dueMs: number): Promise<void> {
    await this.time.advanceToAsync(Math.max(this.time.now(), dueMs - EDGE_MS));
    const early = this.watches.flatMap(({ events }) => events)[0];
    if (early)
      throw new CutShort(`${early.type} came at ${this.time.now()} ms, and nothing was due before ${dueMs} ms`);
    await this.time.advanceToAsync(dueMs);
    await this.settle();
  }

  /** A written script waits for whatever happens to a chart, moment by moment, and so on both sides of its edge as well. */
  async waitForAnything(): Promise<void> {
    const time = this.time;
    const limitMs = time.now() + END_WITHIN_MS;
    const overCount = () => this.watches.filter(({ record }) => record !== undefined).length;
    const overBefore = overCount();
    const hasHappened = () => overCount() > overBefore || this.watches.some(({ events }) => events.length > 0);
    while (!hasHappened()) {
      const dueMs = time.pending[0]?.dueMs ?? Infinity;
      if (dueMs > limitMs) throw new CutShort('nothing is ever due');
      await time.advanceToAsync(Math.max(time.now(), dueMs - EDGE_MS));
      if (hasHappened()) return;
      await time.advanceToAsync(dueMs);
      await this.settle();
    }
  }

  /** The peer reads nothing, and the server's owner sends what the codec can say until the output is congested. */
  async fill(index: number): Promise<void> {
    const watch = this.watches[index];
    const peer = this.peers[index];
    if (!watch || !peer) throw new CutShort('there is no session');
    peer.pause();
    const message = this.#largestMessage(watch);
    if (!message) throw new CutShort('the codec has no message that could fill the output');
    const isCongested = () => watch.session.transportSnapshot.context.outputFull || watch.record !== undefined;
    watch.isBeingFilled = true;
    for (let n = 0; n < FILL_MAX && !isCongested(); n += 1) {
      if (!watch.session.send(message)) break;
      if (n % 16 === 15) await this.time.settle();
    }
    watch.isBeingFilled = false;
    await this.settle();
    if (!isCongested()) throw new CutShort(`${FILL_MAX} messages did not fill the output`);
  }

  #largestMessage({ codecName }: SessionWatch): Message | undefined {
    const { codecs } = this.#protocol as { codecs: Record<string, () => Codec> };
    const codec = codecs[codecName]!();
    let largest: { message: Message; bytes: number } | undefined;
    for (const { type, direction } of codec.messages) {
      if (direction === 'in') continue;
      for (const message of (messagesOf(codec, { bytesMax: 4_096 }) as Record<string, Message[]>)[type] ?? []) {
        try {
          const bytes = codec.encode(message).byteLength;
          if (bytes > (largest?.bytes ?? 0)) largest = { message, bytes };
        } catch {
          // another one will do
        }
      }
    }
    return largest?.message;
  }

  /** Of all sessions: `inside`, or with peers `2: inside`, or why it is over. */
  leaves(): string[] {
    return this.watches.flatMap(({ snapshot, record }, index) => {
      const peer = index === 0 ? '' : `${index + 1}: `;
      if (record) return [`${peer}over (${record.reason})`];
      return snapshot ? leavesOf(snapshot).map((leaf) => `${peer}${pathOf(leaf)}`) : [];
    });
  }

  stop(): void {
    this.#stopping ??= this.server.stop();
  }

  /** Everybody goes. @returns what is left, which is nothing if all is well */
  async leave(): Promise<string[]> {
    this.answering.answers = 'given';
    for (const watch of this.watches) watch.isLeaving = true;
    for (const peer of this.peers) {
      peer.resume();
      peer.end();
    }
    await this.settle();
    const left: string[] = [];
    const isOver = () => this.server.sessions.size === 0;
    await this.time.runUntilAsync(isOver, { withinMs: END_WITHIN_MS }).catch(() => {});
    if (!isOver()) left.push(`a session is still there an hour after its peer's FIN`);
    const stopped = this.#stopping ?? this.server.stop({ deadlineMs: 0 });
    await this.time.advanceByAsync(60_000);
    await stopped;
    this.answering.isOver = true;
    this.#all.close();
    const sockets = [...this.#layers[0].sockets()].length;
    if (sockets > 0) left.push(`${sockets} sockets of the server are left`);
    if (this.time.pendingCount > 0) left.push(`${this.time.pendingCount} timers are left`);
    if (this.time.heldPromises.length > 0) left.push(`still awaited: ${this.time.heldPromises.join(', ')}`);
    return left;
  }
}
