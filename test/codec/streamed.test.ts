import { describe, expect, test } from 'vitest';
import { ByteQueue, type PayloadMessage, streamed, type StreamedOptions } from '../../src/codec/index.js';
import { concat, feed } from './feed.js';

const start = (byteLength: number): PayloadMessage => ({ type: 'PAYLOAD_START', byteLength });
const chunk = (bytes: Uint8Array): PayloadMessage => ({ type: 'PAYLOAD_CHUNK', bytes });
const end: PayloadMessage = { type: 'PAYLOAD_END' };

function send(messages: readonly PayloadMessage[], options?: StreamedOptions): Uint8Array {
  const codec = streamed(options);
  return concat(messages.map((message) => codec.encode(message)));
}

describe('streamed', () => {
  test('the example of the docstring: 2 bytes behind an 8-byte length', () => {
    const bytes = send([start(2), chunk(Uint8Array.of(7, 8)), end], { lengthBytes: 8 });
    expect(bytes).toEqual(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 2, 7, 8));
    expect(feed(streamed({ lengthBytes: 8 }), [bytes]).messages).toEqual([start(2), chunk(Uint8Array.of(7, 8)), end]);
  });

  test('an empty payload is a start and an end', () => {
    expect(feed(streamed(), [send([start(0), end, start(0), end])]).messages).toEqual([start(0), end, start(0), end]);
  });

  test('10 bytes come in chunks of at most maxChunkBytes', () => {
    const bytes = send([start(10), chunk(new Uint8Array(10)), end]);
    const { messages } = feed(streamed({ maxChunkBytes: 4 }), [bytes]);
    expect(messages.map((each) => (each.type === 'PAYLOAD_CHUNK' ? each.bytes.length : each.type))).toEqual([
      'PAYLOAD_START',
      4,
      4,
      2,
      'PAYLOAD_END',
    ]);
  });

  test('a payload of 2^53 - 1 bytes starts, and the queue holds nothing of the 64 KiB that came of it', () => {
    const codec = streamed({ lengthBytes: 8 });
    const queue = new ByteQueue();
    const header = streamed({ lengthBytes: 8 }).encode(start(Number.MAX_SAFE_INTEGER));
    const { messages } = feed(codec, [header, new Uint8Array(65_536)], { fin: false, queue });
    expect(messages.map(({ type }) => type)).toEqual(['PAYLOAD_START', 'PAYLOAD_CHUNK']);
    expect(queue.byteLength).toBe(0);
    expect(() => codec.end(queue)).toThrow(expect.objectContaining({ code: 'FRAME_TRUNCATED' }) as Error);
  });

  test.each([
    { claim: [0, 0x20, 0, 0, 0, 0, 0, 0], bytes: '9007199254740992' },
    { claim: [255, 255, 255, 255, 255, 255, 255, 255], bytes: '18446744073709551615' },
  ])('a claim of $bytes bytes, which a number cannot count, is FRAME_TOO_LONG', ({ claim, bytes }) => {
    const { error } = feed(streamed({ lengthBytes: 8 }), [Uint8Array.from(claim)]);
    expect(error).toMatchObject({ code: 'FRAME_TOO_LONG' });
    expect(error!.message).toContain(bytes);
  });

  test('maxPayloadBytes holds in both directions', () => {
    expect(feed(streamed({ maxPayloadBytes: 9 }), [send([start(10)])]).code).toBe('FRAME_TOO_LONG');
    expect(() => send([start(10)], { maxPayloadBytes: 9 })).toThrow(TypeError);
  });

  test.each([
    ['a header cut off', [0, 0]],
    ['a payload without a byte', [0, 0, 0, 2]],
    ['a payload cut off', [0, 0, 0, 2, 1]],
  ])('a FIN after %s is FRAME_TRUNCATED', (_, bytes) => {
    expect(feed(streamed(), [Uint8Array.from(bytes)]).code).toBe('FRAME_TRUNCATED');
  });

  test.each([
    ['a chunk without a start', [chunk(new Uint8Array(1))]],
    ['an end without a start', [end]],
    ['a second start', [start(1), start(1)]],
    ['chunks above the announced length', [start(3), chunk(new Uint8Array(2)), chunk(new Uint8Array(2))]],
    ['an end below it', [start(3), chunk(new Uint8Array(2)), end]],
    ['a length of -1', [start(-1)]],
    ['a length of 1.5', [start(1.5)]],
    ['a length of 2^32 in 4 bytes', [start(2 ** 32)]],
    ['another message', [{ type: 'FRAME' } as unknown as PayloadMessage]],
  ])('sending %s is a TypeError', (_, messages) => {
    expect(() => send(messages)).toThrow(TypeError);
  });

  test('a codec that takes over saved state goes on in both directions', () => {
    const before = streamed();
    before.encode(start(3));
    before.encode(chunk(new Uint8Array(1)));
    const after = streamed();
    after.restore!(JSON.parse(JSON.stringify(before.save!())));
    expect(() => after.encode(end)).toThrow(/2 bytes below/);
    after.encode(chunk(new Uint8Array(2)));
    expect(after.encode(end)).toHaveLength(0);
    expect(() => after.restore!({ arriving: null, leaving: 'x' })).toThrow(TypeError);
  });

  test.each([
    ['lengthBytes', { lengthBytes: 2 }],
    ['maxChunkBytes', { maxChunkBytes: 0 }],
    ['maxPayloadBytes', { maxPayloadBytes: NaN }],
    ['littleEndian', { littleEndian: 'yes' }],
  ])('a wrong %s is refused when the codec is made', (name, options) => {
    expect(() => streamed(options as never)).toThrow(new RegExp(`^${name} is`));
  });
});
