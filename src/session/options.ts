/** Options of one session, shared by servers and clients. Checked once, where they enter. */
import { checkInteger, refuseUnknown } from '../socket/check.js';
import { parseTcpSocketOptions, type TcpSocketOptions, type TcpSocketUserOptions } from '../socket/options.js';

/** What a user may set, for a server, a client, or as a protocol's own default. Times in ms, sizes in bytes. */
export interface SessionOptions {
  /** Longest single wait for an event, above 0. Default 100. */
  readonly waitTimeoutMs?: number;
  /** Waits in a row without a READ that end a session; 0: none do. Default 60, so 6 s. */
  readonly waitTimeoutCountMax?: number;
  /** For flushing and for the peer's FIN together; then RST. Default 5 000. */
  readonly closeTimeoutMs?: number;
  /** The kernel takes nothing for so long while the output is congested. Default 30 000. Also TCP_USER_TIMEOUT, unless that is set. */
  readonly sendTimeoutMs?: number;
  /** From the first byte of a frame to its last. Default 30 000. */
  readonly frameTimeoutMs?: number;
  /** Bytes waiting for the kernel, or for a chart that holds: above it the peer is not read any more. Default 65 536. */
  readonly highWaterMarkBytes?: number;
  /** Reading goes on at or below it. Default 16 384. */
  readonly lowWaterMarkBytes?: number;
  /** Bytes held for one session, in and out each; beyond it the session is reset (`slow reader`, `limit`). Default 4 MiB. */
  readonly heldBytesMax?: number;
  /** Commands of a protocol's own that wait for their handlers' answers; at that many no further frame is decoded. Default 64. */
  readonly pendingHandlersMax?: number;
  /**
   * Read and dropped after our FIN; then RST. Default 8 MiB: twice what a peer's kernel may hold of what it wrote before it noticed our
   * FIN (tcp(7): tcp_wmem, 4 MiB). With 1 MiB peers under full load were reset that would have closed within the deadline (measured).
   */
  readonly discardedBytesMax?: number;
  /** Options of the sockets themselves. */
  readonly socket?: TcpSocketUserOptions;
}

export type ParsedSessionOptions = Required<Omit<SessionOptions, 'socket'>> & { readonly socket: TcpSocketOptions };

export const SESSION_OPTION_NAMES = [
  'waitTimeoutMs',
  'waitTimeoutCountMax',
  'closeTimeoutMs',
  'sendTimeoutMs',
  'frameTimeoutMs',
  'highWaterMarkBytes',
  'lowWaterMarkBytes',
  'heldBytesMax',
  'discardedBytesMax',
  'pendingHandlersMax',
  'socket',
] as const;

const TIMEOUT = { min: 1, max: 2 ** 31 - 1 };
const SIZE = { min: 1, max: 2 ** 31 - 1 };

/**
 * @param path how the errors name the options' place
 * @throws {SocketError} OPTION_INVALID
 */
export function parseSessionOptions(user: SessionOptions, path: string): ParsedSessionOptions {
  const { waitTimeoutMs = 100, waitTimeoutCountMax = 60 } = user;
  const { closeTimeoutMs = 5_000, sendTimeoutMs = 30_000, frameTimeoutMs = 30_000 } = user;
  const { highWaterMarkBytes = 65_536, heldBytesMax = 4 * 1024 * 1024, discardedBytesMax = 8 * 1024 * 1024 } = user;
  const { pendingHandlersMax = 64 } = user;
  const { lowWaterMarkBytes = Math.min(16_384, highWaterMarkBytes) } = user;
  checkInteger(`${path}.waitTimeoutMs`, waitTimeoutMs, TIMEOUT);
  checkInteger(`${path}.waitTimeoutCountMax`, waitTimeoutCountMax, { min: 0, max: 2 ** 31 - 1 });
  checkInteger(`${path}.closeTimeoutMs`, closeTimeoutMs, TIMEOUT);
  checkInteger(`${path}.sendTimeoutMs`, sendTimeoutMs, TIMEOUT);
  checkInteger(`${path}.frameTimeoutMs`, frameTimeoutMs, TIMEOUT);
  checkInteger(`${path}.highWaterMarkBytes`, highWaterMarkBytes, SIZE);
  checkInteger(`${path}.lowWaterMarkBytes`, lowWaterMarkBytes, { min: 0, max: highWaterMarkBytes });
  checkInteger(`${path}.heldBytesMax`, heldBytesMax, { min: highWaterMarkBytes, max: SIZE.max });
  checkInteger(`${path}.discardedBytesMax`, discardedBytesMax, { min: 0, max: SIZE.max });
  checkInteger(`${path}.pendingHandlersMax`, pendingHandlersMax, { min: 1, max: SIZE.max });
  return {
    waitTimeoutMs,
    waitTimeoutCountMax,
    closeTimeoutMs,
    sendTimeoutMs,
    frameTimeoutMs,
    highWaterMarkBytes,
    lowWaterMarkBytes,
    heldBytesMax,
    discardedBytesMax,
    pendingHandlersMax,
    socket: parseTcpSocketOptions({ userTimeoutMs: sendTimeoutMs, ...user.socket }, `${path}.socket`),
  };
}

/** A protocol's defaults below what the user of a server or client asked for; `undefined` asks for nothing. */
export function withDefaults<T extends SessionOptions>(defaults: SessionOptions | undefined, user: T): T {
  const own: SessionOptions & { maxIterations?: number } = { ...defaults };
  delete own.maxIterations; // the protocol's alone, used when it was defined
  return { ...own, ...defined(user), socket: { ...own.socket, ...defined(user.socket ?? {}) } };
}

function defined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}

/** Refuses names that no session, and nothing in `others`, has. */
export function refuseUnknownOptions(path: string, user: object, others: readonly string[]): void {
  refuseUnknown(path, user, [...SESSION_OPTION_NAMES, ...others]);
}
