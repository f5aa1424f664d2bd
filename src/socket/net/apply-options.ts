/**
 * Sets options on a descriptor and reads them back.
 *
 * The hard question: when. Buffers and the MSS count from the SYN on, and TCP_MAXSEG on a connection that exists is accepted
 * and ignored. So a server sets all of them on its listening descriptor, from which Linux hands them down to each
 * connection (measured: buffers, MSS, keep-alive and its three numbers, user timeout), at no cost per connection; and a client
 * sets them on a descriptor that is made before `net` sees it.
 */
import type { AppliedOption, TcpSocketOptions } from '../options.js';
import { parseTcpInfo } from '../tcp-info.js';
import type { Kernel, KernelOption } from './kernel.js';

export type Family = 'IPv4' | 'IPv6';

/** IP header and TCP header without options: RFC 9293, 3.7.1. */
const HEADERS_BYTES: Record<Family, number> = { IPv4: 40, IPv6: 60 };

export interface Target {
  readonly kernel: Kernel | undefined;
  /** `undefined`: Node does not tell it. */
  readonly fd: number | undefined;
  /** `undefined`: a Unix socket. */
  readonly family: Family | undefined;
}

/** The options that both kinds of socket have. */
export function applyTcpOptions(target: Target, options: TcpSocketOptions): AppliedOption[] {
  const { sendBufferBytes, receiveBufferBytes, mtuBytes, userTimeoutMs } = options;
  if (target.family === undefined || target.kernel === undefined || target.fd === undefined) {
    return withoutKernel(target, options);
  }
  const setter = new Setter(target.kernel, target.fd, target.family);
  return [
    setter.buffer('sendBufferBytes', 'sendBuffer', sendBufferBytes),
    setter.buffer('receiveBufferBytes', 'receiveBuffer', receiveBufferBytes),
    setter.mtu(mtuBytes),
    setter.number('userTimeoutMs', 'userTimeout', userTimeoutMs),
    ...setter.keepAlive(options.keepAlive),
    { option: 'noDelay', wanted: options.noDelay, applied: true }, // set by Node on each connection
  ];
}

/** The options of a socket that listens, besides those. */
export function applyListenOptions(target: Target, options: TcpSocketOptions, canReusePort: boolean): AppliedOption[] {
  const { backlog, ipv6Only, reusePort } = options;
  return [
    backlogOf(target, backlog),
    ipv6Only && target.family !== 'IPv6'
      ? { option: 'ipv6Only', wanted: true, applied: false, note: 'the socket is not bound to an IPv6 address' }
      : { option: 'ipv6Only', wanted: ipv6Only, applied: true },
    reusePort && (!canReusePort || target.family === undefined)
      ? { option: 'reusePort', wanted: true, applied: false, note: noReusePort(target) }
      : { option: 'reusePort', wanted: reusePort, applied: true },
  ];
}

function noReusePort(target: Target): string {
  return target.family === undefined ? 'a Unix socket has no port' : `Node ${process.versions.node} cannot set it`;
}

/** Linux shows the backlog that counts as `tcpi_sacked` of a listening socket. */
function backlogOf({ kernel, fd }: Target, backlog: number): AppliedOption {
  const bytes = kernel !== undefined && fd !== undefined ? kernel.tcpInfo(fd) : undefined;
  const actual = bytes === undefined ? undefined : parseTcpInfo(bytes, kernel?.littleEndian)?.sackedSegments;
  if (actual === undefined || actual === backlog)
    return { option: 'backlog', wanted: backlog, applied: true, ...(actual !== undefined && { actual }) };
  return { option: 'backlog', wanted: backlog, applied: false, actual, note: 'limited by net.core.somaxconn' };
}

class Setter {
  constructor(
    private readonly kernel: Kernel,
    private readonly fd: number,
    private readonly family: Family,
  ) {}

  buffer(option: AppliedOption['option'], name: KernelOption, wanted: number | 'system'): AppliedOption {
    const result = this.number(option, name, wanted);
    if (wanted === 'system' || result.actual === undefined) return result;
    const actual = Number(result.actual);
    if (actual === 2 * wanted)
      return { ...result, applied: true, note: 'Linux doubles it for its bookkeeping: socket(7)' };
    if (actual > 2 * wanted) return { ...result, applied: false, note: 'below the smallest that the kernel allows' };
    return {
      ...result,
      applied: false,
      note: `limited by net.core.${name === 'sendBuffer' ? 'wmem_max' : 'rmem_max'}`,
    };
  }

