/**
 * The waits of one session: how many have ended without a READ, and when the next one matters. What follows is said by the transport's
 * chart; here it is counted and told.
 *
 * Waits are told when one of them matters, many at once. While somebody looks at the session each is told as it ends, and what they
 * lead to, and when, is the same.
 */
import type { SchedulerLike } from 'rxjs';
import { waitsUntilDue, type SessionSnapshot } from '../../machines/session.js';
import type { TcpSocketStatistics } from '../socket/statistics.js';
import { WaitEntry, type WaitWheel } from '../time/wait-wheel.js';

export interface WaitsHost {
  readonly time: SchedulerLike;
  readonly wheel: WaitWheel;
  readonly options: { readonly waitTimeoutMs: number };
}

/** Extended by the session, so that its waits cost two fields of it and no object. */
export abstract class SessionWaits extends WaitEntry {
  readonly #host: WaitsHost;
  /** When the first of the waits that are being counted began. */
  #sinceMs: number;
  /** Who looks at the session and wants to see each wait. */
  #lookers = 0;

  constructor(host: WaitsHost) {
    super();
    this.#host = host;
    this.#sinceMs = host.time.now();
  }

  abstract readonly transportSnapshot: SessionSnapshot;
  abstract readonly statistics: TcpSocketStatistics;
  /** Tells the transport's chart. @returns false when the session is over */
  protected abstract tellWaits(waits: number): boolean;

  /** When the session ends if nothing is read; `undefined` while no wait is counted, or none ends it. */
  get waitsEndAtMs(): number | undefined {
    const snapshot = this.transportSnapshot;
    const { waitTimeoutCountMax } = snapshot.context;
    if (waitTimeoutCountMax === 0 || waitsUntilDue(snapshot) === Infinity) return undefined;
    return this.#sinceMs + waitTimeoutCountMax * this.#host.options.waitTimeoutMs;
  }

  /** From now on each wait is told as it ends. @returns what ends that */
  lookAtWaits(): () => void {
    let isOver = false;
    const { wheel } = this.#host;
    this.#lookers += 1;
    wheel.update(this);
    return () => {
      if (isOver) return;
      isOver = true;
      this.#lookers -= 1;
      wheel.update(this);
    };
  }

  override dueMs(): number {
    const waits = this.#waitsUntilTold();
    if (waits === Infinity) return Infinity;
    return this.#sinceMs + (this.transportSnapshot.context.waitTimeoutCount + waits) * this.#host.options.waitTimeoutMs;
  }

  override judge(atMs: number): void {
    const { waitTimeoutCount } = this.transportSnapshot.context;
    const ended = Math.floor((atMs - this.#sinceMs) / this.#host.options.waitTimeoutMs) - waitTimeoutCount;
    // At least those that were due: a division may fall short of the product that it undoes.
    const waits = Math.max(ended, this.#waitsUntilTold());
    this.statistics.receiveRetries += waits;
    if (this.tellWaits(waits)) this.#host.wheel.add(this);
  }

  /** A READ: those that ended without one are counted, though none of them mattered, and new ones begin. */
  protected endWaits(): void {
    const nowMs = this.#host.time.now();
    const elapsedMs = nowMs - this.#sinceMs;
    if (elapsedMs >= this.#host.options.waitTimeoutMs && !this.waitsStandStill) {
      const ended = Math.floor(elapsedMs / this.#host.options.waitTimeoutMs);
      this.statistics.receiveRetries += Math.max(0, ended - this.transportSnapshot.context.waitTimeoutCount);
    }
    this.#sinceMs = nowMs;
  }

  /** They stood still, or were set anew. */
  protected beginWaits(): void {
    this.#sinceMs = this.#host.time.now();
    this.#host.wheel.update(this);
  }

  protected get waitsStandStill(): boolean {
    return waitsUntilDue(this.transportSnapshot) === Infinity;
  }

  #waitsUntilTold(): number {
    const waits = waitsUntilDue(this.transportSnapshot);
    return this.#lookers > 0 && waits !== Infinity ? 1 : waits;
  }
}
