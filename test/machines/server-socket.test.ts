/** The server-socket chart as tables: start, each way it fails, who is let in, suspension, and the stop. */
import { describe, expect, test } from 'vitest';
import { serverSocketMachine, type ServerSocketContext, type ServerSocketEvent } from '../../machines/server-socket.js';
import { delayOf, due, play, playOn, stateAt, type Due } from '../../src/testing/play.js';
import {
  accept,
  descriptors,
  error,
  handle,
  input,
  is,
  left,
  listening,
  local,
  queueTimeout,
  resolved,
  setMax,
  STARTED,
  stop,
  textOf,
} from './server-socket-events.js';

interface Row {
  readonly name: string;
  readonly given?: ReturnType<typeof input>;
  readonly events: readonly (ServerSocketEvent | Due)[];
  readonly state: string;
  /** What the last event led to, with sockets and reasons. */
  readonly last?: readonly string[];
  readonly context?: Partial<ServerSocketContext>;
}

function table(rows: readonly Row[]): void {
  test.each(rows)('$name', ({ given = input(), events, state, last, context }) => {
    const end = play(serverSocketMachine, given, events);
    expect(stateAt(end, state)).toBe(state);
    if (last) expect(end.lastCommands.map(textOf)).toEqual(last);
    if (context) expect(end.snapshot.context).toMatchObject(context);
  });
}

const queue = input({ atMaxSessions: 'queue' });
const stopListening = input({ atMaxSessions: 'stopListening' });
const FULL = [...STARTED, accept(1), accept(2)];
const DEAF = [...FULL, is('STOPPED_LISTENING')]; // of a server with `stopListening`
const closed = is('SESSION_CLOSED');

const INTO: Record<string, readonly (ServerSocketEvent | Due)[]> = {
  closed: [],
  resolving: [is('START')],
  opening: [is('START'), resolved],
  configuring: [is('START'), resolved, listening],
  accepting: STARTED,
  'saturated.bySessions': FULL,
  'saturated.byDescriptors': [...STARTED, accept(1, { descriptor: 100 })],
  'suspended.asked': [...STARTED, is('SUSPEND'), is('STOPPED_LISTENING')],
  'suspended.retrying': [...STARTED, is('SUSPEND'), is('STOPPED_LISTENING'), is('RESUME'), error('EADDRINUSE')],
  'draining.waiting': [...STARTED, accept(1), stop()],
  'draining.forcing': [...STARTED, accept(1), stop('force')],
};
const STATES = Object.keys(INTO);
const into = (state: string) => play(serverSocketMachine, input(), INTO[state]!);

test.each(STATES)('the shortest way into %s leads there', (state) => {
  expect(stateAt(into(state), state)).toBe(state);
});

