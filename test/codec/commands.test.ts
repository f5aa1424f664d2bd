import * as fc from 'fast-check';
import { describe, expect, expectTypeOf, test } from 'vitest';
import {
  boolean,
  ByteQueue,
  bytes,
  commands,
  type Field,
  i16be,
  i32be,
  i64le,
  i8,
  type InvalidPayloadMessage,
  type MessageIn,
  type MessageOut,
  prefixed,
  u16be,
  u16le,
  u32be,
  u32le,
  u64be,
  u8,
  type UnknownCommandMessage,
  utf8,
} from '../../src/codec/index.js';
import { ascii, concat, feed, oneByOne } from './feed.js';

const control = commands({
  in: {
    HELLO: { command: 1, fields: { version: u8.between(1, 2) } },
    PING: { command: 8, fields: { payload: bytes() } },
    BYE: { command: 9 },
  },
  out: {
    HELLO_OK: { command: 0x8001, fields: { session: u32be } },
    PONG: { command: 0x8008, fields: { payload: bytes() } },
    ERROR: { command: 0xffff, fields: { code: u16be, text: utf8() } },
  },
  maxFrameBytes: 100,
  unknownCommand: 'message',
  invalidPayload: 'message',
});

const strict = commands({ in: { HELLO: { command: 1, fields: { version: u8.between(1, 2) } } }, out: {} });

const raw = (command: number, payload: ArrayLike<number>, length = payload.length) =>
  concat([u32(command), u32(length), Uint8Array.from(payload)]);
const u32 = (value: number) => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);

describe('types', () => {
  test('messages are inferred from the definition', () => {
    expectTypeOf<MessageIn<typeof control>>().toEqualTypeOf<
      | { type: 'HELLO'; version: number }
      | { type: 'PING'; payload: Uint8Array }
      | { type: 'BYE' }
      | UnknownCommandMessage
      | InvalidPayloadMessage
    >();
    expectTypeOf<MessageOut<typeof control>>().toEqualTypeOf<
      | { type: 'HELLO_OK'; session: number }
      | { type: 'PONG'; payload: Uint8Array }
      | { type: 'ERROR'; code: number; text: string }
    >();
  });

  test('the two messages of the codec itself are there only where the options ask for them', () => {
    expectTypeOf<MessageIn<typeof strict>>().toEqualTypeOf<{ type: 'HELLO'; version: number }>();
    expectTypeOf<MessageOut<typeof strict>>().toEqualTypeOf<never>();
  });

  test('the peer sends what we receive, and receives what we send', () => {
    const peer = control.peer();
    expectTypeOf<MessageOut<typeof peer>>().toEqualTypeOf<
      { type: 'HELLO'; version: number } | { type: 'PING'; payload: Uint8Array } | { type: 'BYE' }
    >();
    expectTypeOf<Extract<MessageIn<typeof peer>, { type: 'ERROR' }>>().toEqualTypeOf<{
      type: 'ERROR';
      code: number;
      text: string;
    }>();
    expect(peer.peer()).toBe(control);
  });

  test('every kind of field has its type of value', () => {
    const all = commands({
      in: { ALL: { command: 1, fields: { a: i8, b: u64be, c: boolean, d: bytes(3), e: prefixed(u8, utf8()) } } },
      out: {},
    });
    expectTypeOf<MessageIn<typeof all>>().toEqualTypeOf<{
      type: 'ALL';
      a: number;
      b: bigint;
      c: boolean;
      d: Uint8Array;
      e: string;
    }>();
    expect(all.messages).toHaveLength(1);
  });
});

