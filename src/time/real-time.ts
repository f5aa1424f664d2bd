/**
 * The clock of production: monotonic, and at the same moment slower than the sockets.
 *
 * The hard question: a server's event loop stalls for 2 s (a long computation, a stopped process). When it goes on,
 * Node runs timers first and reads the sockets afterwards. Thousands of sessions would be told that their peers were
 * silent, while the peers' bytes lie in the kernel. Data must beat a deadline.
 *
 * The choice: a timer that has fallen due is only *noted*; its work runs from a `setImmediate`, which comes after the
 * poll phase, so after all that the kernel had for us at that time. That alone is not enough, for the stall may be in
 * the poll phase itself, between the note and the immediate: what fell due in *that* stall must wait for another poll.
 * So each turn has a horizon, a moment taken just before its poll (in the timer phase, or at the end of the turn
 * before), and only what was due at the horizon may run. What is due later runs one turn later, which costs a pass
 * through an event loop that has nothing else to do: some microseconds.
 *
 * Also chosen: one heap and one Node timer instead of a Node timer per action. That gives one order (due time, then
 * order of scheduling) on real and on virtual time, and 10 000 timers that are due together are one wake-up.
 *
 * Given up: up to 48 x 1 024 sockets are read in one poll phase of libuv; beyond that, data that waited may lose to a
 * deadline. And a wake-up that Node makes a fraction of a millisecond early sleeps once more, which may make it 1 ms late.
 */
import type { SchedulerAction, SchedulerLike, Subscription } from 'rxjs';
import { comesBefore, DueHeap } from './due-heap.js';
import { type ActionOwner, ScheduledAction } from './scheduled-action.js';

export interface RealTimeOptions {
  /**
   * Told of each error that an action throws. Default: the error is thrown from an event of its own, so that it
   * reaches `uncaughtException`, as with RxJS's `asyncScheduler`. The other actions run in either case.
   */
  onError?: (error: unknown) => void;
}

/** Node fires a timer with a longer delay after 1 ms (nodejs.org/api/timers.html), so longer ones sleep in steps. */
const SLEEP_MAX_MS = 2 ** 31 - 1;

export class RealTime implements SchedulerLike {
  /** Actions with a delay, by due time. */
  readonly #timers = new DueHeap<ScheduledAction>();
  /** Actions without a delay, in the order of scheduling. Apart, so that one that repeats cannot hold up the timers. */
  readonly #soon = new DueHeap<ScheduledAction>();
  readonly #owner: ActionOwner;
  readonly #onError: ((error: unknown) => void) | undefined;

  #sequence = 0;
  #running: ScheduledAction | undefined;
  #sleep: NodeJS.Timeout | undefined;
  /** The moment that `#sleep` is for; `Infinity` when there is none. */
  #sleepUntilMs = Infinity;
  #turn: NodeJS.Immediate | undefined;
  /** A moment since when, for certain, the sockets have been polled when the next turn runs. */
  #horizonMs = -Infinity;

