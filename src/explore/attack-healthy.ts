/**
 * Peers that mean well, beside an attack: they ask, and note when the answer came. What an attack does to others is what they see.
 *
 * - They ask on a beat, whether the last answer has come or not. Were each request to wait for the answer before it, a server that
 *   stands still for a second would be asked once in it, and that second would be one slow answer among many.
 * - Where no request is known that gets an answer, they connect, stay a while and leave: an answer is the connection then.
 */
import { Subscription, type SchedulerLike } from 'rxjs';
import type { Codec, Message } from '../codec/codec.js';
import type { ListenAddress } from '../socket/socket-layer.js';
import type { Peers, ScriptedPeer } from './peer.js';
import type { Probe } from './probe.js';

export interface HealthyPeersOptions {
  readonly peers: Peers;
  readonly address: ListenAddress;
  readonly time: SchedulerLike;
  /** `undefined`: connect, stay, leave. */
  readonly probe: Probe | undefined;
  /** Makes the codec of the other end; needed with a probe. */
  readonly codec?: () => Codec<any, any>;
  /** Peers at once, 1 or more. */
  readonly count: number;
  /** Between two requests of one peer, in ms. */
  readonly periodMs: number;
  /** Later than that an answer counts as lost, in ms. Default 5 000. */
  readonly answerTimeoutMs?: number;
}

/** What the healthy peers saw since they were last asked. */
export interface HealthyCounts {
  readonly asked: number;
  readonly answered: number;
  /** Answers that did not come in time. */
  readonly lost: number;
  /** Connections that the server ended, or did not take. */
  readonly cutOff: number;
  /** Of each answer, in ms, in the order in which they came. */
  readonly latenciesMs: readonly number[];
}

export class HealthyPeers {
  readonly #options: HealthyPeersOptions;
  readonly #timers = new Subscription();
  readonly #live = new Set<HealthyPeer>();
  #counts = noCounts();
  #isOver = false;

  constructor(options: HealthyPeersOptions) {
    this.#options = options;
  }

