/**
 * A server of one protocol on a simulated network of its own and virtual time, with one host for those that mean well and one for those
 * that do not. Attacks and probes each get a new one, so that none finds what another has left.
 */
import { createTcpServer, type TcpServer } from '../server.js';
import type { SessionOptions } from '../session/options.js';
import type { RuntimeError } from '../session/errors.js';
import type { AnyProtocol } from '../session/protocol.js';
import { createSimulatedNetwork } from '../socket/simulated/network.js';
import type { SocketLayer } from '../socket/socket-layer.js';
import { TimeError } from '../time/time-error.js';
import { VirtualTime } from '../time/virtual-time.js';
import { ExploreError } from './explore-error.js';
import { Peers } from './peer.js';

const SERVER = '10.0.0.1';
const HEALTHY = '10.0.0.2';
export const HOSTILE = '10.0.0.66';
const PORT = 7_000;
/** The clock goes on in steps: promises that nobody holds get a turn between them. */
const STEP_MS = 50;

export interface AttackServerOptions {
  readonly protocol: AnyProtocol;
  readonly seed: number;
  readonly session: SessionOptions;
}

export class AttackServer {
  readonly time: VirtualTime;
  readonly layer: SocketLayer;
  readonly server: TcpServer;
  readonly healthy: Peers;
  readonly hostile: Peers;
  readonly address = { host: SERVER, port: PORT };
  readonly errors: RuntimeError[] = [];
  /** What was thrown past everything that should have caught it. */
  readonly crashes: unknown[] = [];

  constructor({ protocol, seed, session }: AttackServerOptions) {
    this.time = new VirtualTime({ onError: (error) => this.crashes.push(error) });
    const network = createSimulatedNetwork({ time: this.time, seed, latencyMs: 1 });
    this.layer = network.layer(SERVER);
    this.server = createTcpServer(protocol, { ...session, ...this.address, time: this.time, layer: this.layer });
    this.server.errors.subscribe((error) => this.errors.push(error));
    this.healthy = new Peers(network.layer(HEALTHY));
    this.hostile = new Peers(network.layer(HOSTILE));
  }

  /** @throws {ExploreError} SERVER_FAILED */
  async start(): Promise<void> {
    try {
      await this.#whileRunning(this.server.start());
    } catch (error) {
      throw new ExploreError('SERVER_FAILED', `the server did not start: ${String(error)}`, { cause: error });
    }
  }

  async stop(): Promise<void> {
    await this.#whileRunning(this.server.stop({ option: 'force' }));
    this.healthy.close();
    this.hostile.close();
    await this.run(0);
  }

  /** Moves the clock on by `ms`. */
  async run(ms: number): Promise<void> {
    const endMs = this.time.now() + ms;
    do {
      await this.#advanceTo(Math.min(endMs, this.time.now() + STEP_MS));
    } while (this.time.now() < endMs);
  }

  /** Moves the clock on until `predicate` holds. @returns whether it does, after `withinMs` at the latest. */
  async runUntil(predicate: () => boolean, withinMs: number): Promise<boolean> {
    const endMs = this.time.now() + withinMs;
    while (!predicate()) {
      if (this.time.now() >= endMs) return false;
      await this.#advanceTo(Math.min(endMs, this.time.now() + STEP_MS));
    }
    return true;
  }

  /** Synchronously as long as nothing is waited for: turns of the event loop between all moments would cost most of the run. */
  async #advanceTo(targetMs: number): Promise<void> {
    try {
      this.time.advanceTo(targetMs);
      await Promise.resolve();
    } catch (error) {
      if (!(error instanceof TimeError) || error.code !== 'PROMISE_PENDING') throw error;
      await this.time.advanceToAsync(targetMs);
    }
  }

  async #whileRunning<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settled = () => void (isSettled = true);
    promise.then(settled, settled);
    await this.runUntil(() => isSettled, 120_000);
    return promise;
  }
}