describe('the start', () => {
  table([
    { name: 'does nothing before START', events: [], state: 'closed', last: [] },
    { name: 'looks the name up first', events: [is('START')], state: 'resolving', last: ['RESOLVE'] },
    { name: 'then listens', events: [is('START'), resolved], state: 'opening', last: ['LISTEN'] },
    { name: 'then sets its options', events: [is('START'), resolved, listening], state: 'configuring', last: ['CONFIGURE'], context: { listening: true, local } },
    { name: 'then accepts', events: STARTED, state: 'accepting', last: [], context: { sessions: 0, failure: undefined } },
    { name: 'START of a server that runs is ignored', events: [...STARTED, is('START')], state: 'accepting', last: [] },
    { name: 'an unknown name: closed, with its code', events: [is('START'), error('ENOTFOUND')], state: 'closed', last: [], context: { failure: { code: 'ENOTFOUND', message: 'listen ENOTFOUND' } } },
    { name: 'options that cannot be set: closed, and not left listening', events: [is('START'), resolved, listening, error('EINVAL')], state: 'closed', last: ['STOP_LISTENING'], context: { failure: { code: 'EINVAL', message: 'listen EINVAL' } } },
    { name: 'a name that is not found within its deadline: RESOLVE_TIMEOUT', events: [is('START'), due('resolveTimeout')], state: 'closed', context: { failure: { code: 'RESOLVE_TIMEOUT', message: 'no answer within its deadline (RESOLVE_TIMEOUT)' } } },
    { name: 'no LISTENING within the deadline: OPEN_TIMEOUT', events: [is('START'), resolved, due('openTimeout')], state: 'closed', last: ['STOP_LISTENING'], context: { failure: { code: 'OPEN_TIMEOUT', message: 'no answer within its deadline (OPEN_TIMEOUT)' } } },
    { name: 'no CONFIGURED within the deadline: OPEN_TIMEOUT', events: [is('START'), resolved, listening, due('openTimeout')], state: 'closed', last: ['STOP_LISTENING'] },
    { name: 'it can be started again after a failure, which is forgotten', events: [is('START'), resolved, error('EACCES'), ...STARTED], state: 'accepting', context: { failure: undefined } },
    { name: 'suspended while resolving, it does not listen, whatever the answer', events: [is('START'), is('SUSPEND'), resolved], state: 'suspended.asked', last: [] },
    { name: 'and resumed then, it listens', events: [is('START'), is('SUSPEND'), is('RESUME')], state: 'opening', last: ['LISTEN'] },
    { name: 'suspended while opening, it does not listen', events: [is('START'), resolved, is('SUSPEND')], state: 'suspended.asked', last: ['STOP_LISTENING'] },
    { name: 'suspended while configuring, it listens no more', events: [is('START'), resolved, listening, is('SUSPEND')], state: 'suspended.asked', last: ['STOP_LISTENING'] },
    { name: 'a first start that was suspended meanwhile may still fail', events: [is('START'), resolved, listening, is('SUSPEND'), is('RESUME'), error('EADDRINUSE')], state: 'closed' },
  ]); // prettier-ignore

  test.each(['EADDRINUSE', 'EADDRNOTAVAIL', 'EACCES', 'ENFILE'])('%s closes it, and is kept as the failure', (code) => {
    const end = play(serverSocketMachine, input(), [is('START'), resolved, error(code)]);
    expect(end.state).toBe('closed');
    expect(end.lastTypes).toEqual([]);
    expect(end.snapshot.context.failure).toEqual({ code, message: `listen ${code}` });
    const { guard } = serverSocketMachine.getTransitionData(into('opening').snapshot, error(code))![0]!;
    const own: Record<string, string> = {
      EADDRINUSE: 'isAddressInUse',
      EADDRNOTAVAIL: 'isAddressNotAvailable',
      EACCES: 'isAccessDenied',
    };
    expect(guard).toBe(own[code]);
  });

  test('each step has its own deadline: 10 s for the name, 10 s to listen, 10 s to set options', () => {
    expect(delayOf(into('resolving'), 'resolveTimeout')).toBe(10_000);
    expect(delayOf(into('opening'), 'openTimeout')).toBe(10_000);
    expect(into('configuring').lastCancelled).toHaveLength(1);
    expect(delayOf(into('configuring'), 'openTimeout')).toBe(10_000);
  });
});

