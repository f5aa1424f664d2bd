/** The virtual clock and promises: what it refuses to run past, and what its asynchronous methods do with them. */
import { asyncScheduler, type SchedulerLike } from 'rxjs';
import { describe, expect, test, vi } from 'vitest';
import { heldUntilSettled, holdPromise, promiseHolderOf } from '../../src/time/held-promises.js';
import { RealTime } from '../../src/time/real-time.js';
import { TimeError } from '../../src/time/time-error.js';
import { VirtualTime } from '../../src/time/virtual-time.js';
import { createSimulatedNetwork } from '../../src/socket/simulated/network.js';

const codeOf = (error: unknown) => (error instanceof TimeError ? error.code : error);

/** What is thrown, now or by a promise. */
async function caught(work: () => unknown): Promise<unknown> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Held as the runtime does it, with what settles it. */
function hold<T = void>(time: VirtualTime, name: string) {
  const { promise, resolve } = withResolvers<T>();
  return { promise: heldUntilSettled(time, name, promise), resolve };
}

function withResolvers<T>() {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}

describe('holding', () => {
  test('names what is held, oldest first, and lets go of it once, however often it is told to', () => {
    const time = new VirtualTime();
    let n = 0;
    const [first, second] = [holdPromise(time, 'one'), holdPromise(time, () => `two ${(n += 1)}`)];
    expect(n).toBe(0);
    expect(time.heldPromises).toEqual(['one', 'two 1']);
    first();
    first();
    expect(time.heldPromises).toEqual(['two 2']);
    second();
    expect(time.heldPromises).toEqual([]);
  });

  test.each<[string, SchedulerLike]>([
    ['RealTime', new RealTime()],
    ['a scheduler of RxJS', asyncScheduler],
    ['a host of a network on real time', createSimulatedNetwork({ time: new RealTime(), seed: 1 }).clock('10.0.0.1')],
  ])('on %s keeps nothing, asks for no name, and gives the promise back as it is', (_, time) => {
    const promise = Promise.resolve();
    expect(promiseHolderOf(time)).toBeUndefined();
    expect(holdPromise(time, fail)).toBe(holdPromise(asyncScheduler, 'another'));
    expect(heldUntilSettled(time, 'it', promise)).toBe(promise);
  });

  const fail = () => {
    throw new Error('nobody should ask');
  };

  test.each<[string, (time: VirtualTime) => SchedulerLike]>([
    ['the class of its sockets', (time) => time.sockets],
    ['a host of a simulated network', (time) => createSimulatedNetwork({ time, seed: 1 }).clock('10.0.0.1')],
  ])('on %s is holding on the clock itself', (_, of) => {
    const time = new VirtualTime();
    const release = holdPromise(of(time), 'it');
    expect(time.heldPromises).toEqual(['it']);
    release();
    expect(time.heldPromises).toEqual([]);
  });

  test('until settled lets go at a rejection too, and passes it on', async () => {
    const time = new VirtualTime();
    const promise = heldUntilSettled(time, 'it', Promise.reject(new Error('no')));
    expect(time.heldPromises).toEqual(['it']);
    await expect(promise).rejects.toThrow('no');
    expect(time.heldPromises).toEqual([]);
  });
});

