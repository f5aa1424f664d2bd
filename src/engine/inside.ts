/**
 * What an actor is given before it processes it, and when its timers fire.
 *
 * The hard question: XState tells neither, but for its inspection, which copies all that it does and costs as much as doing it. So this
 * stands in two functions of the actor's system that XState keeps to itself: each event passes `_relay`, whoever sends it, and each timer
 * `scheduler.schedule`. Another release may have others, or not call these any more, and a recorder would silently see nothing. So they
 * are tried before the first use, on a chart of three states, and what is not as expected is an error that says so.
 */
import { createActor, setup, type AnyActor, type EventObject } from 'xstate';
import type { SchedulerLike } from 'rxjs';

/** XState's own, one for each actor that is not a child of another. */
export interface ActorSystemInside {
  _relay: (source: unknown, target: unknown, event: EventObject) => void;
  readonly scheduler: {
    schedule: (source: unknown, target: unknown, event: object, delayMs: number, ...rest: unknown[]) => void;
  };
}

let isTried = false;

/**
 * XState's record of a timer has the wall clock's time, which may not be that of ours.
 * @param told of each event before `actor` processes it
 * @returns when each timer fires that is set from now on, in ms of `time`, by its event
 * @throws {TypeError} when this XState is not one that can be looked into
 */
export function lookInside(
  actor: AnyActor,
  time: Pick<SchedulerLike, 'now'>,
  told: (event: EventObject) => void,
): WeakMap<object, number> {
  requireInside();
  return wrap(systemOf(actor), actor, time, told);
}

/** For whoever is going to look, before it is too late to say so. @throws {TypeError} as `lookInside` */
export function requireInside(): void {
  if (isTried) return;
  tryInside(systemOf);
  isTried = true;
}

function systemOf(actor: AnyActor): ActorSystemInside {
  return (actor as unknown as { readonly system: ActorSystemInside }).system;
}

/**
 * Looks into an actor that is sent one event and sets one timer.
 * @param ofActor its system; a test gives another
 * @throws {TypeError} when either was not seen
 */
export function tryInside(ofActor: (actor: AnyActor) => Partial<ActorSystemInside>): void {
  const machine = setup({}).createMachine({
    initial: 'idle',
    states: { idle: { on: { GO: 'waiting' } }, waiting: { after: { 1: 'over' } }, over: {} },
  });
  let fire: (() => void) | undefined;
  const clock = { setTimeout: (callback: () => void) => void (fire = callback), clearTimeout: () => {} };
  const actor = createActor(machine, { clock: clock as never });
  const seen: EventObject[] = [];
  const system = ofActor(actor) as ActorSystemInside;
  const { _relay: relay, scheduler } = system;
  if (typeof relay !== 'function' || typeof scheduler?.schedule !== 'function') throw unknownXState();
  const dueMs = wrap(system, actor, { now: () => 41 }, (event) => seen.push(event));
  actor.start();
  actor.send({ type: 'GO' });
  fire?.();
  const [sent, timer] = seen;
  const isSeen =
    sent?.type === 'GO' && timer !== undefined && dueMs.get(timer) === 42 && actor.getSnapshot().value === 'over';
  actor.stop();
  if (!isSeen) throw unknownXState();
}

function wrap(
  system: ActorSystemInside,
  actor: unknown,
  time: Pick<SchedulerLike, 'now'>,
  told: (event: EventObject) => void,
): WeakMap<object, number> {
  const dueMs = new WeakMap<object, number>();
  const { scheduler, _relay: relay } = system;
  const { schedule } = scheduler;
  system._relay = (source, target, event) => {
    if (target === actor) told(event);
    relay(source, target, event);
  };
  scheduler.schedule = (source, target, event, delayMs, ...rest) => {
    dueMs.set(event, time.now() + delayMs);
    schedule(source, target, event, delayMs, ...rest);
  };
  return dueMs;
}

function unknownXState(): TypeError {
  return new TypeError(
    'this release of xstate keeps events and timers elsewhere than wirechart looks for them (known: 5.33), so nothing can be recorded or explored',
  );
}
