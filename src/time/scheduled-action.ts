/**
 * One scheduled piece of work, on either clock: what RxJS calls a SchedulerAction. RxJS's own class is not exported and
 * holds on to `setInterval`, so this one is ours; its rules are the same:
 * - the work is called with the action as `this` and may schedule it again, with new state;
 * - an action that has run stays open, so that it can be scheduled again later;
 * - scheduling it while it waits replaces the earlier moment; scheduling a closed one does nothing;
 * - one whose work throws is closed, also if it has scheduled itself again.
 */
import { Subscription, type SchedulerAction } from 'rxjs';
import { type Due, NOT_IN_HEAP } from './due-heap.js';

/** The clock that an action belongs to. */
export interface ActionOwner {
  /** Puts the action, which may be waiting already, where its new delay belongs. */
  place(action: ScheduledAction, delayMs: number): void;
  /** Takes a closed action out. */
  withdraw(action: ScheduledAction): void;
}

export class ScheduledAction<T = any> extends Subscription implements SchedulerAction<T>, Due {
  dueMs = 0;
  sequence = 0;
  heapIndex = NOT_IN_HEAP;
  /** The delay that it was last scheduled with; by it a clock knows a repetition. */
  delayMs = 0;

  #work: ((this: SchedulerAction<T>, state?: T) => void) | undefined;
  #state: T | undefined;
  readonly #owner: ActionOwner;

  constructor(
    owner: ActionOwner,
    public rank: number,
    work: (this: SchedulerAction<T>, state?: T) => void,
  ) {
    super();
    this.#owner = owner;
    this.#work = work;
  }

  /** @throws {RangeError} when `delayMs` is NaN. A negative delay, which RxJS makes of a date in the past, counts as 0. */
  schedule(state?: T, delayMs = 0): Subscription {
    if (this.closed) return this;
    if (Number.isNaN(delayMs)) throw new RangeError('delay must be a number of milliseconds, and is NaN');
    this.#state = state;
    this.#owner.place(this, Math.max(0, delayMs));
    return this;
  }

  /** Does the work, now. Whatever it throws is thrown on, after the action is closed. */
  run(): void {
    try {
      this.#work?.call(this, this.#state);
    } catch (error) {
      this.unsubscribe();
      throw error;
    }
  }

  override unsubscribe(): void {
    if (this.closed) return;
    this.#owner.withdraw(this);
    // Cancelled work may be referred to for long (by a parent Subscription); what it would have worked on should not be.
    this.#work = undefined;
    this.#state = undefined;
    super.unsubscribe();
  }
}
