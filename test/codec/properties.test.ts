/** What holds for every codec, whatever arrives, in whatever pieces. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  boolean,
  bytes,
  type Codec,
  commands,
  delimited,
  i32be,
  lengthPrefixed,
  lines,
  mapped,
  type Message,
  prefixed,
  raw,
  streamed,
  u16be,
  u64le,
  u8,
  utf8,
} from '../../src/codec/index.js';
import { concat, cuts, feed, oneByOne, split } from './feed.js';

interface Sample {
  readonly name: string;
  /** The codec of the side that receives. */
  readonly make: () => Codec<any, any>;
  /** The codec of the side that sends. */
  readonly makePeer?: () => Codec<any, any>;
  readonly messages: fc.Arbitrary<Message[]>;
  /** Longest message that may come out, in bytes. */
  readonly limit: number;
}

const LIMIT = 40;
const payload = fc.uint8Array({ maxLength: LIMIT });
const frames = fc.array(payload.map((bytes) => ({ type: 'FRAME', payload: bytes })));
const withoutByte1 = frames.map((all) =>
  all.map((each) => ({ ...each, payload: each.payload.filter((byte) => byte !== 1) })),
);
const text = fc.string({ unit: 'grapheme', maxLength: 20 }).map((each) => each.replace(/[\r\n]/g, '').slice(0, 10));
const wellFormed = text.map((each) => new TextDecoder().decode(new TextEncoder().encode(each)));
const textLines = fc.array(wellFormed.map((each) => ({ type: 'LINE', text: each })));
const payloads = fc
  .array(payload)
  .map((all) =>
    all.flatMap((bytes) => [
      { type: 'PAYLOAD_START', byteLength: bytes.length },
      ...(bytes.length > 0 ? [{ type: 'PAYLOAD_CHUNK', bytes }] : []),
      { type: 'PAYLOAD_END' },
    ]),
  );

const table = commands({
  in: {
    ALL: {
      command: 7,
      fields: { a: u8.between(1, 9), b: i32be, c: u64le, d: boolean, e: prefixed(u8, utf8()), f: bytes() },
    },
    EMPTY: { command: 8 },
  },
  out: {},
  command: u16be,
  length: u8,
  maxFrameBytes: 80,
  unknownCommand: 'message',
  invalidPayload: 'message',
});
const commandMessages = fc.array(
  fc.oneof(
    fc.constant({ type: 'EMPTY' }),
    fc.record({
      type: fc.constant('ALL'),
      a: fc.integer({ min: 1, max: 9 }),
      b: fc.integer().map((value) => value | 0),
      c: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      d: fc.boolean(),
      e: wellFormed
        .map((each) => each.slice(0, 5))
        .map((each) => new TextDecoder().decode(new TextEncoder().encode(each))),
      f: fc.uint8Array({ maxLength: 20 }),
    }),
  ),
);

const LENGTHS = [1, 2, 4, 8] as const;
const samples: Sample[] = [
  ...LENGTHS.map((lengthBytes, i): Sample => {
    const make = () =>
      lengthPrefixed({ lengthBytes, littleEndian: i % 2 === 1, lengthIncludesHeader: i > 1, maxFrameBytes: LIMIT });
    return { name: `lengthPrefixed, ${lengthBytes} bytes`, make, messages: frames, limit: LIMIT };
  }),
  { name: 'lines', make: () => lines({ maxFrameBytes: LIMIT }), messages: textLines, limit: LIMIT },
  {
    name: 'lines, CR LF, all lenient',
    make: () =>
      lines({ maxFrameBytes: LIMIT, ending: '\r\n', invalidUtf8: 'replace', bareCr: 'keep', lastLine: 'deliver' }),
    messages: textLines,
    limit: 3 * LIMIT,
  },
  {
    name: 'delimited by 1 byte',
    make: () => delimited({ delimiter: '\x01', maxFrameBytes: LIMIT }),
    messages: withoutByte1,
    limit: LIMIT,
  },
  {
    name: 'delimited by 3 bytes, the last one delivered',
    make: () => delimited({ delimiter: Uint8Array.of(1, 1, 2), maxFrameBytes: LIMIT, lastFrame: 'deliver' }),
    messages: withoutByte1,
    limit: LIMIT,
  },
  {
    name: 'raw',
    make: () => raw({ maxChunkBytes: LIMIT }),
    messages: fc.array(payload.map((each) => ({ type: 'BYTES', bytes: each }))),
    limit: LIMIT,
  },
  { name: 'streamed', make: () => streamed({ maxChunkBytes: LIMIT }), messages: payloads, limit: LIMIT },
  {
    name: 'streamed, 8 bytes that count themselves',
    make: () => streamed({ lengthBytes: 8, littleEndian: true, lengthIncludesHeader: true, maxPayloadBytes: LIMIT }),
    messages: payloads,
    limit: LIMIT,
  },
  { name: 'commands', make: () => table, makePeer: () => table.peer(), messages: commandMessages, limit: 80 },
  {
    name: 'mapped lines',
    make: () =>
      mapped(lines({ maxFrameBytes: LIMIT }), {
        decode: ({ text }) => (text === '' ? undefined : { type: 'SAID', text }),
        encode: ({ text }: { type: 'SAID'; text: string }) => ({ type: 'LINE', text }),
        messages: [],
      }),
    messages: textLines.map((all) => all.filter(({ text }) => text !== '').map((each) => ({ ...each, type: 'SAID' }))),
    limit: LIMIT,
  },
];

