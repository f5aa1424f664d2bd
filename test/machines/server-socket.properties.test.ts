/** What holds for a server socket whatever happens to it. fast-check prints the seed of a failure; `{ seed, path }` replays it. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { serverSocketMachine, type ServerSocketEvent, type ServerSocketInput } from '../../machines/server-socket.js';
import { isIn, play, playOn, type Played } from '../../src/testing/play.js';
import { perform, scripts, type Line } from './scripts.js';
import {
  accept,
  descriptors,
  error,
  input,
  is,
  left,
  listening,
  resolved,
  setMax,
  STARTED,
  stop,
} from './server-socket-events.js';

const RUNS = { numRuns: 300 };
type Server = Played<typeof serverSocketMachine>;
type Look = Parameters<typeof perform<typeof serverSocketMachine>>[3];
type ServerLine = Line<typeof serverSocketMachine>;

/** Numbered later: each connection has a handle of its own, as the socket layer gives them. */
const connection = fc
  .record({ descriptor: fc.constantFrom(10, 10, 10, 100), sessionsOfAddress: fc.nat({ max: 3 }) })
  .map((about) => accept(0, about));
const events: fc.Arbitrary<ServerSocketEvent> = fc.oneof(
  { weight: 10, arbitrary: connection },
  { weight: 8, arbitrary: fc.constant(is('SESSION_CLOSED')) },
  { weight: 5, arbitrary: fc.constantFrom(listening, is('CONFIGURED'), is('STOPPED_LISTENING'), resolved) },
  { weight: 3, arbitrary: fc.constantFrom(is('START'), is('SUSPEND'), is('RESUME'), error('EADDRINUSE')) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 5 }).map(setMax) },
  { weight: 3, arbitrary: fc.constantFrom(99, 100).map(descriptors) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 30 }).map(left) },
  { weight: 1, arbitrary: fc.constantFrom(stop(), stop('force'), stop('graceful', 0)) },
);
const inputs: fc.Arbitrary<ServerSocketInput> = fc
  .record({
    maxSessions: fc.integer({ min: 1, max: 4 }),
    sessionsPerAddressMax: fc.constantFrom(0, 3),
    atMaxSessions: fc.constantFrom('refuse' as const, 'queue' as const, 'stopListening' as const),
    queueMax: fc.integer({ min: 1, max: 3 }),
  })
  .map(input);

/** A started server's script. Sessions end only as often as there are any: the runtime tells each end once. */
const lives = scripts<typeof serverSocketMachine>(events, 60).map((script): ServerLine[] => {
  let last = 0;
  const numbered = script.map((line) =>
    'type' in line && line.type === 'ACCEPT' ? { ...line, socket: (last += 1) as never } : line,
  );
  return [...STARTED, ...numbered];
});

/** Performs with the ends of sessions that do not exist left out. */
const run = (given: ServerSocketInput, script: readonly ServerLine[], look: Look): Server =>
  perform(
    serverSocketMachine,
    given,
    script,
    look,
    ({ type }, { snapshot }) => type !== 'SESSION_CLOSED' || snapshot.context.sessions > 0,
  );

test('sessions are those admitted less those ended, never below 0, and an ADMIT is counted once', () => {
  fc.assert(
    fc.property(inputs, lives, (given, script) => {
      let live = 0;
      let admitted = 0;
      run(given, script, ({ played, before, event }) => {
        if (event?.type === 'START' && before!.state === 'closed') live = 0; // what a forced stop has left behind is over
        if (event?.type === 'SESSION_CLOSED') live -= 1;
        const now = played.lastTypes.filter((type) => type === 'ADMIT').length;
        [live, admitted] = [live + now, admitted + now];
        expect(played.snapshot.context.sessions).toBe(live);
        expect(played.snapshot.context.acceptedCount).toBe(admitted);
        expect(live).toBeGreaterThanOrEqual(0);
      });
    }),
    RUNS,
  );
});

