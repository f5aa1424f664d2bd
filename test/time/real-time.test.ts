import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { interval, of, delay, debounceTime, observeOn, lastValueFrom, map, Subject, take, toArray } from 'rxjs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { RealTime } from '../../src/time/index.js';
import { WaitEntry, WaitWheel } from '../../src/time/wait-wheel.js';

/** Resolves when `work` of an action has run after `delayMs`. */
const ran = (time: RealTime, delayMs: number) =>
  new Promise<void>((resolve) => time.schedule(() => resolve(), delayMs));

/** Remembers what it said first and last: `schedule` asks once, so a test knows the due time exactly. */
class Watched extends RealTime {
  firstMs = NaN;
  lastMs = NaN;

  override now(): number {
    this.lastMs = super.now();
    if (Number.isNaN(this.firstMs)) this.firstMs = this.lastMs;
    return this.lastMs;
  }
}

function stall(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

describe('due times', () => {
  test('60 timers of 0.3 to 18 ms never run early by now(), and run in the order of their due times', async () => {
    const time = new Watched();
    const lateness: number[] = [];
    const dueTimes: number[] = [];
    const all = Array.from({ length: 60 }, (_, i) => {
      const delayMs = 0.3 * (1 + ((i * 37) % 60));
      return new Promise<void>((resolve) => {
        time.schedule(() => {
          lateness.push(time.now() - dueMs);
          dueTimes.push(dueMs);
          resolve();
        }, delayMs);
        const dueMs = time.lastMs + delayMs;
      });
    });
    await Promise.all(all);
    expect(Math.min(...lateness)).toBeGreaterThanOrEqual(0);
    expect(dueTimes).toEqual([...dueTimes].sort((a, b) => a - b));
    expect(time.pendingCount).toBe(0);
  });

  test('delay 0 runs after the current code, in order, and not in the turn that scheduled it', async () => {
    const time = new RealTime();
    const seen: string[] = [];
    const done = new Promise<void>((resolve) => {
      time.schedule(() => {
        seen.push('first');
        time.schedule(() => {
          seen.push('nested');
          resolve();
        });
        setImmediate(() => seen.push('the next turn of the event loop'));
      });
    });
    time.schedule(() => seen.push('second'));
    time.schedule(() => seen.push('negative delay'), -5);
    seen.push('code');
    await done;
    expect(seen.slice(0, 5)).toEqual(['code', 'first', 'second', 'negative delay', 'nested']);
  });

  test('an action that repeats with delay 0 does not hold up a timer of 5 ms', async () => {
    const time = new RealTime();
    const spinning = interval(0, time).subscribe();
    await ran(time, 5);
    spinning.unsubscribe();
    expect(time.pendingCount).toBe(0);
  });

  test('NaN is a RangeError', () => {
    const time = new RealTime();
    expect(() => time.schedule(() => {}, NaN)).toThrow(RangeError);
    expect(time.pendingCount).toBe(0);
  });

  test('a repeating timer of 10 ms keeps its rhythm, and after a stall of 45 ms skips the missed beats', async () => {
    const time = new Watched();
    // A beat is a multiple of 10 ms since the first call of now(), which is the one that placed the action.
    const beatOf = (n: number) => {
      const beat = Math.floor((time.now() - time.firstMs) / 10 + 1e-6);
      if (n === 2) stall(45);
      return beat;
    };
    const beats = await lastValueFrom(interval(10, time).pipe(take(7), map(beatOf), toArray()));
    expect(beats[0]).toBeGreaterThanOrEqual(1);
    for (let i = 1; i < beats.length; i += 1) expect(beats[i]).toBeGreaterThan(beats[i - 1]!);
    expect(beats[3]! - beats[2]!).toBeGreaterThanOrEqual(5);
  });

  test('cancelling the last action ends the Node timer, which kept the process alive until then', () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const time = new RealTime();
    const before = timers();
    const actions = [time.schedule(() => {}, 60_000), time.schedule(() => {}, 30_000)];
    expect(timers()).toBe(before + 1);
    for (const action of actions) action.unsubscribe();
    expect([timers(), time.pendingCount]).toEqual([before, 0]);
    const never = time.schedule(() => {}, Infinity);
    expect([timers(), time.pendingCount]).toEqual([before, 1]);
    never.unsubscribe();
  });

  test('RxJS operators run on it: interval, delay, debounceTime, observeOn', async () => {
    const time = new RealTime();
    expect(await lastValueFrom(interval(2, time).pipe(take(3), toArray()))).toEqual([0, 1, 2]);
    expect(await lastValueFrom(of('a').pipe(delay(2, time)))).toBe('a');
    expect(await lastValueFrom(of('a', 'b').pipe(observeOn(time), toArray()))).toEqual(['a', 'b']);
    const source = new Subject<string>();
    const debounced = new Promise((resolve) => source.pipe(debounceTime(5, time)).subscribe(resolve));
    source.next('a');
    source.next('b');
    expect(await debounced).toBe('b');
    source.complete();
    expect(time.pendingCount).toBe(0);
  });
});

