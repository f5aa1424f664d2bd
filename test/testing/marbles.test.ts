/** Marbles: what is read, played, recorded and compared. */
import { interval, of, Subject, take, throwError, timer } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, test } from 'vitest';
import { matchesMarbles } from '../../src/testing/marble-comparison.js';
import {
  marblesLengthMs,
  parseMarbles,
  playMarbles,
  recordMarbles,
  type MarbleEntry,
} from '../../src/testing/marbles.js';
import { VirtualTime } from '../../src/time/virtual-time.js';

const next = <T>(atMs: number, value: T) => ({ atMs, kind: 'next' as const, value });
const complete = (atMs: number) => ({ atMs, kind: 'complete' as const, value: undefined });

describe('parseMarbles', () => {
  test.each<[string, MarbleEntry[], number]>([
    ['', [], 0],
    ['ab', [next(0, 'a'), next(1, 'b')], 2],
    ['-a--b', [next(1, 'a'), next(4, 'b')], 5],
    ['a 5999ms b', [next(0, 'a'), next(6_000, 'b')], 6_001],
    ['6s a', [next(6_000, 'a')], 6_001],
    ['1.5s a 2m', [next(1_500, 'a')], 121_501],
    ['a 100ms', [next(0, 'a')], 101],
    ['(ab)-c', [next(0, 'a'), next(0, 'b'), next(5, 'c')], 6],
    ['10ms (a|)', [next(10, 'a'), complete(10)], 14],
    ['  a   b  ', [next(0, 'a'), next(1, 'b')], 2],
    ['a#', [next(0, 'a'), { atMs: 1, kind: 'error', value: 'error' }], 2],
  ])('%j', (marbles, entries, lengthMs) => {
    expect(parseMarbles(marbles)).toEqual(entries);
    expect(marblesLengthMs(marbles)).toBe(lengthMs);
  });

  test('gives values by their signs, an error by `#`, also values that are `undefined`', () => {
    const failure = new Error('no');
    expect(parseMarbles<unknown>('ab#', { a: { n: 1 }, b: undefined, '#': failure })).toEqual([
      next(0, { n: 1 }),
      next(1, undefined),
      { atMs: 2, kind: 'error', value: failure },
    ]);
  });

  test('leaves the frame of RxJS as it is for everybody else', () => {
    parseMarbles('ab');
    expect(TestScheduler.frameTimeFactor).toBe(10);
    expect(TestScheduler.parseMarbles('-a')).toMatchObject([{ frame: 10 }]);
  });

  test.each<[string, object | undefined, string]>([
    ['ab', { a: 1 }, 'marbles "ab": there is no value for "b"; there are: a'],
    ['a', {}, 'marbles "a": there is no value for "a"; there are: none'],
    ['a5999ms b', { a: 1, b: 2 }, 'there is no value for "5"'],
    ['a^b', undefined, 'marbles "a^b": `^` and `!` are for subscriptions'],
    ['a!', undefined, '`^` and `!` are for subscriptions'],
    ['(ab', undefined, 'marbles "(ab": a bracket is not closed, or not opened'],
    ['toString', {}, 'there is no value for "t"'],
  ])('%j with the values %j is a TypeError: %s', (marbles, values, message) => {
    const read = () => parseMarbles(marbles, values as never);
    expect(read).toThrow(TypeError);
    expect(read).toThrow(message);
  });
});

