/** The client chart: table, back-off, graph walk, and what always holds. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clientMachine, type ClientContext, type ClientEvent, type ClientInput } from '../../machines/client.js';
import type { CloseOption } from '../../machines/events.js';
import { delayOf, due, isIn, play, playOn, stateAt, type Due } from '../../src/testing/play.js';
import { perform, scripts } from './scripts.js';
import { walk } from './walk.js';

const input = (changes: Partial<ClientInput> = {}): ClientInput => ({
  connectTimeoutMs: 10_000,
  backOffMinMs: 100,
  backOffMaxMs: 30_000,
  attemptsMax: 3,
  stopTimeoutMs: 5_000,
  seed: 1,
  ...changes,
});
const start: ClientEvent = { type: 'START' };
const connect: ClientEvent = { type: 'CONNECT' };
const error = (code = 'ECONNREFUSED'): ClientEvent => ({ type: 'ERROR', code, message: `connect ${code}` });
const stop = (option: CloseOption = 'graceful', deadlineMs?: number): ClientEvent => ({
  type: 'STOP',
  option,
  deadlineMs,
});
const ended = (reason: string, wanted: boolean, hasRead: boolean): ClientEvent => ({
  type: 'SESSION_CLOSED',
  reason,
  wanted,
  hasRead,
});
const lost = ended('peer reset', false, true);
const unread = ended('peer closed', false, false);
const done = ended('protocol done', true, true);
const closed: ClientEvent = { type: 'CLOSE', byReset: false, bytesDropped: 0 };

interface Row {
  readonly name: string;
  readonly given?: ClientInput;
  readonly events: readonly (ClientEvent | Due)[];
  readonly state: string;
  readonly last?: readonly unknown[];
  readonly context?: Partial<ClientContext>;
}

const OPEN = { type: 'OPEN' };
const ABANDON = { type: 'ABANDON' };
const ADMIT = { type: 'ADMIT' };
const STOP_SESSION = { type: 'STOP_SESSION', option: 'graceful' };
const FORCE_SESSION = { type: 'STOP_SESSION', option: 'force' };
const retry = [error(), due('backOffTimeout')];
const failure = (code: string) => ({ code, message: `connect ${code}` });
const TIMED_OUT = { code: 'CONNECT_TIMEOUT', message: 'not connected within 10000 ms' };

test.each<Row>([
  { name: 'it does nothing before START', events: [], state: 'closed', last: [] },
  { name: 'START opens a socket', events: [start], state: 'connecting', last: [OPEN] },
  { name: 'a second START is ignored', events: [start, start], state: 'connecting', last: [] },
  { name: 'CONNECT makes a session', events: [start, connect], state: 'connected', last: [ADMIT], context: { connectCount: 1, attempts: 0 } },
  { name: 'a refused connection is given up, kept as the failure, and tried again later', events: [start, error()], state: 'backOff', last: [ABANDON], context: { attempts: 1, failure: failure('ECONNREFUSED') } },
  { name: 'after the back-off the next socket is opened', events: [start, ...retry], state: 'connecting', last: [OPEN], context: { attempts: 1 } },
  { name: 'no CONNECT within the deadline is a failure as well', events: [start, due('connectTimeout')], state: 'backOff', last: [ABANDON], context: { attempts: 1, failure: TIMED_OUT } },
  { name: 'the 2nd failure of 3 is not the last', events: [start, ...retry, error()], state: 'backOff', context: { attempts: 2 } },
  { name: 'the 3rd failure of 3 is', events: [start, ...retry, ...retry, error('EHOSTUNREACH')], state: 'closed', last: [ABANDON], context: { attempts: 3, failure: failure('EHOSTUNREACH') } },
  { name: 'the 3rd failure of 3 may be a timeout', events: [start, ...retry, ...retry, due('connectTimeout')], state: 'closed', last: [ABANDON], context: { attempts: 3, failure: TIMED_OUT } },
  { name: 'with 1 attempt the first failure is the last', given: input({ attemptsMax: 1 }), events: [start, error()], state: 'closed' },
  { name: 'a session that has read something forgets failures', events: [start, ...retry, ...retry, connect, lost], state: 'backOff', context: { attempts: 0 } },
  { name: 'a session that ends without a READ is the 1st failure', events: [start, connect, unread], state: 'backOff', context: { attempts: 1, failure: { code: 'SESSION_CLOSED', message: 'the session ended: peer closed' } } },
  { name: 'the 3rd session in a row without a READ is the last of 3', events: [start, connect, unread, due('backOffTimeout'), connect, unread, due('backOffTimeout'), connect, unread], state: 'closed', context: { attempts: 3 } },
  { name: 'a session that has lived for the longest back-off is no failure, whatever it read', events: [start, ...retry, ...retry, connect, due('settleTimeout'), unread], state: 'backOff', context: { attempts: 0 } },
  { name: 'a settled session that its protocol ended ends the client', events: [start, connect, due('settleTimeout'), done], state: 'closed', last: [] },
  { name: 'it gives 3 attempts again', events: [start, ...retry, ...retry, connect, lost, due('backOffTimeout'), ...retry, error()], state: 'backOff', context: { attempts: 2 } },
  { name: 'START after giving up begins with 3 attempts', events: [start, ...retry, ...retry, error(), start], state: 'connecting', context: { attempts: 0, failure: undefined } },
  { name: 'a session that its protocol ended ends the client', events: [start, connect, done], state: 'closed', last: [], context: { failure: undefined } },
  { name: 'a session that was lost is come back from', events: [start, connect, lost], state: 'backOff', last: [], context: { failure: { code: 'SESSION_CLOSED', message: 'the session ended: peer reset' } } },
  { name: 'and connects again', events: [start, connect, lost, due('backOffTimeout'), connect], state: 'connected', last: [ADMIT], context: { connectCount: 2 } },
  { name: 'what a socket that was given up says is ignored', events: [start, error(), connect], state: 'backOff', last: [] },
  { name: 'its CLOSE is ignored', events: [start, error(), closed], state: 'backOff', last: [] },
  { name: 'STOP before START does nothing', events: [stop()], state: 'closed', last: [] },
  { name: 'STOP while connecting gives the socket up', events: [start, stop()], state: 'closed', last: [ABANDON] },
  { name: 'a forced STOP while connecting gives the socket up', events: [start, stop('force')], state: 'closed', last: [ABANDON] },
  { name: 'STOP while backing off is the end', events: [start, error(), stop()], state: 'closed', last: [] },
  { name: 'a forced STOP while backing off is the end', events: [start, error(), stop('force')], state: 'closed', last: [] },
  { name: 'STOP while connected ends the session first', events: [start, connect, stop()], state: 'closing.waiting', last: [STOP_SESSION] },
  { name: 'then the client is closed, whatever the session ended of', events: [start, connect, stop(), lost], state: 'closed', last: [] },
  { name: 'a session that does not end by the deadline is forced', events: [start, connect, stop(), due('stopTimeout')], state: 'closing.forcing', last: [FORCE_SESSION] },
  { name: 'a forced STOP forces it at once', events: [start, connect, stop('force')], state: 'closing.forcing', last: [FORCE_SESSION] },
  { name: 'force while it closes does not wait for the deadline', events: [start, connect, stop(), stop('force')], state: 'closing.forcing', last: [FORCE_SESSION] },
  { name: 'a graceful STOP does not take a forced one back', events: [start, connect, stop('force'), stop()], state: 'closing.forcing', last: [] },
  { name: 'a second graceful STOP is ignored', events: [start, connect, stop(), stop()], state: 'closing.waiting', last: [] },
  { name: 'START while it closes is ignored', events: [start, connect, stop(), start], state: 'closing.waiting', last: [] },
  { name: 'a session that not even force ends does not keep it', events: [start, connect, stop('force'), due('forceTimeout')], state: 'closed' },
  { name: 'it can be started again after a stop', events: [start, connect, stop(), done, start, connect], state: 'connected', last: [ADMIT] },
])('$name', ({ given = input(), events, state, last, context }) => {
  const end = play(clientMachine, given, events);
  expect(stateAt(end, state)).toBe(state);
  if (last) expect(end.lastCommands).toEqual(last);
  if (context) expect(end.snapshot.context).toMatchObject(context);
}); // prettier-ignore

describe('deadlines', () => {
  test('connecting takes connectTimeoutMs at most', () => {
    expect(delayOf(play(clientMachine, input(), [start]), 'connectTimeout')).toBe(10_000);
  });

  test('the deadline of a stop is its own, else stopTimeoutMs, and one stop does not change the next', () => {
    const deadline = (...events: ClientEvent[]) => delayOf(play(clientMachine, input(), events), 'stopTimeout');
    expect(deadline(start, connect, stop())).toBe(5_000);
    expect(deadline(start, connect, stop('graceful', 0))).toBe(0);
    expect(deadline(start, connect, stop('graceful', 0), done, start, connect, stop())).toBe(5_000);
  });

  test('after RST the end of the session is awaited for stopTimeoutMs, also when the stop’s deadline was 0', () => {
    const forcing = play(clientMachine, input(), [start, connect, stop('graceful', 0), due('stopTimeout')]);
    expect(delayOf(forcing, 'forceTimeout')).toBe(5_000);
  });
});

describe('the back-off', () => {
  function delays(given: ClientInput, count: number): number[] {
    let client = play(clientMachine, { ...given, attemptsMax: Infinity }, [start]);
    return Array.from({ length: count }, () => {
      client = playOn(client, [error()]);
      const delay = delayOf(client, 'backOffTimeout')!;
      client = playOn(client, [due('backOffTimeout')]);
      return delay;
    });
  }
  const ceiling = (failure: number) => Math.min(30_000, 100 * 2 ** failure);

  test('with no end of attempts 40 failures are come back from', () => {
    expect(delays(input(), 40)).toHaveLength(40);
  });

  test('the n-th delay is drawn below 100 ms doubled n - 1 times, and below 30 s', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 32 - 1 }), (seed) => {
        for (const [failure, delay] of delays(input({ seed }), 15).entries()) {
          expect(delay).toBeGreaterThanOrEqual(0);
          expect(delay).toBeLessThan(ceiling(failure));
        }
      }),
      { numRuns: 100 },
    );
  });

  test('it uses the whole range: over 200 seeds the mean is half the ceiling, give or take a tenth', () => {
    const seeds = Array.from({ length: 200 }, (_, index) => Math.imul(index + 1, 2_654_435_761) >>> 0);
    const drawn = seeds.map((seed) => delays(input({ seed }), 10));
    for (const failure of [0, 3, 9]) {
      const mean = drawn.reduce((sum, one) => sum + one[failure]!, 0) / seeds.length;
      expect(mean / ceiling(failure)).toBeGreaterThan(0.4);
      expect(mean / ceiling(failure)).toBeLessThan(0.6);
    }
  });

  test('the same seed draws the same delays, another seed others', () => {
    expect(delays(input({ seed: 7 }), 10)).toEqual(delays(input({ seed: 7 }), 10));
    expect(delays(input({ seed: 7 }), 10)).not.toEqual(delays(input({ seed: 8 }), 10));
  });

  test('a lost session begins with the first ceiling, 100 ms', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 32 - 1 }), (seed) => {
        const events = [start, error(), due('backOffTimeout'), error(), due('backOffTimeout'), connect, lost];
        expect(delayOf(play(clientMachine, input({ seed }), events), 'backOffTimeout')).toBeLessThan(100);
      }),
      { numRuns: 100 },
    );
  });
});

describe('walking the graph', () => {
  const found = walk({
    machine: clientMachine,
    inputs: [input({ attemptsMax: 2 }), input({ attemptsMax: Infinity })],
    events: [
      ...[start, connect, error(), stop(), stop('graceful', 0), stop('force'), lost, unread, done, closed],
      ...[{ type: 'PEER_END' } as const, { type: 'WAIT_TIMEOUT', waits: 1 } as const], // the session's: ignored
    ],
    keyOf: ({ context }) => Math.min(context.attempts, 4),
    placesMax: 100,
  });

  test('every state of the client chart is reached, every transition is taken, and nothing throws', () => {
    expect(found.statesMissed).toEqual([]);
    expect(found.transitionsMissed).toEqual([]);
    expect(found.thrown).toEqual([]);
  });

  test('no state of the client is left by `always`; it waits without a deadline only for START and for its session', () => {
    expect(found.transient).toEqual([]);
    expect(found.withoutDeadline).toEqual(['client.closed', 'client.connected.settled']);
  });
});

test('one socket at most is open: each OPEN is admitted or given up before the next, and each session ends before it', () => {
  const events = fc.constantFrom(
    start,
    connect,
    error(),
    stop(),
    stop('force'),
    stop('graceful', 0),
    lost,
    done,
    closed,
  );
  fc.assert(
    fc.property(fc.constantFrom(1, 3, Infinity), scripts<typeof clientMachine>(events, 60), (attemptsMax, script) => {
      let connecting = 0;
      let live = 0;
      perform(
        clientMachine,
        input({ attemptsMax }),
        script,
        ({ played, event }) => {
          if (event?.type === 'SESSION_CLOSED') live = 0;
          for (const { type } of played.lastCommands) {
            if (type === 'OPEN') connecting += 1;
            if (type === 'ABANDON' || type === 'ADMIT') connecting -= 1;
            if (type === 'ADMIT') live += 1;
            if (type === 'STOP_SESSION') expect(live).toBe(1);
          }
          if ((event?.type as string) === 'xstate.after.forceTimeout.client.closing.forcing') live = 0; // given up
          expect(connecting).toBe(isIn(played, 'connecting') ? 1 : 0);
          expect(live).toBe(isIn(played, 'connected') || isIn(played, 'closing') ? 1 : 0);
        },
        ({ type }) => type !== 'SESSION_CLOSED' || live > 0,
      );
    }),
    { numRuns: 500 },
  );
});