  constructor(options: RealTimeOptions = {}) {
    this.#onError = options.onError;
    this.#owner = {
      place: (action, delayMs) => this.#place(action, delayMs),
      withdraw: (action) => this.#withdraw(action),
    };
  }

  /** @returns ms since the process began, with fractions. Monotonic: a change of the wall clock does not show. */
  now(): number {
    return performance.now();
  }

  /**
   * Schedules `work` in `delayMs` from now, by default 0: after the current phase of the event loop; a negative delay
   * counts as 0. It never runs early by `now()`, and after the sockets that had something to say by its due time.
   * Scheduled again from inside with the same delay it keeps its rhythm: the next due time counts from the last one,
   * and rhythms that were missed altogether are skipped. What waits keeps the process alive, except for `Infinity`.
   * @returns a Subscription that takes the action out again.
   * @throws {RangeError} when `delayMs` is NaN.
   */
  schedule<T>(work: (this: SchedulerAction<T>, state?: T) => void, delayMs?: number, state?: T): Subscription {
    return new ScheduledAction<T>(this.#owner, 0, work).schedule(state, delayMs);
  }

  /** How many actions wait. */
  get pendingCount(): number {
    return this.#timers.size + this.#soon.size;
  }

  #place(action: ScheduledAction, delayMs: number): void {
    this.#remove(action);
    const nowMs = this.now();
    const repeats = action === this.#running && delayMs === action.delayMs;
    action.sequence = this.#sequence++;
    action.delayMs = delayMs;
    if (delayMs === 0) {
      action.dueMs = nowMs;
      this.#soon.push(action);
      this.#requestTurn();
      return;
    }
    action.dueMs = repeats ? nextBeat(action.dueMs, delayMs, nowMs) : nowMs + delayMs;
    this.#timers.push(action);
    // A turn looks at the timers itself when it ends.
    if (this.#running === undefined && action.dueMs < this.#sleepUntilMs) this.#sleepUntil(action.dueMs, nowMs);
  }

  #withdraw(action: ScheduledAction): void {
    this.#remove(action);
    // A sleep for a cancelled action is left: it wakes once for nothing, which is cheaper than a new timer per cancel.
    // With nothing left to wait for it would keep the process alive, though.
    const first = this.#timers.peek();
    if (first === undefined || first.dueMs === Infinity) this.#endSleep();
  }

  #remove(action: ScheduledAction): void {
    if (!this.#timers.remove(action)) this.#soon.remove(action);
  }

  /** In the timer phase, so before this round's poll. */
  readonly #wake = (): void => {
    this.#sleep = undefined;
    this.#sleepUntilMs = Infinity;
    this.#horizonMs = this.now();
    this.#awaitTimers(this.#horizonMs);
  };

  /** After the poll. */
  readonly #runTurn = (): void => {
    this.#turn = undefined;
    const end = this.#sequence; // what is scheduled from here on is for a later turn, so that no turn is endless
    for (;;) {
      const action = this.#nextOfTurn(end);
      if (action === undefined) break;
      this.#remove(action);
      this.#running = action;
      try {
        action.run();
      } catch (error) {
        this.#report(error);
      }
      this.#running = undefined;
    }
    this.#horizonMs = this.now(); // the next poll is still to come
    this.#awaitTimers(this.#horizonMs);
  };

  #nextOfTurn(end: number): ScheduledAction | undefined {
    let timer = this.#timers.peek();
    let soon = this.#soon.peek();
    if (timer !== undefined && (timer.dueMs > this.#horizonMs || timer.sequence >= end)) timer = undefined;
    if (soon !== undefined && soon.sequence >= end) soon = undefined;
    if (timer === undefined || soon === undefined) return timer ?? soon;
    return comesBefore(timer, soon) ? timer : soon;
  }

  #awaitTimers(nowMs: number): void {
    const first = this.#timers.peek();
    if (first === undefined) return;
    if (first.dueMs <= nowMs) this.#requestTurn();
    else if (first.dueMs < this.#sleepUntilMs) this.#sleepUntil(first.dueMs, nowMs);
  }

  #sleepUntil(dueMs: number, nowMs: number): void {
    clearTimeout(this.#sleep);
    this.#sleepUntilMs = dueMs;
    this.#sleep = setTimeout(this.#wake, Math.min(Math.ceil(dueMs - nowMs), SLEEP_MAX_MS));
  }

  #endSleep(): void {
    if (this.#sleep === undefined) return;
    clearTimeout(this.#sleep);
    this.#sleep = undefined;
    this.#sleepUntilMs = Infinity;
  }

  #requestTurn(): void {
    this.#turn ??= setImmediate(this.#runTurn);
  }

  #report(error: unknown): void {
    if (this.#onError !== undefined) {
      try {
        this.#onError(error);
        return;
      } catch (reporterError) {
        error = reporterError;
      }
    }
    setImmediate(() => {
      throw error;
    });
  }
}

/** The next due time of a rhythm that is still to come: one delay on, or more when whole delays were missed. */
function nextBeat(dueMs: number, delayMs: number, nowMs: number): number {
  const next = dueMs + delayMs;
  return next > nowMs ? next : next + (Math.floor((nowMs - next) / delayMs) + 1) * delayMs;
}
