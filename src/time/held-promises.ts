/**
 * Promises that the runtime waits for, and a clock that is moved by hand cannot see: the answer of a command handler, a promise that
 * a chart invokes, a server's start. A test that moved the clock past them would judge a world that is still busy.
 *
 * Hard choices:
 * - **The holder says so, the clock does not find out.** Watching all promises of a process (`async_hooks`) would slow it down, and
 *   would see the test runner's own. So whoever waits for a promise in the runtime's name holds it; others are invisible.
 * - **A method that a scheduler may have**, and not a wrapper around the clock: `RealTime` and RxJS's schedulers have none, and then
 *   holding is one test for `undefined`.
 * - **An answer that comes on the clock is no promise to wait for** (`ClockAnswer`): it begins when the runtime gives it its clock,
 *   settles inside an action of that clock, and so is already among what is pending there.
 */
import type { SchedulerLike } from 'rxjs';

/** What a clock has that takes note of held promises. */
export interface PromiseHolder {
  /**
   * Takes note of a promise. @param name what a person is told of it; a function is asked when somebody wants to know.
   * @returns what lets go of it; a second call does nothing.
   */
  holdPromise(name: string | (() => string)): () => void;
}

/** The held promises of one clock. */
export class HeldPromises {
  readonly #held = new Set<{ readonly name: string | (() => string) }>();
  /** How often one was held or let go: by it a turn of the event loop that changed something is known. */
  changeCount = 0;

  get size(): number {
    return this.#held.size;
  }

  /** Oldest first; a new array each time. */
  get names(): readonly string[] {
    return [...this.#held].map(({ name }) => (typeof name === 'string' ? name : name()));
  }

  hold(name: string | (() => string)): () => void {
    const held = { name };
    this.#held.add(held);
    this.changeCount += 1;
    return () => {
      if (this.#held.delete(held)) this.changeCount += 1;
    };
  }
}

const nothingHeld = (): void => {};

/** @returns `time` as a clock that takes note of promises; `undefined` when it takes none. */
export function promiseHolderOf(time: SchedulerLike): PromiseHolder | undefined {
  const { holdPromise: hold } = time as Partial<PromiseHolder>;
  return typeof hold === 'function' ? (time as SchedulerLike & PromiseHolder) : undefined;
}

/**
 * Says that the runtime waits for a promise. On a clock that takes no note of promises nothing is kept.
 * @returns what must be called once it is settled, or nobody waits for it any more; a second call does nothing.
 */
export function holdPromise(time: SchedulerLike, name: string | (() => string)): () => void {
  return promiseHolderOf(time)?.holdPromise(name) ?? nothingHeld;
}

/** Holds `promise` until it is settled. @returns a promise of the same; on a clock that takes no note of promises, the same promise. */
export function heldUntilSettled<T>(time: SchedulerLike, name: string, promise: Promise<T>): Promise<T> {
  const release = holdPromise(time, name);
  return release === nothingHeld ? promise : promise.finally(release);
}

/** Starts an answer that comes on a clock. Shared by all copies of this package: a test may load another than the server does. */
export const START_ON_CLOCK: unique symbol = Symbol.for('wirechart.startOnClock') as never;

/** An answer that settles inside an action of a clock, synchronously: its `then` calls back at that moment, not a microtask later. */
export interface ClockAnswer<T> extends PromiseLike<T> {
  /** Begins to count on this clock. `then` before it means that there is none. */
  [START_ON_CLOCK](time: SchedulerLike): void;
}

export function isClockAnswer(value: PromiseLike<unknown>): value is ClockAnswer<unknown> {
  return START_ON_CLOCK in value;
}