describe('accepting', () => {
  table([
    { name: 'a connection is admitted and counted', events: [...STARTED, accept(1)], state: 'accepting', last: ['ADMIT 1'], context: { sessions: 1, acceptedCount: 1 } },
    { name: 'the last place (2 of 2) saturates', events: FULL, state: 'saturated.bySessions', last: ['ADMIT 2'], context: { sessions: 2 } },
    { name: 'an end frees one place', events: [...STARTED, accept(1), closed], state: 'accepting', last: [], context: { sessions: 0, acceptedCount: 1 } },
    { name: 'an end that was counted already frees nothing below 0', events: [...STARTED, accept(1), closed, closed], state: 'accepting', context: { sessions: 0 } },
    { name: 'an error of accept(2) is not the end', events: [...STARTED, error('ECONNABORTED')], state: 'accepting', last: [] },
    { name: 'the 3rd connection of an address is refused with a cap of 2, the place stays free', given: input({ sessionsPerAddressMax: 2 }), events: [...STARTED, accept(1), accept(3, { sessionsOfAddress: 2 })], state: 'accepting', last: ['REFUSE 3 (sessions per address)'], context: { sessions: 1, refusedCount: 1 } },
    { name: 'the 2nd is admitted', given: input({ sessionsPerAddressMax: 2, maxSessions: 9 }), events: [...STARTED, accept(1), accept(3, { sessionsOfAddress: 1 })], state: 'accepting', last: ['ADMIT 3'] },
    { name: 'with a cap of 0 there is none', given: input({ maxSessions: 9 }), events: [...STARTED, accept(3, { sessionsOfAddress: 1_000 })], state: 'accepting', last: ['ADMIT 3'] },
    { name: 'a server that is told of no listening any more listens again', events: [...STARTED, is('STOPPED_LISTENING')], state: 'opening', last: ['LISTEN'] },
  ]); // prettier-ignore

  test.each(
    STATES.filter((state) => !['accepting', 'saturated.bySessions', 'saturated.byDescriptors'].includes(state)),
  )('in %s a connection is refused, counted, and admitted nowhere', (state) => {
    const before = into(state);
    const end = playOn(before, [accept(9)]);
    expect(stateAt(end, state)).toBe(state);
    expect(end.lastCommands.map(textOf)).toEqual(['REFUSE 9 (not accepting)']);
    expect(end.snapshot.context.refusedCount).toBe(before.snapshot.context.refusedCount + 1);
    expect(end.snapshot.context.sessions).toBe(before.snapshot.context.sessions);
  });

  test.each(STATES.filter((state) => into(state).snapshot.context.sessions > 0))(
    'in %s an end frees exactly one place',
    (state) => {
      const before = into(state);
      const end = playOn(before, [closed]);
      expect(end.snapshot.context.sessions).toBe(before.snapshot.context.sessions - 1);
    },
  );
});

describe('full, with `refuse`', () => {
  table([
    { name: 'the 3rd of 2 is refused and counted', events: [...FULL, accept(3)], state: 'saturated.bySessions', last: ['REFUSE 3 (max sessions)'], context: { sessions: 2, refusedCount: 1 } },
    { name: 'it goes on listening', events: FULL, state: 'saturated', context: { listening: true } },
    { name: 'an end makes it accept again', events: [...FULL, closed], state: 'accepting', last: [], context: { sessions: 1 } },
    { name: 'the place is given to the next one', events: [...FULL, closed, accept(3)], state: 'saturated', last: ['ADMIT 3'], context: { sessions: 2, acceptedCount: 3 } },
    { name: 'raised to 3 it accepts again', events: [...FULL, setMax(3)], state: 'accepting', context: { maxSessions: 3 } },
    { name: 'set to 2 again it stays full', events: [...FULL, setMax(2)], state: 'saturated.bySessions' },
    { name: 'lowered to 1 it ends no session', events: [...FULL, setMax(1)], state: 'saturated.bySessions', last: [], context: { sessions: 2, maxSessions: 1 } },
    { name: 'lowered to 1, the first end leaves it full', events: [...FULL, setMax(1), closed], state: 'saturated.bySessions', context: { sessions: 1 } },
    { name: 'lowered to 1, the second end makes it accept', events: [...FULL, setMax(1), closed, closed], state: 'accepting', context: { sessions: 0 } },
    { name: 'lowered below its sessions while accepting it is full', events: [...STARTED, accept(1), setMax(1)], state: 'saturated.bySessions', last: [] },
    { name: 'raised while accepting it goes on', events: [...STARTED, accept(1), setMax(3)], state: 'accepting', context: { maxSessions: 3 } },
    { name: 'a limit that is set while closed holds from the start', events: [setMax(1), ...STARTED, accept(1)], state: 'saturated' },
    { name: 'suspended and resumed while full it is full', events: [...FULL, is('SUSPEND'), is('RESUME'), listening, is('CONFIGURED')], state: 'saturated.bySessions' },
  ]); // prettier-ignore
});

