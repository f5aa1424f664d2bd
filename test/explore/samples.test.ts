/** Messages that are made from what a codec says of them: by hand, few; and as arbitraries, many. */
import * as fc from 'fast-check';
import { describe, expect, expectTypeOf, test } from 'vitest';
import {
  boolean,
  bytes,
  ByteQueue,
  type Codec,
  commands,
  delimited,
  i32be,
  lengthPrefixed,
  lines,
  mapped,
  type Message,
  type MessageDescription,
  prefixed,
  raw,
  streamed,
  u16be,
  u64le,
  u8,
  utf8,
} from '../../src/codec/index.js';
import { otherEndOf } from '../../src/codec/other-end.js';
import { arbitraryOf } from '../../src/testing/fast-check/index.js';
import { messagesOf } from '../../src/explore/samples.js';

const control = commands({
  in: {
    ALL: { command: 7, fields: { a: u8.between(1, 9), b: i32be, c: u64le, d: boolean, e: prefixed(u8, utf8()), f: bytes() } },
    EMPTY: { command: 8 },
  },
  out: { DONE: { command: 9, fields: { id: bytes(4) } } },
  command: u16be,
}); // prettier-ignore

/** A codec of these fields alone, for what is made of a description. */
const described = (fields: MessageDescription['fields']): Codec<Message> => ({
  messages: [{ type: 'M', direction: 'both', fields }],
  encode: () => new Uint8Array(),
  decode: () => undefined,
  end: () => undefined,
});

describe('messagesOf', () => {
  test('varies one field at a time: the middle of all, then the least and the most of each', () => {
    expect(messagesOf(control).ALL).toHaveLength(1 + 2 + 2 + 2 + 1 + 2 + 2);
    const numbers = commands({ in: { BET: { command: 1, fields: { face: u8.between(1, 6), sum: u16be } } }, out: {} });
    expect(messagesOf(numbers).BET).toEqual([
      { type: 'BET', face: 3, sum: 32_767 },
      { type: 'BET', face: 1, sum: 32_767 },
      { type: 'BET', face: 6, sum: 32_767 },
      { type: 'BET', face: 3, sum: 0 },
      { type: 'BET', face: 3, sum: 65_535 },
    ]);
    expect(messagesOf(control).EMPTY).toEqual([{ type: 'EMPTY' }]);
  });

  test.each([
    [{ kind: 'bigint', min: '-8', max: '8' }, [0n, -8n, 8n]],
    [{ kind: 'boolean' }, [false, true]],
    [{ kind: 'constant', value: 'v1' }, ['v1']],
    [{ kind: 'integer', min: 5, max: 5 }, [5]],
    [{ kind: 'text', min: 1, max: 3 }, ['aa', 'a', 'aaa']],
    [{ kind: 'text', max: 2, excludes: ['ab', 'b'] }, ['c', '', 'cc']],
    [{ kind: 'bytes', min: 2, max: 2 }, [Uint8Array.of(0x61, 0x61)]],
    [{ kind: 'bytes', max: 2, excludes: [[0x61, 0x62]] }, [Uint8Array.of(0x62), new Uint8Array(), Uint8Array.of(0x62, 0x62)]],
  ] as [MessageDescription['fields'][string], unknown[]][])('%j: its middle, its least and its most', (field, values) => {
    expect(messagesOf(described({ value: field })).M).toEqual(values.map((value) => ({ type: 'M', value })));
  }); // prettier-ignore

  test('text and bytes without a maximum have 64 bytes at most, or what bytesMax says, or their own minimum', () => {
    const lengths = (bytesMax?: number) =>
      (messagesOf(described({ value: { kind: 'text', min: 3 } }), { ...(bytesMax && { bytesMax }) }).M as unknown as { value: string }[])
        .map(({ value }) => value.length); // prettier-ignore
    expect(lengths()).toEqual([33, 3, 64]);
    expect(lengths(2)).toEqual([3]);
    expect(() => messagesOf(control, { bytesMax: 0 })).toThrow('messagesOf.bytesMax: expected an integer from 1');
  });

  test('a field in which nothing can stand is refused by name', () => {
    const excludes = Array.from({ length: 256 }, (_, byte) => [byte]);
    expect(() => messagesOf(described({ value: { kind: 'bytes', excludes } }))).toThrow('nothing can stand in it');
  });

  test('its types are those of the codec', () => {
    const samples = messagesOf(control);
    expectTypeOf(samples.EMPTY[0]).toEqualTypeOf<{ type: 'EMPTY' } | undefined>();
    expectTypeOf<NonNullable<(typeof samples.ALL)[0]>['c']>().toEqualTypeOf<bigint>();
    expectTypeOf(samples.DONE[0]).toEqualTypeOf<{ type: 'DONE'; id: Uint8Array } | undefined>();
  });
});

