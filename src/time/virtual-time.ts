/**
 * A clock that stands still until it is told to move: the scheduler of tests, of replays and of path exploration.
 *
 * Hard choices:
 * - **Ours instead of RxJS's `VirtualTimeScheduler`**, which sorts all that is pending on each `schedule` and drops it
 *   on the first throw, and instead of XState's `SimulatedClock`, whose repeating timers fire once per step. Here an
 *   action costs O(log n), and an advance ends at its target whatever the actions throw.
 * - **Socket events before timers at the same moment.** That is what `RealTime` does after a stall, so a test that
 *   relies on it is true in production. It is a class of the action (`sockets`), not a smaller due time, so that
 *   `now()` stays exact.
 * - **Errors after the advance.** Throwing at once would leave the clock at a moment that no one asked for.
 *
 * Given up: actions that schedule actions for the same moment without end cannot end at the target. After
 * `sameInstantCountMax` of them the advance stops where it is with CLOCK_STUCK, because a test runner cannot time out a
 * synchronous loop.
 */
import type { SchedulerAction, SchedulerLike, Subscription } from 'rxjs';
import { DueHeap } from './due-heap.js';
import { type ActionOwner, ScheduledAction } from './scheduled-action.js';
import { throwCollected, TimeError } from './time-error.js';

export interface VirtualTimeOptions {
  /** What `now()` starts at, in ms, finite. Default 0. */
  startMs?: number;
  /**
   * Told of each error that an action throws, when it throws it. Without it, errors are collected and thrown when the
   * advance has reached its target: one as it is, several as an `AggregateError`.
   */
  onError?: (error: unknown) => void;
  /**
   * Order among actions of one class that are due at one moment: a number of at least 0 and below 1, asked once each
   * time that an action is scheduled; smaller runs first, equal ones in the order of scheduling. A seeded generator
   * makes each seed another order. Default: always 0, so the order of scheduling.
   */
  tieBreak?: () => number;
  /** How many actions may be scheduled for a moment while that moment is running, at least 1. Default 1 000 000. */
  sameInstantCountMax?: number;
}

/** An action that waits, as a test sees it. */
export interface PendingAction {
  readonly dueMs: number;
  readonly kind: 'socket' | 'timer';
}

const SOCKET_RANK = 0;
const TIMER_RANK = 1; // ranks from 0 below 1 are sockets, from 1 below 2 timers: the tie-break is the fraction

export class VirtualTime implements SchedulerLike {
  /** The same clock and the same queue, for what comes from a socket: at one moment these actions run before timers. */
  readonly sockets: SchedulerLike;

  readonly #heap = new DueHeap<ScheduledAction>();
  readonly #owner: ActionOwner;
  readonly #onError: ((error: unknown) => void) | undefined;
  readonly #sameInstantCountMax: number;
  #nowMs: number;
  #sequence = 0;
  #advancing = false;
  /** Actions numbered from here were scheduled while the present moment was running. */
  #instantSequence = 0;
  #sameInstantCount = 0;

  /** @throws {RangeError} when an option is outside its limits. */
  constructor(options: VirtualTimeOptions = {}) {
    const { startMs = 0, onError, tieBreak, sameInstantCountMax = 1_000_000 } = options;
    if (!Number.isFinite(startMs)) throw new RangeError(`startMs must be finite, and is ${startMs}`);
    if (!(sameInstantCountMax >= 1)) {
      throw new RangeError(`sameInstantCountMax must be at least 1, and is ${sameInstantCountMax}`);
    }
    this.#nowMs = startMs;
    this.#onError = onError;
    this.#sameInstantCountMax = sameInstantCountMax;
    this.#owner = {
      place: (action, delayMs) => {
        this.#heap.remove(action);
        // An action that repeats runs at its due time exactly, so this is "due + delay" without any drift.
        action.dueMs = this.#nowMs + delayMs;
        action.sequence = this.#sequence++;
        if (tieBreak !== undefined) action.rank = Math.floor(action.rank) + fraction(tieBreak());
        this.#heap.push(action);
      },
      withdraw: (action) => void this.#heap.remove(action),
    };
    this.sockets = {
      now: () => this.#nowMs,
      schedule: <T>(work: (this: SchedulerAction<T>, state?: T) => void, delayMs?: number, state?: T): Subscription =>
        new ScheduledAction<T>(this.#owner, SOCKET_RANK, work).schedule(state, delayMs),
    };
  }

  /** @returns the virtual time, in ms. While an action runs it is the action's due time. */
  now(): number {
    return this.#nowMs;
  }