describe('full, with `queue`', () => {
  const both = [...FULL, accept(3), accept(4)];
  table([
    { name: 'the 3rd of 2 waits', given: queue, events: [...FULL, accept(3)], state: 'saturated', last: [], context: { queue: [handle(3)], sessions: 2, acceptedCount: 2 } },
    { name: 'when 2 of 2 wait the next is refused', given: queue, events: [...both, accept(5)], state: 'saturated', last: ['REFUSE 5 (max sessions)'], context: { queue: [handle(3), handle(4)] } },
    { name: 'an end admits the one that waits longest, and counts it', given: queue, events: [...both, closed], state: 'saturated', last: ['ADMIT 3'], context: { queue: [handle(4)], sessions: 2, acceptedCount: 3 } },
    { name: 'ends admit one each, then places are free', given: queue, events: [...both, closed, closed, closed], state: 'accepting', last: [], context: { queue: [], sessions: 1, acceptedCount: 4 } },
    { name: 'whoever waits 5 s is refused', given: queue, events: [...FULL, accept(3), due('QUEUE_TIMEOUT')], state: 'saturated', last: ['REFUSE 3 (queue timeout)'], context: { queue: [], refusedCount: 1 } },
    { name: 'a deadline that comes late is ignored', given: queue, events: [...FULL, accept(3), closed, queueTimeout(3)], state: 'saturated', last: [], context: { sessions: 2, refusedCount: 0 } },
    { name: 'a deadline that comes late is ignored while accepting too', given: queue, events: [...FULL, accept(3), closed, closed, queueTimeout(3)], state: 'accepting', last: [], context: { refusedCount: 0 } },
    { name: 'whoever leaves while it waits is neither admitted nor refused', given: queue, events: [...both, left(3), closed], state: 'saturated', last: ['ADMIT 4'], context: { queue: [], refusedCount: 0 } },
    { name: 'an address at its cap does not even wait', given: { ...queue, sessionsPerAddressMax: 1 }, events: [...FULL, accept(3, { sessionsOfAddress: 1 })], state: 'saturated', last: ['REFUSE 3 (sessions per address)'] },
    { name: 'raised to 3, one that waits is admitted and the other goes on waiting', given: queue, events: [...both, setMax(3)], state: 'saturated', last: ['ADMIT 3'], context: { queue: [handle(4)], sessions: 3 } },
    { name: 'raised to 4, both that wait are admitted and it is full', given: queue, events: [...both, setMax(4)], state: 'saturated', last: ['ADMIT 3', 'ADMIT 4'], context: { queue: [], sessions: 4, acceptedCount: 4 } },
    { name: 'raised to 5, both that wait are admitted and one place is left', given: queue, events: [...both, setMax(5)], state: 'accepting', last: ['ADMIT 3', 'ADMIT 4'], context: { queue: [], sessions: 4, refusedCount: 0 } },
    { name: 'lowered to 1, the end of one admits nobody', given: queue, events: [...both, setMax(1), closed], state: 'saturated', last: [], context: { queue: [handle(3), handle(4)], sessions: 1 } },
    { name: 'SUSPEND refuses who waits', given: queue, events: [...both, is('SUSPEND')], state: 'suspended', last: ['REFUSE 3 (not accepting)', 'REFUSE 4 (not accepting)', 'STOP_LISTENING'], context: { queue: [], refusedCount: 2 } },
    { name: 'a graceful stop refuses who waits', given: queue, events: [...both, stop()], state: 'draining.waiting', last: ['REFUSE 3 (not accepting)', 'REFUSE 4 (not accepting)', 'STOP_LISTENING', 'DRAIN_SESSIONS'], context: { queue: [], refusedCount: 2 } },
    { name: 'a forced stop refuses who waits', given: queue, events: [...both, stop('force')], state: 'draining.forcing', last: ['REFUSE 3 (not accepting)', 'REFUSE 4 (not accepting)', 'STOP_LISTENING', 'FORCE_SESSIONS'], context: { queue: [], refusedCount: 2 } },
  ]); // prettier-ignore

  test.each([
    { name: 'admitted', event: closed },
    { name: 'gone', event: left(3) },
    { name: 'refused', event: is('SUSPEND') },
  ])('one that is $name has no deadline any more', ({ event }) => {
    expect(play(serverSocketMachine, queue, [...FULL, accept(3), event]).timers.size).toBe(0);
  });

  test('each one that waits has its own deadline of 5 s', () => {
    const { timers } = play(serverSocketMachine, queue, both);
    expect([...timers.values()].map(({ event, delayMs }) => [event, delayMs])).toEqual([
      [queueTimeout(3), 5_000],
      [queueTimeout(4), 5_000],
    ]);
  });
});

