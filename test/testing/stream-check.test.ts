/** What a world holds against a session's bytes. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { StreamCheck } from '../../src/testing/stream-check.js';

test('bytes that arrive in any pieces are right as long as they are the next ones', () => {
  const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 100 });
  fc.assert(
    fc.property(pieces, fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }), (sent, cuts) => {
      const check = new StreamCheck();
      for (const piece of sent) check.sent(piece);
      const all = Buffer.concat(sent);
      for (let at = 0, n = 0; at < all.length; n += 1) {
        const length = Math.min(cuts[n % cuts.length]!, all.length - at);
        expect(check.pendingBytes).toBe(all.length - at);
        expect(check.arrived(all.subarray(at, at + length))).toBeUndefined();
        at += length;
      }
      expect(check.pendingBytes).toBe(0);
    }),
  );
});

test('a changed byte, a byte too many, and a byte that is left out are each told', () => {
  const check = new StreamCheck();
  check.sent(Uint8Array.of(1, 2, 3));
  expect(check.arrived(Uint8Array.of(1, 2, 3, 4))).toBe('4 bytes arrive at byte 0, and only 3 are under way');
  expect(check.arrived(Uint8Array.of(1))).toBeUndefined();
  expect(check.arrived(Uint8Array.of(3))).toBe('byte 1 is 3, and was sent as 2');
});