describe('a synchronous advance', () => {
  test.each<[string, (time: VirtualTime) => unknown]>([
    ['advanceBy', (time) => time.advanceBy(0)],
    ['advanceTo', (time) => time.advanceTo(5)],
    ['advanceToNext', (time) => time.advanceToNext()],
    ['runNext', (time) => time.runNext()],
    ['runUntil', (time) => time.runUntil(() => true)],
  ])('%s runs nothing while a promise is held: PROMISE_PENDING names it and the ways out', async (name, advance) => {
    const time = new VirtualTime();
    let ran = 0;
    time.schedule(() => (ran += 1));
    const release = holdPromise(time, 'the handler of STORE (session 3)');
    const error = await caught(() => advance(time));
    expect(codeOf(error)).toBe('PROMISE_PENDING');
    expect(String(error)).toContain(
      `${name} ran nothing at 0 ms, because the runtime waits for the handler of STORE (session 3): await it`,
    );
    expect(String(error)).toMatch(/settle\(\).*advanceByAsync\(ms\).*simulatedHandler/);
    expect([ran, time.now()]).toEqual([0, 0]);
    release();
    advance(time);
    expect(time.now()).toBe(name === 'advanceTo' ? 5 : 0);
  });

  test('stops where an action leaves a held promise: the rest of that moment runs, and no later one', () => {
    const time = new VirtualTime();
    const ran: string[] = [];
    let release = () => {};
    time.schedule(() => {
      ran.push('asks');
      release = holdPromise(time, 'an answer');
    }, 10);
    time.schedule(() => ran.push('same moment'), 10);
    time.schedule(() => ran.push('later'), 20);
    expect(() => time.advanceBy(100)).toThrow('advanceBy stopped at 10 ms, because the runtime waits for an answer');
    expect(ran).toEqual(['asks', 'same moment']);
    expect(time.now()).toBe(10);
    release();
    time.advanceTo(100);
    expect(ran).toEqual(['asks', 'same moment', 'later']);
  });

  test('does not reach its target past a promise that the last action has left, and tells what actions threw as well', () => {
    const time = new VirtualTime();
    time.schedule(() => {
      holdPromise(time, 'an answer');
      throw new Error('broken');
    }, 10);
    let error: unknown;
    try {
      time.advanceBy(11);
    } catch (thrown) {
      error = thrown;
    }
    expect((error as AggregateError).errors.map(codeOf)).toEqual([new Error('broken'), 'PROMISE_PENDING']);
    expect(time.now()).toBe(10);
  });

  test('ends at its target although the action of that moment has left a promise: the clock need not move on', () => {
    const time = new VirtualTime();
    time.schedule(() => void holdPromise(time, 'an answer'), 10);
    time.advanceBy(10);
    expect([time.now(), time.heldPromises]).toEqual([10, ['an answer']]);
  });

  test('goes on when what an action has left is let go by another of the same moment', () => {
    const time = new VirtualTime();
    let release = () => {};
    time.schedule(() => (release = holdPromise(time, 'an answer')), 10);
    time.schedule(() => release(), 10);
    time.advanceBy(50);
    expect(time.now()).toBe(50);
  });

  test('knows nothing of promises that nobody holds', async () => {
    const time = new VirtualTime();
    let settled = false;
    const other = Promise.resolve().then(() => (settled = true));
    time.advanceBy(10);
    expect([time.now(), settled]).toEqual([10, false]);
    await other;
  });
});

describe('settle', () => {
  test('runs what is due now, and what promises lead to at this moment, 20 of them one after the other, and nothing of 1 ms later', async () => {
    const time = new VirtualTime();
    const ran: string[] = [];
    time.schedule(() => ran.push('later'), 1);
    const ask = (n: number) => {
      if (n === 20) return;
      const { promise, resolve } = hold(time, `answer ${n}`);
      time.schedule(resolve);
      void promise.then(() => {
        ran.push(`${n}`);
        ask(n + 1);
      });
    };
    ask(0);
    await time.settle();
    expect(ran).toEqual(Array.from({ length: 20 }, (_, n) => `${n}`));
    expect([time.now(), time.pendingCount, time.heldPromises]).toEqual([0, 1, []]);
  });

  test('gives a promise its turn that has not reached the clock yet', async () => {
    const time = new VirtualTime();
    let ran = false;
    void Promise.resolve().then(() => time.schedule(() => (ran = true)));
    await time.settle();
    expect(ran).toBe(true);
  });

  test('returns although a promise is held that does not settle', async () => {
    const time = new VirtualTime();
    holdPromise(time, 'never');
    await time.settle();
    expect(time.heldPromises).toEqual(['never']);
  });

  test('that finds promises changing without end stops with CLOCK_STUCK after `sameInstantCountMax` turns', async () => {
    const time = new VirtualTime({ sameInstantCountMax: 50 });
    let turns = 0;
    let isOver = false;
    const again = (): void => {
      turns += 1;
      const { promise, resolve } = hold(time, 'again');
      resolve();
      void promise.then(() => void (isOver || setImmediate(again)));
    };
    again();
    const error = await caught(() => time.settle());
    isOver = true;
    expect(codeOf(error)).toBe('CLOCK_STUCK');
    expect(String(error)).toContain('promises took 50 turns at 0 ms, and go on');
    expect(turns).toBeGreaterThanOrEqual(49);
  });
});

