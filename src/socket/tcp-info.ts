/**
 * What the kernel knows of one connection: Linux's `struct tcp_info` (linux/tcp.h; tcp(7), TCP_INFO) with whole words and units.
 *
 * The struct only ever grew at its end, so a kernel is as new as the bytes it gives: a field that is not there is
 * `undefined`, never 0. Field order and sizes are those of the header; 64-bit numbers become JavaScript numbers, exact to 2^53.
 */

export type TcpState =
  | 'ESTABLISHED'
  | 'SYN_SENT'
  | 'SYN_RECEIVED'
  | 'FIN_WAIT_1'
  | 'FIN_WAIT_2'
  | 'TIME_WAIT'
  | 'CLOSED'
  | 'CLOSE_WAIT'
  | 'LAST_ACK'
  | 'LISTEN'
  | 'CLOSING'
  | 'UNKNOWN';

/** All fields but `state` are absent where the kernel is too old for them. Segments are counted, other units are in the name. */
export interface TcpInfo {
  readonly state: TcpState;
  /** Of the segment that is being retransmitted now, in a row. */
  readonly retransmits?: number;
  readonly probes?: number;
  readonly retransmitTimeoutMicroseconds?: number;
  readonly delayedAckTimeoutMicroseconds?: number;
  readonly sendMssBytes?: number;
  readonly receiveMssBytes?: number;
  /** Sent and not acknowledged. */
  readonly unackedSegments?: number;
  readonly sackedSegments?: number;
  /** Thought to be lost now. */
  readonly lostSegments?: number;
  /** Retransmitted and not acknowledged. */
  readonly retransmittedSegments?: number;
  readonly sinceLastDataSentMs?: number;
  readonly sinceLastDataReceivedMs?: number;
  readonly sinceLastAckReceivedMs?: number;
  readonly pathMtuBytes?: number;
  readonly rttMicroseconds?: number;
  readonly rttVarianceMicroseconds?: number;
  readonly slowStartThresholdSegments?: number;
  readonly congestionWindowSegments?: number;
  readonly advertisedMssBytes?: number;
  readonly reorderingSegments?: number;
  readonly receiveRttMicroseconds?: number;
  readonly receiveSpaceBytes?: number;
  /** In the life of the connection. */
  readonly retransmittedTotalSegments?: number;
  readonly pacingRateBytesPerSecond?: number;
  readonly bytesAcked?: number;
  readonly bytesReceived?: number;
  readonly segmentsSent?: number;
  readonly segmentsReceived?: number;
  /** In the kernel's send buffer and not yet sent once. */
  readonly notSentBytes?: number;
  readonly rttMinMicroseconds?: number;
  readonly dataSegmentsReceived?: number;
  readonly dataSegmentsSent?: number;
  readonly deliveryRateBytesPerSecond?: number;
  readonly busyMicroseconds?: number;
  readonly limitedByReceiveWindowMicroseconds?: number;
  readonly limitedBySendBufferMicroseconds?: number;
  readonly deliveredSegments?: number;
  /** Data, retransmissions included. */
  readonly bytesSent?: number;
  readonly bytesRetransmitted?: number;
  readonly outOfOrderSegments?: number;
  /** The window that the peer offers. */
  readonly sendWindowBytes?: number;
}

/** In the order of net/tcp_states.h; 12 is a connection request, which `accept` has not seen yet. */
const STATES: readonly TcpState[] = [
  'UNKNOWN',
  'ESTABLISHED',
  'SYN_SENT',
  'SYN_RECEIVED',
  'FIN_WAIT_1',
  'FIN_WAIT_2',
  'TIME_WAIT',
  'CLOSED',
  'CLOSE_WAIT',
  'LAST_ACK',
  'LISTEN',
  'CLOSING',
  'SYN_RECEIVED',
];

type Size = 'u8' | 'u32' | 'u64';

/** Offset of each field in the struct, in bytes. */
const FIELDS: readonly (readonly [Exclude<keyof TcpInfo, 'state'>, number, Size])[] = [
  ['retransmits', 2, 'u8'],
  ['probes', 3, 'u8'],
  ['retransmitTimeoutMicroseconds', 8, 'u32'],
  ['delayedAckTimeoutMicroseconds', 12, 'u32'],
  ['sendMssBytes', 16, 'u32'],
  ['receiveMssBytes', 20, 'u32'],
  ['unackedSegments', 24, 'u32'],
  ['sackedSegments', 28, 'u32'],
  ['lostSegments', 32, 'u32'],
  ['retransmittedSegments', 36, 'u32'],
  ['sinceLastDataSentMs', 44, 'u32'],
  ['sinceLastDataReceivedMs', 52, 'u32'],
  ['sinceLastAckReceivedMs', 56, 'u32'],
  ['pathMtuBytes', 60, 'u32'],
  ['rttMicroseconds', 68, 'u32'],
  ['rttVarianceMicroseconds', 72, 'u32'],
  ['slowStartThresholdSegments', 76, 'u32'],
  ['congestionWindowSegments', 80, 'u32'],
  ['advertisedMssBytes', 84, 'u32'],
  ['reorderingSegments', 88, 'u32'],
  ['receiveRttMicroseconds', 92, 'u32'],
  ['receiveSpaceBytes', 96, 'u32'],
  ['retransmittedTotalSegments', 100, 'u32'],
  ['pacingRateBytesPerSecond', 104, 'u64'],
  ['bytesAcked', 120, 'u64'],
  ['bytesReceived', 128, 'u64'],
  ['segmentsSent', 136, 'u32'],
  ['segmentsReceived', 140, 'u32'],
  ['notSentBytes', 144, 'u32'],
  ['rttMinMicroseconds', 148, 'u32'],
  ['dataSegmentsReceived', 152, 'u32'],
  ['dataSegmentsSent', 156, 'u32'],
  ['deliveryRateBytesPerSecond', 160, 'u64'],
  ['busyMicroseconds', 168, 'u64'],
  ['limitedByReceiveWindowMicroseconds', 176, 'u64'],
  ['limitedBySendBufferMicroseconds', 184, 'u64'],
  ['deliveredSegments', 192, 'u32'],
  ['bytesSent', 200, 'u64'],
  ['bytesRetransmitted', 208, 'u64'],
  ['outOfOrderSegments', 224, 'u32'],
  ['sendWindowBytes', 228, 'u32'],
];

const BYTES: Record<Size, number> = { u8: 1, u32: 4, u64: 8 };

/**
 * Reads `struct tcp_info`, as long or short as the kernel gave it.
 * @returns `undefined` when there is not even a state.
 */
export function parseTcpInfo(bytes: Uint8Array, littleEndian = true): TcpInfo | undefined {
  if (bytes.byteLength === 0) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const info: Record<string, number | string> = { state: STATES[view.getUint8(0)] ?? 'UNKNOWN' };
  for (const [name, offset, size] of FIELDS) {
    if (offset + BYTES[size] > bytes.byteLength) break;
    info[name] = numberAt(view, offset, size, littleEndian);
  }
  return info as unknown as TcpInfo;
}

function numberAt(view: DataView, offset: number, size: Size, littleEndian: boolean): number {
  if (size === 'u8') return view.getUint8(offset);
  if (size === 'u32') return view.getUint32(offset, littleEndian);
  return Number(view.getBigUint64(offset, littleEndian));
}