describe('frames', () => {
  test('the example of the docstring: command, length, fields', () => {
    expect(control.encode({ type: 'HELLO_OK', session: 7 })).toEqual(
      Uint8Array.of(0, 0, 0x80, 1, 0, 0, 0, 4, 0, 0, 0, 7),
    );
    const hello = control.peer().encode({ type: 'HELLO', version: 2 });
    expect(feed(control, [hello]).messages).toEqual([{ type: 'HELLO', version: 2 }]);
  });

  test('a command without fields is a bare header', () => {
    expect(control.peer().encode({ type: 'BYE' })).toEqual(raw(9, []));
    expect(feed(control, [raw(9, [])]).messages).toEqual([{ type: 'BYE' }]);
  });

  test('header numbers in other sizes and byte orders, with a length that counts the header', () => {
    const codec = commands({
      command: u16le,
      length: u8,
      lengthIncludesHeader: true,
      in: { A: { command: 0x102, fields: { value: u32le } } },
      out: {},
    });
    const encoded = codec.peer().encode({ type: 'A', value: 5 });
    expect(encoded).toEqual(Uint8Array.of(2, 1, 7, 5, 0, 0, 0));
    expect(feed(codec, [encoded]).messages).toEqual([{ type: 'A', value: 5 }]);
    expect(feed(codec, [Uint8Array.of(2, 1, 2)])).toMatchObject({ code: 'FRAME_INVALID' });
  });

  test('a signed command may be below 0', () => {
    const codec = commands({ command: i32be, in: { A: { command: -2 } }, out: {} });
    expect(codec.peer().encode({ type: 'A' })).toEqual(raw(-2, []));
    expect(feed(codec, [raw(-2, [])]).messages).toEqual([{ type: 'A' }]);
    expect(feed(codec, [raw(2, [])]).code).toBe('FRAME_INVALID');
  });

  test.each([101, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1])(
    'a claim of %i bytes is refused by its header, with a limit of 100',
    (claim) => {
      const { error, left } = feed(control, [raw(8, [], claim)]);
      expect(error).toMatchObject({ code: 'FRAME_TOO_LONG' });
      expect(error!.message).toBe(`frame of ${claim} bytes is longer than the limit of 100`);
      expect(left).toBe(8);
    },
  );

  test('a payload of 100 bytes passes a limit of 100 both ways, and 101 is a TypeError for who sends it', () => {
    const message = { type: 'PONG', payload: new Uint8Array(100) } as const;
    expect(feed(control.peer(), [control.encode(message)]).messages).toEqual([message]);
    expect(() => control.encode({ ...message, payload: new Uint8Array(101) })).toThrow(TypeError);
  });

  test('a FIN within a frame is FRAME_TRUNCATED', () => {
    expect(feed(control, [raw(8, [1, 2], 3)]).code).toBe('FRAME_TRUNCATED');
  });
});