  /**
   * Schedules a timer `delayMs` from now; a negative delay counts as 0. Nothing runs before the clock is advanced.
   * @returns a Subscription that takes the action out again.
   * @throws {RangeError} when `delayMs` is NaN.
   */
  schedule<T>(work: (this: SchedulerAction<T>, state?: T) => void, delayMs?: number, state?: T): Subscription {
    return new ScheduledAction<T>(this.#owner, TIMER_RANK, work).schedule(state, delayMs);
  }

  /**
   * Moves the clock on by `ms` and runs all that falls due up to and including the new moment, also what is scheduled
   * on the way. 0 runs what is due now.
   *
   * ```ts
   * const time = new VirtualTime();
   * const seen: number[] = [];
   * interval(100, time).subscribe((n) => seen.push(n));
   * time.advanceBy(250); // seen is [0, 1], time.now() is 250
   * ```
   *
   * @throws {RangeError} when `ms` is negative, NaN or infinite; nothing has run then.
   * @throws {TimeError} ADVANCE_REENTERED when called from inside an action; CLOCK_STUCK as told at `sameInstantCountMax`.
   * @throws what actions threw, unless there is an `onError`; the clock is at its target all the same.
   */
  advanceBy(ms: number): void {
    if (!(ms >= 0 && ms < Infinity)) throw new RangeError(`ms must be a finite number of at least 0, and is ${ms}`);
    this.#advance('advanceBy', this.#nowMs + ms, Infinity);
  }

  /** As `advanceBy`, to a moment. @throws {RangeError} when `targetMs` is before `now()`, NaN or infinite. */
  advanceTo(targetMs: number): void {
    if (!(targetMs >= this.#nowMs && targetMs < Infinity)) {
      throw new RangeError(`targetMs must be finite and not before now (${this.#nowMs}), and is ${targetMs}`);
    }
    this.#advance('advanceTo', targetMs, Infinity);
  }

  /** Moves the clock to the next moment at which something is due and runs all of it. @returns `false` when nothing ever is. */
  advanceToNext(): boolean {
    return this.#advanceToFirst('advanceToNext', Infinity);
  }

  /** Moves the clock to the next action that is due and runs this one alone. @returns `false` when nothing ever is. */
  runNext(): boolean {
    return this.#advanceToFirst('runNext', 1);
  }

  /** What waits, in the order in which it will run; a new array each time. */
  get pending(): readonly PendingAction[] {
    return this.#heap
      .sorted()
      .map(({ dueMs, rank }): PendingAction => ({ dueMs, kind: rank < TIMER_RANK ? 'socket' : 'timer' }));
  }

  /** How many actions wait. */
  get pendingCount(): number {
    return this.#heap.size;
  }

  #advanceToFirst(method: string, countMax: number): boolean {
    const first = this.#heap.peek();
    if (first !== undefined && first.dueMs < Infinity) {
      this.#advance(method, first.dueMs, countMax);
      return true;
    }
    this.#refuseReentry(method);
    return false;
  }

  #advance(method: string, targetMs: number, countMax: number): void {
    this.#refuseReentry(method);
    const errors: unknown[] = [];
    this.#advancing = true;
    this.#startInstant(this.#nowMs);
    for (let count = 0; count < countMax; count += 1) {
      const action = this.#heap.peek();
      if (action === undefined || action.dueMs > targetMs) break;
      if (action.dueMs > this.#nowMs) this.#startInstant(action.dueMs);
      else if (action.sequence >= this.#instantSequence && ++this.#sameInstantCount > this.#sameInstantCountMax) {
        errors.push(
          new TimeError(
            'CLOCK_STUCK',
            `${this.#sameInstantCountMax} actions were scheduled for ${this.#nowMs} ms while it was running, and there are more`,
          ),
        );
        targetMs = this.#nowMs;
        break;
      }
      this.#heap.remove(action);
      try {
        action.run();
      } catch (error) {
        this.#report(error, errors);
      }
    }
    this.#nowMs = targetMs;
    this.#advancing = false;
    throwCollected(errors, 'actions');
  }

  #startInstant(ms: number): void {
    this.#nowMs = ms;
    this.#instantSequence = this.#sequence;
    this.#sameInstantCount = 0;
  }

  #report(error: unknown, errors: unknown[]): void {
    if (this.#onError === undefined) {
      errors.push(error);
      return;
    }
    try {
      this.#onError(error);
    } catch (reporterError) {
      errors.push(reporterError);
    }
  }

  #refuseReentry(method: string): void {
    if (!this.#advancing) return;
    throw new TimeError(
      'ADVANCE_REENTERED',
      `${method} was called from inside an action, at ${this.#nowMs} ms: an action may schedule, but not move the clock that runs it`,
    );
  }
}

function fraction(value: number): number {
  if (value >= 0 && value < 1) return value;
  throw new RangeError(`tieBreak must give a number of at least 0 and below 1, and gave ${value}`);
}
