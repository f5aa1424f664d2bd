/** What the options of a socket mean on a simulated network, and what is reported of them. */
import type { AppliedOption, TcpSocketOptions } from '../options.js';
import type { AcceptedOptions } from './host.js';

/** IP header and TCP header without options: RFC 9293, 3.7.1. */
const HEADERS_BYTES = { IPv4: 40, IPv6: 60, unix: 0 };
/** Of Ethernet; the system's choice where none is made. */
const SYSTEM_MTU_BYTES = 1_500;

export type Family = keyof typeof HEADERS_BYTES;

export function endOptionsOf(options: TcpSocketOptions, family: Family, systemBufferBytes: number): AcceptedOptions {
  const { sendBufferBytes, receiveBufferBytes, mtuBytes, keepAlive, userTimeoutMs } = options;
  const isTcp = family !== 'unix';
  const bufferBytes = (bytes: number | 'system') => (bytes === 'system' || !isTcp ? systemBufferBytes : bytes);
  return {
    sendBufferBytes: bufferBytes(sendBufferBytes),
    receiveBufferBytes: bufferBytes(receiveBufferBytes),
    mssBytes: (mtuBytes === 'system' ? SYSTEM_MTU_BYTES : mtuBytes) - HEADERS_BYTES[family],
    keepAlive: isTcp && keepAlive,
    userTimeoutMs: isTcp ? userTimeoutMs : 'system',
  };
}

/** The options that both kinds of socket have. */
export function appliedTcpOptions(
  options: TcpSocketOptions,
  family: Family,
  systemBufferBytes: number,
): AppliedOption[] {
  const isTcp = family !== 'unix';
  const kept = (
    option: AppliedOption['option'],
    wanted: number | boolean | 'system',
    system?: number,
  ): AppliedOption => {
    if (!isTcp && wanted !== 'system' && wanted !== false) {
      return {
        option,
        wanted,
        applied: false,
        note: 'a Unix socket has no TCP options, and its buffers are left to the system',
      };
    }
    const actual = wanted === 'system' ? system : wanted;
    return { option, wanted, applied: true, ...(isTcp && actual !== undefined && { actual }) };
  };
  const { keepAlive, noDelay } = options;
  return [
    kept('sendBufferBytes', options.sendBufferBytes, systemBufferBytes),
    kept('receiveBufferBytes', options.receiveBufferBytes, systemBufferBytes),
    kept('mtuBytes', options.mtuBytes, SYSTEM_MTU_BYTES),
    kept('userTimeoutMs', options.userTimeoutMs),
    kept('keepAlive', keepAlive !== false),
    ...(keepAlive === false
      ? []
      : [
          kept('keepAlive.idleMs', keepAlive.idleMs),
          kept('keepAlive.intervalMs', keepAlive.intervalMs),
          kept('keepAlive.count', keepAlive.count),
        ]),
    noDelay
      ? kept('noDelay', true)
      : {
          option: 'noDelay',
          wanted: false,
          applied: false,
          note: 'the simulated network does not wait for small segments',
        },
  ];
}

/** The options of a socket that listens, besides those. */
export function appliedListenOptions(options: TcpSocketOptions, family: Family): AppliedOption[] {
  const { backlog, ipv6Only, reusePort } = options;
  return [
    { option: 'backlog', wanted: backlog, applied: true, actual: backlog },
    ipv6Only && family !== 'IPv6'
      ? { option: 'ipv6Only', wanted: true, applied: false, note: 'the socket is not bound to an IPv6 address' }
      : { option: 'ipv6Only', wanted: ipv6Only, applied: true },
    reusePort
      ? { option: 'reusePort', wanted: true, applied: false, note: 'on the simulated network a port has one listener' }
      : { option: 'reusePort', wanted: false, applied: true },
  ];
}