describe('an asynchronous advance', () => {
  test('comes to each moment once what promises led to at the one before it has happened', async () => {
    const time = new VirtualTime();
    const ran: string[] = [];
    const note = (what: string) => ran.push(`${time.now()} ${what}`);
    for (const atMs of [10, 20]) {
      time.schedule(() => {
        note('asks');
        const { promise, resolve } = hold(time, 'an answer');
        resolve();
        void promise.then(() => {
          note('is answered');
          time.schedule(() => note('goes on'), 5);
        });
      }, atMs);
    }
    await time.advanceByAsync(30);
    expect(ran).toEqual([
      '10 asks', '10 is answered', '15 goes on', '20 asks', '20 is answered', '25 goes on',
    ]); // prettier-ignore
    expect(time.now()).toBe(30);
  });

  test('waits for no promise: a deadline of 1 000 ms comes at 1 000 ms though nothing answers', async () => {
    const time = new VirtualTime();
    holdPromise(time, 'never');
    let expiredAt = 0;
    time.schedule(() => (expiredAt = time.now()), 1_000);
    await time.advanceToAsync(999);
    expect(expiredAt).toBe(0);
    await time.advanceByAsync(1);
    expect([expiredAt, time.now()]).toEqual([1_000, 1_000]);
  });

  test('runs what a promise schedules at its target moment', async () => {
    const time = new VirtualTime();
    let ran = false;
    time.schedule(() => void Promise.resolve().then(() => time.schedule(() => (ran = true))), 10);
    await time.advanceByAsync(10);
    expect([ran, time.now()]).toEqual([true, 10]);
  });

  test('advanceToNextAsync comes to the next moment, and says false when there is none', async () => {
    const time = new VirtualTime();
    time.schedule(() => {}, 7);
    holdPromise(time, 'it');
    expect(await time.advanceToNextAsync()).toBe(true);
    expect(time.now()).toBe(7);
    expect(await time.advanceToNextAsync()).toBe(false);
    expect(time.now()).toBe(7);
  });

  test('refuses others while it is under way, synchronous or not, and is itself refused from inside an action', async () => {
    const time = new VirtualTime();
    const errors: unknown[] = [];
    time.schedule(() => void time.advanceByAsync(1).catch((error: unknown) => errors.push(error)), 5);
    const advance = time.advanceByAsync(10);
    for (const other of [() => time.advanceBy(1), () => time.settle(), () => time.runUntilAsync(() => true)]) {
      errors.push(await caught(other));
    }
    await advance;
    expect(errors.map(codeOf)).toEqual(Array.from({ length: 4 }, () => 'ADVANCE_REENTERED'));
    expect(errors.map(String)).toContainEqual(
      expect.stringContaining('advanceBy was called at 0 ms while advanceByAsync is under way: await that first'),
    );
    expect(time.now()).toBe(10);
    time.advanceBy(1);
    expect(time.now()).toBe(11);
  });

  test('ends at its target whatever actions throw, and rejects with it then', async () => {
    const time = new VirtualTime();
    let ran = 0;
    for (const atMs of [1, 2]) {
      time.schedule(() => {
        ran += 1;
        throw new Error(`broken at ${atMs}`);
      }, atMs);
    }
    const error = await caught(() => time.advanceByAsync(10));
    expect((error as AggregateError).errors.map(String)).toEqual(['Error: broken at 1', 'Error: broken at 2']);
    expect([ran, time.now()]).toEqual([2, 10]);
    await time.advanceByAsync(1);
    expect(time.now()).toBe(11);
  });

  test.each([-1, NaN, Infinity])('by %d rejects with a RangeError and moves nothing', async (ms) => {
    const time = new VirtualTime();
    expect(String(await caught(() => time.advanceByAsync(ms)))).toMatch(/^RangeError: ms must be/);
    expect(String(await caught(() => time.advanceToAsync(ms)))).toMatch(/^RangeError: targetMs must be/);
    expect(String(await caught(() => time.runUntilAsync(() => true, { withinMs: ms })))).toMatch(
      /RangeError: withinMs/,
    );
    await time.advanceByAsync(0);
    expect(time.now()).toBe(0);
  });
});

