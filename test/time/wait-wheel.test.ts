import fc from 'fast-check';
import type { SchedulerAction, SchedulerLike } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { VirtualTime } from '../../src/time/index.js';
import { WaitEntry, WaitWheel, type WaitWheelOptions } from '../../src/time/wait-wheel.js';

class Wait extends WaitEntry {
  looks = 0;
  readonly judgedAt: number[] = [];

  constructor(
    public due: number,
    readonly act?: (wait: Wait, atMs: number) => void,
  ) {
    super();
  }

  dueMs(): number {
    this.looks += 1;
    return this.due;
  }

  judge(atMs: number): void {
    this.judgedAt.push(atMs);
    this.act?.(this, atMs);
  }
}

/** A wheel on virtual time that counts how often its timer ran. */
function setUp(options: WaitWheelOptions = {}, startMs = 0) {
  const time = new VirtualTime({ startMs });
  const counts = { wakeUps: 0 };
  const counting: SchedulerLike = {
    now: () => time.now(),
    schedule: <T>(work: (this: SchedulerAction<T>, state?: T) => void, delayMs?: number, state?: T) =>
      time.schedule<T>(
        function (given) {
          counts.wakeUps += 1;
          work.call(this, given);
        },
        delayMs,
        state,
      ),
  };
  return { time, counts, wheel: new WaitWheel(counting, options) };
}

describe('when a wait is judged', () => {
  test.each([0, 1, 99, 100, 101, 150, 6_000, 299_999, 86_400_000, 0.25, 99.75])(
    'a wait that ends at %d ms is judged at that moment, and not before',
    (due) => {
      const { time, wheel } = setUp();
      const wait = new Wait(due);
      wheel.add(wait);
      expect(wait.judgedAt).toEqual([]);
      if (due > 0) time.advanceTo(due - 0.125);
      expect(wait.judgedAt).toEqual([]);
      time.advanceTo(due);
      expect(wait.judgedAt).toEqual([due]);
      expect([wheel.size, time.pendingCount]).toEqual([0, 0]);
    },
  );

  test('a wait that was due before it was added is judged at once, by its own due time, but not inside add', () => {
    const { time, wheel } = setUp({}, 10_000);
    const wait = new Wait(9_000);
    wheel.add(wait);
    expect(wait.judgedAt).toEqual([]);
    time.advanceBy(0);
    expect(wait.judgedAt).toEqual([9_000]);
  });

  test('6 s waits that are touched every 5 s by a mere store are never judged, and 6 000 ms after the last touch they are', () => {
    const { time, wheel } = setUp();
    const wait = new Wait(6_000);
    wheel.add(wait);
    for (let i = 1; i <= 10; i += 1) {
      time.advanceTo(i * 5_000);
      wait.due = time.now() + 6_000;
    }
    time.advanceTo(55_999);
    expect(wait.judgedAt).toEqual([]);
    time.advanceTo(56_000);
    expect(wait.judgedAt).toEqual([56_000]);
  });

  test('a touch in the last millisecond, when the wait is on the fine level already, still moves it', () => {
    const { time, wheel } = setUp();
    const wait = new Wait(6_050);
    wheel.add(wait);
    time.advanceTo(6_049);
    wait.due = 12_049;
    time.advanceTo(12_048);
    expect(wait.judgedAt).toEqual([]);
    time.advanceTo(12_049);
    expect(wait.judgedAt).toEqual([12_049]);
  });

  test('an earlier due time counts from the call of update', () => {
    const { time, wheel } = setUp();
    const wait = new Wait(300_000);
    wheel.add(wait);
    time.advanceTo(1_000);
    wait.due = 1_030;
    wheel.update(wait);
    time.advanceTo(1_029);
    expect(wait.judgedAt).toEqual([]);
    time.advanceTo(1_030);
    expect(wait.judgedAt).toEqual([1_030]);
  });

  test('with actMs 5 a wait is judged at the next multiple of 5 ms, so up to 5 ms late and never early', () => {
    const { time, wheel } = setUp({ actMs: 5 });
    const waits = [6_000, 6_001, 6_002.5, 6_004.999, 6_005].map((due) => new Wait(due));
    for (const wait of waits) wheel.add(wait);
    time.advanceTo(10_000);
    expect(waits.map((wait) => wait.judgedAt)).toEqual([[6_000], [6_005], [6_005], [6_005], [6_005]]);
  });

  test('a wait for Infinity keeps no timer and is not looked at until update gives it a due time', () => {
    const { time, wheel, counts } = setUp();
    const wait = new Wait(Infinity);
    wheel.add(wait);
    expect([wheel.size, time.pendingCount]).toEqual([1, 0]);
    time.advanceTo(1_000_000);
    expect([wait.looks, counts.wakeUps]).toEqual([1, 0]);
    wait.due = 1_000_100;
    wheel.update(wait);
    time.advanceTo(1_000_100);
    expect(wait.judgedAt).toEqual([1_000_100]);
  });

  test('a wait that becomes Infinity without a call falls asleep when the wheel comes by', () => {
    const { time, wheel } = setUp();
    const wait = new Wait(500);
    wheel.add(wait);
    wait.due = Infinity;
    time.advanceTo(1_000);
    expect([wait.judgedAt, wheel.size, time.pendingCount]).toEqual([[], 1, 0]);
    wheel.remove(wait);
    expect(wheel.size).toBe(0);
  });
});