describe('full, with `stopListening`', () => {
  table([
    { name: 'it stops listening after the last admission', given: stopListening, events: FULL, state: 'saturated', last: ['ADMIT 2', 'STOP_LISTENING'] },
    { name: 'one that was accepted meanwhile is refused', given: stopListening, events: [...FULL, accept(3)], state: 'saturated', last: ['REFUSE 3 (max sessions)'] },
    { name: 'an end makes it listen again', given: stopListening, events: [...DEAF, closed], state: 'opening', last: ['LISTEN'], context: { sessions: 1, listening: false } },
    { name: 'then it accepts', given: stopListening, events: [...DEAF, closed, listening, is('CONFIGURED')], state: 'accepting', context: { sessions: 1 } },
    { name: 'raised, it listens again', given: stopListening, events: [...DEAF, setMax(3)], state: 'opening', last: ['LISTEN'] },
    { name: 'an end that comes before it has stopped listening is not lost: it listens again as soon as it has', given: stopListening, events: [...FULL, closed, is('STOPPED_LISTENING')], state: 'opening', last: ['LISTEN'] },
    { name: 'without descriptors it stops listening too', given: stopListening, events: [...STARTED, accept(1, { descriptor: 100 })], state: 'saturated.byDescriptors', last: ['ADMIT 1', 'STOP_LISTENING', 'MEASURE_DESCRIPTORS'] },
    { name: 'and listens again when there are some', given: stopListening, events: [...STARTED, accept(1, { descriptor: 100 }), is('STOPPED_LISTENING'), descriptors(50)], state: 'opening', last: ['LISTEN'] },
  ]); // prettier-ignore
});

describe('descriptors', () => {
  const low = INTO['saturated.byDescriptors']!;
  table([
    { name: 'descriptor 99 of 100 is one of many', events: [...STARTED, accept(1, { descriptor: 99 })], state: 'accepting' },
    { name: 'descriptor 100 of 100 is admitted, and saturates', events: low, state: 'saturated.byDescriptors', last: ['ADMIT 1', 'MEASURE_DESCRIPTORS'], context: { sessions: 1 } },
    { name: 'the next one is refused, with `queue` too', given: input({ atMaxSessions: 'queue', maxSessions: 9 }), events: [...low, accept(2, { descriptor: 101 })], state: 'saturated.byDescriptors', last: ['REFUSE 2 (no descriptors)'], context: { queue: [], refusedCount: 1 } },
    { name: 'full by sessions, one with descriptor 100 of 100 does not wait, one with 99 does', given: queue, events: [...FULL, accept(3, { descriptor: 99 }), accept(4, { descriptor: 100 })], state: 'saturated.bySessions', last: ['REFUSE 4 (max sessions)'], context: { queue: [handle(3)] } },
    { name: 'nobody can tell how many are in use: it stays', events: [...low, descriptors(Infinity)], state: 'saturated.byDescriptors', last: [] },
    { name: 'still 100 in use: it stays', events: [...low, descriptors(100)], state: 'saturated.byDescriptors', last: [] },
    { name: 'it looks again after its pause', events: [...low, due('descriptorLookTimeout')], state: 'saturated.byDescriptors', last: ['MEASURE_DESCRIPTORS'] },
    { name: '99 in use: it accepts by itself', events: [...low, descriptors(99)], state: 'accepting', last: [] },
    { name: '99 in use but no place: full by sessions', events: [...STARTED, accept(1), accept(2, { descriptor: 100 }), descriptors(99)], state: 'saturated.bySessions' },
    { name: 'an end is counted and waits for the next look', events: [...low, closed], state: 'saturated.byDescriptors', context: { sessions: 0 } },
    { name: 'where the system does not tell them, none is the last', given: input({ descriptorMax: Infinity }), events: [...STARTED, accept(1, { descriptor: 1e9 })], state: 'accepting' },
  ]); // prettier-ignore

  test('between two looks it waits descriptorLookMs', () => {
    expect(delayOf(into('saturated.byDescriptors'), 'descriptorLookTimeout')).toBe(1_000);
  });
});

