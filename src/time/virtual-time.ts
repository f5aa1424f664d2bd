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
 * - **No moving past a held promise** (`held-promises.ts`). A synchronous advance gives promises no chance to settle, so what they lead
 *   to would come late and the test would pass or fail by accident: it throws PROMISE_PENDING, before it runs anything, or where the
 *   clock would have had to move on. The asynchronous ones give promises turns of the event loop instead, and never wait for one: a
 *   handler that does not answer must come to its deadline.
 * - **A turn is one `setImmediate`**: all microtasks are done by then, and so is what other immediates began before it. Turns
 *   are repeated while they change what is held. What takes real time (a file, a socket of the kernel) has to be awaited.
 *
 * Given up: actions that schedule actions for the same moment without end cannot end at the target. After
 * `sameInstantCountMax` of them the advance stops where it is with CLOCK_STUCK, because a test runner cannot time out a
 * synchronous loop.
 */
import type { SchedulerAction, SchedulerLike, Subscription } from 'rxjs';
import { DueHeap } from './due-heap.js';
import { HeldPromises, type PromiseHolder } from './held-promises.js';
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
  /**
   * How many actions may be scheduled for a moment while that moment is running, and how many turns of the event loop promises may
   * take at one moment, at least 1. Default 1 000 000.
   */
  sameInstantCountMax?: number;
}

/** An action that waits, as a test sees it. */
export interface PendingAction {
  readonly dueMs: number;
  readonly kind: 'socket' | 'timer';
}

export interface RunUntilOptions {
  /** How far the clock may move, in virtual ms, finite and at least 0. Default 3 600 000: an hour. */
  readonly withinMs?: number;
}

const SOCKET_RANK = 0;
const TIMER_RANK = 1; // ranks from 0 below 1 are sockets, from 1 below 2 timers: the tie-break is the fraction

/** Taken when this file is loaded: a test runner's fake timers, which replace the global one later, must not stop our turns. */
const afterTurn = setImmediate;

/** How much of what is pending an error names. */
const NAMED_MAX = 10;

export class VirtualTime implements SchedulerLike, PromiseHolder {
  /** The same clock and the same queue, for what comes from a socket: at one moment these actions run before timers. */
  readonly sockets: SchedulerLike & PromiseHolder;

  readonly #heap = new DueHeap<ScheduledAction>();
  readonly #owner: ActionOwner;
  readonly #onError: ((error: unknown) => void) | undefined;
  readonly #sameInstantCountMax: number;
  #nowMs: number;
  #sequence = 0;
  #advancing = false;
  /** The asynchronous method that is under way, between its actions too. */
  #asyncMethod: string | undefined;
  readonly #held = new HeldPromises();
  /** Turns of the event loop at the present moment. */
  #turnCount = 0;
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
      holdPromise: (name) => this.holdPromise(name),
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
   * @throws {TimeError} ADVANCE_REENTERED when called from inside an action or while an asynchronous advance is under way; CLOCK_STUCK
   *   as told at `sameInstantCountMax`; PROMISE_PENDING when the runtime holds a promise: at the call (nothing has run then), or where
   *   the clock would have had to move on past one, and then it stands there.
   * @throws what actions threw, unless there is an `onError`; the clock is at its target all the same.
   */
  advanceBy(ms: number): void {
    this.#advance('advanceBy', this.#targetAfter(ms), Infinity);
  }