describe('what judge may do', () => {
  test('add itself again: a wait of 100 ms is judged every 100 ms', () => {
    const { time, wheel } = setUp();
    const wait: Wait = new Wait(100, (self, atMs) => {
      self.due = atMs + 100;
      wheel.add(self);
    });
    wheel.add(wait);
    time.advanceTo(1_000);
    expect(wait.judgedAt).toEqual([100, 200, 300, 400, 500, 600, 700, 800, 900, 1_000]);
    expect(wheel.size).toBe(1);
  });

  test('remove another that is due in the same slot, which is then not judged', () => {
    const { time, wheel } = setUp();
    const second = new Wait(500);
    const third = new Wait(500);
    wheel.add(new Wait(500, () => wheel.remove(second)));
    wheel.add(second);
    wheel.add(third);
    time.advanceTo(500);
    expect([second.judgedAt, third.judgedAt, wheel.size]).toEqual([[], [500], 0]);
  });

  test('update another of the same slot to a later or earlier time, and remove itself', () => {
    const { time, wheel } = setUp();
    const later = new Wait(500);
    const earlier = new Wait(80_000);
    wheel.add(
      new Wait(500, (self) => {
        wheel.remove(self);
        later.due = 777;
        wheel.update(later);
        earlier.due = 500;
        wheel.update(earlier);
      }),
    );
    wheel.add(later);
    wheel.add(earlier);
    time.advanceTo(1_000);
    expect([later.judgedAt, earlier.judgedAt, wheel.size]).toEqual([[777], [500], 0]);
  });

  test('dispose of the wheel: nothing more is judged, and an add is refused with WHEEL_DISPOSED', () => {
    const { time, wheel } = setUp();
    const others = [new Wait(500), new Wait(501), new Wait(9_000), new Wait(Infinity)];
    wheel.add(new Wait(500, () => wheel.dispose()));
    for (const wait of others) wheel.add(wait);
    time.advanceTo(10_000);
    expect(others.flatMap((wait) => wait.judgedAt)).toEqual([]);
    expect([wheel.size, time.pendingCount]).toEqual([0, 0]);
    for (const wait of others) wheel.remove(wait);
    expect(wheel.size).toBe(0);
    expect(() => wheel.add(new Wait(1))).toThrow(expect.objectContaining({ code: 'WHEEL_DISPOSED' }));
  });
});