const round = (make: () => Codec<any, any>, messages: readonly Message[]): Message[] => {
  const [other, ours, queue] = [otherEndOf(make), make() as Codec, new ByteQueue()];
  for (const message of messages) queue.push(other.encode(message));
  const decoded: Message[] = [];
  for (let next = ours.decode(queue); next !== undefined; next = ours.decode(queue)) decoded.push(next);
  return decoded;
};

const thermometer = () =>
  mapped(lines({ maxFrameBytes: 32 }), {
    decode: ({ text }) => ({ type: 'TEMPERATURE', celsius: Number(text) }),
    encode: ({ celsius }: { type: string; celsius: number }) => ({ type: 'LINE' as const, text: String(celsius) }),
    messages: [
      { type: 'TEMPERATURE', direction: 'both', fields: { celsius: { kind: 'integer', min: -273, max: 1_000 } } },
    ],
  });

const codecs: [name: string, make: () => Codec<any, any>][] = [
  ...([1, 2, 4, 8] as const).map((lengthBytes): [string, () => Codec] => [
    `lengthPrefixed, ${lengthBytes} bytes`,
    () => lengthPrefixed({ lengthBytes, maxFrameBytes: 200 }),
  ]),
  ['lines', () => lines({ maxFrameBytes: 100 })],
  ['lines, CR LF, all lenient', () => lines({ ending: '\r\n', invalidUtf8: 'replace', bareCr: 'keep', lastLine: 'deliver' })],
  ['delimited by 1 byte', () => delimited({ delimiter: '\x01' })],
  ['delimited by 3 bytes', () => delimited({ delimiter: Uint8Array.of(1, 1, 2), lastFrame: 'deliver' })],
  ['commands', () => control],
  ['mapped lines', thermometer],
]; // prettier-ignore

describe.each(codecs)('%s', (_, make) => {
  const types = make().messages.flatMap(({ type, direction }) => (direction === 'out' ? [] : [type]));

  test('each sample is encoded by the other end, and comes back equal', () => {
    const samples = messagesOf(make()) as Record<string, readonly Message[]>;
    for (const type of types) for (const sample of samples[type]!) expect(round(make, [sample])).toEqual([sample]);
  });

  test('so do messages of the arbitraries, in a row', () => {
    const arbitraries = arbitraryOf(make()) as Record<string, fc.Arbitrary<Message>>;
    const one = fc.oneof(...types.map((type) => arbitraries[type]!));
    fc.assert(
      fc.property(fc.array(one, { maxLength: 5 }), (messages) => {
        expect(round(make, messages)).toEqual(messages);
      }),
    );
  });
});

describe('arbitraryOf', () => {
  test('raw bytes and the pieces of a streamed payload come back as a whole', () => {
    const { BYTES } = arbitraryOf(raw());
    const all = (messages: readonly Message[], part: string) =>
      messages.flatMap((one) => [...(((one as never)[part] as Uint8Array | undefined) ?? [])]);
    fc.assert(
      fc.property(fc.array(BYTES), (messages) => {
        expect(
          all(
            round(() => raw(), messages),
            'bytes',
          ),
        ).toEqual(all(messages, 'bytes'));
      }),
    );
    const { PAYLOAD_CHUNK } = arbitraryOf(streamed());
    fc.assert(
      fc.property(PAYLOAD_CHUNK, (chunk) => {
        const start = { type: 'PAYLOAD_START', byteLength: chunk.bytes.byteLength };
        const sent = [start, ...(chunk.bytes.byteLength > 0 ? [chunk] : []), { type: 'PAYLOAD_END' }];
        expect(
          all(
            round(() => streamed(), sent),
            'bytes',
          ),
        ).toEqual([...chunk.bytes]);
      }),
    );
  });

  test('stays within what a field says, whatever is drawn', () => {
    const fields = {
      text: { kind: 'text', min: 2, max: 5, excludes: ['a', 'é'] },
      bytes: { kind: 'bytes', min: 1, max: 4, excludes: [[0], [1, 2]] },
    } as const;
    const { M } = arbitraryOf(described(fields) as Codec<{ type: 'M'; text: string; bytes: Uint8Array }>);
    fc.assert(
      fc.property(M, ({ text, bytes: drawn }) => {
        const size = new TextEncoder().encode(text).byteLength;
        expect(size).toBeGreaterThanOrEqual(2);
        expect(size).toBeLessThanOrEqual(5);
        expect(text).not.toMatch(/[aé]/);
        expect(drawn.length >= 1 && drawn.length <= 4 && !drawn.includes(0) && !drawn.includes(1)).toBe(true);
      }),
    );
  });

  test('its types are those of the codec', () => {
    type Arbitraries = ReturnType<typeof arbitraryOf<typeof control>>;
    expectTypeOf<Arbitraries['EMPTY']>().toEqualTypeOf<fc.Arbitrary<{ type: 'EMPTY' }>>();
    expectTypeOf<keyof Arbitraries>().toEqualTypeOf<'ALL' | 'EMPTY' | 'DONE'>();
  });
});