describe('what the peer gets wrong', () => {
  const invalid = [
    { name: 'a value above its range', frame: raw(1, [3]), reason: 'version of HELLO is 3, expected 1 to 2' },
    { name: 'a value below its range', frame: raw(1, [0]), reason: 'version of HELLO is 0, expected 1 to 2' },
    { name: 'a byte too few', frame: raw(1, []), reason: 'payload of 0 bytes ends before the end of version of HELLO' },
    { name: 'a byte too many', frame: raw(1, [1, 1]), reason: 'payload of HELLO has 1 bytes left over' },
  ];

  test.each(invalid)('$name: a message that says so, and the stream stays in step', ({ frame, reason }) => {
    const { messages } = feed(control, [concat([frame, raw(9, [])])]);
    expect(messages).toEqual([{ type: 'INVALID_PAYLOAD', command: 1, reason }, { type: 'BYE' }]);
    expect(feed(control, oneByOne(concat([frame, raw(9, [])]))).messages).toEqual(messages);
  });

  test.each(invalid)('$name: FRAME_INVALID by default', ({ frame, reason }) => {
    expect(feed(strict, [frame]).error).toMatchObject({ code: 'FRAME_INVALID', message: reason });
  });

  test('an unknown command is a message with its payload, and the stream stays in step', () => {
    expect(feed(control, [concat([raw(77, [1, 2]), raw(9, [])])]).messages).toEqual([
      { type: 'UNKNOWN_COMMAND', command: 77, payload: Uint8Array.of(1, 2) },
      { type: 'BYE' },
    ]);
  });

  test('an unknown command is refused by its header by default, before its payload is there', () => {
    expect(feed(strict, [raw(77, [], 50)]).error).toMatchObject({
      code: 'FRAME_INVALID',
      message: 'command 77 is not known',
    });
  });

  test('text that is not UTF-8 is an invalid payload whose reason holds nothing of it', () => {
    const frame = raw(0xffff, [0, 1, 0xff]);
    expect(feed(control.peer(), [frame]).messages).toEqual([
      { type: 'INVALID_PAYLOAD', command: 0xffff, reason: 'text of ERROR is not valid UTF-8' },
    ]);
  });

  test("an error that is not the peer's passes through, whatever the option", () => {
    const broken: Field<number> = {
      description: { kind: 'integer', min: 0, max: 1 },
      minBytes: 1,
      takesRest: false,
      measure: () => 1,
      read: () => {
        throw new TypeError('a bug');
      },
      sizeOf: () => 1,
      write: () => undefined,
    };
    const codec = commands({ in: { A: { command: 1, fields: { broken } } }, out: {}, invalidPayload: 'message' });
    expect(() => feed(codec, [raw(1, [0])])).toThrow('a bug');
  });

  test('no bytes give a message a type that the definition does not have', () => {
    const known = ['HELLO', 'PING', 'BYE', 'UNKNOWN_COMMAND', 'INVALID_PAYLOAD'];
    const command = fc.oneof(fc.constantFrom(1, 8, 9), fc.nat());
    fc.assert(
      fc.property(fc.array(fc.tuple(command, fc.uint8Array({ maxLength: 100 }))), (frames) => {
        const { messages, code } = feed(
          control,
          frames.map(([number, payload]) => raw(number, payload)),
        );
        expect(code).toBeUndefined();
        expect(messages).toHaveLength(frames.length);
        for (const { type } of messages) expect(known).toContain(type);
      }),
    );
  });
});