  /** As `advanceBy`, to a moment. @throws {RangeError} when `targetMs` is before `now()`, NaN or infinite. */
  advanceTo(targetMs: number): void {
    this.#checkTarget(targetMs);
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

  /**
   * Runs one action after the other until `predicate` says true; it is asked before the first one, too.
   * @returns how many ms the clock has moved.
   * @throws {RangeError} when `withinMs` is outside its limits; nothing has run then.
   * @throws {TimeError} NEVER when the limit passes (the clock is there then) or nothing is pending any more: it says what was; and as
   *   `advanceBy`.
   * @throws what actions threw, and what `predicate` throws, at once.
   */
  runUntil(predicate: () => boolean, { withinMs = 3_600_000 }: RunUntilOptions = {}): number {
    const startMs = this.#nowMs;
    const limitMs = this.#limitAfter(withinMs);
    this.#refuseToRun('runUntil');
    this.#run((errors) => {
      while (!predicate()) {
        const dueMs = this.#nextDueMs();
        if (dueMs === Infinity) throw this.#never(startMs);
        if (!this.#moveTo(Math.min(dueMs, limitMs), 'runUntil', errors)) return;
        if (dueMs <= limitMs && !this.#runOne(errors)) return;
        if (dueMs <= limitMs || predicate()) continue;
        throw this.#never(startMs);
      }
    });
    return this.#nowMs - startMs;
  }

  /**
   * Runs what is due now and gives promises turns of the event loop, until nothing is due now and a whole turn has changed nothing of
   * what is held. The clock does not move. What is held then waits for a later moment, or for something outside of this process.
   * @throws as `advanceByAsync`
   */
  async settle(): Promise<void> {
    await this.#advanceAsync('settle', this.#nowMs);
  }

  /**
   * As `advanceBy`, with turns of the event loop between the moments at which something is due: what promises lead to happens at
   * its moment. A promise that is held never keeps the clock from moving: a handler without an answer comes to its deadline.
   * @throws as `advanceBy`, but never PROMISE_PENDING
   */
  async advanceByAsync(ms: number): Promise<void> {
    await this.#advanceAsync('advanceByAsync', this.#targetAfter(ms));
  }

  /** As `advanceByAsync`, to a moment. @throws {RangeError} when `targetMs` is before `now()`, NaN or infinite. */
  async advanceToAsync(targetMs: number): Promise<void> {
    this.#checkTarget(targetMs);
    await this.#advanceAsync('advanceToAsync', targetMs);
  }

  /** As `advanceToNext`, with the turns of `advanceByAsync`. @throws as `advanceByAsync` */
  async advanceToNextAsync(): Promise<boolean> {
    const firstMs = this.#nextDueMs();
    await this.#advanceAsync('advanceToNextAsync', firstMs < Infinity ? firstMs : this.#nowMs);
    return firstMs < Infinity;
  }

  /**
   * As `runUntil`, with turns of the event loop between moments; `predicate` is asked after each action and each turn.
   * @throws as `runUntil`, but never PROMISE_PENDING
   */
  async runUntilAsync(predicate: () => boolean, { withinMs = 3_600_000 }: RunUntilOptions = {}): Promise<number> {
    const startMs = this.#nowMs;
    const limitMs = this.#limitAfter(withinMs);
    await this.#runAsync('runUntilAsync', async (errors) => {
      for (;;) {
        if (await this.#settleNow(errors, predicate)) return;
        const dueMs = this.#nextDueMs();
        if (dueMs === Infinity) throw this.#never(startMs);
        this.#startInstant(Math.min(dueMs, limitMs));
        if (dueMs > limitMs && !predicate()) throw this.#never(startMs);
      }
    });
    return this.#nowMs - startMs;
  }

  holdPromise(name: string | (() => string)): () => void {
    return this.#held.hold(name);
  }

  /** What the runtime waits for besides this clock, oldest first; a new array each time. */
  get heldPromises(): readonly string[] {
    return this.#held.names;
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
    const firstMs = this.#nextDueMs();
    if (firstMs < Infinity) {
      this.#advance(method, firstMs, countMax);
      return true;
    }
    this.#refuseToRun(method);
    return false;
  }