/** Where a stream is cut into pieces says nothing: neighbours are joined before they are compared. */
function joined(messages: readonly Message[]): Message[] {
  const result: any[] = [];
  for (const message of messages as any[]) {
    const last = result.at(-1);
    if (message.bytes?.length === 0) continue;
    if (message.bytes && last?.type === message.type) last.bytes = concat([last.bytes, message.bytes]);
    else result.push({ ...message });
  }
  return result;
}

const sizeOf = (message: object): number =>
  Math.max(
    0,
    ...Object.values(message).map((value) =>
      value instanceof Uint8Array
        ? value.length
        : typeof value === 'string'
          ? new TextEncoder().encode(value).length
          : 0,
    ),
  );

describe.each(samples)('$name', ({ make, makePeer = make, messages, limit }) => {
  const encoded = (all: readonly Message[]) => {
    const peer = makePeer();
    return concat(all.map((message) => peer.encode(message)));
  };

  test('what was encoded is decoded, in any pieces, by one codec or by successors that take over its state', () => {
    fc.assert(
      fc.property(messages, cuts, (all, places) => {
        const bytes = encoded(all);
        const expected = { messages: joined(all), code: undefined, left: 0 };
        for (const pieces of [[bytes], oneByOne(bytes), split(bytes, places)]) {
          for (const options of [{}, { successor: make }]) {
            const { messages: got, code, left } = feed(make(), pieces, options);
            expect({ messages: joined(got), code, left }).toEqual(expected);
          }
        }
      }),
    );
  });

  // Bytes that are likely to mean something: small lengths, line ends, delimiters.
  const garbage = fc.uint8Array({ maxLength: 300 });
  const nearly = fc.array(fc.constantFrom(0, 0, 0, 1, 1, 2, 7, 8, 9, 10, 13, 41, 0x61, 0xc3, 0xff), { maxLength: 300 });
  const flipped = fc.tuple(messages, fc.nat(), fc.nat(255)).map(([all, at, byte]) => {
    const bytes = encoded(all);
    if (bytes.length > 0) bytes[at % bytes.length] = byte;
    return bytes;
  });
  const anything = fc.oneof(
    garbage,
    nearly.map((all) => Uint8Array.from(all)),
    flipped,
  );

  test('whatever arrives, in any pieces: the same messages within the limit, or the same fault of the peer', () => {
    fc.assert(
      fc.property(anything, cuts, (bytes, places) => {
        const whole = feed(make(), [bytes]);
        for (const message of whole.messages) expect(sizeOf(message)).toBeLessThanOrEqual(limit);
        for (const pieces of [oneByOne(bytes), split(bytes, places)]) {
          for (const options of [{}, { successor: make }]) {
            const { messages: got, code } = feed(make(), pieces, options);
            expect({ messages: joined(got), code }).toEqual({ messages: joined(whole.messages), code: whole.code });
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  test('whatever arrives, no more than one frame and its header stays behind in the queue', () => {
    fc.assert(
      fc.property(anything, cuts, (bytes, places) => {
        const { code, left } = feed(make(), split(bytes, places), { fin: false });
        if (code === undefined) expect(left).toBeLessThanOrEqual(limit + 8);
      }),
    );
  });

  test('its messages are described as plain data, once for each type and direction', () => {
    const { messages: described } = make();
    expect(JSON.parse(JSON.stringify(described))).toEqual(described);
    const keys = described.map(({ type, direction }) => `${type} ${direction}`);
    expect(new Set(keys).size).toBe(keys.length);
  });
});