describe('what we get wrong', () => {
  const fields = { a: u8, b: u64be, c: boolean, d: bytes(2), e: prefixed(u8, utf8()), f: bytes() };
  const codec = commands({ in: {}, out: { ALL: { command: 1, fields } } });
  const good = { type: 'ALL', a: 1, b: 1n, c: true, d: new Uint8Array(2), e: '', f: new Uint8Array() } as const;

  test.each([
    ['an unknown type', { type: 'NOTHING' }, /"NOTHING"/],
    ['a type that every object has', { type: 'constructor' }, /"constructor"/],
    ['a type of the other direction', { type: 'HELLO', version: 1 }, /"HELLO"/],
    ['a number too large', { ...good, a: 256 }, /a of ALL is 256/],
    ['a number below 0', { ...good, a: -1 }, /a of ALL is -1/],
    ['half a number', { ...good, a: 0.5 }, /a of ALL is 0.5/],
    ['no number', { ...good, a: undefined }, /a of ALL is undefined/],
    ['a bigint too large', { ...good, b: 2n ** 64n }, /b of ALL/],
    ['a number as bigint', { ...good, b: 1 }, /b of ALL is 1,/],
    ['1 for true', { ...good, c: 1 }, /c of ALL is 1/],
    ['3 bytes where 2 belong', { ...good, d: new Uint8Array(3) }, /d of ALL has 3 bytes, expected 2/],
    ['text for bytes', { ...good, f: 'text' }, /f of ALL is "text"/],
    ['bytes for text', { ...good, e: new Uint8Array() }, /e of ALL is an object/],
    ['text of 256 bytes behind a length of 1', { ...good, e: 'x'.repeat(256) }, /length of e of ALL is 256/],
  ])('sending %s is a TypeError that names it', (_, message, words) => {
    expect(() => codec.encode(message as never)).toThrow(TypeError);
    expect(() => codec.encode(message as never)).toThrow(words);
  });

  test.each<[string, object, RegExp]>([
    [
      'a command twice',
      { in: { A: { command: 1 }, B: { command: 1 } } },
      /B and A of the table "in" are both command 1/,
    ],
    [
      'a command above its header',
      { command: u8, in: { A: { command: 256 } } },
      /command of A is 256, expected 0 to 255/,
    ],
    [
      'a field behind one that takes the rest',
      { in: { A: { command: 1, fields: { x: bytes(), y: u8 } } } },
      /x of A takes all/,
    ],
    ['a field named type', { in: { A: { command: 1, fields: { type: u8 } } } }, /"type"/],
    ['a field named __proto__', { in: { A: { command: 1, fields: { ['__proto__']: u8 } } } }, /"__proto__"/],
    ['a field named by digits', { in: { A: { command: 1, fields: { 7: u8 } } } }, /"7"/],
    ['UNKNOWN_COMMAND', { in: { UNKNOWN_COMMAND: { command: 1 } } }, /UNKNOWN_COMMAND is a message of the codec/],
    ['xstate.init', { in: { 'xstate.init': { command: 1 } } }, /"xstate.init"/],
    ['done.invoke', { in: { 'done.invoke.x': { command: 1 } } }, /"done.invoke.x"/],
    ['*', { in: { '*': { command: 1 } } }, /"\*"/],
    [
      'fields that never fit',
      { in: { A: { command: 1, fields: { x: bytes(11) } } }, maxFrameBytes: 10 },
      /take 11 bytes, expected at most 10/,
    ],
    ['a signed length', { length: i32be }, /length is no unsigned/],
    ['a wide length', { length: u64be }, /length is no unsigned/],
    ['unknownCommand true', { unknownCommand: true }, /unknownCommand is true/],
    ['invalidPayload "drop"', { invalidPayload: 'drop' }, /invalidPayload is "drop"/],
    ['maxFrameBytes 0', { maxFrameBytes: 0 }, /maxFrameBytes is 0/],
  ])('a definition with %s is refused when the codec is made', (_, definition, words) => {
    expect(() => commands({ in: {}, out: {}, ...definition })).toThrow(words);
  });

  test.each([
    ['u8.between(0, 256)', () => u8.between(0, 256)],
    ['u8.between(2, 1)', () => u8.between(2, 1)],
    ['u8.between(1, 5).between(0, 5)', () => u8.between(1, 5).between(0, 5)],
    ['u64be.between(-1n, 1n)', () => u64be.between(-1n, 1n)],
    ['bytes(0)', () => bytes(0)],
  ])('%s is a RangeError', (_, make) => {
    expect(make).toThrow(RangeError);
  });

  test('a length in front of a field with a size of its own is a TypeError', () => {
    expect(() => prefixed(u8, u8)).toThrow(TypeError);
    expect(() => prefixed(i8, bytes())).toThrow(TypeError);
  });
});

