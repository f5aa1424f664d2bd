import { describe, expect, test } from 'vitest';
import { boundedPlain, BYTES_MAX } from '../../../src/inspect/outlets/bounded.js';
import { Masks } from '../../../src/inspect/masks.js';

const jsonBytes = (plain: unknown) => Buffer.byteLength(JSON.stringify(plain));

describe('what an outlet sends of a context', () => {
  test('is as it is while it is small', () => {
    const context = { name: 'a', count: 3, list: [1, { two: true }], none: null };
    expect(boundedPlain(context, {})).toEqual(context);
  });

  test('has five levels in it, and the sixth is elided', () => {
    expect(boundedPlain({ a: { b: { c: { d: { e: { f: 1 } } } } } }, {})).toEqual({
      a: { b: { c: { d: { e: { f: 1 } } } } },
    });
    expect(boundedPlain({ a: { b: { c: { d: { e: { f: { g: 1 } } } } } } }, {})).toEqual({
      a: { b: { c: { d: { e: { f: { $elided: 'deeper than 6' } } } } } },
    });
  });

  test('loses its largest fields first when it is more than 16 kB, and says how large they were', () => {
    const numbers = (length: number) => Array.from({ length }, (_, index) => 100_000_000 + index);
    const context = { small: 'kept', large: numbers(1_200), larger: numbers(700) };
    const plain = boundedPlain(context, {}) as Record<string, unknown>;
    expect(plain).toEqual({ small: 'kept', large: { $elided: '12001 bytes' }, larger: numbers(700) });
    expect(jsonBytes(plain)).toBeLessThanOrEqual(BYTES_MAX);
  });

  test.each([
    ['a text', { text: 'x'.repeat(1_000_000) }],
    ['texts that JSON writes six times as long', { a: '\u0001'.repeat(8_000), b: '\u0002'.repeat(8_000) }],
    ['a list without end', { list: Array.from({ length: 200_000 }, () => ({})) }],
    ['names', Object.fromEntries(Array.from({ length: 1_900 }, (_, n) => [`a name that is rather long ${n}`, n]))],
    ['one list of texts', ['x'.repeat(16_000), '\u0001'.repeat(300)]],
    ['a map', new Map(Array.from({ length: 5_000 }, (_, n) => [`${n}`, 'value']))],
  ])('is never more than 16 kB, also where all of it is %s', (_name, context) => {
    expect(jsonBytes(boundedPlain(context, {}))).toBeLessThanOrEqual(BYTES_MAX);
  });

  test('never throws: a part of itself, a getter that throws, what JSON has no word for', () => {
    const context: Record<string, unknown> = { big: 1n, nothing: undefined, bytes: new Uint8Array([1, 2]) };
    context['self'] = context;
    expect(boundedPlain(context, {})).toEqual({
      big: { $bigint: '1' },
      nothing: { $undefined: true },
      bytes: { $bytes: 'AQI=' },
      self: { $elided: 'a part of itself' },
    });
    const trap = {
      get it(): never {
        throw new Error('no');
      },
    };
    expect(boundedPlain(trap, {})).toEqual({ $elided: 'it could not be looked at' });
  });

  test('is masked before it is cut, and bytes are counted where they are not to be seen', () => {
    const masks = new Masks({ context: ['token'] });
    const context = { token: 'hunter2', data: new Uint8Array(300) };
    expect(boundedPlain(context, { masks, tree: masks.context, countsBytes: true })).toEqual({
      token: '*******',
      data: { $length: 300 },
    });
  });
});
