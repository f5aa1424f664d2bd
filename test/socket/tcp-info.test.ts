import { describe, expect, test } from 'vitest';
import { parseTcpInfo } from '../../src/socket/tcp-info.js';

/** A struct in which each 32-bit word holds its own offset, and the state is ESTABLISHED. */
function struct(length: number, littleEndian = true): Uint8Array {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  for (let offset = 8; offset + 4 <= length; offset += 4) view.setUint32(offset, offset, littleEndian);
  for (const offset of [104, 112, 120, 128, 160, 168, 176, 184, 200, 208]) {
    if (offset + 8 <= length) view.setBigUint64(offset, BigInt(offset), littleEndian);
  }
  bytes[0] = 1;
  bytes[2] = 2;
  return bytes;
}

describe('struct tcp_info', () => {
  test.each([true, false])('232 bytes (Linux 5.4) give every field at its offset, little-endian %s', (littleEndian) => {
    const info = parseTcpInfo(struct(232, littleEndian), littleEndian);
    expect(info).toMatchObject({
      state: 'ESTABLISHED',
      retransmits: 2,
      sendMssBytes: 16,
      unackedSegments: 24,
      lostSegments: 32,
      rttMicroseconds: 68,
      rttVarianceMicroseconds: 72,
      congestionWindowSegments: 80,
      retransmittedTotalSegments: 100,
      pacingRateBytesPerSecond: 104,
      bytesAcked: 120,
      bytesReceived: 128,
      notSentBytes: 144,
      rttMinMicroseconds: 148,
      deliveryRateBytesPerSecond: 160,
      bytesSent: 200,
      sendWindowBytes: 228,
    });
    expect(Object.keys(info!)).toHaveLength(42);
  });

  test('104 bytes (Linux 2.6) end with the total of retransmissions; what came later is undefined, not 0', () => {
    const info = parseTcpInfo(struct(104));
    expect(info?.retransmittedTotalSegments).toBe(100);
    expect(info).not.toHaveProperty('pacingRateBytesPerSecond');
  });

  test('a struct cut inside a field leaves that field out', () => {
    expect(parseTcpInfo(struct(110))).not.toHaveProperty('pacingRateBytesPerSecond');
  });

  test('it reads a view into a larger buffer, of a kernel newer than we know', () => {
    const large = new Uint8Array(400);
    large.set(struct(256), 7);
    expect(parseTcpInfo(large.subarray(7, 263))).toEqual(parseTcpInfo(struct(232)));
  });

  test('every state of net/tcp_states.h has its RFC name; others are UNKNOWN; no byte at all is undefined', () => {
    const names = Array.from({ length: 14 }, (_, state) => parseTcpInfo(Uint8Array.of(state))!.state);
    expect(names.slice(1, 12)).toEqual(
      'ESTABLISHED SYN_SENT SYN_RECEIVED FIN_WAIT_1 FIN_WAIT_2 TIME_WAIT CLOSED CLOSE_WAIT LAST_ACK LISTEN CLOSING'.split(
        ' ',
      ),
    );
    expect([names[0], names[13]]).toEqual(['UNKNOWN', 'UNKNOWN']);
    expect(parseTcpInfo(new Uint8Array(0))).toBeUndefined();
  });
});
