/** Values as JSON and back: what a chart, a codec or a context may hold, and what nobody should be able to do with it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createActor, createEmptyActor, createMachine } from 'xstate';
import { Masks } from '../../src/inspect/masks.js';
import { ActorName, ByteCount, Elided, fromPlain, toPlain } from '../../src/inspect/plain-data.js';

const throughText = (value: unknown): unknown => fromPlain(JSON.parse(JSON.stringify(toPlain(value))));

describe('what is written comes back', () => {
  test.each([
    ['undefined', undefined],
    ['a bigint', 12345678901234567890n],
    ['NaN', NaN],
    ['minus infinity', -Infinity],
    ['minus zero', -0],
    ['bytes', Uint8Array.of(0, 127, 255)],
    [
      'a map with keys of any kind',
      new Map<unknown, unknown>([
        [1, { a: 2n }],
        [Uint8Array.of(1), 'b'],
      ]),
    ],
    ['a set', new Set([1, undefined, 'x'])],
    ['a date', new Date(1_234_567)],
    ['a number of bytes', new ByteCount(17)],
    ['keys that look like tags', { $bytes: 'AQI=', $$bytes: 1, $: 2, type: '$elided' }],
    ['a field named __proto__', JSON.parse('{"__proto__":{"polluted":true},"a":1}')],
    ['holes of a list, as undefined', [1, undefined, 3]],
  ])('%s', (_name, value) => {
    expect(throughText(value)).toStrictEqual(value);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test('200 values at random, of all kinds and keys', () => {
    const value = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: false,
      withNullPrototype: false,
      key: fc.oneof(fc.string(), fc.constantFrom('$bytes', '$', '$$x', '__proto__')),
    });
    // A date that is none has no number, and a null prototype is no news to a reader.
    const isKept = (one: unknown) => !JSON.stringify(toPlain(one)).includes('"$date":null');
    fc.assert(
      fc.property(value, (one) => void (isKept(one) && expect(throughText(one)).toEqual(one))),
      { seed: 7, numRuns: 200 },
    );
  });

  test('an error keeps its name, its text and its code', () => {
    const error = Object.assign(new RangeError('too far'), { code: 'E_FAR' });
    expect(throughText(error)).toMatchObject({ name: 'RangeError', message: 'too far', code: 'E_FAR' });
  });
});

describe('what cannot be kept is named, and never throws', () => {
  test('a cycle', () => {
    const cycle: Record<string, unknown> = { a: 1 };
    cycle['self'] = cycle;
    expect(throughText(cycle)).toEqual({ a: 1, self: new Elided('a part of itself') });
  });

  test('the same object twice is no cycle', () => {
    const twice = { n: 1 };
    expect(throughText([twice, twice])).toEqual([{ n: 1 }, { n: 1 }]);
  });

  test('a context of more than 100 000 parts is cut there', () => {
    const text = JSON.stringify(toPlain({ all: Array.from({ length: 150_000 }, (_, n) => n) }));
    expect(text).toContain('{"$elided":"more than 100000 parts"}');
  });

  test('a text of more than 16 MiB is replaced by its length', () => {
    expect(toPlain(['x'.repeat(17 * 1024 * 1024), 'y'])).toEqual([
      { $elided: 'a text of 17825792 characters' },
      { $elided: 'a text of 1 characters' },
    ]);
  });

  test('101 levels are one too many', () => {
    let deep: unknown = 'bottom';
    for (let level = 0; level < 101; level += 1) deep = [deep];
    expect(JSON.stringify(toPlain(deep))).toContain('{"$elided":"deeper than 100"}');
  });

  test('a getter that throws', () => {
    const value = { get secret(): never { throw new Error('not for you'); } }; // prettier-ignore
    expect(toPlain(value)).toEqual({ $elided: 'it could not be looked at' });
  });

  test('functions, symbols and actors are names, objects of a class plain ones', () => {
    class Point {
      x = 1;
    }
    expect(throughText({ f: function named() {}, s: Symbol('mark'), p: new Point() })).toEqual({
      f: new Elided('the function named'),
      s: new Elided('the symbol mark'),
      p: { x: 1 },
    });
    expect(throughText(createEmptyActor())).toBeInstanceOf(ActorName);
  });

  test('a snapshot of a chart is its state, its context and how it ended, without the chart', () => {
    const actor = createActor(createMachine({ context: { n: 1 }, initial: 'a', states: { a: {} } }));
    expect(throughText({ type: 'xstate.snapshot.child', snapshot: actor.getSnapshot() })).toEqual({
      type: 'xstate.snapshot.child',
      snapshot: { status: 'active', value: 'a', context: { n: 1 } },
    });
  });
});

describe('what a file may not say', () => {
  test.each([
    [{ $nonsense: 1 }, '$nonsense: there is no such kind of value'],
    [{ $bytes: 5 }, '$bytes: its value is not one of that kind'],
    [{ $zeros: 1e12 }, '$zeros: its value is not one of that kind'],
    [{ $length: -1 }, '$length: its value is not one of that kind'],
    [{ $map: [[1]] }, '$map: its value is not one of that kind'],
    [{ $date: 'now' }, '$date: its value is not one of that kind'],
  ])('%j', (plain, message) => {
    expect(() => fromPlain(plain)).toThrow(new TypeError(message));
  });
});

describe('masks', () => {
  const masks = new Masks({ LOGIN: ['password', 'user.pin', 'keys'], context: ['token'] });
  const login = {
    type: 'LOGIN',
    name: 'ann',
    password: 'swordfish',
    user: { pin: 1234, age: 50 },
    keys: [Uint8Array.of(1, 2), 3n, true],
  };
  const masked = {
    type: 'LOGIN',
    name: 'ann',
    password: '*********',
    user: { pin: 0, age: 50 },
    keys: [{ $zeros: 2 }, { $bigint: '0' }, false],
  };

  test('keep kind and length, and hide nothing else', () => {
    expect(toPlain(login, { masks })).toEqual(masked);
  });

  test('reach a message wherever it is: in a command, in a list, in a context', () => {
    expect(toPlain({ type: 'SEND', message: login }, { masks })).toEqual({ type: 'SEND', message: masked });
    expect(toPlain([new Map([['last', login]])], { masks })).toEqual([{ $map: [['last', masked]] }]);
    expect(toPlain({ token: 'abc', last: login }, { masks, tree: masks.context })).toEqual({
      token: '***',
      last: masked,
    });
  });

  test('reach into the items of a list', () => {
    const many = new Masks({ USERS: ['all.password'] });
    expect(toPlain({ type: 'USERS', all: [{ password: 'a' }, { password: 'bc' }] }, { masks: many })).toEqual({
      type: 'USERS',
      all: [{ password: '*' }, { password: '**' }],
    });
  });

  test('reach into the items of a set, and into each value of a map, whatever its key', () => {
    const many = new Masks({ USERS: ['all.password', 'all.bob'] });
    const users = [{ password: 'a' }, { password: 'bc' }];
    expect(toPlain({ type: 'USERS', all: new Set(users) }, { masks: many })).toEqual({
      type: 'USERS',
      all: { $set: [{ password: '*' }, { password: '**' }] },
    });
    const byName = new Map<string, unknown>([['ann', users[0]], ['bob', 'xyz']]); // prettier-ignore
    expect(toPlain({ type: 'USERS', all: byName }, { masks: many })).toEqual({
      type: 'USERS',
      all: { $map: [['ann', { password: '*' }], ['bob', '***']] }, // prettier-ignore
    });
  });

  test('hide what errors say, as they may quote what they could not read', () => {
    expect(toPlain(new Error('no hunter2'), { masks })).toEqual({ $error: { name: 'Error', message: '**********' } });
  });

  test('can be left out, for a comparison that they are no part of', () => {
    expect(toPlain({ type: 'LOGIN', password: 'a' }, { masks, leavesOut: true })).toEqual({
      type: 'LOGIN',
      password: { $masked: true },
    });
  });
});