  /** Requests that wait for their answers. */
  get pendingCount(): number {
    return [...this.#live].reduce((sum, { pendingCount }) => sum + pendingCount, 0);
  }

  /** Peers that are connected and have been greeted, if that is the server's way. */
  get readyCount(): number {
    return [...this.#live].filter(({ isReady }) => isReady).length;
  }

  /** Connects, and asks from then on: the peers' beats are spread over a period. */
  start(): void {
    const { count, periodMs } = this.#options;
    for (let index = 0; index < count; index += 1) this.#open((periodMs * index) / count);
  }

  /** What was seen since the last call. */
  take(): HealthyCounts {
    const counts = this.#counts;
    this.#counts = noCounts();
    return counts;
  }

  /** No more requests; answers are still waited for, and noted. */
  pause(): void {
    for (const peer of this.#live) peer.pause();
  }

  /** No more requests, and a FIN on each connection. What is still owed is not counted. */
  stop(): void {
    this.#isOver = true;
    this.#timers.unsubscribe();
    for (const peer of this.#live) peer.stop();
    this.#live.clear();
  }

  #open(delayMs: number): void {
    const { time, probe } = this.#options;
    const begin = () => {
      if (this.#isOver) return;
      const healthy: HealthyPeer = new HealthyPeer(this.#options, {
        asked: () => (this.#counts.asked += 1),
        answered: (ms) => {
          this.#counts.answered += 1;
          this.#counts.latenciesMs.push(ms);
        },
        lost: (count) => (this.#counts.lost += count),
        ended: (wasCutOff) => {
          this.#live.delete(healthy);
          if (wasCutOff) this.#counts.cutOff += 1;
          // A server that is gone is not asked as fast as it refuses.
          this.#open(probe || wasCutOff ? Math.max(100, this.#options.periodMs) : 0);
        },
      });
      this.#live.add(healthy);
    };
    this.#timers.add(time.schedule(begin, delayMs));
  }
}

interface HealthyListener {
  asked(): void;
  answered(ms: number): void;
  lost(count: number): void;
  ended(wasCutOff: boolean): void;
}

/** So long does a peer without a request stay, in ms: shorter than any server's patience with the silent. */
const STAY_MS = 200;

class HealthyPeer {
  readonly #options: HealthyPeersOptions;
  readonly #listener: HealthyListener;
  readonly #peer: ScriptedPeer;
  readonly #wire = new Subscription();
  readonly #beat = new Subscription();
  /** When the requests were sent whose answers have not come, oldest first. */
  readonly #sentMs: number[] = [];
  readonly #openedMs: number;
  #greetings: number;
  /** Messages of the answer that is coming. */
  #parts = 0;
  #isReady = false;
  #isOver = false;

  constructor(options: HealthyPeersOptions, listener: HealthyListener) {
    this.#options = options;
    this.#listener = listener;
    this.#greetings = options.probe?.greetings ?? 0;
    const { peers, address, time, probe, codec } = options;
    this.#openedMs = time.now();
    this.#peer = peers.connect(address, { keeps: false, ...(probe && codec && { codec: codec() }) });
    if (!probe) {
      this.#sentMs.push(this.#openedMs);
      listener.asked();
    }
    this.#wire.add(
      this.#peer.events.subscribe({
        next: (event) => {
          if (event.type === 'CONNECT') this.#connected();
          if (event.type === 'MESSAGE') this.#receive(event.message);
          // A server that ends connections by FIN is its own judge where nobody asks it anything.
          if (event.type === 'END') this.#end(probe !== undefined);
          if (event.type === 'CLOSE') this.#end(probe !== undefined || event.closedBy === 'rst');
        },
        complete: () => this.#end(true),
      }),
    );
    this.#every(this.#answerTimeoutMs / 10, () => this.#lookForLost());
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  get pendingCount(): number {
    return this.#sentMs.length;
  }

  pause(): void {
    this.#beat.unsubscribe();
  }

  stop(): void {
    this.#isOver = true;
    this.#beat.unsubscribe();
    this.#wire.unsubscribe();
    if (this.#peer.state === 'connecting') this.#peer.reset();
    else this.#peer.end();
  }

  get #answerTimeoutMs(): number {
    return this.#options.answerTimeoutMs ?? 5_000;
  }

  #connected(): void {
    const { probe, time } = this.#options;
    if (!probe) {
      this.#answer();
      this.#isReady = true;
      this.#wire.add(time.schedule(() => this.#leave(), STAY_MS));
      return;
    }
    if (this.#greetings === 0) this.#begin();
  }

  #begin(): void {
    const { probe, periodMs, time } = this.#options;
    this.#isReady = true;
    if (this.#beat.closed) return;
    const ask = () => {
      this.#sentMs.push(time.now());
      this.#listener.asked();
      this.#peer.send(probe!.request);
    };
    ask();
    this.#beat.add(repeat(time, periodMs, ask));
  }

  #receive({ type }: Message): void {
    const { answers } = this.#options.probe!;
    if (!answers.includes(type)) return;
    if (this.#greetings > 0) {
      this.#greetings -= 1;
      if (this.#greetings === 0) this.#begin();
      return;
    }
    this.#parts += 1;
    if (this.#parts < answers.length) return;
    this.#parts = 0;
    this.#answer();
  }

  #answer(): void {
    const sentMs = this.#sentMs.shift();
    if (sentMs !== undefined) this.#listener.answered(this.#options.time.now() - sentMs);
  }

  #lookForLost(): void {
    const oldestMs = this.#sentMs[0] ?? (this.#isReady ? undefined : this.#openedMs);
    if (oldestMs === undefined || this.#options.time.now() - oldestMs <= this.#answerTimeoutMs) return;
    // Later answers could be taken for earlier ones: begin anew. A greeting that never came is a lost answer as well.
    this.#listener.lost(Math.max(1, this.#sentMs.length));
    this.#sentMs.length = 0;
    this.#peer.reset();
    this.#end(false);
  }

  #leave(): void {
    this.#peer.end();
    this.#end(false);
  }

  #end(wasCutOff: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#sentMs.length > 0) this.#listener.lost(this.#sentMs.length);
    this.#beat.unsubscribe();
    this.#wire.unsubscribe();
    this.#listener.ended(wasCutOff);
  }

  #every(periodMs: number, work: () => void): void {
    this.#wire.add(repeat(this.#options.time, periodMs, work));
  }
}

function repeat(time: SchedulerLike, periodMs: number, work: () => void): Subscription {
  return time.schedule(function () {
    work();
    this.schedule(undefined, periodMs);
  }, periodMs);
}

function noCounts() {
  return { asked: 0, answered: 0, lost: 0, cutOff: 0, latenciesMs: [] as number[] };
}
