/** Events of the server-socket chart, short enough for a line of a table. */
import type { CloseOption, SocketHandle } from '../../machines/events.js';
import type { ServerSocketCommand, ServerSocketEvent, ServerSocketInput } from '../../machines/server-socket.js';

export const input = (changes: Partial<ServerSocketInput> = {}): ServerSocketInput => ({
  maxSessions: 2,
  sessionsPerAddressMax: 0,
  atMaxSessions: 'refuse',
  queueMax: 2,
  queueTimeoutMs: 5_000,
  descriptorMax: 100,
  descriptorLookMs: 1_000,
  resolveTimeoutMs: 10_000,
  openTimeoutMs: 10_000,
  drainTimeoutMs: 30_000,
  forceTimeoutMs: 6_000,
  relistenDelayMs: 100,
  relistenDelayMaxMs: 30_000,
  ...changes,
});

export const local = { transport: 'tcp', address: '127.0.0.1', port: 7, family: 'IPv4' } as const;
export const handle = (number: number) => number as SocketHandle;

export const accept = (socket: number, { descriptor = 10, sessionsOfAddress = 0 } = {}): ServerSocketEvent => ({
  type: 'ACCEPT',
  socket: handle(socket),
  peer: local,
  descriptor,
  sessionsOfAddress,
});
export const resolved: ServerSocketEvent = { type: 'RESOLVED', address: '127.0.0.1' };
export const listening: ServerSocketEvent = { type: 'LISTENING', local };
export const error = (code: string): ServerSocketEvent => ({ type: 'ERROR', code, message: `listen ${code}` });
export const stop = (option: CloseOption = 'graceful', deadlineMs?: number): ServerSocketEvent => ({
  type: 'STOP',
  option,
  deadlineMs,
});
export const setMax = (count: number): ServerSocketEvent => ({ type: 'SET_MAX_SESSIONS', count });
export const descriptors = (used: number): ServerSocketEvent => ({ type: 'DESCRIPTORS', used });
export const left = (socket: number): ServerSocketEvent => ({ type: 'QUEUE_LEFT', socket: handle(socket) });
export const queueTimeout = (socket: number): ServerSocketEvent => ({ type: 'QUEUE_TIMEOUT', socket: handle(socket) });

type Plain = 'START' | 'SUSPEND' | 'RESUME' | 'SESSION_CLOSED' | 'CONFIGURED' | 'STOPPED_LISTENING';
export const is = (type: Plain): ServerSocketEvent => ({ type });

/** `ADMIT 1`, `REFUSE 2 (max sessions)`, `LISTEN`. */
export const textOf = (command: ServerSocketCommand): string => {
  if (command.type === 'ADMIT') return `ADMIT ${command.socket}`;
  return command.type === 'REFUSE' ? `REFUSE ${command.socket} (${command.reason})` : command.type;
};

export const STARTED = [is('START'), resolved, listening, is('CONFIGURED')];