describe('a wait that throws', () => {
  const failing = (due: number, name: string) =>
    new Wait(due, () => {
      throw new Error(name);
    });

  test('in judge does not keep the others of its slot from being judged; all errors are told at the end', () => {
    const told: unknown[] = [];
    const { time, wheel } = setUp({ onError: (error) => told.push(String(error)) });
    const last = new Wait(500, () => told.push('last'));
    for (const wait of [failing(500, 'a'), failing(500, 'b'), last, new Wait(600)]) wheel.add(wait);
    time.advanceTo(600);
    expect(told).toEqual(['last', 'Error: a', 'Error: b']);
    expect([wheel.size, time.pendingCount]).toEqual([0, 0]);
  });

  test('without onError the scheduler gets the error, and the wheel turns on', () => {
    const { time, wheel } = setUp();
    const later = new Wait(600);
    wheel.add(failing(500, 'a'));
    wheel.add(later);
    expect(() => time.advanceTo(600)).toThrow('a');
    expect(later.judgedAt).toEqual([600]);
  });

  test('in dueMs when the wheel looks is told, and the wait sleeps until it is updated', () => {
    const told: unknown[] = [];
    const { time, wheel } = setUp({ onError: (error) => told.push(String(error)) });
    const wait = new Wait(500);
    const other = new Wait(500);
    wheel.add(wait);
    wheel.add(other);
    wait.due = NaN;
    time.advanceTo(1_000);
    expect(told).toEqual(['RangeError: dueMs() of a wait must be a number, and is NaN']);
    expect([other.judgedAt, wheel.size]).toEqual([[500], 1]);
    wait.due = 1_500;
    wheel.update(wait);
    time.advanceTo(1_500);
    expect(wait.judgedAt).toEqual([1_500]);
  });

  test('in dueMs when it is added is thrown to the caller, and the wait is not on the wheel', () => {
    const { wheel } = setUp();
    expect(() => wheel.add(new Wait(NaN))).toThrow(RangeError);
    expect(wheel.size).toBe(0);
  });
});

describe('cost', () => {
  test('15 000 waits of 6 s, each touched every 5 s for 60 s: at most 600 wake-ups and 180 000 looks, none judged', () => {
    const { time, wheel, counts } = setUp({ actMs: 5 });
    const waits = Array.from({ length: 15_000 }, () => new Wait(6_000));
    for (const wait of waits) wheel.add(wait);
    for (let ms = 0; ms < 60_000; ms += 1) {
      for (let i = ms % 5_000; i < waits.length; i += 5_000) waits[i]!.due = ms + 6_000;
      time.advanceTo(ms + 1);
    }
    const looks = waits.reduce((sum, wait) => sum + wait.looks, 0);
    expect(waits.every((wait) => wait.judgedAt.length === 0)).toBe(true);
    expect(counts.wakeUps).toBeLessThanOrEqual(600);
    expect(looks).toBeLessThanOrEqual(15_000 + 180_000);
    expect(time.pendingCount).toBe(1);
  });

  test('15 000 waits that end spread over 6 s are judged with actMs 5 in at most 1 260 wake-ups, none early', () => {
    const { time, wheel, counts } = setUp({ actMs: 5 });
    const waits = Array.from({ length: 15_000 }, (_, i) => new Wait(6_000 + i * 0.4));
    for (const wait of waits) wheel.add(wait);
    time.advanceTo(12_005);
    const lateness = waits.map((wait) => wait.judgedAt[0]! - wait.due);
    expect(Math.min(...lateness)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...lateness)).toBeLessThan(5.000_001);
    expect(counts.wakeUps).toBeLessThanOrEqual(1_260);
  });

  test('100 000 idle waits of 5 minutes cost one wake-up in the first 5 minutes', () => {
    const { time, wheel, counts } = setUp();
    for (let i = 0; i < 100_000; i += 1) wheel.add(new Wait(300_000 + (i % 100)));
    time.advanceTo(300_000);
    expect([counts.wakeUps, wheel.size]).toEqual([1, 99_000]);
  });

  test('100 000 waits are added and removed one by one, in either order, and leave neither entry nor timer', () => {
    for (const last of [false, true]) {
      const { time, wheel } = setUp();
      const waits = Array.from({ length: 100_000 }, (_, i) => new Wait(6_000 + (i % 997)));
      const started = process.cpuUsage();
      for (const wait of waits) wheel.add(wait);
      if (last) waits.reverse();
      for (const wait of waits) wheel.remove(wait);
      expect([wheel.size, time.pendingCount]).toEqual([0, 0]);
      expect(process.cpuUsage(started).user).toBeLessThan(1_000_000); // in microseconds; some 50 000 here
    }
  });

  test('adding twice counts once, removing twice does nothing, updating what is not on the wheel does nothing', () => {
    const { wheel, time } = setUp();
    const wait = new Wait(500);
    wheel.update(wait);
    wheel.add(wait);
    wheel.add(wait);
    expect(wheel.size).toBe(1);
    wheel.remove(wait);
    wheel.remove(wait);
    expect([wheel.size, time.pendingCount]).toEqual([0, 0]);
  });
});

