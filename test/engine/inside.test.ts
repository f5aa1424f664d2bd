/** Whether this release of XState is one that can be looked into; what another would be like. */
import { describe, expect, test } from 'vitest';
import { createActor, createMachine, type AnyActor } from 'xstate';
import { lookInside, requireInside, tryInside, type ActorSystemInside } from '../../src/engine/inside.js';
import { VirtualTime } from '../../src/time/virtual-time.js';
import { clockFrom } from '../../src/time/clock.js';

const systemOf = (actor: AnyActor) => (actor as unknown as { readonly system: ActorSystemInside }).system;

test('this release of XState can be looked into', () => {
  expect(() => requireInside()).not.toThrow();
});

test('of an actor each event is seen before it is processed, and when each timer fires by the clock that is given', () => {
  const time = new VirtualTime();
  time.advanceBy(100);
  const machine = createMachine({ initial: 'a', states: { a: { after: { 50: 'b' } }, b: { on: { GO: 'a' } } } });
  const actor = createActor(machine, { clock: clockFrom(time) });
  const seen: unknown[] = [];
  const dueMs = lookInside(actor, time, (event) =>
    seen.push([event.type, actor.getSnapshot().value, dueMs.get(event)]),
  );
  actor.start();
  time.advanceBy(50);
  actor.send({ type: 'GO' });
  time.advanceBy(50);
  expect(seen).toEqual([
    ['xstate.after.50.(machine).a', 'a', 150],
    ['GO', 'b', undefined],
    ['xstate.after.50.(machine).a', 'a', 200],
  ]);
});

describe('a release that is another is an error that says so, and no recording without events', () => {
  const unknown = /^this release of xstate keeps events and timers elsewhere/;
  const doesNothing = (): void => {};

  test.each<[string, (system: ActorSystemInside) => Partial<ActorSystemInside>]>([
    ['without `_relay`', ({ scheduler }) => ({ scheduler })],
    ['without `scheduler`', ({ _relay }) => ({ _relay })],
    ['that has both and does not call `_relay`', ({ scheduler }) => ({ _relay: doesNothing, scheduler })],
    ['that has both and does not call `schedule`', (system) => withoutCalls(system)],
  ])('%s', (_name, change) => {
    expect(() => tryInside((actor) => change(systemOf(actor)))).toThrow(unknown);
  });

  /** Events pass the real one; timers are set behind its back. */
  function withoutCalls(system: ActorSystemInside): ActorSystemInside {
    return {
      get _relay() {
        return system._relay;
      },
      set _relay(relay) {
        system._relay = relay;
      },
      scheduler: { schedule: doesNothing },
    };
  }
});
