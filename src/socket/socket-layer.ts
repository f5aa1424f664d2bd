/**
 * The one interface between charts and sockets: events out, commands in. `net/` implements it on real sockets;
 * a simulated network implements it in memory, and one suite of tests runs on both.
 *
 * A socket's events have exactly one reader at a time:
 * - *claimed* (a server, a client or a session took it): they flow through the one stream of the layer, with the socket;
 * - not claimed: they wait in a bounded queue of the socket (a full queue pauses reading) for `waitEvents`.
 * One stream for all sockets, not one each: at 15 000 sessions a Subject per session costs 0.5 to 2 us a READ in cache
 * misses and 1 to 2 kB of memory; one for all costs 45 to 65 ns and nothing.
 */
import type { Observable } from 'rxjs';
import type { SocketAddress, SocketCommand, SocketEvent, SocketHandle, SocketKind } from '../../machines/events.js';
import type { ListenAddress } from './address.js';
import type { AppliedOption, TcpSocketOptions } from './options.js';
import type { TcpSocketStatistics } from './statistics.js';
import type { TcpInfo } from './tcp-info.js';

export type { ListenAddress } from './address.js';
export { SocketError, type SocketErrorCode } from './errors.js';

/** What a handle leads to. */
export interface SocketRecord {
  readonly handle: SocketHandle;
  readonly kind: SocketKind;
  /** What was asked for, and what the kernel then said. Empty where options are not applied per socket. */
  readonly options: readonly AppliedOption[];
  /** Our end, once bound or connected. After the close it is known if it was read before, else it may be the listener's. */
  readonly local: SocketAddress | undefined;
  /** The other end of a connection; stays readable after the close. */
  readonly peer: SocketAddress | undefined;
  readonly statistics: TcpSocketStatistics;
  /** Given up by its owner: if it is still not closed at the next sweep, it is forced (the notes' `bGCDelete`). */
  markedDeleted: boolean;
  /** No event follows any more, and the descriptor is free. */
  readonly closed: boolean;
  /** Whoever took the socket; the layer only looks whether there is one. */
  owner: object | undefined;
}

/** One event of one claimed socket. */
export interface SocketSignal {
  readonly socket: SocketRecord;
  readonly event: SocketEvent;
}

export interface SocketLayer {
  /** Events of all claimed sockets, hot, in the order in which they happened. Never errors and never completes. */
  readonly events: Observable<SocketSignal>;

  /** A server socket that does nothing yet: RESOLVE, LISTEN and CONFIGURE are its steps. */
  openServer(address: ListenAddress, options: TcpSocketOptions): SocketRecord;

  /** A client socket that does nothing yet: CONNECT starts it. */
  openClient(address: ListenAddress, options: TcpSocketOptions): SocketRecord;

  /** From now on the socket's events flow through `events`; those that waited in its queue come first, at once. */
  claim(socket: SocketRecord, owner: object): void;

  /**
   * Carries a command out, or ignores it when the socket is already past it (closed, FIN sent): charts may be late, never wrong.
   * - No connection, accepted or made by us, reads anything before its first RESUME.
   * - Bytes of a WRITE belong to the layer until the next FLUSHED: whoever changes them changes what is sent.
   * - FLUSH with nothing queued is answered before `carryOut` returns; every other answer comes later.
   * - Before CONNECT a client cannot be written (the bytes are counted as dropped), and SEND_FIN gives the attempt up, as SEND_RST does.
   * - STOP_LISTENING is always answered, also by a server socket that does not listen.
   */
  carryOut(socket: SocketRecord, command: SocketCommand): void;

  /** The live and the recently closed sockets; a closed one stays until `release`. @returns `undefined` when the handle is unknown. */
  get(handle: SocketHandle): SocketRecord | undefined;

  /** Every record that is not released. */
  sockets(): IterableIterator<SocketRecord>;

  /** Forgets a socket; one that is still open is destroyed first. None of its events follows, and no CLOSE. */
  release(socket: SocketRecord): void;

  /** Bytes that were written and are not yet with the kernel. */
  queuedBytes(socket: SocketRecord): number;

  /** What the kernel says of the connection now. @returns `undefined` where the system does not tell: never made up. */
  tcpInfo(socket: SocketRecord): TcpInfo | undefined;

  /** Descriptors that this process may still open. @returns `undefined` where the system does not tell. */
  descriptors(): DescriptorUse | undefined;

  /**
   * Waits for one event of a socket that nobody claimed: emits the next event, or WAIT_TIMEOUT after `timeoutMs`, then completes.
   * A connection must be RESUMEd for there to be a READ. A server socket cannot pause: connections beyond a full queue are reset.
   * Events that come between two calls are kept (at most `waitQueueMax`, 64; then reading pauses), so repeated calls lose none.
   * Errors with a SocketError: HANDLE_NULL, HANDLE_UNKNOWN, SOCKET_DELETED, SOCKET_STOPPED (closed, and its last event was taken), HANDLE_IN_USE (claimed, or somebody else waits).
   */
  waitEvents(handle: SocketHandle | null | undefined, options?: WaitOptions): Observable<SocketEvent>;
}

export interface WaitOptions {
  /** Longest wait in ms, 0 or more. Default 100. */
  readonly timeoutMs?: number;
}

export interface DescriptorUse {
  /** The soft limit of this process. */
  readonly limit: number;
  /** Counted at the call: it costs a system call per descriptor, so ask seldom. */
  readonly used: number;
}
