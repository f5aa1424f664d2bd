/**
 * The promises that a chart and the charts below it invoke or spawn, told to a clock that takes note of promises.
 *
 * - *Which child is a promise* is asked of its logic, once: given the event with which XState's promise logic settles, it must be done
 *   with that event's data. XState marks its logics with nothing that can be read, and a test for `fromPromise`'s own function would
 *   miss a logic that wraps one. Only logics that `start` something and are no chart are asked, so that no code of a user's reducer runs.
 * - *Which children there are* is read from the snapshot, whose `children` is another object when one came or went. XState's
 *   inspection would tell of each, and cost every event of every actor an object.
 */
import type { AnyActorLogic, AnyActorRef, AnyMachineSnapshot, Snapshot } from 'xstate';
import type { PromiseHolder } from '../time/held-promises.js';

/** One for each actor of a clock that takes note; it needs no end of its own, as children end with their parent. */
export class InvokedPromises {
  readonly #holder: PromiseHolder;
  readonly #chart: string;
  readonly #known = new WeakSet<AnyActorRef>();
  #children: unknown;

  /** @param chart what a person calls the chart that invokes */
  constructor(holder: PromiseHolder, chart: string) {
    this.#holder = holder;
    this.#chart = chart;
  }

  /** Looks for promises among children that have come since the last look. */
  look(snapshot: Snapshot<unknown>): void {
    const { children } = snapshot as Partial<AnyMachineSnapshot>;
    if (children === this.#children || children === undefined) return;
    this.#children = children;
    for (const child of Object.values(children) as (AnyActorRef | undefined)[]) {
      if (child === undefined || this.#known.has(child)) continue;
      this.#known.add(child);
      this.#watch(child);
    }
  }

  #watch(child: AnyActorRef): void {
    const { logic } = child as unknown as { readonly logic: AnyActorLogic };
    const snapshot = child.getSnapshot() as Snapshot<unknown>;
    if (snapshot.status !== 'active') return;
    if (isPromiseLogic(logic)) {
      const release = this.#holder.holdPromise(`the promise ${child.id} of the chart ${this.#chart}`);
      child.subscribe({ complete: release, error: release });
    } else if ('children' in snapshot) {
      const below = new InvokedPromises(this.#holder, child.id);
      below.look(snapshot);
      // With `error`: an observer without one would make XState throw the error of a child into the process.
      child.subscribe({ next: (next) => below.look(next as Snapshot<unknown>), error: () => {} });
    }
  }
}

const answers = new WeakMap<AnyActorLogic, boolean>();

/** Does this logic, of any copy of XState 5, wait for a promise? */
export function isPromiseLogic(logic: AnyActorLogic): boolean {
  let answer = answers.get(logic);
  if (answer === undefined) answers.set(logic, (answer = settlesAsPromise(logic)));
  return answer;
}

function settlesAsPromise(logic: AnyActorLogic): boolean {
  if (typeof logic.start !== 'function' || 'root' in logic) return false;
  const data = {};
  try {
    const active = { status: 'active', output: undefined, error: undefined, input: undefined };
    const settled = logic.transition(
      active,
      { type: 'xstate.promise.resolve', data },
      {} as never,
    ) as Snapshot<unknown>;
    return settled.status === 'done' && settled.output === data;
  } catch {
    return false; // a callback's or an observable's, which looks for the actor that it was started for
  }
}