test('nobody is admitted beyond maxSessions', () => {
  fc.assert(
    fc.property(inputs, lives, (given, script) => {
      run(given, script, ({ played }) => {
        const { sessions, maxSessions } = played.snapshot.context;
        if (played.lastTypes.includes('ADMIT')) expect(sessions).toBeLessThanOrEqual(maxSessions);
        if (isIn(played, 'accepting')) expect(sessions).toBeLessThan(maxSessions);
        if (isIn(played, 'saturated.bySessions')) expect(sessions).toBeGreaterThanOrEqual(maxSessions);
      });
    }),
    RUNS,
  );
});

test('the queue holds queueMax at most, with the policy `queue` alone, and only while saturated', () => {
  fc.assert(
    fc.property(inputs, lives, (given, script) => {
      run(given, script, ({ played }) => {
        const { queue } = played.snapshot.context;
        expect(queue.length).toBeLessThanOrEqual(given.atMaxSessions === 'queue' ? given.queueMax : 0);
        if (!isIn(played, 'saturated')) expect(queue).toEqual([]);
        expect(new Set(queue).size).toBe(queue.length);
      });
    }),
    RUNS,
  );
});

test('every connection is admitted, refused or left exactly once, or still waits; refusals are counted', () => {
  fc.assert(
    fc.property(inputs, lives, (given, script) => {
      const fates: Record<number, number> = {};
      const end = run(given, script, ({ played, before, event }) => {
        if (event?.type === 'ACCEPT') fates[event.socket] = 0;
        if (event?.type === 'QUEUE_LEFT' && before!.snapshot.context.queue.includes(event.socket))
          fates[event.socket]! += 1;
        for (const command of played.lastCommands)
          if (command.type === 'ADMIT' || command.type === 'REFUSE') fates[command.socket]! += 1;
      });
      const { queue, refusedCount } = end.snapshot.context;
      for (const [socket, count] of Object.entries(fates))
        expect(`${socket}: ${count}`).toBe(`${socket}: ${queue.includes(Number(socket) as never) ? 0 : 1}`);
      expect(refusedCount).toBe(end.types.filter((type) => type === 'REFUSE').length);
    }),
    RUNS,
  );
});

test('each one that waits in the queue has a deadline pending', () => {
  fc.assert(
    fc.property(inputs, lives, (given, script) => {
      run(given, script, ({ played }) => {
        const waiting = [...played.timers.values()].flatMap(({ event }) => ('socket' in event ? [event.socket] : []));
        expect(waiting).toEqual(expect.arrayContaining([...played.snapshot.context.queue]));
      });
    }),
    RUNS,
  );
});

test('a server that accepts listens, however late the layer answers', () => {
  // The layer: LISTEN and STOP_LISTENING are answered later, in order, and the answer to a STOP_LISTENING that LISTEN overtook is dropped.
  const moves = fc.array(fc.constantFrom('accept', 'close', 'suspend', 'resume', 'answer'), {
    maxLength: 40,
    size: 'max',
  });
  fc.assert(
    fc.property(inputs, moves, (given, script) => {
      let owed: ServerSocketEvent[] = [];
      let isOpen = false;
      let socket = 0;
      let now = play(serverSocketMachine, given);
      const send = (event: ServerSocketEvent | undefined) => {
        if (!event) return;
        now = playOn(now, [event]);
        for (const type of now.lastTypes) {
          if (type === 'RESOLVE') owed = [resolved];
          if (type === 'LISTEN') [owed, isOpen] = [[listening], true];
          if (type === 'CONFIGURE') owed = [is('CONFIGURED')];
          if (type === 'STOP_LISTENING') [owed, isOpen] = [[is('STOPPED_LISTENING')], false];
        }
      };
      send(is('START'));
      for (const move of [...script, 'answer', 'answer', 'answer', 'answer']) {
        if (move === 'accept' && isOpen) send(accept((socket += 1)));
        if (move === 'close' && now.snapshot.context.sessions > 0) send(is('SESSION_CLOSED'));
        if (move === 'suspend') send(is('SUSPEND'));
        if (move === 'resume') send(is('RESUME'));
        if (move === 'answer') send(owed.shift());
      }
      if (isIn(now, 'accepting')) expect(isOpen).toBe(true);
      expect(isIn(now, 'opening') || isIn(now, 'configuring')).toBe(false);
    }),
    RUNS,
  );
});