describe.each([
  ['runUntil', (time: VirtualTime, is: () => boolean, options?: object) => time.runUntil(is, options)],
  ['runUntilAsync', (time: VirtualTime, is: () => boolean, options?: object) => time.runUntilAsync(is, options)],
] as const)('%s', (_, run) => {
  const counting = () => {
    const time = new VirtualTime();
    let count = 0;
    for (const atMs of [10, 10, 20]) time.schedule(() => (count += 1), atMs);
    return { time, count: () => count };
  };

  test('stops after the very action that makes the predicate true, and says how many ms passed', async () => {
    const { time, count } = counting();
    expect(await run(time, () => count() === 1)).toBe(10);
    expect([count(), time.now(), time.pendingCount]).toEqual([1, 10, 2]);
    expect(await run(time, () => count() === 3)).toBe(10);
    expect(await run(time, () => count() === 3)).toBe(0);
    expect([time.now(), time.pendingCount]).toEqual([20, 0]);
  });

  test('throws NEVER when nothing is pending any more: the clock stands at the last action', async () => {
    const { time, count } = counting();
    time.schedule(() => {}, Infinity);
    const error = await caught(() => run(time, () => count() === 4));
    expect(codeOf(error)).toBe('NEVER');
    expect(String(error)).toContain('the predicate was false from 0 ms to 20 ms; pending: a timer at Infinity ms');
    expect(time.now()).toBe(20);
  });

  test('throws NEVER at its limit of 15 ms with what is pending, and the clock stands there; a predicate of time is asked there', async () => {
    const { time, count } = counting();
    const error = await caught(() => run(time, () => count() === 3, { withinMs: 15 }));
    expect(codeOf(error)).toBe('NEVER');
    expect(String(error)).toContain('from 0 ms to 15 ms; pending: a timer at 20 ms');
    expect([time.now(), count()]).toEqual([15, 2]);
    expect(await run(time, () => time.now() >= 18, { withinMs: 3 })).toBe(3);
    expect(await run(time, () => count() === 3, { withinMs: 2 })).toBe(2);
  });

  test('has a limit of an hour of virtual time by default', async () => {
    const time = new VirtualTime();
    time.schedule(function () {
      this.schedule(undefined, 1_000);
    });
    expect(codeOf(await caught(() => run(time, () => false)))).toBe('NEVER');
    expect(time.now()).toBe(3_600_000);
  });

  test('throws what the predicate throws, at once, and can be used again', async () => {
    const { time, count } = counting();
    const is = () => {
      if (count() === 2) throw new Error('no');
      return false;
    };
    expect(String(await caught(() => run(time, is)))).toBe('Error: no');
    expect([time.now(), count()]).toEqual([10, 2]);
    await run(time, () => count() === 3);
    expect(time.now()).toBe(20);
  });

  test('does not let the predicate move the clock', async () => {
    const { time } = counting();
    const error = await caught(() => run(time, () => (time.advanceBy(1), true)));
    expect(codeOf(error)).toBe('ADVANCE_REENTERED');
    expect(time.now()).toBe(0);
  });
});

test('runUntilAsync comes past a promise: a predicate that a promise makes true is seen at that moment', async () => {
  const time = new VirtualTime();
  let answered = false;
  time.schedule(() => void heldUntilSettled(time, 'it', Promise.resolve()).then(() => (answered = true)), 10);
  time.schedule(() => {}, 20);
  expect(await time.runUntilAsync(() => answered)).toBe(10);
});

test('runUntil that meets a held promise on its way stops there with PROMISE_PENDING', () => {
  const time = new VirtualTime();
  time.schedule(() => void holdPromise(time, 'it'), 10);
  time.schedule(() => {}, 20);
  expect(() => time.runUntil(() => false)).toThrow('runUntil stopped at 10 ms, because the runtime waits for it');
  expect(time.now()).toBe(10);
});

test('an asynchronous advance has its turns also under a test runner’s fake timers', async () => {
  const time = new VirtualTime();
  vi.useFakeTimers({ toFake: ['setImmediate', 'setTimeout'] });
  try {
    await time.advanceByAsync(10);
  } finally {
    vi.useRealTimers();
  }
  expect(time.now()).toBe(10);
});