describe('on a simulated event loop', () => {
  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  test('a delay beyond 2^31-1 ms, which Node would fire after 1 ms, sleeps in steps until it is due', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] });
    const time = new RealTime();
    let ranAtMs = 0;
    const startMs = time.now();
    const sleeps = vi.spyOn(globalThis, 'setTimeout');
    time.schedule(() => (ranAtMs = time.now()), 2 ** 32);

    vi.advanceTimersByTime(100);
    expect(sleeps).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(2 ** 32 - 101);
    expect([ranAtMs, time.pendingCount]).toEqual([0, 1]);

    vi.advanceTimersByTime(2);
    expect(ranAtMs).toBeGreaterThanOrEqual(startMs + 2 ** 32);
    expect(time.pendingCount).toBe(0);
  });

  test.each([3_600_000, -3_600_000])(
    'a wall clock that jumps by %d ms changes neither now() nor a timer',
    async (jump) => {
      const time = new RealTime();
      const startMs = time.now();
      const done = ran(time, 10);
      vi.useFakeTimers({ toFake: ['Date'] });
      vi.setSystemTime(Date.now() + jump);
      await done;
      expect(time.now() - startMs).toBeGreaterThanOrEqual(10);
      expect(time.now() - startMs).toBeLessThan(10_000);
    },
  );
});

describe('an action that throws', () => {
  test('is told to onError; the other actions of the turn and its own timer run on', async () => {
    const told: unknown[] = [];
    const time = new RealTime({ onError: (error) => told.push(error) });
    const failure = new Error('broken');
    const action = time.schedule(function () {
      this.schedule(undefined, 1);
      throw failure;
    }, 2);
    const others = [ran(time, 2), ran(time, 0), ran(time, 4)];
    await Promise.all(others);
    expect(told).toEqual([failure]);
    expect([action.closed, time.pendingCount]).toEqual([true, 0]);
  });

  test('reaches uncaughtException when there is no onError, and the other actions still run', async () => {
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    try {
      const uncaught = once(process, 'uncaughtException');
      const time = new RealTime();
      const failure = new Error('broken');
      time.schedule(() => {
        throw failure;
      }, 1);
      await ran(time, 1);
      expect((await uncaught)[0]).toBe(failure);
      await ran(time, 1);
    } finally {
      for (const listener of listeners) process.on('uncaughtException', listener);
    }
  });
});

describe('data beats a deadline', () => {
  const ends: Socket[] = [];
  const server = createServer();

  /** A loopback connection: what `near` writes, `far` reads. */
  async function pair(): Promise<{ near: Socket; far: Socket }> {
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const near = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [[far]] = await Promise.all([accepted, once(near, 'connect')]);
    ends.push(near, far);
    return { near, far };
  }

  beforeEach(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });

  afterEach(async () => {
    for (const end of ends.splice(0)) end.destroy();
    server.close();
    await once(server, 'close');
  });

  test.each([1, 2, 3, 4, 5])(
    'after a stall of 60 ms, data that came in it is handled before a timer of 20 ms (round %d)',
    async () => {
      const { near, far } = await pair();
      const time = new RealTime();
      const order: string[] = [];
      far.on('data', () => order.push('data'));
      const timerRan = ran(time, 20).then(() => order.push('timer'));
      near.write('x');
      stall(60);
      await timerRan;
      expect(order).toEqual(['data', 'timer']);
    },
  );

  test.each([1, 2, 3, 4, 5])(
    'a stall inside a data handler, with a turn already asked for, does not let a timer overtake other data (round %d)',
    async () => {
      const first = await pair();
      const second = await pair();
      const time = new RealTime();
      const order: string[] = [];
      second.far.on('data', () => order.push('data'));
      const timerRan = new Promise<void>((resolve) => {
        first.far.on('data', () => {
          time.schedule(() => order.push('soon'));
          time.schedule(() => {
            order.push('timer');
            resolve();
          }, 20);
          stall(40);
          second.near.write('x'); // in the kernel, but after this poll has asked which sockets have something
          stall(20);
        });
      });
      first.near.write('x');
      await timerRan;
      expect(order).toEqual(['soon', 'data', 'timer']);
    },
  );

  test.each([1, 2, 3, 4, 5])(
    'a wait that falls due in a stall of 120 ms, just before the wheel itself runs, is not judged when its data came in the stall (round %d)',
    async () => {
      const { near, far } = await pair();
      const time = new RealTime();
      const wheel = new WaitWheel(time, { actMs: 5 });
      const judged: string[] = [];
      class Wait extends WaitEntry {
        constructor(
          readonly name: string,
          public due: number,
        ) {
          super();
        }
        dueMs(): number {
          return this.due;
        }
        judge(): void {
          judged.push(this.name);
        }
      }
      const first = new Wait('first', time.now() + 20);
      const touched = new Wait('touched', time.now() + 100);
      // Due in the same turn as the wheel, and before it: when the wheel's action runs, `touched` is overdue by now().
      time.schedule(() => {
        near.write('x');
        stall(120);
      }, 10);
      const last = new Wait('last', time.now() + 100);
      const lastJudged = new Promise<void>((resolve) => {
        last.judge = () => {
          judged.push('last');
          resolve();
        };
      });
      far.on('data', () => {
        judged.push('data');
        touched.due = Infinity;
      });
      for (const wait of [first, touched, last]) wheel.add(wait);
      stall(40);
      await lastJudged;
      // `first` may come after the data as well: when a coarse slot begins just before it, the wheel wakes for that.
      expect(judged.filter((name) => name !== 'first')).toEqual(['data', 'last']);
      wheel.dispose();
      expect(time.pendingCount).toBe(0);
    },
  );
});
