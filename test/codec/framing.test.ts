import * as fc from 'fast-check';
import { describe, expect, expectTypeOf, test } from 'vitest';
import {
  type Codec,
  delimited,
  type FrameMessage,
  lengthPrefixed,
  type LengthPrefixedOptions,
  type LineMessage,
  lines,
  type MessageIn,
  type MessageOut,
  PeerError,
  raw,
  truncatedUnlessEmpty,
} from '../../src/codec/index.js';
import { ascii, concat, CountingQueue, feed, oneByOne } from './feed.js';

const frame = (payload: Uint8Array): FrameMessage => ({ type: 'FRAME', payload });
const line = (text: string): LineMessage => ({ type: 'LINE', text });

function header(value: bigint, size: number, littleEndian: boolean): Uint8Array {
  const bytes = Uint8Array.from({ length: size }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
  return littleEndian ? bytes : bytes.reverse();
}

describe('a codec written by hand', () => {
  const bytesOfOne = (): Codec<{ type: 'BYTE'; value: number }> => ({
    messages: [{ type: 'BYTE', direction: 'both', fields: { value: { kind: 'integer', min: 0, max: 255 } } }],
    encode: (message) => Uint8Array.of(message.value),
    decode: (buffer) => (buffer.byteLength === 0 ? undefined : { type: 'BYTE', value: buffer.take(1)[0]! }),
    end: (buffer) => truncatedUnlessEmpty(buffer),
  });

  test('the example of the contract decodes byte by byte', () => {
    expect(feed(bytesOfOne(), [Uint8Array.of(1, 2)]).messages).toEqual([
      { type: 'BYTE', value: 1 },
      { type: 'BYTE', value: 2 },
    ]);
    expectTypeOf<MessageIn<typeof bytesOfOne>>().toEqualTypeOf<{ type: 'BYTE'; value: number }>();
  });

  test('a FIN with 1 byte left says "1 byte"', () => {
    const stuck: Codec = { ...bytesOfOne(), encode: () => new Uint8Array(), decode: () => undefined };
    expect(feed(stuck, [Uint8Array.of(1)]).error).toMatchObject({
      code: 'FRAME_TRUNCATED',
      message: 'the peer ended with 1 byte of an unfinished frame',
    });
  });
});

describe('lengthPrefixed', () => {
  test('the example of the docstring: a 2-byte length in front', () => {
    const frames = lengthPrefixed({ lengthBytes: 2, maxFrameBytes: 4_096 });
    expect(frames.encode(frame(Uint8Array.of(7)))).toEqual(Uint8Array.of(0, 1, 7));
    expectTypeOf(frames).toEqualTypeOf<Codec<FrameMessage>>();
    expectTypeOf<MessageOut<typeof frames>>().toEqualTypeOf<FrameMessage>();
  });

  const formats = [1, 2, 4, 8].flatMap((lengthBytes) =>
    [false, true].flatMap((littleEndian) =>
      [false, true].map((lengthIncludesHeader) => ({ lengthBytes, littleEndian, lengthIncludesHeader })),
    ),
  ) as Required<Omit<LengthPrefixedOptions, 'maxFrameBytes'>>[];

  describe.each(formats)(
    'length of $lengthBytes bytes, little-endian $littleEndian, header counted $lengthIncludesHeader',
    (format) => {
      const { lengthBytes, littleEndian, lengthIncludesHeader } = format;
      const counted = lengthIncludesHeader ? lengthBytes : 0;
      const limit = 100;
      const decodeLength = (claimed: bigint) =>
        feed(lengthPrefixed({ ...format, maxFrameBytes: limit }), [header(claimed, lengthBytes, littleEndian)], {
          fin: false,
        });

      test.each([0, 1, limit])('a payload of %i bytes passes, and stands on the wire as the format says', (length) => {
        const payload = new Uint8Array(length).fill(5);
        const codec = lengthPrefixed({ ...format, maxFrameBytes: limit });
        const bytes = codec.encode(frame(payload));
        expect(bytes).toEqual(concat([header(BigInt(length + counted), lengthBytes, littleEndian), payload]));
        expect(feed(codec, [bytes])).toMatchObject({ messages: [frame(payload)], left: 0 });
      });

      const claims = [
        101n,
        255n,
        256n,
        65_535n,
        2n ** 31n - 1n,
        2n ** 31n,
        2n ** 32n - 1n,
        2n ** 32n + 1n,
        2n ** 53n,
        2n ** 53n + 1n,
        2n ** 64n - 1n,
      ];
      const expressible = claims.filter((claim) => claim + BigInt(counted) < 2n ** BigInt(8 * lengthBytes));
      test.each(expressible)(
        'a claim of %s bytes is refused by its header alone, naming it and the limit of 100',
        (claim) => {
          const { error, left } = decodeLength(claim + BigInt(counted));
          expect(error).toMatchObject({ code: 'FRAME_TOO_LONG' });
          expect(error!.message).toBe(`frame of ${claim} bytes is longer than the limit of 100`);
          expect(left).toBe(lengthBytes);
        },
      );

      test('a claim of exactly the limit waits for its bytes', () => {
        expect(decodeLength(BigInt(limit + counted))).toMatchObject({
          messages: [],
          code: undefined,
          left: lengthBytes,
        });
      });

      test('a length that is less than the header it counts is FRAME_INVALID', () => {
        for (let claim = 0; claim < counted; claim++) expect(decodeLength(BigInt(claim)).code).toBe('FRAME_INVALID');
      });
    },
  );

  test('1000 frames and a half in one piece arrive in order, and the half stays', () => {
    const codec = lengthPrefixed();
    const frames = Array.from({ length: 1_000 }, (_, i) => frame(Uint8Array.of(i >> 8, i & 255)));
    const bytes = concat([...frames.map((each) => codec.encode(each)), Uint8Array.of(0, 0, 0)]);
    expect(feed(codec, [bytes], { fin: false })).toMatchObject({ messages: frames, left: 3 });
    expect(feed(codec, [bytes])).toMatchObject({ messages: frames, code: 'FRAME_TRUNCATED' });
  });

  test('a frame of 1 MiB passes by default, byte by byte too; one byte more is refused', () => {
    const codec = lengthPrefixed();
    const payload = new Uint8Array(1_048_576).fill(3);
    const bytes = codec.encode(frame(payload));
    const { messages } = feed(codec, oneByOne(bytes));
    expect(messages).toHaveLength(1);
    expect(Buffer.compare(messages[0]!.payload, payload)).toBe(0);
    expect(() => codec.encode(frame(new Uint8Array(1_048_577)))).toThrow(TypeError);
    expect(feed(codec, [header(1_048_577n, 4, false)]).code).toBe('FRAME_TOO_LONG');
  });

  test('a payload that the length cannot express is a TypeError, whatever the limit: 255 bytes with 1 byte that counts itself', () => {
    const codec = lengthPrefixed({ lengthBytes: 1, lengthIncludesHeader: true });
    expect(codec.encode(frame(new Uint8Array(254)))[0]).toBe(255);
    expect(() => codec.encode(frame(new Uint8Array(255)))).toThrow(TypeError);
    expect(codec.messages[0]!.fields).toEqual({ payload: { kind: 'bytes', max: 254 } });
  });

  test('encoded messages of any size do not overwrite each other', () => {
    const codec = lengthPrefixed();
    const sizes = [0, 60, 61, 100, 2_000, 3_000, 9_000];
    const all = Array.from({ length: 200 }, (_, i) => new Uint8Array(sizes[i % sizes.length]!).fill(i));
    const encoded = all.map((payload) => codec.encode(frame(payload)));
    expect(feed(codec, encoded).messages).toEqual(all.map(frame));
  });

  test.each([
    ['lengthBytes 3', { lengthBytes: 3 }, /lengthBytes is 3, expected 1 or 2 or 4 or 8/],
    ['maxFrameBytes 0', { maxFrameBytes: 0 }, /maxFrameBytes is 0, expected a whole number from 1 up/],
    ['maxFrameBytes 1.5', { maxFrameBytes: 1.5 }, /maxFrameBytes is 1.5/],
    ['maxFrameBytes 2^53', { maxFrameBytes: 2 ** 53 }, /maxFrameBytes is 9007199254740992/],
    ['maxFrameBytes "10"', { maxFrameBytes: '10' }, /maxFrameBytes is "10"/],
    ['littleEndian 1', { littleEndian: 1 }, /littleEndian is 1, expected true or false/],
  ])('%s is refused when the codec is made', (_, options, message) => {
    expect(() => lengthPrefixed(options as LengthPrefixedOptions)).toThrow(message);
  });

  test.each([
    ['of another type', { type: 'LINE', payload: new Uint8Array() }],
    ['without a payload', { type: 'FRAME' }],
    ['with text', { type: 'FRAME', payload: 'text' }],
  ])('a message %s is a TypeError', (_, message) => {
    expect(() => lengthPrefixed().encode(message as FrameMessage)).toThrow(TypeError);
  });
});

describe('lines', () => {
  const decode = (text: string | Uint8Array, options = {}, fin = false) =>
    feed(lines(options), [typeof text === 'string' ? ascii(text) : text], { fin });

  test('the example of the docstring: CR LF where it is asked for', () => {
    expect(lines({ maxFrameBytes: 512, ending: '\r\n' }).encode(line('hello'))).toEqual(ascii('hello\r\n'));
    expect(lines().encode(line('hello'))).toEqual(ascii('hello\n'));
  });

  test.each([
    { name: 'LF and CR LF end lines, in one stream too', input: 'a\nb\r\nc\n', texts: ['a', 'b', 'c'] },
    { name: 'an empty line is a line', input: '\n\r\n', texts: ['', ''] },
    { name: 'a NUL is text', input: 'a\0b\n', texts: ['a\0b'] },
    { name: 'a byte order mark is text', input: '\ufeffa\n', texts: ['\ufeffa'] },
    { name: 'characters of 2, 3 and 4 bytes', input: 'é€😀\n', texts: ['é€😀'] },
  ])('$name, in one piece and byte by byte', ({ input, texts }) => {
    expect(decode(input).messages).toEqual(texts.map(line));
    expect(feed(lines(), oneByOne(ascii(input))).messages).toEqual(texts.map(line));
  });

  test('invalid UTF-8 is FRAME_INVALID, or U+FFFD where the option says so, and the next line is untouched', () => {
    const bytes = Uint8Array.of(0x61, 0xff, 0x0a, 0x62, 0x0a);
    expect(decode(bytes)).toMatchObject({ messages: [], code: 'FRAME_INVALID' });
    expect(decode(bytes, { invalidUtf8: 'replace' }).messages).toEqual([line('a\ufffd'), line('b')]);
    expect(decode('ok\n').messages).toEqual([line('ok')]);
  });

  test('a CR without LF is FRAME_INVALID, or text where the option says so', () => {
    expect(decode('a\rb\n').code).toBe('FRAME_INVALID');
    expect(decode('a\r\r\n').code).toBe('FRAME_INVALID');
    expect(decode('a\rb\n', { bareCr: 'keep' }).messages).toEqual([line('a\rb')]);
    expect(decode('a\r\r\n', { bareCr: 'keep' }).messages).toEqual([line('a\r')]);
  });

  test.each(['a\nb', 'a\n', 'a\r\nb', 'a\rb', 'a\r', '\n'])(
    'text with a line ending inside is a TypeError: %j',
    (text) => {
      expect(() => lines().encode(line(text))).toThrow(TypeError);
      if (text.includes('\n')) expect(() => lines({ bareCr: 'keep' }).encode(line(text))).toThrow(TypeError);
    },
  );

  test('a kept CR at the end of a text is sent so that it stays text', () => {
    const codec = lines({ bareCr: 'keep' });
    expect(codec.encode(line('a\r'))).toEqual(ascii('a\r\r\n'));
  });

  test.each([
    { input: 'a'.repeat(10) + '\n', code: undefined },
    { input: 'a'.repeat(10) + '\r\n', code: undefined },
    { input: 'a'.repeat(11) + '\n', code: 'FRAME_TOO_LONG' },
    { input: 'a'.repeat(12), code: 'FRAME_TOO_LONG' },
    { input: 'a'.repeat(10) + '\r', code: undefined },
    { input: 'é'.repeat(5) + '\n', code: undefined },
    { input: 'é'.repeat(6) + '\n', code: 'FRAME_TOO_LONG' },
  ])('with a limit of 10 bytes, $input ends as $code', ({ input, code }) => {
    expect(decode(input, { maxFrameBytes: 10 }).code).toBe(code);
    expect(feed(lines({ maxFrameBytes: 10 }), oneByOne(ascii(input)), { fin: false }).code).toBe(code);
  });

  test('encoding counts UTF-8 bytes against the limit: 5 é fit into 10, 6 do not', () => {
    const codec = lines({ maxFrameBytes: 10 });
    expect(codec.encode(line('é'.repeat(5)))).toHaveLength(11);
    expect(() => codec.encode(line('é'.repeat(6)))).toThrow(TypeError);
  });

  test('a last line without an ending is FRAME_TRUNCATED, or delivered where the option says so', () => {
    expect(decode('a\nlast', {}, true)).toMatchObject({ messages: [line('a')], code: 'FRAME_TRUNCATED' });
    expect(decode('a\nlast', { lastLine: 'deliver' }, true)).toMatchObject({
      messages: [line('a'), line('last')],
      left: 0,
    });
    expect(decode('last\r', { lastLine: 'deliver' }, true).messages).toEqual([line('last')]);
    expect(decode('a\n', { lastLine: 'deliver' }, true).messages).toEqual([line('a')]);
  });

  test.each([1, 3, 1_000])('a line of 100 000 bytes in pieces of %i bytes is searched once', (size) => {
    const queue = new CountingQueue();
    const bytes = ascii('x'.repeat(100_000) + '\n');
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
      bytes.slice(i * size, (i + 1) * size),
    );
    expect(feed(lines(), pieces, { queue }).messages).toHaveLength(1);
    expect(queue.scanned).toBeLessThanOrEqual(bytes.length);
  });

  test('a peer that never ends its line is refused after the limit: 1 MiB and 2 bytes by default', () => {
    const queue = new CountingQueue();
    const endless = function* () {
      for (let i = 0; i < 100_000; i++) yield new Uint8Array(1_000);
    };
    expect(feed(lines(), endless(), { queue })).toMatchObject({ code: 'FRAME_TOO_LONG', left: 1_049_000 });
    expect(queue.scanned).toBeLessThanOrEqual(1_049_000);
  });

  test.each([
    ['ending', { ending: '\r' }],
    ['invalidUtf8', { invalidUtf8: 'ignore' }],
    ['lastLine', { lastLine: true }],
    ['bareCr', { bareCr: 'drop' }],
    ['maxFrameBytes', { maxFrameBytes: -1 }],
  ])('a wrong %s is a RangeError that names it', (name, options) => {
    expect(() => lines(options as never)).toThrow(new RegExp(`^${name} is`));
  });

  test('saved state that is no such state is a TypeError', () => {
    for (const state of [undefined, null, {}, { searched: -1 }, { searched: '1' }]) {
      expect(() => lines().restore!(state)).toThrow(TypeError);
    }
  });
});

