/** Events of the session chart, short enough for a line of a table. */
import type { CloseOption, FactType } from '../../machines/events.js';
import type { SessionEvent, SessionInput } from '../../machines/session.js';

export const input = (changes: Partial<SessionInput> = {}): SessionInput => ({
  waitTimeoutCountMax: 60,
  closeTimeoutMs: 5_000,
  sendTimeoutMs: 30_000,
  frameTimeoutMs: 30_000,
  discardedBytesMax: 1_000,
  facts: [],
  ...changes,
});

export const asks = (...facts: FactType[]): SessionInput => input({ facts });

export const read = (byteLength = 1): SessionEvent => ({ type: 'READ', bytes: new Uint8Array(byteLength) });
export const send = (byteLength = 1): SessionEvent => ({ type: 'SEND', bytes: new Uint8Array(byteLength) });
export const wait = (waits = 1): SessionEvent => ({ type: 'WAIT_TIMEOUT', waits });
export const waits = (count: number): SessionEvent[] => Array.from({ length: count }, () => wait());
export const stop = (option: CloseOption = 'graceful', reason = 'protocol asked'): SessionEvent => ({
  type: 'STOP',
  option,
  reason,
});
export const close = (byReset = false): SessionEvent => ({ type: 'CLOSE', byReset, bytesDropped: 0 });
export const error = (code: string): SessionEvent => ({ type: 'ERROR', code, message: code });
export const setWaits = (count: number): SessionEvent => ({ type: 'SET_WAITS', count });
export const measured = (bytesSent: number, queuedBytes = 1): SessionEvent => ({
  type: 'MEASURED',
  bytesSent,
  queuedBytes,
});

type Plain = Exclude<
  SessionEvent['type'],
  | 'READ'
  | 'SEND'
  | 'WAIT_TIMEOUT'
  | 'STOP'
  | 'CLOSE'
  | 'ERROR'
  | 'SET_WAITS'
  | 'MEASURED'
  | 'ACCEPT'
  | 'RESOLVED'
  | 'LISTENING'
>;
/** An event without anything but its type. */
export const is = (type: Plain): SessionEvent => ({ type }) as SessionEvent;