describe('fields', () => {
  const roundTrip = <Value>(field: Field<Value>, value: Value) => {
    const size = field.sizeOf(value, 'x');
    const written = new Uint8Array(size + 2);
    field.write(written, 1, value, 'x');
    const queue = new ByteQueue();
    queue.push(written);
    expect(field.measure(queue, 1, size, 'x')).toBe(size);
    expect(field.read(queue, 1, size, 'x')).toEqual(value);
    return written.slice(1, -1);
  };

  test.each([
    ['u8', u8, 255, [255]],
    ['i8', i8, -1, [255]],
    ['i8.between(-5, -1)', i8.between(-5, -1), -5, [251]],
    ['u16be', u16be, 0x102, [1, 2]],
    ['u16le', u16le, 0x102, [2, 1]],
    ['i16be', i16be, -2, [255, 254]],
    ['u32be', u32be, 0xfffefdfc, [255, 254, 253, 252]],
    ['u32le', u32le, 0xfffefdfc, [252, 253, 254, 255]],
    ['i32be', i32be, -(2 ** 31), [128, 0, 0, 0]],
    ['u64be', u64be, 2n ** 64n - 2n, [255, 255, 255, 255, 255, 255, 255, 254]],
    ['i64le', i64le, -2n, [254, 255, 255, 255, 255, 255, 255, 255]],
    ['boolean', boolean, true, [1]],
    ['bytes()', bytes(), Uint8Array.of(1, 2), [1, 2]],
    ['utf8()', utf8(), 'é', [0xc3, 0xa9]],
    ['prefixed(u16be, utf8())', prefixed(u16be, utf8()), 'é', [0, 2, 0xc3, 0xa9]],
    ['prefixed(u8, bytes())', prefixed(u8, bytes()), new Uint8Array(), [0]],
  ] as [string, Field<unknown>, unknown, number[]][])(
    '%s writes its highest values as the bytes it names, and reads them back',
    (_, field, value, expected) => {
      expect([...roundTrip(field, value)]).toEqual(expected);
    },
  );

  test('text of every kind of character takes as many bytes as it was measured to', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        expect(utf8().sizeOf(text, 'x')).toBe(ascii(text).length);
        roundTrip(prefixed(u16be, utf8()), text);
      }),
    );
  });

  test('a lone surrogate is sent as U+FFFD', () => {
    for (const text of ['\ud800', '\udc00a', 'a\ud800\ud800\udc00', '\udbff']) {
      expect(utf8().sizeOf(text, 'x')).toBe(ascii(text).length);
    }
  });

  test('a length in front that runs beyond its payload is an invalid payload', () => {
    const codec = commands({
      in: { A: { command: 1, fields: { name: prefixed(u16be, bytes()), rest: bytes() } } },
      out: {},
    });
    expect(feed(codec, [raw(1, [0, 2, 5, 6, 7])]).messages).toEqual([
      { type: 'A', name: Uint8Array.of(5, 6), rest: Uint8Array.of(7) },
    ]);
    for (const payload of [[], [0], [0, 1], [0, 4, 5, 6, 7]]) {
      expect(feed(codec, [raw(1, payload)]).code).toBe('FRAME_INVALID');
    }
  });

  test('the description of bytes behind a length from 2 to 5 has these bounds', () => {
    expect(prefixed(u8.between(2, 5), bytes()).description).toEqual({ kind: 'bytes', min: 2, max: 5 });
  });

  test('the description bounds what varies by what is left of the frame', () => {
    const { messages } = commands({
      in: {
        A: {
          command: 1,
          fields: { id: u32be.between(1, 9), flag: boolean, name: prefixed(u8, utf8()), data: bytes() },
        },
      },
      out: { B: { command: 1, fields: { big: u64be, key: bytes(4) } } },
      maxFrameBytes: 20,
      unknownCommand: 'message',
      invalidPayload: 'message',
    });
    expect(messages).toEqual([
      {
        type: 'A',
        direction: 'in',
        fields: {
          id: { kind: 'integer', min: 1, max: 9 },
          flag: { kind: 'boolean' },
          name: { kind: 'text', max: 14 },
          data: { kind: 'bytes', max: 14 },
        },
      },
      {
        type: 'UNKNOWN_COMMAND',
        direction: 'in',
        fields: { command: { kind: 'integer', min: 0, max: 2 ** 32 - 1 }, payload: { kind: 'bytes', max: 20 } },
      },
      {
        type: 'INVALID_PAYLOAD',
        direction: 'in',
        fields: { command: { kind: 'integer', min: 0, max: 2 ** 32 - 1 }, reason: { kind: 'text' } },
      },
      {
        type: 'B',
        direction: 'out',
        fields: {
          big: { kind: 'bigint', min: '0', max: '18446744073709551615' },
          key: { kind: 'bytes', min: 4, max: 4 },
        },
      },
    ]);
  });
});
