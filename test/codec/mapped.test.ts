import { describe, expect, expectTypeOf, test } from 'vitest';
import { type Codec, lengthPrefixed, lines, mapped, type MessageIn, PeerError } from '../../src/codec/index.js';
import { ascii, feed, oneByOne } from './feed.js';

type Temperature = { type: 'TEMPERATURE'; celsius: number };

const thermometer = () =>
  mapped(lines({ maxFrameBytes: 32, lastLine: 'deliver' }), {
    decode: ({ text }): Temperature | undefined => {
      if (text === '') return undefined;
      if (text === 'bug') throw new RangeError('our own fault');
      const celsius = Number(text);
      if (!Number.isInteger(celsius)) throw new PeerError('FRAME_INVALID', 'a temperature is not a whole number');
      return { type: 'TEMPERATURE', celsius };
    },
    encode: ({ celsius }: Temperature) => ({ type: 'LINE', text: String(celsius) }),
    messages: [
      { type: 'TEMPERATURE', direction: 'both', fields: { celsius: { kind: 'integer', min: -273, max: 1000 } } },
    ],
  });

describe('mapped', () => {
  test('the example of the docstring: temperatures over lines', () => {
    expectTypeOf<MessageIn<typeof thermometer>>().toEqualTypeOf<Temperature>();
    expect(thermometer().encode({ type: 'TEMPERATURE', celsius: -5 })).toEqual(ascii('-5\n'));
    expect(feed(thermometer(), [ascii('21\n22\r\n23')]).messages.map(({ celsius }) => celsius)).toEqual([21, 22, 23]);
    expect(thermometer().messages.map(({ type }) => type)).toEqual(['TEMPERATURE']);
  });

  test('a frame that maps to nothing is passed over, and the frames behind it are not held up', () => {
    expect(feed(thermometer(), [ascii('\n\n1\n\n2\n')]).messages.map(({ celsius }) => celsius)).toEqual([1, 2]);
  });

  test("faults of the frame and of the mapping are the peer's, anything else passes through", () => {
    expect(feed(thermometer(), [ascii('warm\n')]).code).toBe('FRAME_INVALID');
    expect(feed(thermometer(), [ascii('1'.repeat(33) + '\n')]).code).toBe('FRAME_TOO_LONG');
    expect(() => feed(thermometer(), [ascii('bug\n')])).toThrow('our own fault');
  });

  test('the state of the framing is kept, and a framing without state leaves the codec without', () => {
    const bytes = oneByOne(ascii('21\n-4\n'));
    const { messages } = feed(thermometer(), bytes, { successor: thermometer });
    expect(messages.map(({ celsius }) => celsius)).toEqual([21, -4]);

    const frames = mapped(lengthPrefixed(), { decode: (frame) => frame, encode: (frame) => frame, messages: [] });
    expectTypeOf(frames).toExtend<Codec<{ type: 'FRAME'; payload: Uint8Array }>>();
    expect('save' in frames || 'restore' in frames).toBe(false);
  });
});