describe('delimited', () => {
  test('the example of the docstring: frames that end in NUL', () => {
    expect(delimited({ delimiter: '\0' }).encode(frame(Uint8Array.of(7)))).toEqual(Uint8Array.of(7, 0));
  });

  test('a delimiter of 4 bytes is found over every way to cut it', () => {
    const bytes = ascii('ab\r\n\r\nc\r\n\r\n\r\n\r\n');
    for (let cut = 0; cut <= bytes.length; cut++) {
      const { messages } = feed(delimited({ delimiter: '\r\n\r\n' }), [bytes.slice(0, cut), bytes.slice(cut)]);
      expect(messages).toEqual([frame(ascii('ab')), frame(ascii('c')), frame(ascii(''))]);
    }
  });

  test.each([
    { delimiter: 'aa', payload: 'a', refused: true },
    { delimiter: 'aa', payload: 'ba', refused: true },
    { delimiter: 'aab', payload: 'a', refused: false },
    { delimiter: '--', payload: 'x--y', refused: true },
    { delimiter: '--', payload: 'x-y', refused: false },
    { delimiter: '--', payload: '', refused: false },
  ])('with $delimiter as delimiter, sending $payload is refused: $refused', ({ delimiter, payload, refused }) => {
    const codec = delimited({ delimiter });
    if (refused) expect(() => codec.encode(frame(ascii(payload)))).toThrow(TypeError);
    else expect(feed(codec, [codec.encode(frame(ascii(payload)))]).messages).toEqual([frame(ascii(payload))]);
  });

  test('a limit of 10 bytes lets 10 pass, and refuses 11 with or without a delimiter behind', () => {
    const decode = (text: string) =>
      feed(delimited({ delimiter: '--', maxFrameBytes: 10 }), [ascii(text)], { fin: false });
    expect(decode('x'.repeat(10) + '--').messages).toHaveLength(1);
    expect(decode('x'.repeat(10) + '-')).toMatchObject({ code: undefined, left: 11 });
    expect(decode('x'.repeat(11) + '--').code).toBe('FRAME_TOO_LONG');
    expect(decode('x'.repeat(12)).code).toBe('FRAME_TOO_LONG');
    expect(() => delimited({ delimiter: '--', maxFrameBytes: 10 }).encode(frame(new Uint8Array(11)))).toThrow(
      TypeError,
    );
  });

  test('a last frame without its delimiter is FRAME_TRUNCATED, or delivered where the option says so', () => {
    expect(feed(delimited({ delimiter: ';' }), [ascii('a;b')]).code).toBe('FRAME_TRUNCATED');
    const { messages } = feed(delimited({ delimiter: ';', lastFrame: 'deliver' }), [ascii('a;b')]);
    expect(messages).toEqual([frame(ascii('a')), frame(ascii('b'))]);
  });

  test.each([1, 3, 1_000])(
    '100 000 bytes in pieces of %i bytes are searched about once for a delimiter of 4',
    (size) => {
      const queue = new CountingQueue();
      const bytes = ascii('\r\n\r'.repeat(33_333) + '\r\n\r\n');
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.slice(i * size, (i + 1) * size),
      );
      expect(feed(delimited({ delimiter: '\r\n\r\n' }), pieces, { queue }).messages).toHaveLength(1);
      expect(queue.scanned).toBeLessThanOrEqual(bytes.length + 3 * pieces.length);
    },
  );

  test('a delimiter that changes after the codec was made changes nothing', () => {
    const delimiter = Uint8Array.of(1);
    const codec = delimited({ delimiter });
    delimiter[0] = 2;
    expect(codec.encode(frame(Uint8Array.of(5)))).toEqual(Uint8Array.of(5, 1));
    expect(codec.messages[0]!.fields).toEqual({ payload: { kind: 'bytes', max: 1_048_576, excludes: [[1]] } });
  });

  test.each([
    ['empty text', '', RangeError],
    ['no bytes', new Uint8Array(), RangeError],
    ['a number', 0, TypeError],
    ['nothing', undefined, TypeError],
  ])('%s as delimiter is refused when the codec is made', (_, delimiter, kind) => {
    expect(() => delimited({ delimiter: delimiter as never })).toThrow(kind);
  });
});

