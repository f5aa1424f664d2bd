import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteQueue } from '../../src/codec/index.js';
import { concat, oneByOne } from './feed.js';

const filled = (...chunks: Uint8Array[]) => {
  const queue = new ByteQueue();
  chunks.forEach((chunk) => queue.push(chunk));
  return queue;
};

const counting = (length: number) => Uint8Array.from({ length }, (_, i) => i & 0xff);

describe('reading', () => {
  test('the example of the docstring: a frame of 3 bytes behind a 2-byte length, in two pieces', () => {
    const queue = new ByteQueue();
    queue.push(Uint8Array.of(0, 3, 97, 98));
    expect(queue.uint(0, 2)).toBe(3);
    queue.push(Uint8Array.of(99));
    queue.skip(2);
    expect(queue.take(3)).toEqual(Uint8Array.of(97, 98, 99));
    expect(queue.byteLength).toBe(0);
  });

  test.each([
    { size: 1, littleEndian: false, value: 0xf1 },
    { size: 1, littleEndian: true, value: 0xf1 },
    { size: 2, littleEndian: false, value: 0xf1f2 },
    { size: 2, littleEndian: true, value: 0xf2f1 },
    { size: 4, littleEndian: false, value: 0xf1f2f3f4 },
    { size: 4, littleEndian: true, value: 0xf4f3f2f1 },
  ] as const)('f1 f2 f3 f4 read as $size bytes, littleEndian $littleEndian, is $value, split or not', (row) => {
    const bytes = Uint8Array.of(9, 0xf1, 0xf2, 0xf3, 0xf4);
    for (const queue of [filled(bytes), filled(...oneByOne(bytes))]) {
      expect(queue.uint(1, row.size, row.littleEndian)).toBe(row.value);
    }
  });

  test('8 bytes are read as a bigint in both byte orders', () => {
    const queue = filled(Uint8Array.of(0xf1, 2, 3, 4, 5, 6, 7, 8));
    expect(queue.bigUint(0)).toBe(0xf102030405060708n);
    expect(queue.bigUint(0, true)).toBe(0x08070605040302f1n);
  });

  test.each([
    ['byteAt(3)', (queue: ByteQueue) => queue.byteAt(3)],
    ['byteAt(-1)', (queue: ByteQueue) => queue.byteAt(-1)],
    ['byteAt(NaN)', (queue: ByteQueue) => queue.byteAt(NaN)],
    ['peek(4)', (queue: ByteQueue) => queue.peek(4)],
    ['take(4)', (queue: ByteQueue) => queue.take(4)],
    ['take(-1)', (queue: ByteQueue) => queue.take(-1)],
    ['skip(4)', (queue: ByteQueue) => queue.skip(4)],
    ['slice(2, 2)', (queue: ByteQueue) => queue.slice(2, 2)],
    ['uint(0, 4)', (queue: ByteQueue) => queue.uint(0, 4)],
    ['bigUint(0)', (queue: ByteQueue) => queue.bigUint(0)],
    ['indexOf(0, -1)', (queue: ByteQueue) => queue.indexOf(0, -1)],
    ['indexOf of nothing', (queue: ByteQueue) => queue.indexOf(new Uint8Array(0))],
  ])('%s of a queue of 3 bytes is a RangeError, and nothing is taken', (_, call) => {
    const queue = filled(counting(3));
    expect(() => call(queue)).toThrow(RangeError);
    expect(queue.byteLength).toBe(3);
  });

  test('a search does not find what was taken, nor what lies in the unused room of the buffer', () => {
    const queue = filled(Uint8Array.of(7, 1), Uint8Array.of(2));
    queue.skip(1);
    expect(queue.indexOf(7)).toBe(-1);
    expect(queue.indexOf(0)).toBe(-1);
    expect(queue.indexOf(Uint8Array.of(2, 0))).toBe(-1);
    expect(queue.indexOf(2)).toBe(1);
    expect(queue.indexOf(2, 2)).toBe(-1);
    expect(queue.indexOf(2, 5)).toBe(-1);
  });

  test('any operations on any pieces read what a plain array would', () => {
    const operation = fc.oneof(
      {
        weight: 3,
        arbitrary: fc.record({ do: fc.constant('push' as const), bytes: fc.uint8Array({ maxLength: 900, max: 3 }) }),
      },
      fc.record({ do: fc.constantFrom('take' as const, 'skip' as const), length: fc.nat(150) }),
      fc.record({ do: fc.constant('settle' as const) }),
      fc.record({
        do: fc.constant('find' as const),
        needle: fc.uint8Array({ minLength: 1, maxLength: 4, max: 3 }),
        from: fc.nat(90),
      }),
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
        const queue = new ByteQueue();
        let model: number[] = [];
        const taken: { got: Uint8Array; expected: number[] }[] = [];
        for (const step of operations) {
          if (step.do === 'push') {
            const before = step.bytes.slice();
            queue.push(step.bytes);
            model = [...model, ...step.bytes];
            taken.push({ got: step.bytes, expected: [...before] }); // pushed bytes are never changed
          } else if (step.do === 'settle') queue.settle();
          else if (step.do === 'find') {
            const text = String.fromCharCode(...model);
            expect(queue.indexOf(step.needle, step.from)).toBe(
              text.indexOf(String.fromCharCode(...step.needle), step.from),
            );
            expect(queue.indexOf(step.needle[0]!, step.from)).toBe(model.indexOf(step.needle[0]!, step.from));
          } else {
            const length = Math.min(step.length, model.length);
            const expected = model.slice(0, length);
            if (step.do === 'take') taken.push({ got: queue.take(length), expected });
            else queue.skip(length);
            model = model.slice(length);
          }
          expect(queue.byteLength).toBe(model.length);
          expect([...queue.peek(model.length)]).toEqual(model);
        }
        for (const { got, expected } of taken) expect([...got]).toEqual(expected);
      }),
    );
  });
});