  #advance(method: string, targetMs: number, countMax: number): void {
    this.#refuseToRun(method);
    this.#run((errors) => {
      for (let count = 0; count < countMax && this.#nextDueMs() <= targetMs; count += 1) {
        if (!this.#moveTo(this.#nextDueMs(), method, errors) || !this.#runOne(errors)) return;
      }
      this.#moveTo(targetMs, method, errors);
    });
  }

  async #advanceAsync(method: string, targetMs: number): Promise<void> {
    await this.#runAsync(method, async (errors) => {
      for (;;) {
        if (await this.#settleNow(errors)) return;
        if (this.#nowMs === targetMs) return;
        this.#startInstant(Math.min(this.#nextDueMs(), targetMs));
      }
    });
  }

  /**
   * Runs what is due at the present moment, with turns between, until neither it nor what is held changes any more. At least
   * one turn: what the caller has begun may not have reached the clock yet.
   * @returns whether to go no further: `predicate` said true, or the clock is stuck.
   */
  async #settleNow(errors: unknown[], predicate?: () => boolean): Promise<boolean> {
    for (;;) {
      const changes = this.#held.changeCount;
      if (this.#runInstant(errors, predicate)) return true;
      if (++this.#turnCount > this.#sameInstantCountMax) {
        errors.push(
          new TimeError(
            'CLOCK_STUCK',
            `promises took ${this.#sameInstantCountMax} turns at ${this.#nowMs} ms, and go on`,
          ),
        );
        return true;
      }
      await new Promise<void>((resolve) => afterTurn(resolve));
      if (this.#nextDueMs() > this.#nowMs && this.#held.changeCount === changes) return predicate?.() ?? false;
    }
  }

  /** Runs what is due at the present moment. @returns as `#settleNow` */
  #runInstant(errors: unknown[], predicate?: () => boolean): boolean {
    this.#advancing = true;
    try {
      for (;;) {
        if (predicate?.()) return true;
        if (this.#nextDueMs() > this.#nowMs) return false;
        if (!this.#runOne(errors)) return true;
      }
    } finally {
      this.#advancing = false;
    }
  }

  /** What actions threw is thrown at the end, with what `steps` itself throws. */
  #run(steps: (errors: unknown[]) => void): void {
    const errors: unknown[] = [];
    this.#advancing = true;
    this.#startInstant(this.#nowMs);
    try {
      steps(errors);
    } catch (error) {
      errors.push(error);
    }
    this.#advancing = false;
    throwCollected(errors, 'actions');
  }

  async #runAsync(method: string, steps: (errors: unknown[]) => Promise<void>): Promise<void> {
    this.#refuseReentry(method);
    const errors: unknown[] = [];
    this.#asyncMethod = method;
    this.#startInstant(this.#nowMs);
    try {
      await steps(errors);
    } catch (error) {
      errors.push(error);
    }
    this.#asyncMethod = undefined;
    throwCollected(errors, 'actions');
  }

  /** Runs the action that comes first, which is due. @returns `false` when it must not run: the clock is stuck. */
  #runOne(errors: unknown[]): boolean {
    const action = this.#heap.peek()!;
    if (action.sequence >= this.#instantSequence && ++this.#sameInstantCount > this.#sameInstantCountMax) {
      errors.push(
        new TimeError(
          'CLOCK_STUCK',
          `${this.#sameInstantCountMax} actions were scheduled for ${this.#nowMs} ms while it was running, and there are more`,
        ),
      );
      return false;
    }
    this.#heap.remove(action);
    try {
      action.run();
    } catch (error) {
      this.#report(error, errors);
    }
    return true;
  }

  /** Moves the clock on, if `ms` is later than now. @returns `false` when it stays, because an action has left a held promise. */
  #moveTo(ms: number, method: string, errors: unknown[]): boolean {
    if (ms <= this.#nowMs || ms === Infinity) return true;
    if (this.#held.size > 0) {
      errors.push(this.#pending(`${method} stopped at ${this.#nowMs} ms`));
      return false;
    }
    this.#startInstant(ms);
    return true;
  }

  #startInstant(ms: number): void {
    this.#nowMs = ms;
    this.#instantSequence = this.#sequence;
    this.#sameInstantCount = 0;
    this.#turnCount = 0;
  }

  #nextDueMs(): number {
    return this.#heap.peek()?.dueMs ?? Infinity;
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

  #targetAfter(ms: number): number {
    if (!(ms >= 0 && ms < Infinity)) throw new RangeError(`ms must be a finite number of at least 0, and is ${ms}`);
    return this.#nowMs + ms;
  }

  #limitAfter(withinMs: number): number {
    if (withinMs >= 0 && withinMs < Infinity) return this.#nowMs + withinMs;
    throw new RangeError(`withinMs must be a finite number of at least 0, and is ${withinMs}`);
  }

  #checkTarget(targetMs: number): void {
    if (targetMs >= this.#nowMs && targetMs < Infinity) return;
    throw new RangeError(`targetMs must be finite and not before now (${this.#nowMs}), and is ${targetMs}`);
  }

  #refuseToRun(method: string): void {
    this.#refuseReentry(method);
    if (this.#held.size > 0) throw this.#pending(`${method} ran nothing at ${this.#nowMs} ms`);
  }

  #refuseReentry(method: string): void {
    if (this.#advancing) {
      throw new TimeError(
        'ADVANCE_REENTERED',
        `${method} was called from inside an action, at ${this.#nowMs} ms: an action may schedule, but not move the clock that runs it`,
      );
    }
    if (this.#asyncMethod !== undefined) {
      throw new TimeError(
        'ADVANCE_REENTERED',
        `${method} was called at ${this.#nowMs} ms while ${this.#asyncMethod} is under way: await that first`,
      );
    }
  }

  #pending(what: string): TimeError {
    return new TimeError(
      'PROMISE_PENDING',
      `${what}, because the runtime waits for ${listed(this.heldPromises)}: await it, give promises their turns with ` +
        '`await time.settle()` or `await time.advanceByAsync(ms)`, or answer on the clock (`simulatedHandler`)',
    );
  }

  #never(startMs: number): TimeError {
    const waiting = this.pending.map(({ dueMs, kind }) => `a ${kind} at ${dueMs} ms`);
    const held = this.heldPromises;
    return new TimeError(
      'NEVER',
      `the predicate was false from ${startMs} ms to ${this.#nowMs} ms; pending: ${listed(waiting)}` +
        (held.length > 0 ? `; the runtime waits for ${listed(held)}` : ''),
    );
  }
}

/** `a, b and 3 more`. */
function listed(names: readonly string[]): string {
  if (names.length === 0) return 'nothing';
  const named = names.slice(0, NAMED_MAX).join(', ');
  return names.length > NAMED_MAX ? `${named} and ${names.length - NAMED_MAX} more` : named;
}

function fraction(value: number): number {
  if (value >= 0 && value < 1) return value;
  throw new RangeError(`tieBreak must give a number of at least 0 and below 1, and gave ${value}`);
}