describe('playMarbles', () => {
  function played(marbles: string, values?: Record<string, unknown>, time = new VirtualTime()) {
    const seen: unknown[] = [];
    const subscription = playMarbles(time, marbles, values, {
      next: (value) => seen.push([time.now(), value]),
      error: (value) => seen.push([time.now(), 'error', value]),
      complete: () => seen.push([time.now(), 'complete']),
    });
    return { time, seen, subscription };
  }

  test('counts from now, gives each value at its ms, and ends', () => {
    const { time, seen } = played('a 5999ms (b|)', { a: 1, b: 2 }, new VirtualTime({ startMs: 100 }));
    time.advanceBy(5_999);
    expect(seen).toEqual([[100, 1]]);
    time.advanceBy(1);
    expect(seen).toEqual([[100, 1], [6_100, 2], [6_100, 'complete']]); // prettier-ignore
    expect(time.pendingCount).toBe(0);
  });

  test('keeps the order of one moment whatever the tie-break says, and comes before timers that were set earlier', () => {
    let draw = 1;
    const time = new VirtualTime({ tieBreak: () => (draw -= 0.01) });
    const order: string[] = [];
    time.schedule(() => order.push('timer'), 5);
    playMarbles(time, '-----(abcd)', undefined, { next: (sign: string) => order.push(sign) });
    time.advanceBy(5);
    expect(order).toEqual(['a', 'b', 'c', 'd', 'timer']);
  });

  test('takes back what has not come yet when it is unsubscribed', () => {
    const { time, seen, subscription } = played('a-b-c');
    time.advanceBy(2);
    subscription.unsubscribe();
    expect(time.pendingCount).toBe(0);
    time.advanceBy(10);
    expect(seen).toEqual([[0, 'a'], [2, 'b']]); // prettier-ignore
  });

  test('refuses at once what nobody would take', () => {
    const time = new VirtualTime();
    expect(() => playMarbles(time, 'a-|', undefined, { next: () => {} })).toThrow(
      'nobody takes its `complete` at 2 ms',
    );
    expect(() => playMarbles(time, 'a#', undefined, { next: () => {} })).toThrow('nobody takes its `error` at 1 ms');
    expect(time.pendingCount).toBe(0);
  });
});

describe('recordMarbles', () => {
  test('writes down values and the end, in ms from its beginning, until it is stopped', () => {
    const time = new VirtualTime({ startMs: 1_000 });
    const short = recordMarbles(time, interval(100, time).pipe(take(2)));
    const stopped = recordMarbles(time, interval(100, time));
    time.advanceBy(250);
    stopped.stop();
    time.advanceBy(250);
    expect(short.entries).toEqual([next(100, 0), next(200, 1), complete(200)]);
    expect(stopped.entries).toEqual([next(100, 0), next(200, 1)]);
    expect(time.pendingCount).toBe(0);
  });

  test('writes down an error, and what a function reports', () => {
    const time = new VirtualTime();
    const failure = new Error('no');
    expect(
      recordMarbles(
        time,
        throwError(() => failure),
      ).entries,
    ).toEqual([{ atMs: 0, kind: 'error', value: failure }]);
    let ended = false;
    const record = recordMarbles<number>(time, (subscriber) => {
      subscriber.next(1);
      const action = time.schedule(() => subscriber.next(2), 10);
      return () => {
        ended = true;
        action.unsubscribe();
      };
    });
    time.advanceBy(10);
    record.stop();
    expect([record.entries, ended]).toEqual([[next(0, 1), next(10, 2)], true]);
  });
});