  mtu(wanted: number | 'system'): AppliedOption {
    const headers = HEADERS_BYTES[this.family];
    const { actual, ...result } = this.number(
      'mtuBytes',
      'maxSegment',
      wanted === 'system' ? wanted : wanted - headers,
    );
    if (actual === undefined) return { ...result, wanted };
    return { ...result, wanted, actual: Number(actual) + headers };
  }

  keepAlive(wanted: TcpSocketOptions['keepAlive']): AppliedOption[] {
    if (wanted === false) return [this.flag('keepAlive', 'keepAlive', false)];
    return [
      this.flag('keepAlive', 'keepAlive', true),
      this.seconds('keepAlive.idleMs', 'keepAliveIdle', wanted.idleMs),
      this.seconds('keepAlive.intervalMs', 'keepAliveInterval', wanted.intervalMs),
      this.number('keepAlive.count', 'keepAliveCount', wanted.count),
    ];
  }

  number(option: AppliedOption['option'], name: KernelOption, wanted: number | 'system'): AppliedOption {
    const failure = wanted === 'system' ? undefined : this.kernel.setOption(this.fd, name, wanted);
    const actual = this.kernel.getOption(this.fd, name);
    return {
      option,
      wanted,
      applied: failure === undefined,
      ...(actual !== undefined && { actual }),
      ...(failure !== undefined && { note: `the kernel refused it: ${failure}` }),
    };
  }

  private seconds(option: AppliedOption['option'], name: KernelOption, wantedMs: number): AppliedOption {
    const { actual, ...result } = this.number(option, name, wantedMs / 1_000);
    return { ...result, wanted: wantedMs, ...(actual !== undefined && { actual: Number(actual) * 1_000 }) };
  }

  private flag(option: AppliedOption['option'], name: KernelOption, wanted: boolean): AppliedOption {
    const { actual, ...result } = this.number(option, name, Number(wanted));
    return { ...result, wanted, ...(actual !== undefined && { actual: actual !== 0 }) };
  }
}

/** What Node can do alone: no delay, and keep-alive with its idle time. */
function withoutKernel(target: Target, options: TcpSocketOptions): AppliedOption[] {
  const note = whyNot(target);
  const plain = (option: AppliedOption['option'], wanted: number | 'system'): AppliedOption =>
    wanted === 'system' ? { option, wanted, applied: true } : { option, wanted, applied: false, note };
  const isTcp = target.family !== undefined;
  const byNode = isTcp && target.kernel === undefined;
  const { keepAlive, noDelay } = options;
  return [
    plain('sendBufferBytes', options.sendBufferBytes),
    plain('receiveBufferBytes', options.receiveBufferBytes),
    plain('mtuBytes', options.mtuBytes),
    plain('userTimeoutMs', options.userTimeoutMs),
    done('keepAlive', keepAlive !== false, byNode || keepAlive === false, note),
    ...(keepAlive === false
      ? []
      : [
          done('keepAlive.idleMs', keepAlive.idleMs, byNode, note),
          done('keepAlive.intervalMs', keepAlive.intervalMs, false, note),
          done('keepAlive.count', keepAlive.count, false, note),
        ]),
    done('noDelay', noDelay, isTcp, note),
  ];
}

function done(
  option: AppliedOption['option'],
  wanted: number | boolean,
  applied: boolean,
  note: string,
): AppliedOption {
  return applied ? { option, wanted, applied } : { option, wanted, applied, note };
}

function whyNot({ kernel, family }: Target): string {
  if (family === undefined) return 'a Unix socket has no TCP options, and its buffers are left to the system';
  if (kernel === undefined) return 'needs koffi, on Linux';
  return 'Node does not tell the descriptor';
}

/** What `net` is told so that keep-alive works without a kernel; with one it would cost system calls per connection. */
export function keepAliveByNode(
  kernel: Kernel | undefined,
  { keepAlive }: TcpSocketOptions,
): { keepAlive?: boolean; keepAliveInitialDelay?: number } {
  if (kernel !== undefined || keepAlive === false) return {};
  return { keepAlive: true, keepAliveInitialDelay: keepAlive.idleMs };
}