describe('raw', () => {
  test('the example of the docstring: bytes as they are', () => {
    expect(raw().encode({ type: 'BYTES', bytes: Uint8Array.of(7) })).toEqual(Uint8Array.of(7));
  });

  test('what has arrived comes in messages of at most maxChunkBytes, and a FIN is never wrong', () => {
    const { messages, code } = feed(raw({ maxChunkBytes: 4 }), [new Uint8Array(10)]);
    expect(messages.map(({ bytes }) => bytes.length)).toEqual([4, 4, 2]);
    expect(code).toBeUndefined();
    expect(feed(raw(), [new Uint8Array(100_000)]).messages.map(({ bytes }) => bytes.length)).toEqual([65_536, 34_464]);
  });

  test('a maxChunkBytes of 0 is a RangeError', () => {
    expect(() => raw({ maxChunkBytes: 0 })).toThrow(RangeError);
  });
});

test('a PeerError says its code, its cause and nothing of the text that the peer sent', () => {
  const { error } = feed(lines(), [Uint8Array.of(0xff, 0x0a)]);
  expect(error).toBeInstanceOf(PeerError);
  expect(error).toMatchObject({ name: 'PeerError', code: 'FRAME_INVALID', message: 'line is not valid UTF-8' });
  expect(error!.cause).toBeInstanceOf(TypeError);
});

test('what lines decode can be encoded again, whatever arrives', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (bytes, keep) => {
      const make = () => lines({ bareCr: keep ? 'keep' : 'refuse', lastLine: 'deliver' });
      const { messages } = feed(make(), [bytes]);
      expect(
        feed(
          make(),
          messages.map((message) => make().encode(message)),
        ).messages,
      ).toEqual(messages);
    }),
  );
});
