import fc from 'fast-check';
import { debounceTime, delay, interval, map, observeOn, of, Subject, take, timeout, TimeoutError, timer } from 'rxjs';
import type { SchedulerAction, Subscription } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { TimeError, VirtualTime } from '../../src/time/index.js';

describe('order', () => {
  test('the clock starts at 0, or at startMs, and stands still while nobody advances it', () => {
    expect(new VirtualTime().now()).toBe(0);
    expect(new VirtualTime({ startMs: 5_000 }).now()).toBe(5_000);
  });

  test('a timer of 100 ms runs at 100, and not at 99', () => {
    const time = new VirtualTime();
    const ranAt: number[] = [];
    time.schedule(() => ranAt.push(time.now()), 100);

    time.advanceBy(99);
    expect(ranAt).toEqual([]);

    time.advanceBy(1);
    expect(ranAt).toEqual([100]);
  });

  test('actions run by due time, and those of one due time in the order of scheduling', () => {
    const time = new VirtualTime();
    const ran: string[] = [];
    for (const [name, delayMs] of [
      ['c', 20],
      ['a', 10],
      ['d', 20],
      ['b', 10],
      ['e', 20],
    ] as const) {
      time.schedule(() => ran.push(name), delayMs);
    }
    time.advanceTo(20);
    expect(ran.join('')).toBe('abcde');
  });

  test('at one moment socket events run before timers, also those that a timer of that moment schedules', () => {
    const time = new VirtualTime();
    const ran: string[] = [];
    time.schedule(() => {
      ran.push('timer 1');
      time.sockets.schedule(() => ran.push('socket 3'));
    }, 10);
    time.schedule(() => ran.push('timer 2'), 10);
    time.sockets.schedule(() => ran.push('socket 1'), 10);
    time.sockets.schedule(() => ran.push('socket 2'), 10);
    time.sockets.schedule(() => ran.push('late socket'), 11);

    time.advanceTo(11);

    expect(ran).toEqual(['socket 1', 'socket 2', 'timer 1', 'socket 3', 'timer 2', 'late socket']);
    expect(time.sockets.now()).toBe(11);
  });

  test('a tie-break turns the order within a class, and never puts a timer before a socket event', () => {
    let draw = 1;
    const time = new VirtualTime({ tieBreak: () => (draw -= 0.1) });
    const ran: string[] = [];
    for (const name of ['t1', 't2']) time.schedule(() => ran.push(name), 5);
    for (const name of ['s1', 's2']) time.sockets.schedule(() => ran.push(name), 5);
    time.advanceBy(5);
    expect(ran).toEqual(['s2', 's1', 't2', 't1']);
  });

  test('pending shows due time and class in the order of running', () => {
    const time = new VirtualTime();
    time.schedule(() => {}, 20);
    time.schedule(() => {}, 10);
    time.sockets.schedule(() => {}, 20);
    expect(time.pending).toEqual([
      { dueMs: 10, kind: 'timer' },
      { dueMs: 20, kind: 'socket' },
      { dueMs: 20, kind: 'timer' },
    ]);
    expect(time.pendingCount).toBe(3);
  });
});

