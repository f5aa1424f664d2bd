import { assign, createActor, setup } from 'xstate';
import { describe, expect, test } from 'vitest';
import { clockFrom, VirtualTime } from '../../src/time/index.js';

describe('clockFrom', () => {
  const lamp = setup({
    types: { context: {} as { ticks: number } },
    actions: { tick: assign({ ticks: ({ context }) => context.ticks + 1 }) },
    delays: { tickTimeout: 100, onTimeout: 1_000 },
  }).createMachine({
    context: { ticks: 0 },
    initial: 'on',
    states: {
      on: {
        after: { onTimeout: 'off' },
        on: { TOUCH: { target: 'on', reenter: true } },
        initial: 'ticking',
        states: { ticking: { after: { tickTimeout: { target: 'ticking', reenter: true, actions: 'tick' } } } },
      },
      off: {},
    },
  });

  test('a state with a 1 000 ms deadline is left at 1 000 ms, and not 1 ms earlier', () => {
    const time = new VirtualTime();
    const actor = createActor(lamp, { clock: clockFrom(time) }).start();

    time.advanceBy(999);
    expect(actor.getSnapshot().matches('on')).toBe(true);

    time.advanceBy(1);
    expect(actor.getSnapshot().matches('off')).toBe(true);
  });

  test('a timer that repeats every 100 ms fires 9 times in one advance of 950 ms, and a stopped actor leaves no timer', () => {
    const time = new VirtualTime();
    const actor = createActor(lamp, { clock: clockFrom(time) }).start();
    time.advanceBy(950);
    expect(actor.getSnapshot().context.ticks).toBe(9);
    actor.stop();
    expect(time.pendingCount).toBe(0);
  });

  test('a state that is entered again starts its deadline again', () => {
    const time = new VirtualTime();
    const actor = createActor(lamp, { clock: clockFrom(time) }).start();
    time.advanceBy(600);
    actor.send({ type: 'TOUCH' });
    time.advanceBy(999);
    expect(actor.getSnapshot().matches('on')).toBe(true);
    time.advanceBy(1);
    expect(actor.getSnapshot().matches('off')).toBe(true);
    expect(time.pendingCount).toBe(0);
  });

  test('afterEach is called after each function that ran, also after one that threw, and not after a cleared one', () => {
    const told: string[] = [];
    const time = new VirtualTime({ onError: (error) => told.push(String(error)) });
    const clock = clockFrom(time, () => told.push(`after, at ${time.now()}`));
    clock.setTimeout(() => told.push('first'), 10);
    clock.setTimeout(() => {
      throw new Error('broken');
    }, 20);
    clock.clearTimeout(clock.setTimeout(() => told.push('cleared'), 30));

    time.advanceBy(100);

    expect(told).toEqual(['first', 'after, at 10', 'after, at 20', 'Error: broken']);
  });

  test.each([undefined, null, 0, 17, 'unknown', {}])(
    'clearing the id %j, which was never given out, is harmless',
    (id) => {
      expect(() => clockFrom(new VirtualTime()).clearTimeout(id)).not.toThrow();
    },
  );

  test('clearing an id twice, or after it fired, is harmless', () => {
    const time = new VirtualTime();
    const clock = clockFrom(time);
    const id: unknown = clock.setTimeout(() => {}, 10);
    time.advanceBy(10);
    clock.clearTimeout(id);
    clock.clearTimeout(id);
    expect(time.pendingCount).toBe(0);
  });
});
