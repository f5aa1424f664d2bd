/** Healthy peers at a real port, behind an interface that another process can stand behind as well. */
import { filter, firstValueFrom, interval, takeUntil, timer, type SchedulerLike } from 'rxjs';
import type { Codec } from '../codec/codec.js';
import { createNetLayer } from '../socket/net/net-layer.js';
import type { ListenAddress } from '../socket/socket-layer.js';
import { HealthyPeers, type HealthyCounts } from './attack-healthy.js';
import { ExploreError } from './explore-error.js';
import { Peers } from './peer.js';
import type { Probe } from './probe.js';

/** Healthy peers that work somewhere: what `attackPort` needs of them. */
export interface HealthyLoad {
  /** @returns when all of them are served. @throws {ExploreError} UNREACHABLE when they are refused, or not served within 5 s. */
  start(): Promise<void>;
  /** What they saw since the last call. */
  take(): Promise<HealthyCounts>;
  /** They ask no more. @returns when all answers are there, or lost. */
  finish(): Promise<void>;
  /** Their connections go. */
  stop(): void;
}

export interface NetLoadOptions {
  readonly address: ListenAddress;
  readonly time: SchedulerLike;
  readonly probe: Probe | undefined;
  readonly codec: (() => Codec<any, any>) | undefined;
  /** Peers at once. Default 8. */
  readonly count?: number;
  /** Between two requests of one peer, in ms. Default 10. */
  readonly periodMs?: number;
}

const START_TIMEOUT_MS = 5_000;
const ANSWER_TIMEOUT_MS = 5_000;
const LOOK_MS = 5;

export class NetLoad implements HealthyLoad {
  readonly #time: SchedulerLike;
  readonly #count: number;
  readonly #peers: Peers;
  readonly #healthy: HealthyPeers;

  constructor({ address, time, probe, codec, count = 8, periodMs = 10 }: NetLoadOptions) {
    this.#time = time;
    this.#count = count;
    this.#peers = new Peers(createNetLayer({ time }));
    this.#healthy = new HealthyPeers({
      peers: this.#peers,
      address,
      time,
      probe,
      ...(codec && { codec }),
      count,
      periodMs,
      answerTimeoutMs: ANSWER_TIMEOUT_MS,
    });
  }

  async start(): Promise<void> {
    let cutOff = 0;
    const isReady = () => this.#healthy.readyCount === this.#count;
    // Refused one after the other they need not be waited for.
    const isHopeless = () => (cutOff += this.#healthy.take().cutOff) >= 2 * this.#count;
    this.#healthy.start();
    await this.#until(() => isReady() || isHopeless(), START_TIMEOUT_MS);
    if (isReady()) return;
    const ready = this.#healthy.readyCount;
    this.stop();
    throw new ExploreError(
      'UNREACHABLE',
      `only ${ready} of ${this.#count} healthy peers were served${cutOff > 0 ? `, and ${cutOff} cut off or refused` : ''}` +
        (ready === 0 ? ': is the server there, and is it the port?' : ''),
    );
  }

  take(): Promise<HealthyCounts> {
    return Promise.resolve(this.#healthy.take());
  }

  async finish(): Promise<void> {
    this.#healthy.pause();
    await this.#until(() => this.#healthy.pendingCount === 0, 2 * ANSWER_TIMEOUT_MS);
  }

  stop(): void {
    this.#healthy.stop();
    this.#peers.close();
  }

  async #until(predicate: () => boolean, withinMs: number): Promise<void> {
    if (predicate()) return;
    await firstValueFrom(
      interval(LOOK_MS, this.#time).pipe(filter(predicate), takeUntil(timer(withinMs, this.#time))),
      { defaultValue: undefined },
    );
  }
}
