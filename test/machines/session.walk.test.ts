import { expect, test } from 'vitest';
import { sessionMachine } from '../../machines/session.js';
import { asks, close, error, input, is, measured, read, send, setWaits, stop, wait } from './session-events.js';
import { walk } from './walk.js';

const small = { waitTimeoutCountMax: 2, discardedBytesMax: 1 };

const found = walk({
  machine: sessionMachine,
  inputs: [
    { ...input(), ...small },
    { ...asks('PEER_END', 'DRAIN', 'CONGESTED', 'FLOWING', 'WAIT_TIMEOUT'), ...small },
  ],
  events: [
    ...[read(), send(), wait(1), wait(2), stop('graceful'), stop('force'), close(false), close(true)],
    ...[error('ECONNRESET'), error('EPIPE'), error('ETIMEDOUT'), error('EHOSTUNREACH')],
    ...[setWaits(0), setWaits(2), measured(1), measured(2), measured(2, 0)],
    ...(
      [
        'CONNECT',
        'WRITE',
        'FLUSHED',
        'PEER_END',
        'END',
        'DRAIN',
        'CONGESTED',
        'FLOWING',
        'INPUT_FULL',
        'INPUT_LOW',
      ] as const
    ).map(is),
    ...(['HELD', 'RELEASED', 'FRAME_STARTED', 'FRAME_ENDED', 'FRAME_TIMEOUT', 'INPUT_DONE'] as const).map(is),
    // not a connection's: ignored
    ...(['CONFIGURED', 'STOPPED_LISTENING'] as const).map(is),
  ],
  keyOf: ({ context: c, value }) => [
    c.waitTimeoutCountMax > 0 && c.waitTimeoutCount,
    c.waitTimeoutCountMax,
    c.held,
    c.inputFull,
    c.outputFull,
    c.outputFull && [c.stallCount, c.bytesSent],
    value !== null && typeof value === 'object' && 'halfClosed' in value && [c.stallCount, c.bytesSent, c.closedBy],
    c.discardedBytes,
  ],
  placesMax: 5_000,
});

test('every state of the session chart is reached', () => {
  expect(found.statesMissed).toEqual([]);
});

test('every transition of the session chart is taken', () => {
  expect(found.transitionsMissed).toEqual([]);
});

test('no event throws in any state of a session', () => {
  expect(found.thrown).toEqual([]);
});

test('no state of a session is left by `always`', () => {
  expect(found.transient).toEqual([]);
});

// What these wait for has a limit elsewhere: waits (unless they are turned off) count in all three, and `hold` is bounded by its handler.
test('the only states of a session without a deadline are those whose deadline are the waits', () => {
  expect(found.withoutDeadline).toEqual([
    'session.accepted',
    'session.connected.flowing',
    'session.halfClosed.byUs.sent',
  ]);
});
