/** What a session must decode: what its peer has sent, as far as a session takes it from a codec. */
import { expect, test } from 'vitest';
import { lines } from '../../src/codec/lines.js';
import { mapped } from '../../src/codec/mapped.js';
import type { Codec, Message } from '../../src/codec/codec.js';
import { ExpectedMessages } from '../../src/testing/expected-messages.js';

/** The word of a line is the type of its message. */
const words = (): Codec<any, any> =>
  mapped(lines(), {
    messages: [],
    decode: ({ text }): Message => ({ type: text }),
    encode: (message: never) => message,
  });

test('messages are expected in order, and what is no whole line yet is none', () => {
  const expected = new ExpectedMessages(words());
  expected.sent(new TextEncoder().encode('one\ntwo\nthr'));
  expect(expected.pendingCount).toBe(2);
  expect(expected.decoded({ type: 'one' }, false)).toBeUndefined();
  expect(expected.decoded({ type: 'three' }, false)).toMatch(/message 2 is .*three.*, and was sent as .*two/);
});

test.each(['xstate.stop', 'done.x', '*', 'DRAIN'])(
  'a message of type %s, which no session takes, is a failure of the codec for both',
  (type) => {
    const expected = new ExpectedMessages(words());
    expected.sent(new TextEncoder().encode(`one\n${type}\ntwo\n`));
    expect(expected.decoded({ type: 'one' }, false)).toBeUndefined();
    expect(expected.failed(false)).toBeUndefined();
    expect(expected.pendingCount).toBe(0);
    expect(expected.decoded({ type: 'two' }, false)).toMatch(/was never sent/);
  },
);

test('a message that is nested deeper than the stack is left unjudged, and throws nothing', () => {
  const nested = (depth: number) => {
    let value: unknown = 'core';
    for (let level = 0; level < depth; level += 1) value = { value };
    return { type: 'DEEP', value };
  };
  const once = new ExpectedMessages({ ...words(), decode: onceOf(nested(50_000)) });
  once.sent(Uint8Array.of(1));
  expect(once.decoded(nested(50_000), false)).toBeUndefined();
});

function onceOf(message: Message): Codec<any, any>['decode'] {
  let isTaken = false;
  return (buffer) => {
    if (isTaken) return undefined;
    isTaken = true;
    buffer.take(1);
    return message;
  };
}
