/** Values of a recording as TypeScript: they come back as they were, and nothing that a peer sent becomes code. */
import { runInThisContext } from 'node:vm';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { commentText, literal, textLiteral } from '../../src/cli/replay-literal.js';
import { ByteCount, Elided } from '../../src/inspect/plain-data.js';

/** What TypeScript would make of it: these literals are JavaScript as well. */
const evaluated = (text: string): unknown => runInThisContext(`(${text})`) as unknown;

const HOSTILE = [
  `'); process.exit(); ('`,
  '${process.exit()}',
  '`',
  '\\',
  "\\'",
  '\u2028\u2029',
  '*/ throw 1; /*',
  '\u202e rtl',
  '"',
  "it's",
];

test.each(HOSTILE)('the text %j, as a value and as a key, is that text again, on one line', (text) => {
  expect(evaluated(literal({ [text]: text }))).toEqual({ [text]: text });
  expect(textLiteral(text)).not.toMatch(/[\n\r\u2028\u2029\u202e]/);
});

test.each(HOSTILE)('in a comment %j ends neither the comment nor its line', (text) => {
  expect(commentText(text)).not.toMatch(/\*\/|[\n\r\u2028\u2029\u202e]/);
  expect(evaluated(`/* ${commentText(text)} */ 1`)).toBe(1);
  expect(evaluated(literal(new Elided(text)))).toBeUndefined();
});

test('a field named __proto__ is a field, and no prototype', () => {
  const value = JSON.parse('{"__proto__":{"a":1}}') as object;
  const back = evaluated(literal(value)) as object;
  expect(Object.keys(back)).toEqual(['__proto__']);
  expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
});

test('500 values at random come back, whether on one line or on many', () => {
  const value = fc.anything({
    withBigInt: true,
    withDate: false,
    withMap: true,
    withSet: true,
    withNullPrototype: false,
    key: fc.oneof(fc.string(), fc.constantFrom('__proto__', 'a-b', '1', 'class', ...HOSTILE)),
  });
  fc.assert(
    fc.property(
      value,
      fc.integer({ min: 0, max: 120 }),
      (one, beside) => void expect(evaluated(literal(one, 0, beside))).toEqual(one),
    ),
    { seed: 11, numRuns: 500 },
  );
});

test.each([0, 1, 32, 33, 1_000])('%i bytes come back, short ones readable', (length) => {
  const bytes = Uint8Array.from({ length }, (_, n) => n % 251);
  expect(evaluated(literal(bytes))).toEqual(bytes);
  expect(literal(bytes).includes('base64')).toBe(length > 32);
});

test('bytes of which the number is known are that many zeros', () => {
  expect(evaluated(literal(new ByteCount(5)))).toEqual(new Uint8Array(5));
});