describe('suspend and resume', () => {
  const retrying = INTO['suspended.retrying']!;
  table([
    { name: 'SUSPEND stops listening, sessions go on', events: [...STARTED, accept(1), is('SUSPEND')], state: 'suspended.asked', last: ['STOP_LISTENING'], context: { sessions: 1 } },
    { name: 'an end while suspended is counted', events: [...STARTED, accept(1), is('SUSPEND'), closed], state: 'suspended.asked', last: [], context: { sessions: 0 } },
    { name: 'RESUME listens again', events: [...STARTED, is('SUSPEND'), is('STOPPED_LISTENING'), is('RESUME')], state: 'opening', last: ['LISTEN'] },
    { name: 'RESUME of a server that accepts is ignored', events: [...STARTED, is('RESUME')], state: 'accepting', last: [] },
    { name: 'a re-listen that fails is retried, not the end', events: retrying, state: 'suspended.retrying', last: ['STOP_LISTENING'], context: { failure: { code: 'EADDRINUSE', message: 'listen EADDRINUSE' } } },
    { name: 'after its delay it listens again', events: [...retrying, due('relistenTimeout')], state: 'opening', last: ['LISTEN'] },
    { name: 'RESUME does not wait for the delay', events: [...retrying, is('RESUME')], state: 'opening', last: ['LISTEN'] },
    { name: 'SUSPEND ends the retries', events: [...retrying, is('SUSPEND')], state: 'suspended.asked', last: [] },
    { name: 'a re-listen without an answer is retried: live sessions are not left behind', events: [...STARTED, accept(1), is('SUSPEND'), is('RESUME'), due('openTimeout')], state: 'suspended.retrying', last: ['STOP_LISTENING'], context: { sessions: 1 } },
    { name: 'options that cannot be set again are retried', events: [...STARTED, accept(1), is('SUSPEND'), is('RESUME'), listening, error('EINVAL')], state: 'suspended.retrying', last: ['STOP_LISTENING'], context: { sessions: 1 } },
    { name: 'options without an answer are retried', events: [...STARTED, accept(1), is('SUSPEND'), is('RESUME'), listening, due('openTimeout')], state: 'suspended.retrying', last: ['STOP_LISTENING'] },
    { name: 'a server that was stopped and started anew fails at once again', events: [...STARTED, stop(), is('STOPPED_LISTENING'), is('START'), resolved, error('EADDRINUSE')], state: 'closed' },
  ]); // prettier-ignore

  test('the delays between failed attempts double from 100 ms to at most 30 s, and begin anew after a success', () => {
    let server = play(serverSocketMachine, input(), [...STARTED, is('SUSPEND'), is('RESUME')]);
    const delays: (number | undefined)[] = [];
    for (let failure = 0; failure < 11; failure += 1) {
      server = playOn(server, [error('EADDRINUSE')]);
      delays.push(delayOf(server, 'relistenTimeout'));
      server = playOn(server, [due('relistenTimeout')]);
    }
    expect(delays).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]);
    server = playOn(server, [listening, is('CONFIGURED'), is('SUSPEND'), is('RESUME'), error('EADDRINUSE')]);
    expect(delayOf(server, 'relistenTimeout')).toBe(100);
  });

  test('the delay grows too when listening works and only the options fail', () => {
    const failing = [is('SUSPEND'), is('RESUME'), listening, error('EINVAL')];
    const server = play(serverSocketMachine, input(), [
      ...STARTED,
      ...failing,
      due('relistenTimeout'),
      listening,
      error('EINVAL'),
    ]);
    expect(delayOf(server, 'relistenTimeout')).toBe(200);
  });
});

