import { expect, test } from 'vitest';
import { serverSocketMachine } from '../../machines/server-socket.js';
import {
  accept,
  descriptors,
  error,
  input,
  is,
  left,
  listening,
  queueTimeout,
  resolved,
  setMax,
  stop,
} from './server-socket-events.js';
import { walk } from './walk.js';

const found = walk({
  machine: serverSocketMachine,
  inputs: (['refuse', 'queue', 'stopListening'] as const).map((atMaxSessions) =>
    input({ atMaxSessions, sessionsPerAddressMax: 2 }),
  ),
  events: [
    ...(['START', 'SUSPEND', 'RESUME', 'SESSION_CLOSED', 'CONFIGURED', 'STOPPED_LISTENING'] as const).map(is),
    ...[resolved, listening, stop('graceful'), stop('graceful', 0), stop('force')],
    ...['EADDRINUSE', 'EADDRNOTAVAIL', 'EACCES', 'ENFILE'].map(error),
    ...[accept(1), accept(2), accept(3, { sessionsOfAddress: 2 }), accept(4, { descriptor: 100 })],
    ...[setMax(1), setMax(2), setMax(3), descriptors(99), descriptors(100)],
    ...[left(1), left(2), queueTimeout(1), queueTimeout(2)],
    { type: 'WAIT_TIMEOUT', waits: 1 }, // not a server socket's: ignored
  ],
  keyOf: ({ context: c }) => [Math.min(c.sessions, 4), c.maxSessions, c.listening, c.configured, c.queue],
  placesMax: 20_000,
});

test('every state of the server-socket chart is reached', () => {
  expect(found.statesMissed).toEqual([]);
});

test('every transition of the server-socket chart is taken', () => {
  expect(found.transitionsMissed).toEqual([]);
});

test('no event throws in any state of a server socket', () => {
  expect(found.thrown).toEqual([]);
});

test('no state of a server socket is left by `always`', () => {
  expect(found.transient).toEqual([]);
});

test('a server socket waits without a deadline only where nothing is owed: closed, accepting, full, suspended', () => {
  expect(found.withoutDeadline).toEqual([
    'serverSocket.accepting', // for a connection
    'serverSocket.closed', // for START
    'serverSocket.saturated.bySessions', // for the end of a session, which has its own deadlines
    'serverSocket.suspended.asked', // for RESUME
  ]);
});