describe('matchesMarbles', () => {
  const record = (...entries: MarbleEntry[]) => ({ entries });

  test.each<[string, MarbleEntry[], string, Record<string, unknown> | undefined]>([
    ['signs', [next(0, 'a'), next(6_000, 'b')], 'a 5999ms b', undefined],
    ['data', [next(3, { type: 'X', bytes: Uint8Array.of(1) })], '---x', { x: { type: 'X', bytes: Buffer.of(1) } }],
    ['an absent and an undefined key', [next(0, { a: 1, b: undefined })], 'x', { x: { a: 1 } }],
    ['an asymmetric matcher', [next(0, { a: 1, b: 2 })], 'x', { x: expect.objectContaining({ a: 1 }) }],
    ['one within', [next(0, { a: [{ b: 5 }] })], 'x', { x: { a: [{ b: expect.any(Number) as number }] } }],
    ['maps, sets, dates', [next(0, [new Map([[1, 2]]), new Set([1]), new Date(5)])], 'x', { x: [new Map([[1, 2]]), new Set([1]), new Date(5)] }],
    ['errors', [{ atMs: 0, kind: 'error', value: new TypeError('no') }], '#', { '#': new TypeError('no') }],
    ['NaN', [next(0, NaN)], 'x', { x: NaN }],
    ['nothing', [], '', undefined],
    ['nothing, for a while', [], '6s ', undefined],
  ])('%s match', (_, entries, marbles, values) => {
    expect(matchesMarbles(record(...entries), marbles, values)).toMatchObject({ matches: true });
  }); // prettier-ignore

  test.each<[string, MarbleEntry[], string, Record<string, unknown> | undefined]>([
    ['1 ms later', [next(1, 'a')], 'a', undefined],
    ['another value', [next(0, { n: 1 })], 'a', { a: { n: 2 } }],
    ['one more key', [next(0, { n: 1, m: 1 })], 'a', { a: { n: 1 } }],
    ['another key', [next(0, { m: 1 })], 'a', { a: { n: 1 } }],
    ['one value more', [next(0, 'a'), next(1, 'b')], 'a', undefined],
    ['one value less', [next(0, 'a')], 'ab', undefined],
    ['another order', [next(0, 'b'), next(0, 'a')], '(ab)', undefined],
    ['an end that was not expected', [next(0, 'a'), complete(0)], 'a', undefined],
    ['an error for an end', [{ atMs: 0, kind: 'error', value: 'error' }], '|', undefined],
    ['a list for an object', [next(0, [1])], 'a', { a: { 0: 1 } }],
    ['other bytes', [next(0, Uint8Array.of(1))], 'a', { a: Uint8Array.of(2) }],
    ['another date', [next(0, new Date(5))], 'a', { a: new Date(6) }],
    ['another class', [next(0, new Map())], 'a', { a: {} }],
    ['-0', [next(0, -0)], 'a', { a: 0 }],
    ['null', [next(0, null)], 'a', { a: {} }],
    ['another error', [next(0, new Error('x'))], 'a', { a: new Error('y') }],
  ])('%s does not match', (_, entries, marbles, values) => {
    expect(matchesMarbles(record(...entries), marbles, values)).toMatchObject({ matches: false });
  });

  test('shows both as marbles, and each moment with its values', () => {
    const states = record(
      next(0, 'accepted'),
      next(6_001, 'closing.finWait'),
      next(6_020, { odd: 1n }),
      complete(6_020),
    );
    const { difference } = matchesMarbles(states, 'a 5999ms c', { a: 'accepted', c: 'closing.finWait' });
    expect(difference.split('\n')).toEqual([
      'they differ first at 6000 ms',
      '  expected  a 5999ms c',
      '  actual    a 6000ms c 18ms (b|)',
      '',
      '     0 ms  a = "accepted"',
      '  6000 ms  expected c = "closing.finWait"',
      '           got      nothing  <--',
      '  6001 ms  expected nothing',
      '           got      c = "closing.finWait"  <--',
      '  6020 ms  expected nothing',
      '           got      b = {"odd":"1n"}, | (the end)  <--',
    ]);
  });

  test('the marbles that it shows are read as what was recorded', () => {
    const time = new VirtualTime();
    const source = new Subject<string>();
    const seen = recordMarbles(time, source);
    playMarbles(time, 'a--(bc)-- 90ms d-e 2s |', undefined, source);
    time.advanceBy(10_000);
    const written = /actual {4}(.*)\n/.exec(matchesMarbles(seen, '').difference)![1]!;
    expect(parseMarbles(written)).toEqual(seen.entries);
    expect(written).toBe('a--(bc) 92ms d-e 2000ms |');
  });

  test('says of a moment that no marbles can express that it cannot be written, and still shows it', () => {
    const { difference } = matchesMarbles(record(next(0, 'a'), next(0, 'b'), next(1, 'c')), '');
    expect(difference).toContain('cannot be written');
    expect(difference).toContain('1 ms  expected nothing');
  });

  test('a value that is long, circular or bytes is a line like any other', () => {
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    const { difference } = matchesMarbles(
      record(next(0, 'x'.repeat(500)), next(1, circle), next(2, Uint8Array.of(1, 2))),
      '',
    );
    expect(Math.max(...difference.split('\n').map((line) => line.length))).toBeLessThan(200);
    expect(difference).toContain('[object Object]');
    expect(difference).toContain('"bytes 1 2"');
  });

  test('compares what RxJS says as well as what a server does', () => {
    const time = new VirtualTime();
    const seen = recordMarbles(time, timer(50, 50, time).pipe(take(3)));
    const at = recordMarbles(time, of('now'));
    time.advanceBy(1_000);
    expect(matchesMarbles(seen, '50ms a 49ms b 49ms (c|)', { a: 0, b: 1, c: 2 }).difference).toMatch(/^they match/);
    expect(matchesMarbles(at, '(n|)', { n: 'now' }).matches).toBe(true);
  });
});
