/**
 * The words that the socket layer, the charts and the runtime speak. Everything else imports them from here.
 *
 * Added to the shared vocabulary while building, with the reason:
 * - `DECODE_END`: a command of its own, because "no more bytes will come" is a fact that only the chart knows how to treat.
 * - `FACT`: what a protocol chart is told of its transport is decided by the session chart, so it is one of its commands.
 * - `MEASURE` / `MEASURED`: the send timeout means "the kernel took nothing", which a chart can only learn by asking.
 * - `RESOLVE`, `LISTEN`, `CONFIGURE`, `STOP_LISTENING`, `CONNECT`: the steps of opening a socket, one command each.
 */

/** How a session is to end: `graceful` flushes, sends FIN and waits for the peer's FIN; `force` sends RST at once. */
export type CloseOption = 'graceful' | 'force';

/** What a socket is: the one that listens, one that we connected, one that was accepted. */
export type SocketKind = 'server' | 'client' | 'acceptedClient';

/** Leads to a socket record in its layer. An opaque number: chart context and recordings can hold it. */
export type SocketHandle = number & { readonly opaque: 'SocketHandle' };

/** One end of a connection. A Unix socket has a `path` and no port; its `address` is the empty string for an unnamed peer. */
export interface SocketAddress {
  readonly transport: 'tcp' | 'unix';
  readonly address: string;
  readonly port: number;
  readonly family: 'IPv4' | 'IPv6' | 'unix';
}

/** What the socket layer reports. */
export type SocketEvent =
  /** A connection was taken off the backlog. It reads nothing before its first RESUME. */
  | {
      readonly type: 'ACCEPT';
      readonly socket: SocketHandle;
      readonly peer: SocketAddress;
      readonly descriptor: number;
    }
  | { readonly type: 'CONNECT' }
  | { readonly type: 'READ'; readonly bytes: Uint8Array }
  /** Can be written again: everything that the kernel did not take at once has gone. */
  | { readonly type: 'WRITE' }
  /** Answers FLUSH: all bytes are with the kernel; says nothing about the peer having them. */
  | { readonly type: 'FLUSHED' }
  /** The peer's FIN. */
  | { readonly type: 'PEER_END' }
  /** Fully closed, the last event of a socket. `bytesDropped`: what was queued here and never reached the kernel. */
  | { readonly type: 'CLOSE'; readonly byReset: boolean; readonly bytesDropped: number }
  /** `code` is the system's (`ECONNRESET`, `EADDRINUSE` ...). CLOSE follows on a connection. */
  | { readonly type: 'ERROR'; readonly code: string; readonly message: string }
  /** `waits` waits in a row ended without a READ: delivered at once, they mean the same as one by one. */
  | { readonly type: 'WAIT_TIMEOUT'; readonly waits: number }
  /** Of a server socket: the name was looked up, it listens, its options are set and read back, it listens no more. */
  | { readonly type: 'RESOLVED'; readonly address: string }
  | { readonly type: 'LISTENING'; readonly local: SocketAddress }
  | { readonly type: 'CONFIGURED' }
  | { readonly type: 'STOPPED_LISTENING' };

/** What a chart asks of the socket layer. */
export type SocketCommand =
  | { readonly type: 'WRITE'; readonly bytes: Uint8Array }
  | { readonly type: 'FLUSH' }
  /** FIN behind everything that is queued. */
  | { readonly type: 'SEND_FIN' }
  /** RST at once; what is queued is dropped. On a Unix socket, which has no RST: destroyed. */
  | { readonly type: 'SEND_RST' }
  | { readonly type: 'PAUSE' }
  | { readonly type: 'RESUME' }
  | { readonly type: 'CONNECT' }
  | { readonly type: 'RESOLVE' }
  | { readonly type: 'LISTEN' }
  | { readonly type: 'CONFIGURE' }
  | { readonly type: 'STOP_LISTENING' };

/** What a protocol chart may be told of its transport, if its protocol lists the type in `facts`. */
export type Fact =
  | { readonly type: 'PEER_END' }
  | { readonly type: 'CONGESTED' }
  | { readonly type: 'FLOWING' }
  | { readonly type: 'DRAIN' }
  | { readonly type: 'WAIT_TIMEOUT'; readonly waits: number };

export type FactType = Fact['type'];

/** Asks a session to end. */
export interface StopRequest<Reason extends string = string> {
  readonly type: 'STOP';
  readonly option: CloseOption;
  readonly reason: Reason;
}

/** Why a session ended. A protocol may add its own (`reasons`). */
export const CLOSE_REASONS = [
  'peer closed',
  'peer reset',
  'socket error',
  'wait timeout',
  'frame timeout',
  'send timeout',
  'handshake timeout',
  'protocol asked',
  'protocol done',
  'protocol failed',
  'bad frame',
  'truncated frame',
  'too many errors',
  'slow reader',
  'limit',
  'draining',
  'server stopped',
  'swept',
] as const;

export type CloseReason = (typeof CLOSE_REASONS)[number];
