/**
 * Options of TCP sockets, checked once, and what became of them.
 *
 * The hard question: what to do with an option that this system cannot set. Failing would make a server run on one system
 * alone; silence would make its user believe in buffers that are not there. So each option is reported with what the
 * kernel said when it was read back, or that it was not (`AppliedOption`), and whoever runs the server decides.
 */
import { checkBoolean, checkInteger, checkObject, type IntegerRange, invalid, refuseUnknown } from './check.js';

export interface TcpSocketOptions {
  /** Kernel send buffer, in bytes; `'system'` leaves it to the kernel's auto-tuning. Default 16 384. Linux doubles what is set: socket(7), SO_SNDBUF. */
  readonly sendBufferBytes: number | 'system';
  /** Kernel receive buffer, in bytes; `'system'` leaves it to the kernel's auto-tuning. Default 16 384. Linux doubles what is set: socket(7), SO_RCVBUF. */
  readonly receiveBufferBytes: number | 'system';
  /** Largest IP packet, in bytes, 576 to 65 535: sets the MSS to 40 less on IPv4, 60 less on IPv6 (TCP_MAXSEG, tcp(7)). Default 1 500. */
  readonly mtuBytes: number | 'system';
  /** Small segments go out at once (TCP_NODELAY, tcp(7)). Default true. */
  readonly noDelay: boolean;
  /** Probes of the kernel on an idle connection; `false`: none. Default 60 s idle, every 10 s, 6 without an answer end it. */
  readonly keepAlive: false | KeepAliveOptions;
  /** Sent and not acknowledged for so long: the kernel ends the connection with ETIMEDOUT (TCP_USER_TIMEOUT, tcp(7)). Default 30 000 ms. */
  readonly userTimeoutMs: number | 'system';
  /** Connections that wait to be accepted, 1 to 65 535; Linux caps it at net.core.somaxconn (listen(2)). Default 511, as Node. */
  readonly backlog: number;
  /** A socket bound to an IPv6 address takes no IPv4 connections (IPV6_V6ONLY, ipv6(7)). Default false. */
  readonly ipv6Only: boolean;
  /** Several processes may listen on the port (SO_REUSEPORT, socket(7)); needs Node 22.12 or 23.1. Default false. */
  readonly reusePort: boolean;
}

/** Times in ms, whole seconds: the kernel takes seconds (tcp(7), TCP_KEEPIDLE and TCP_KEEPINTVL, 1 to 32 767 s; TCP_KEEPCNT 1 to 127). */
export interface KeepAliveOptions {
  /** Silence before the first probe. Default 60 000. */
  readonly idleMs: number;
  /** Between two probes. Default 10 000. */
  readonly intervalMs: number;
  /** Probes without an answer that end the connection. Default 6. */
  readonly count: number;
}

/** What the user may leave out. */
export type TcpSocketUserOptions = Partial<Omit<TcpSocketOptions, 'keepAlive'>> & {
  readonly keepAlive?: false | Partial<KeepAliveOptions>;
};

/** What was asked for, and what became of it. */
export interface AppliedOption {
  readonly option: keyof TcpSocketOptions | `keepAlive.${keyof KeepAliveOptions}`;
  readonly wanted: number | boolean | 'system';
  /** The wish holds. */
  readonly applied: boolean;
  /** As read back, in the option's own unit; absent where the system does not tell. */
  readonly actual?: number | boolean;
  /** Why it was not applied, why `actual` differs from `wanted`, or that nothing was read back. */
  readonly note?: string;
}

const INT_MAX = 2 ** 31 - 1;
const BUFFER = { min: 1, max: INT_MAX };
const MTU = { min: 576, max: 65_535 };
const KEEP_ALIVE = { idleMs: 60_000, intervalMs: 10_000, count: 6 };
const KEEP_ALIVE_SECONDS_MAX = 32_767;

export const TCP_SOCKET_OPTION_NAMES = [
  'sendBufferBytes',
  'receiveBufferBytes',
  'mtuBytes',
  'noDelay',
  'keepAlive',
  'userTimeoutMs',
  'backlog',
  'ipv6Only',
  'reusePort',
] as const satisfies readonly (keyof TcpSocketOptions)[];

/**
 * Completes and checks what a user wrote.
 *
 * ```ts
 * parseTcpSocketOptions({ sendBufferBytes: 'system' }).receiveBufferBytes; // 16384
 * ```
 *
 * @param path how the errors name the options' place
 * @throws {SocketError} OPTION_INVALID when a value is outside its limits or a name is no option.
 */
export function parseTcpSocketOptions(user: TcpSocketUserOptions = {}, path = 'socket'): TcpSocketOptions {
  refuseUnknown(path, checkObject(path, user), TCP_SOCKET_OPTION_NAMES);
  const { sendBufferBytes = 16_384, receiveBufferBytes = 16_384, mtuBytes = 1_500, userTimeoutMs = 30_000 } = user;
  const { noDelay = true, keepAlive = {}, backlog = 511, ipv6Only = false, reusePort = false } = user;
  return {
    sendBufferBytes: integerOrSystem(`${path}.sendBufferBytes`, sendBufferBytes, BUFFER),
    receiveBufferBytes: integerOrSystem(`${path}.receiveBufferBytes`, receiveBufferBytes, BUFFER),
    mtuBytes: integerOrSystem(`${path}.mtuBytes`, mtuBytes, MTU),
    noDelay: checkBoolean(`${path}.noDelay`, noDelay),
    keepAlive: parseKeepAlive(`${path}.keepAlive`, keepAlive),
    userTimeoutMs: integerOrSystem(`${path}.userTimeoutMs`, userTimeoutMs, { min: 1, max: INT_MAX }),
    backlog: checkInteger(`${path}.backlog`, backlog, { min: 1, max: 65_535 }),
    ipv6Only: checkBoolean(`${path}.ipv6Only`, ipv6Only),
    reusePort: checkBoolean(`${path}.reusePort`, reusePort),
  };
}

function parseKeepAlive(path: string, user: unknown): false | KeepAliveOptions {
  if (user === false) return false;
  if (user === true) throw invalid(path, 'false or an object', user);
  const given: Partial<KeepAliveOptions> = checkObject(path, user);
  refuseUnknown(path, given, Object.keys(KEEP_ALIVE));
  const { idleMs = KEEP_ALIVE.idleMs, intervalMs = KEEP_ALIVE.intervalMs, count = KEEP_ALIVE.count } = given;
  return {
    idleMs: wholeSeconds(`${path}.idleMs`, idleMs),
    intervalMs: wholeSeconds(`${path}.intervalMs`, intervalMs),
    count: checkInteger(`${path}.count`, count, { min: 1, max: 127 }),
  };
}

function wholeSeconds(path: string, ms: unknown): number {
  const max = KEEP_ALIVE_SECONDS_MAX * 1_000;
  if (typeof ms === 'number' && ms >= 1_000 && ms <= max && ms % 1_000 === 0) return ms;
  throw invalid(path, `whole seconds in ms, from 1000 to ${max}`, ms);
}

function integerOrSystem(path: string, value: unknown, { min, max }: IntegerRange): number | 'system' {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  if (value === 'system') return value;
  throw invalid(path, `an integer from ${min} to ${max} or "system"`, value);
}
