/**
 * What an attack is: a script for peers that mean no good, written once for every socket layer and clock. The same one runs on a
 * simulated network in virtual time, and against a port of this machine.
 *
 * The hard choice: a script gets no layer and no clock of its own, only an `AttackContext`, through which everything goes that it
 * does. So its bounds (connections at once and in all, bytes of each connection and of all, time) hold whatever the script does, and when
 * it is over nothing of it is left: no timer, no connection. Given up: scripts that do what a context does not offer.
 */
import { Subscription, type SchedulerLike } from 'rxjs';
import type { Generator } from '../socket/simulated/generator.js';
import type { ListenAddress } from '../socket/socket-layer.js';
import type { HostileFrames } from './attack-frames.js';
import { Attacker, type AttackerEnding } from './attacker.js';
import type { PeerOptions, Peers } from './peer.js';

export interface Attack {
  /** Short, for tables and `--only`: `slowloris`. */
  readonly name: string;
  /** What it does, in a sentence. */
  readonly does: string;
  /** What a good server does, in a sentence. */
  readonly goodServer: string;
  /** Without frames of the protocol there is nothing to do: left out where no protocol is known. Default false: raw bytes will do. */
  readonly needsFrames?: boolean;
  /** Begins it, and returns: what it does later it asks `context` for. */
  run(context: AttackContext): void;
}

/** What an attack can do, and how much of it. */
export interface AttackContext {
  /** The only source of chance. */
  readonly generator: Generator;
  /** How long it lasts, in ms. */
  readonly durationMs: number;
  /** Connections at once, at most. */
  readonly connectionsMax: number;
  /** Connections that may be opened a second, as a measure for scripts. */
  readonly connectsPerSecond: number;
  /** Bytes that may be sent a second over all connections, as a measure for scripts. */
  readonly bytesPerSecond: number;
  /** Good frames that may be sent a second over all connections: a frame of four bytes costs a server as much as one of a thousand. */
  readonly framesPerSecond: number;
  /** What the protocol's peers say when they mean well; `undefined` where no protocol is known. */
  readonly frames: HostileFrames | undefined;
  /** @returns `undefined` when a bound is reached, or the attack is over. */
  connect(options?: PeerOptions): Attacker | undefined;
  /** Calls `work` each `periodMs` until the attack is over. */
  every(periodMs: number, work: () => void): void;
  /** Calls `work` once, unless the attack is over by then. */
  after(delayMs: number, work: () => void): void;
}

/** How much one attack may do. */
export interface AttackBounds {
  readonly durationMs: number;
  readonly connectionsMax: number;
  readonly connectionsTotalMax: number;
  readonly connectionBytesMax: number;
  readonly connectsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly framesPerSecond: number;
}

/** What became of an attack's connections, as their own ends saw it. */
export type AttackEndings = Readonly<Record<AttackerEnding, number>>;

export interface AttackRunOptions {
  readonly peers: Peers;
  readonly address: ListenAddress;
  readonly time: SchedulerLike;
  readonly generator: Generator;
  readonly frames: HostileFrames | undefined;
  readonly bounds: AttackBounds;
}

/** One attack under way. */
export class AttackRun implements AttackContext {
  readonly #options: AttackRunOptions;
  readonly #timers = new Subscription();
  readonly #live = new Set<Attacker>();
  readonly #endings: Record<AttackerEnding, number> = { open: 0, fin: 0, rst: 0, self: 0, refused: 0 };
  #connections = 0;
  #bytesSent = 0;
  #isOver = false;

  constructor(options: AttackRunOptions) {
    this.#options = options;
  }

  get generator(): Generator {
    return this.#options.generator;
  }

  get frames(): HostileFrames | undefined {
    return this.#options.frames;
  }

  get durationMs(): number {
    return this.#options.bounds.durationMs;
  }

  get connectionsMax(): number {
    return this.#options.bounds.connectionsMax;
  }

  get connectsPerSecond(): number {
    return this.#options.bounds.connectsPerSecond;
  }

  get bytesPerSecond(): number {
    return this.#options.bounds.bytesPerSecond;
  }

  get framesPerSecond(): number {
    return this.#options.bounds.framesPerSecond;
  }

  /** Connections that were opened, or tried. */
  get connections(): number {
    return this.#connections;
  }

  get bytesSent(): number {
    return this.#bytesSent;
  }

  /** Those that live are `open`. */
  get endings(): AttackEndings {
    return { ...this.#endings, open: this.#endings.open + this.#live.size };
  }

  connect(options: PeerOptions = {}): Attacker | undefined {
    const { peers, address, bounds } = this.#options;
    if (this.#isOver || this.#live.size >= bounds.connectionsMax) return undefined;
    if (this.#connections >= bounds.connectionsTotalMax) return undefined;
    this.#connections += 1;
    const peer = peers.connect(address, { keeps: false, ...options });
    const attacker = new Attacker(peer, {
      bytesMax: bounds.connectionBytesMax,
      sent: (byteLength) => (this.#bytesSent += byteLength),
      ended: (ending) => {
        this.#live.delete(attacker);
        this.#endings[ending] += 1;
      },
    });
    this.#live.add(attacker);
    return attacker;
  }

  every(periodMs: number, work: () => void): void {
    if (this.#isOver) return;
    const { time } = this.#options;
    this.#timers.add(
      time.schedule(function () {
        work();
        // Unsubscribed by what it just did, it is not taken up again.
        this.schedule(undefined, periodMs);
      }, periodMs),
    );
  }

  after(delayMs: number, work: () => void): void {
    if (!this.#isOver) this.#timers.add(this.#options.time.schedule(work, delayMs));
  }

  /** Ends it: its timers go, and its connections are reset. Those that were open stay counted as open. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timers.unsubscribe();
    for (const attacker of [...this.#live]) {
      this.#endings.open += 1;
      attacker.abandon();
    }
    this.#live.clear();
  }
}

/** A script for one connection of many. `index` counts them. */
export interface CrowdOptions {
  /** Connections at once, at most; the context's own bound holds too. Default: that. */
  readonly count?: number;
  /** Opens another one when one has ended. Default true. */
  readonly replaces?: boolean;
  /** Of each connection. Default: it reads, and answers a FIN. */
  readonly peer?: PeerOptions;
  /** Told when the connection is there. */
  readonly script: (attacker: Attacker, index: number) => void;
}

/** Keeps `count` connections going, opened one by one as fast as the context's measure allows. @returns those that live, as they do. */
export function crowd(context: AttackContext, options: CrowdOptions): ReadonlySet<Attacker> {
  const { count = context.connectionsMax, replaces = true, peer = {}, script } = options;
  const live = new Set<Attacker>();
  let index = 0;
  const open = () => {
    if (live.size >= count || (!replaces && index >= count)) return;
    const attacker = context.connect(peer);
    if (!attacker) return;
    const own = index++;
    live.add(attacker);
    attacker.whenEnded(() => live.delete(attacker));
    attacker.whenConnected(() => script(attacker, own));
  };
  context.after(0, open);
  context.every(1_000 / context.connectsPerSecond, open);
  return live;
}