describe('advance', () => {
  test('by 0 runs what is due now, also what that schedules for now, and nothing of 1 ms later', () => {
    const time = new VirtualTime();
    const ran: string[] = [];
    time.schedule(() => {
      ran.push('now');
      time.schedule(() => ran.push('still now'));
    });
    time.schedule(() => ran.push('later'), 1);
    time.advanceBy(0);
    expect(ran).toEqual(['now', 'still now']);
    expect(time.now()).toBe(0);
  });

  test('by a huge step runs a timer 285 years away and ends at its target', () => {
    const time = new VirtualTime();
    let ranAt = 0;
    time.schedule(() => (ranAt = time.now()), 9e12);
    time.advanceBy(9_007_199_254_740_991);
    expect(ranAt).toBe(9e12);
    expect(time.now()).toBe(9_007_199_254_740_991);
  });

  test.each([-1, NaN, Infinity, -0.001])('by %d is a RangeError that names ms, and runs nothing', (ms) => {
    const time = new VirtualTime();
    let ran = false;
    time.schedule(() => (ran = true));
    expect(() => time.advanceBy(ms)).toThrow(RangeError);
    expect(() => time.advanceBy(ms)).toThrow(/^ms must be/);
    expect(() => time.advanceTo(ms)).toThrow(/^targetMs must be/);
    expect(ran).toBe(false);
    expect(time.now()).toBe(0);
  });

  test('to a moment before now is a RangeError that names targetMs', () => {
    const time = new VirtualTime({ startMs: 10 });
    expect(() => time.advanceTo(9)).toThrow('targetMs must be finite and not before now (10), and is 9');
  });

  test.each(['advanceBy', 'advanceTo', 'advanceToNext', 'runNext'] as const)(
    '%s from inside an action throws ADVANCE_REENTERED, and the outer advance goes on to its target',
    (method) => {
      const time = new VirtualTime();
      let caught: unknown;
      let ranAfter = false;
      time.schedule(() => {
        try {
          time[method](50);
        } catch (error) {
          caught = error;
        }
      }, 10);
      time.schedule(() => (ranAfter = true), 20);

      time.advanceBy(30);

      expect(caught).toBeInstanceOf(TimeError);
      expect(caught).toMatchObject({ code: 'ADVANCE_REENTERED' });
      expect(String(caught)).toContain(`${method} was called from inside an action, at 10 ms`);
      expect([time.now(), ranAfter]).toEqual([30, true]);
      time.advanceBy(1);
      expect(time.now()).toBe(31);
    },
  );

  test('runNext runs one action, advanceToNext all of the next moment; both say false when nothing is left', () => {
    const time = new VirtualTime();
    const ran: string[] = [];
    for (const name of ['a', 'b', 'c']) time.schedule(() => ran.push(name), 10);
    time.schedule(() => ran.push('d'), 20);
    time.schedule(() => ran.push('never'), Infinity);

    expect(time.runNext()).toBe(true);
    expect([ran.join(''), time.now()]).toEqual(['a', 10]);
    expect(time.advanceToNext()).toBe(true);
    expect([ran.join(''), time.now()]).toEqual(['abc', 10]);
    expect(time.advanceToNext()).toBe(true);
    expect([ran.join(''), time.now()]).toEqual(['abcd', 20]);
    expect([time.runNext(), time.advanceToNext(), time.now(), time.pendingCount]).toEqual([false, false, 20, 1]);
  });

  test('an action that schedules itself for now without end stops the advance with CLOCK_STUCK, not the test run', () => {
    const time = new VirtualTime({ sameInstantCountMax: 100 });
    interval(0, time).subscribe();
    expect(() => time.advanceBy(10)).toThrow(/100 actions were scheduled for 0 ms while it was running/);
    expect(time.now()).toBe(0);
  });

  test('1 000 actions that were due at one moment before it began are not a stuck clock', () => {
    const time = new VirtualTime({ sameInstantCountMax: 1 });
    let ran = 0;
    for (let i = 0; i < 1_000; i += 1) time.schedule(() => (ran += 1), 5);
    time.advanceBy(5);
    expect(ran).toBe(1_000);
  });
});