test.each([
  { lookMs: 0 },
  { lookMs: -1 },
  { lookMs: NaN },
  { lookMs: Infinity },
  { actMs: -1 },
  { actMs: NaN },
  { actMs: Infinity },
])('the option %o is a RangeError that names it', (options) => {
  expect(() => new WaitWheel(new VirtualTime(), options)).toThrow(RangeError);
  expect(() => new WaitWheel(new VirtualTime(), options)).toThrow(new RegExp(`^${Object.keys(options)[0]} must`));
});

test.each([
  { lookMs: 100, actMs: 0 },
  { lookMs: 100, actMs: 5 },
  { lookMs: 7, actMs: 0 },
  { lookMs: 3, actMs: 10 },
])('random scripts judge each wait at the first moment it is due, at most actMs late: %j', ({ lookMs, actMs }) => {
  const quarter = fc.nat(2_000).map((n) => n / 4);
  const step = fc.record({
    op: fc.constantFrom('add', 'add', 'repeat', 'touch', 'touch', 'update', 'sleep', 'remove', 'advance', 'advance'),
    id: fc.nat(12),
    ms: quarter,
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: 'max' }), fc.constantFrom(0, 250, 1e6), (script, startMs) => {
      const { time, wheel } = setUp({ lookMs, actMs }, startMs);
      const log: { id: number; atMs: number; due: number }[] = [];
      // The model: what is on the wheel, and since when its present due time holds. It is judged at the later of both.
      const on = new Map<number, { due: number; sinceMs: number }>();
      const waits = Array.from({ length: 13 }, (_, id) => {
        const wait = new Wait(0, (self, atMs) => {
          expect(atMs).toBe(time.now());
          log.push({ id, atMs, due: self.due });
          on.delete(id);
          if (repeats.delete(id)) {
            self.due = atMs + 20;
            wheel.add(self);
            on.set(id, { due: self.due, sinceMs: atMs });
          }
        });
        return wait;
      });
      const repeats = new Set<number>();

      for (const { op, id, ms } of script) {
        const wait = waits[id]!;
        const nowMs = time.now();
        const model = on.get(id);
        if (op === 'add' || op === 'repeat') {
          wait.due = nowMs + ms;
          if (op === 'repeat') repeats.add(id);
          wheel.add(wait);
          on.set(id, { due: wait.due, sinceMs: nowMs });
        } else if (op === 'touch' && model !== undefined && wait.due < Infinity) {
          wait.due += ms; // later: no call
          model.due = wait.due;
        } else if (op === 'update' && model !== undefined) {
          wait.due = nowMs + ms;
          wheel.update(wait);
          on.set(id, { due: wait.due, sinceMs: nowMs });
        } else if (op === 'sleep' && model !== undefined) {
          wait.due = model.due = Infinity;
        } else if (op === 'remove') {
          wheel.remove(wait);
          on.delete(id);
          repeats.delete(id);
        } else if (op === 'advance') {
          const dues = new Map([...on].map(([key, value]) => [key, { ...value }]));
          log.length = 0;
          time.advanceBy(ms);
          for (const { id: judged, atMs, due } of log) {
            const expected = dues.get(judged);
            if (expected?.due !== due) continue; // a repetition: checked by its own bounds below
            const first = Math.max(expected.due, expected.sinceMs);
            expect(atMs).toBeGreaterThanOrEqual(first);
            expect(atMs - first).toBeLessThanOrEqual(actMs);
          }
          for (const { atMs, due } of log) expect(atMs).toBeGreaterThanOrEqual(due);
        }
        // Nothing that is due by more than actMs is still on the wheel, once time has moved.
        if (op === 'advance') for (const { due } of on.values()) expect(time.now() - due).toBeLessThanOrEqual(actMs);
        expect(wheel.size).toBe(on.size);
        expect(time.pendingCount).toBeLessThanOrEqual(1);
      }
      for (const wait of waits) wheel.remove(wait);
      expect([wheel.size, time.pendingCount]).toEqual([0, 0]);
    }),
    { numRuns: 300 },
  );
});