describe('memory', () => {
  test('a queue that was empty adopts 64 KiB without a copy, and a frame of a quarter of it is a view', () => {
    const chunk = counting(65_536);
    const queue = filled(chunk);
    expect(queue.take(16_384).buffer).toBe(chunk.buffer);
    expect(queue.take(49_152).buffer).toBe(chunk.buffer);
  });

  test.each([0, 1, 10, 48, 49, 64])('a slice of %i bytes of 64 KiB is a copy of its own size', (length) => {
    const taken = filled(counting(65_536)).take(length);
    expect(taken.buffer.byteLength).toBe(length);
    expect(taken).toEqual(counting(65_536).slice(0, length));
  });

  test.each([65, 1_000, 16_383])(
    'slices of %i bytes of 64 KiB are copies behind which lie at most four times as many',
    (length) => {
      const chunk = counting(65_536);
      const queue = filled(chunk);
      const buffers = new Set<ArrayBufferLike>();
      let taken = 0;
      for (; queue.byteLength >= length; taken++) {
        const slice = queue.take(length);
        expect(slice.buffer.byteLength).toBeLessThanOrEqual(4 * length);
        expect(Buffer.compare(slice, chunk.subarray(taken * length, (taken + 1) * length))).toBe(0);
        buffers.add(slice.buffer);
      }
      expect(buffers.size).toBeLessThanOrEqual(Math.ceil(taken / 4)); // they share them
    },
  );

  test('a slice of a small view of a pool of 64 KiB is a copy: what counts is the buffer behind it', () => {
    const pool = counting(65_536);
    expect(filled(pool.subarray(100, 120)).take(20).buffer.byteLength).toBe(20);
  });

  test('a remainder of 10 bytes lets go of its 64 KiB when the queue settles, and reads on', () => {
    const queue = filled(counting(65_536));
    queue.skip(65_526);
    expect(queue.peek(10).buffer.byteLength).toBe(65_536);
    queue.settle();
    expect(queue.peek(10).buffer.byteLength).toBe(10);
    queue.push(Uint8Array.of(1));
    expect(queue.peek(11)).toEqual(Uint8Array.of(246, 247, 248, 249, 250, 251, 252, 253, 254, 255, 1));
  });

  test('a remainder of a quarter or more is not copied again and again', () => {
    const queue = filled(counting(64_000));
    queue.skip(48_000);
    const before = queue.peek(1).buffer;
    queue.settle();
    expect(queue.peek(1).buffer).toBe(before);
  });

  test('a queue that was emptied keeps no buffer', () => {
    const queue = filled(counting(1_000), counting(1_000));
    queue.take(2_000);
    expect(queue.peek(0).buffer.byteLength).toBe(0);
  });

  test.each([
    ['pushed as a Buffer', () => filled(Buffer.alloc(100, 1))],
    ['pushed as two Buffers', () => filled(Buffer.alloc(50, 1), Buffer.alloc(50, 1))],
    ['pushed as a Uint8Array', () => filled(new Uint8Array(100).fill(1))],
  ])('whatever leaves the queue is a plain Uint8Array: %s', (_, make) => {
    const queue = make();
    for (const bytes of [queue.peek(5), queue.take(5), queue.take(60), queue.take(35)]) {
      expect(Object.getPrototypeOf(bytes)).toBe(Uint8Array.prototype);
    }
  });

  test('a view that was taken keeps its bytes while the queue goes on', () => {
    const queue = filled(counting(40), counting(40));
    const taken = queue.take(60);
    for (let i = 0; i < 20; i++) queue.push(new Uint8Array(50).fill(0xee));
    expect(taken).toEqual(concat([counting(40), counting(20)]));
  });
});

describe('linear work', () => {
  test.each([1, 7, 1_000, 65_536])(
    '1 MiB in pieces of %i bytes is copied into at most 21 buffers of at most 4 MiB in all',
    (size) => {
      const queue = new ByteQueue();
      const buffers = new Set<ArrayBufferLike>();
      for (let left = 1 << 20; left > 0; left -= size) {
        queue.push(new Uint8Array(Math.min(size, left)));
        queue.settle();
        buffers.add(queue.peek(0).buffer);
      }
      expect(queue.byteLength).toBe(1 << 20);
      expect(buffers.size).toBeLessThanOrEqual(21);
      expect([...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0)).toBeLessThanOrEqual(4 << 20);
      expect(queue.peek(0).buffer.byteLength).toBeLessThanOrEqual((2 << 20) + 65_536);
    },
  );

  test('small frames that each leave a remainder copy less than four times what was pushed', () => {
    const queue = new ByteQueue();
    const buffers = new Set<ArrayBufferLike>();
    for (let i = 0; i < 1_000; i++) {
      queue.push(new Uint8Array(1_000));
      while (queue.byteLength >= 64) queue.skip(64);
      queue.settle();
      if (queue.byteLength > 0) buffers.add(queue.peek(0).buffer);
    }
    expect([...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0)).toBeLessThan(4_000_000);
  });
});
