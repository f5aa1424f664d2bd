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
  /** The address that a listening socket is bound to; absent: it is a connection. */
  readonly listensOn?: string;
}

const NOT_READ_BACK = 'set by Node, and not read back';

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
    target.listensOn !== undefined
      ? noDelayOfAccepted(options.noDelay)
      : setter.flag('noDelay', 'noDelay', options.noDelay),
  ];
}

/** The options of a socket that listens, besides those. */
export function applyListenOptions(target: Target, options: TcpSocketOptions, canReusePort: boolean): AppliedOption[] {
  const { backlog, ipv6Only, reusePort } = options;
  return [
    backlogOf(target, backlog),
    ipv6OnlyOf(target, ipv6Only),
    reusePort && (!canReusePort || target.family === undefined)
      ? { option: 'reusePort', wanted: true, applied: false, note: noReusePort(target) }
      : readBack(target, 'reusePort', reusePort),
  ];
}

/** On the listening socket there is nothing to read: Node sets it on each connection that it accepts. */
function noDelayOfAccepted(wanted: boolean): AppliedOption {
  return {
    option: 'noDelay',
    wanted,
    applied: true,
    note: 'set by Node on each accepted connection, and not read back',
  };
}

function ipv6OnlyOf(target: Target, wanted: boolean): AppliedOption {
  if (target.family === 'IPv6') {
    const report = readBack(target, 'ipv6Only', wanted);
    // Linux sets it at bind(2) to any address but `::`, where it changes nothing: IPv4 has no such address.
    if (wanted || report.applied || target.listensOn === '::') return report;
    return { ...report, applied: true, note: 'bound to one IPv6 address, which takes no IPv4 in any case' };
  }
  if (!wanted) return { option: 'ipv6Only', wanted, applied: true };
  return { option: 'ipv6Only', wanted, applied: false, note: 'the socket is not bound to an IPv6 address' };
}

/** What Node has set, as the kernel says. */
function readBack({ kernel, fd, family }: Target, option: 'ipv6Only' | 'reusePort', wanted: boolean): AppliedOption {
  if (family === undefined) return { option, wanted, applied: true };
  const value = fd === undefined ? undefined : kernel?.getOption(fd, option);
  if (value === undefined) return { option, wanted, applied: true, note: NOT_READ_BACK };
  return compared({ option, wanted, applied: true, actual: value !== 0 });
}

function compared(report: AppliedOption): AppliedOption {
  const { applied, actual, wanted } = report;
  if (!applied || actual === undefined || actual === wanted) return report;
  return { ...report, applied: false, note: 'the kernel says otherwise' };
}

function noReusePort(target: Target): string {
  return target.family === undefined ? 'a Unix socket has no port' : `Node ${process.versions.node} cannot set it`;
}

/** Linux shows the backlog that counts as `tcpi_sacked` of a listening socket. */
function backlogOf({ kernel, fd }: Target, backlog: number): AppliedOption {
  const bytes = kernel !== undefined && fd !== undefined ? kernel.tcpInfo(fd) : undefined;
  const actual = bytes === undefined ? undefined : parseTcpInfo(bytes, kernel?.littleEndian)?.sackedSegments;
  if (actual === undefined) return { option: 'backlog', wanted: backlog, applied: true, note: NOT_READ_BACK };
  if (actual === backlog) return { option: 'backlog', wanted: backlog, applied: true, actual };
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

  flag(option: AppliedOption['option'], name: KernelOption, wanted: boolean): AppliedOption {
    const { actual, ...result } = this.number(option, name, Number(wanted));
    return compared({ ...result, wanted, ...(actual !== undefined && { actual: actual !== 0 }) });
  }
}

/** What Node can do alone: no delay, and keep-alive with its idle time. It does not say what became of them. */
function withoutKernel(target: Target, options: TcpSocketOptions): AppliedOption[] {
  const note = whyNot(target);
  const plain = (option: AppliedOption['option'], wanted: number | 'system'): AppliedOption =>
    wanted === 'system' ? { option, wanted, applied: true } : { option, wanted, applied: false, note };
  const isTcp = target.family !== undefined;
  const byNode = (option: AppliedOption['option'], wanted: number | boolean): AppliedOption =>
    isTcp ? { option, wanted, applied: true, note: NOT_READ_BACK } : { option, wanted, applied: false, note };
  const { keepAlive, noDelay } = options;
  return [
    plain('sendBufferBytes', options.sendBufferBytes),
    plain('receiveBufferBytes', options.receiveBufferBytes),
    plain('mtuBytes', options.mtuBytes),
    plain('userTimeoutMs', options.userTimeoutMs),
    ...(keepAlive === false
      ? [{ option: 'keepAlive', wanted: false, applied: true } as const]
      : [
          byNode('keepAlive', true),
          byNode('keepAlive.idleMs', keepAlive.idleMs),
          plain('keepAlive.intervalMs', keepAlive.intervalMs),
          plain('keepAlive.count', keepAlive.count),
        ]),
    isTcp && target.listensOn !== undefined ? noDelayOfAccepted(noDelay) : byNode('noDelay', noDelay),
  ];
}

function whyNot({ kernel, family }: Target): string {
  if (family === undefined) return 'a Unix socket has no TCP options, and its buffers are left to the system';
  if (kernel === undefined) return 'needs koffi, on Linux';
  return 'Node does not tell the descriptor';
}

/** What `net` is told so that keep-alive works without a kernel, or without a descriptor to set it on; else it would cost system calls per connection. */
export function keepAliveByNode({ keepAlive }: TcpSocketOptions): {
  keepAlive?: boolean;
  keepAliveInitialDelay?: number;
} {
  return keepAlive === false ? {} : { keepAlive: true, keepAliveInitialDelay: keepAlive.idleMs };
}