describe('an action that throws', () => {
  test('does not stop the advance: the rest runs, the clock is at its target, and then the error is thrown', () => {
    const time = new VirtualTime();
    const failure = new Error('broken');
    let ran = 0;
    time.schedule(() => {
      throw failure;
    }, 10);
    time.schedule(() => (ran += 1), 10);
    time.schedule(() => (ran += 1), 20);

    expect(() => time.advanceBy(30)).toThrow(failure);
    expect([ran, time.now(), time.pendingCount]).toEqual([2, 30, 0]);
  });

  test('twice gives one AggregateError with both errors in order', () => {
    const time = new VirtualTime();
    for (const name of ['first', 'second']) {
      time.schedule(() => {
        throw new Error(name);
      }, 10);
    }
    let caught: unknown;
    try {
      time.advanceBy(10);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(AggregateError);
    expect((caught as AggregateError).message).toBe('2 actions threw: first; second');
    expect((caught as AggregateError).errors.map(String)).toEqual(['Error: first', 'Error: second']);
  });

  test('is told to onError at its moment, and the advance itself does not throw', () => {
    const told: unknown[] = [];
    const time: VirtualTime = new VirtualTime({ onError: (error) => told.push([time.now(), error]) });
    time.schedule(() => {
      throw 'no Error object'; // eslint-disable-line @typescript-eslint/only-throw-error -- users do
    }, 10);
    time.advanceBy(20);
    expect(told).toEqual([[10, 'no Error object']]);
  });

  test('is closed, also when it had scheduled itself again', () => {
    const time = new VirtualTime({ onError: () => {} });
    const action = time.schedule(function (this: SchedulerAction<unknown>) {
      this.schedule(undefined, 10);
      throw new Error('broken');
    }, 10);
    time.advanceBy(10);
    expect([action.closed, time.pendingCount]).toEqual([true, 0]);
  });
});

describe('repeating and cancelling', () => {
  test('state travels from one run of an action to the next', () => {
    const time = new VirtualTime();
    const states: unknown[] = [];
    time.schedule<number>(
      function (state) {
        states.push([time.now(), state]);
        if (state! < 3) this.schedule(state! + 1, 10 * state!);
      },
      5,
      1,
    );
    time.advanceBy(1_000);
    expect(states).toEqual([
      [5, 1],
      [15, 2],
      [35, 3],
    ]);
  });

  test('10 repeating timers of 7 to 16 ms are exact over 1 000 000 runs', () => {
    const time = new VirtualTime();
    const runs = new Array<number>(10).fill(0);
    let wrong = 0;
    for (let i = 0; i < 10; i += 1) {
      interval(7 + i, time).subscribe((n) => {
        runs[i] = n + 1;
        if (time.now() !== (n + 1) * (7 + i)) wrong += 1;
      });
    }
    const targetMs = 1_160_000;
    time.advanceTo(targetMs);
    expect(wrong).toBe(0);
    expect(runs).toEqual(runs.map((_, i) => Math.floor(targetMs / (7 + i))));
    expect(runs.reduce((sum, count) => sum + count)).toBeGreaterThan(1_000_000);
  });

  test('100 000 timers in random order run in order within 1 s of processor time', () => {
    const time = new VirtualTime();
    let seed = 1;
    let ran = 0;
    let before = 0;
    let wrong = 0;
    const started = process.cpuUsage();
    for (let i = 0; i < 100_000; i += 1) {
      seed = (seed * 48_271) % 2_147_483_647;
      time.schedule(() => {
        ran += 1;
        if (time.now() < before) wrong += 1;
        before = time.now();
      }, seed % 60_000);
    }
    time.advanceBy(60_000);
    expect([ran, wrong, time.pendingCount]).toEqual([100_000, 0, 0]);
    expect(process.cpuUsage(started).user).toBeLessThan(1_000_000); // in microseconds; some 150 000 here
  });

  test('a cancelled action leaves the queue at once: 1 000 000 times scheduled and cancelled leave nothing', () => {
    const time = new VirtualTime();
    time.schedule(() => {}, 1);
    let most = 0;
    for (let i = 0; i < 1_000_000; i += 1) {
      const action = time.schedule(() => {}, 1_000);
      most = Math.max(most, time.pendingCount);
      action.unsubscribe();
    }
    expect([most, time.pendingCount]).toEqual([2, 1]);
  });

  test('an action may cancel another of the same moment, and itself', () => {
    const time = new VirtualTime();
    const ran: string[] = [];
    let second: Subscription | undefined = undefined;
    time.schedule(() => {
      ran.push('first');
      second?.unsubscribe();
    }, 10);
    second = time.schedule(() => ran.push('second'), 10);
    time.schedule(function () {
      this.unsubscribe();
      this.schedule(undefined, 1); // closed: nothing happens
      ran.push('third');
    }, 10);
    time.advanceBy(100);
    expect(ran).toEqual(['first', 'third']);
  });

  test('a negative delay counts as 0, and NaN is a RangeError', () => {
    const time = new VirtualTime({ startMs: 100 });
    time.schedule(() => {}, -50);
    expect(time.pending).toEqual([{ dueMs: 100, kind: 'timer' }]);
    expect(() => time.schedule(() => {}, NaN)).toThrow(RangeError);
    expect(time.pendingCount).toBe(1);
  });
});

describe('RxJS on virtual time', () => {
  const seenBy = (time: VirtualTime) => {
    const seen: unknown[] = [];
    return { seen, see: (value: unknown) => void seen.push([time.now(), value]) };
  };

  test('interval, timer and delay speak at their moments and leave nothing behind', () => {
    const time = new VirtualTime();
    const { seen, see } = seenBy(time);
    interval(100, time).pipe(take(2)).subscribe(see);
    timer(50, 30, time)
      .pipe(
        take(2),
        map((n) => `timer ${n}`),
      )
      .subscribe(see);
    of('delayed').pipe(delay(120, time)).subscribe(see);
    timer(new Date(60), time).subscribe(see);
    of('next turn').pipe(observeOn(time)).subscribe(see);

    time.advanceBy(1_000);

    expect(seen).toEqual([
      [0, 'next turn'],
      [50, 'timer 0'],
      [60, 0],
      [80, 'timer 1'],
      [100, 0],
      [120, 'delayed'],
      [200, 1],
    ]);
    expect(time.pendingCount).toBe(0);
  });

  test('debounceTime(100) speaks 100 ms after the last value of a burst, with one action at a time', () => {
    const time = new VirtualTime();
    const { seen, see } = seenBy(time);
    const source = new Subject<string>();
    source.pipe(debounceTime(100, time)).subscribe(see);
    source.next('a');
    time.advanceBy(60);
    source.next('b');
    expect(time.pendingCount).toBe(1);
    time.advanceBy(99);
    expect(seen).toEqual([]);
    time.advanceBy(1);
    expect(seen).toEqual([[160, 'b']]);
  });

  test('timeout({ each: 100 }) fails 100 ms after the last value; a date in the past fails at once', () => {
    const time = new VirtualTime({ startMs: 1_000 });
    const { seen, see } = seenBy(time);
    const error = (cause: unknown) => see(cause instanceof TimeoutError);
    const source = new Subject<string>();
    source.pipe(timeout({ each: 100, scheduler: time })).subscribe({ next: see, error });
    source.pipe(timeout({ first: new Date(500), scheduler: time })).subscribe({ error });
    time.advanceBy(99);
    source.next('in time');
    time.advanceBy(200);
    expect(seen).toEqual([
      [1_000, true],
      [1_099, 'in time'],
      [1_199, true],
    ]);
    expect(time.pendingCount).toBe(0);
  });
});

test('random scripts of schedule, cancel, repeat and advance run as a naive sorted list says', () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ op: fc.constant('schedule'), socket: fc.boolean(), ms: fc.nat(20) }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('nest'), socket: fc.boolean(), ms: fc.nat(20) }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('cancel'), socket: fc.boolean(), ms: fc.nat(30) }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('advance'), socket: fc.boolean(), ms: fc.nat(30) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (script) => {
      const time = new VirtualTime();
      const actions: Subscription[] = [];
      const ran: string[] = [];

      interface Item {
        id: number;
        dueMs: number;
        rank: number;
        order: number;
        nestMs: number | undefined;
      }
      let items: Item[] = [];
      let order = 0;
      let nowMs = 0;
      const expected: string[] = [];
      const put = (id: number, ms: number, socket: boolean, nestMs?: number) =>
        items.push({ id, dueMs: nowMs + ms, rank: socket ? 0 : 1, order: order++, nestMs });
      const advance = (targetMs: number) => {
        for (;;) {
          items.sort((a, b) => a.dueMs - b.dueMs || a.rank - b.rank || a.order - b.order);
          if (items.length === 0 || items[0]!.dueMs > targetMs) break;
          const item = items.shift()!;
          nowMs = item.dueMs;
          expected.push(`${item.id} at ${nowMs}`);
          if (item.nestMs !== undefined) put(item.id, item.nestMs, item.rank === 0);
        }
        nowMs = targetMs;
      };

      for (const { op, socket, ms } of script) {
        const id = actions.length;
        const scheduler = socket ? time.sockets : time;
        if (op === 'schedule') {
          actions.push(scheduler.schedule(() => ran.push(`${id} at ${time.now()}`), ms));
          put(id, ms, socket);
        } else if (op === 'nest') {
          actions.push(
            scheduler.schedule<boolean>(
              function (first) {
                ran.push(`${id} at ${time.now()}`);
                if (first) this.schedule(false, ms);
              },
              ms,
              true,
            ),
          );
          put(id, ms, socket, ms);
        } else if (op === 'cancel') {
          actions[ms]?.unsubscribe();
          items = items.filter((item) => item.id !== ms);
        } else {
          time.advanceBy(ms);
          advance(nowMs + ms);
        }
        expect(time.pending.map(({ dueMs }) => dueMs)).toEqual(items.map(({ dueMs }) => dueMs).sort((a, b) => a - b));
      }
      expect(ran).toEqual(expected);
      expect(time.now()).toBe(nowMs);
    }),
    { numRuns: 300 },
  );
});
