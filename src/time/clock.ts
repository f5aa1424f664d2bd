/**
 * The clock that XState's actors get: the same scheduler that everything else runs on, so that a delayed transition
 * and an RxJS timer of the same length cannot drift apart (and a test moves both at once).
 */
import type { SchedulerAction, SchedulerLike } from 'rxjs';
import type { Actor, AnyActorLogic } from 'xstate';

/** XState's own type, which it does not export by name. */
export type Clock = Actor<AnyActorLogic>['clock'];

/**
 * Makes the `clock` option of `createActor`.
 *
 * @param afterEach called after each timer that fired, also when its function threw: the place where the engine
 *   carries out the commands that the transition left behind. Without it those would wait for the next event.
 *
 * ```ts
 * const time = new VirtualTime();
 * const actor = createActor(machine, { clock: clockFrom(time) }).start();
 * time.advanceBy(1_000); // takes `after: { 1000: ... }`
 * ```
 */
export function clockFrom(scheduler: SchedulerLike, afterEach?: () => void): Clock {
  // One function for all timers: the function to call travels as the action's state.
  function fire(this: SchedulerAction<() => void>, callback?: () => void): void {
    this.unsubscribe(); // a fired timer never fires again, so nothing should hold on to it
    try {
      callback?.();
    } finally {
      afterEach?.();
    }
  }

  return {
    setTimeout: (callback: () => void, ms: number) => scheduler.schedule(fire, ms, callback),
    // XState also clears ids that it never got or that have fired.
    clearTimeout: (id: { unsubscribe?: () => void } | null | undefined) => id?.unsubscribe?.(),
  };
}