describe('stop', () => {
  const draining = [...STARTED, accept(1), stop()];
  table([
    { name: 'it listens no more and drains', events: draining, state: 'draining.waiting', last: ['STOP_LISTENING', 'DRAIN_SESSIONS'] },
    { name: 'the last end after it stopped listening closes it', events: [...draining, is('STOPPED_LISTENING'), closed], state: 'closed', last: [], context: { sessions: 0, listening: false } },
    { name: 'the last end before it stopped listening waits for that', events: [...draining, closed], state: 'draining.waiting' },
    { name: 'then it is closed', events: [...draining, closed, is('STOPPED_LISTENING')], state: 'closed' },
    { name: 'the last end but one does not close it', events: [...FULL, stop(), is('STOPPED_LISTENING'), closed], state: 'draining.waiting', context: { sessions: 1 } },
    { name: 'without sessions it closes when it listens no more', events: [...STARTED, stop(), is('STOPPED_LISTENING')], state: 'closed' },
    { name: 'what is left at the deadline is forced', events: [...draining, due('drainTimeout')], state: 'draining.forcing', last: ['FORCE_SESSIONS'] },
    { name: 'forced sessions that end close it', events: [...draining, is('STOPPED_LISTENING'), due('drainTimeout'), closed], state: 'closed' },
    { name: 'forced sessions that never end do not keep it', events: [...draining, due('drainTimeout'), due('forceTimeout')], state: 'closed' },
    { name: 'force resets all at once', events: [...STARTED, accept(1), stop('force')], state: 'draining.forcing', last: ['STOP_LISTENING', 'FORCE_SESSIONS'] },
    { name: 'force during a drain does not wait for its deadline', events: [...draining, stop('force')], state: 'draining.forcing', last: ['FORCE_SESSIONS'] },
    { name: 'a graceful stop does not take a forced one back', events: [...STARTED, accept(1), stop('force'), stop('graceful')], state: 'draining.forcing', last: [] },
    { name: 'a second force changes nothing', events: [...STARTED, accept(1), stop('force'), stop('force')], state: 'draining.forcing', last: [] },
    { name: 'a name that is being looked up is let go', events: [is('START'), stop()], state: 'closed', last: [] },
    { name: 'a server that re-listens drains its sessions', events: [...STARTED, accept(1), is('SUSPEND'), is('RESUME'), stop()], state: 'draining.waiting', last: ['STOP_LISTENING', 'DRAIN_SESSIONS'] },
    { name: 'a server that is started again starts with no sessions', events: [...draining, due('drainTimeout'), due('forceTimeout'), ...STARTED], state: 'accepting', context: { sessions: 0 } },
  ]); // prettier-ignore

  test.each(STATES.flatMap((state) => (['graceful', 'force'] as const).map((option) => ({ state, option }))))(
    'a $option STOP in $state leads to a server that is, or will be, closed',
    ({ state, option }) => {
      const asked = playOn(into(state), [stop(option)]);
      const isClosed = asked.state === 'closed';
      expect(isClosed).toBe(state === 'closed' || state === 'resolving');
      expect(stateAt(asked, isClosed ? 'closed' : 'draining')).toBe(isClosed ? 'closed' : 'draining');
      if (isClosed) return;
      const ends = Array.from({ length: asked.snapshot.context.sessions }, () => closed);
      expect(playOn(asked, [is('STOPPED_LISTENING'), ...ends]).state).toBe('closed');
      expect(playOn(asked, [...ends, is('STOPPED_LISTENING')]).state).toBe('closed');
      const forced = option === 'force' || state === 'draining.forcing' ? asked : playOn(asked, [due('drainTimeout')]);
      expect(playOn(forced, [due('forceTimeout')]).state).toBe('closed');
    },
  );

  test('the deadline is the stop’s own, else drainTimeoutMs, and one stop does not change the next', () => {
    const deadline = (...events: ServerSocketEvent[]) =>
      delayOf(play(serverSocketMachine, input(), events), 'drainTimeout');
    expect(deadline(...STARTED, stop())).toBe(30_000);
    expect(deadline(...STARTED, stop('graceful', 250))).toBe(250);
    expect(deadline(...STARTED, stop('graceful', 0))).toBe(0);
    expect(deadline(...STARTED, stop('graceful', 0), is('STOPPED_LISTENING'), ...STARTED, stop())).toBe(30_000);
  });

  test('a second graceful stop joins the first: sessions hear DRAIN once, and the deadline stays', () => {
    const end = play(serverSocketMachine, input(), [
      ...STARTED,
      accept(1),
      stop('graceful', 500),
      stop('graceful', 250),
    ]);
    expect(delayOf(end, 'drainTimeout')).toBe(500);
    expect(end.commands.filter(({ type }) => type === 'DRAIN_SESSIONS')).toHaveLength(1);
  });
});
