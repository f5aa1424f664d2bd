/** What holds for a session whatever happens to it. fast-check prints the seed of a failure; `{ seed, path }` replays it. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { FactType } from '../../machines/events.js';
import { sessionMachine, type SessionEvent, type SessionInput } from '../../machines/session.js';
import { isIn, playOn, type Played } from '../../src/testing/play.js';
import { perform, scripts } from './scripts.js';
import { close, error, input, is, measured, read, send, setWaits, stop, wait, waits } from './session-events.js';

const RUNS = { numRuns: 300 };
const plain = fc.constantFrom(
  ...(['CONNECT', 'WRITE', 'FLUSHED', 'PEER_END', 'END', 'DRAIN', 'INPUT_DONE', 'FRAME_TIMEOUT'] as const),
  ...(['CONGESTED', 'FLOWING', 'INPUT_FULL', 'INPUT_LOW', 'HELD', 'RELEASED', 'FRAME_STARTED', 'FRAME_ENDED'] as const),
);
/** Ends are rare, so that scripts get somewhere. */
const events: fc.Arbitrary<SessionEvent> = fc.oneof(
  { weight: 20, arbitrary: plain.map(is) },
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 700 }).map(read) },
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 700 }).map(send) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 40 }).map(wait) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 80 }).map(setWaits) },
  { weight: 3, arbitrary: fc.nat({ max: 3 }).map(measured) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        fc.constantFrom('graceful' as const, 'graceful' as const, 'force' as const),
        fc.constantFrom('limit', 'bad frame'),
      )
      .map(([option, reason]) => stop(option, reason)),
  },
  {
    weight: 1,
    arbitrary: fc.oneof(fc.boolean().map(close), fc.constantFrom('ECONNRESET', 'ETIMEDOUT', 'ENETDOWN').map(error)),
  },
);
const inputs: fc.Arbitrary<SessionInput> = fc
  .record({
    waitTimeoutCountMax: fc.constantFrom(0, 1, 60),
    discardedBytesMax: fc.constantFrom(0, 1_000),
    facts: fc.subarray<FactType>(['PEER_END', 'DRAIN', 'CONGESTED', 'FLOWING', 'WAIT_TIMEOUT']),
  })
  .map(input);
type Session = Played<typeof sessionMachine>;

const reads = (played: Session) =>
  isIn(played, 'accepted') || isIn(played, 'connected') || isIn(played, 'halfClosed.byUs');
const isPaused = ({ types }: Session) => types.findLast((type) => type === 'PAUSE' || type === 'RESUME') === 'PAUSE';

test('n events of one wait and one event of n waits lead to the same snapshot', () => {
  fc.assert(
    fc.property(
      inputs,
      scripts<typeof sessionMachine>(events, 15),
      fc.integer({ min: 1, max: 130 }),
      (given, script, count) => {
        const before = perform(sessionMachine, given, script);
        const [one, many] = [playOn(before, [wait(count)]), playOn(before, waits(count))];
        expect(many.state).toEqual(one.state);
        expect(many.snapshot.context).toEqual(one.snapshot.context);
        const others = (played: Session) => played.types.slice(before.types.length).filter((type) => type !== 'FACT');
        expect(others(many)).toEqual(others(one));
      },
    ),
    RUNS,
  );
});

test('a closed session has one reason and closedBy, and both, once set, never change; nothing is emitted after it', () => {
  fc.assert(
    fc.property(inputs, scripts<typeof sessionMachine>(events), fc.boolean(), (given, script, byReset) => {
      const end = perform(
        sessionMachine,
        given,
        [...script, close(byReset), read(), stop('force')],
        ({ played, before }) => {
          const [was, now] = [before?.snapshot.context, played.snapshot.context];
          if (was?.reason !== undefined) expect(now.reason).toBe(was.reason);
          if (was?.closedBy !== undefined) expect(now.closedBy).toBe(was.closedBy);
          if (isIn(played, 'closing') || isIn(played, 'reset')) expect(now.reason).toEqual(expect.any(String));
        },
      );
      expect(end.state).toBe('closed');
      expect(end.snapshot.status).toBe('done');
      expect(end.snapshot.context.reason).toEqual(expect.any(String));
      expect(['fin', 'rst']).toContain(end.snapshot.context.closedBy);
    }),
    RUNS,
  );
});

test('our FIN goes once at most, RST once at most and last, and no WRITE follows either', () => {
  fc.assert(
    fc.property(inputs, scripts<typeof sessionMachine>(events), (given, script) => {
      const { types } = perform(sessionMachine, given, script);
      const after = (type: string) => (types.includes(type) ? types.slice(types.indexOf(type) + 1) : []);
      expect(after('SEND_FIN')).not.toContain('SEND_FIN');
      expect(after('SEND_FIN')).not.toContain('WRITE');
      expect(after('SEND_RST')).toEqual([]);
    }),
    RUNS,
  );
});

test('reading is paused exactly while the input is full or the output is congested, and never while closing', () => {
  fc.assert(
    fc.property(inputs, scripts<typeof sessionMachine>(events), (given, script) => {
      perform(sessionMachine, given, script, ({ played }) => {
        const { inputFull, outputFull } = played.snapshot.context;
        if (reads(played)) expect(isPaused(played)).toBe(inputFull || outputFull);
        if (isIn(played, 'closing')) expect(isPaused(played)).toBe(false);
      });
    }),
    RUNS,
  );
});

test('after FLOWING and INPUT_LOW a session that reads is not paused, whatever came before', () => {
  fc.assert(
    fc.property(inputs, scripts<typeof sessionMachine>(events), fc.boolean(), (given, script, outputFirst) => {
      const both = [is('FLOWING'), is('INPUT_LOW')];
      const end = perform(sessionMachine, given, [...script, ...(outputFirst ? both : both.reverse())]);
      if (reads(end)) expect(isPaused(end)).toBe(false);
    }),
    RUNS,
  );
});

test('never more than discardedBytesMax are discarded', () => {
  const toFinWait = [stop(), is('FLUSHED')];
  fc.assert(
    fc.property(inputs, fc.array(fc.integer({ min: 1, max: 700 }), { maxLength: 20 }), (given, sizes) => {
      const end = perform(sessionMachine, given, [...toFinWait, ...sizes.map(read)], ({ played }) =>
        expect(played.snapshot.context.discardedBytes).toBeLessThanOrEqual(given.discardedBytesMax),
      );
      const total = sizes.reduce((sum, size) => sum + size, 0);
      expect(isIn(end, 'reset')).toBe(total > given.discardedBytesMax);
    }),
    RUNS,
  );
});

test('DECODE and DECODE_END are the last command of their transition', () => {
  fc.assert(
    fc.property(inputs, scripts<typeof sessionMachine>(events), (given, script) => {
      perform(sessionMachine, given, script, ({ played }) => {
        const decodes = played.lastTypes.flatMap((type, index) => (type.startsWith('DECODE') ? [index] : []));
        expect(decodes).toEqual(decodes.length === 0 ? [] : [played.lastTypes.length - 1]);
      });
    }),
    RUNS,
  );
});

test('the bytes of every READ are decoded or, once it is closing, dropped; the bytes of every SEND are written or refused', () => {
  fc.assert(
    fc.property(inputs, scripts<typeof sessionMachine>(events), (given, script) => {
      perform(sessionMachine, given, script, ({ played, before, event }) => {
        if (event?.type === 'READ' && reads(before!))
          expect(played.lastCommands).toEqual([{ type: 'DECODE', bytes: event.bytes }]);
        if (event?.type === 'SEND')
          expect(played.lastCommands).toEqual(
            before!.snapshot.hasTag('sending') ? [{ type: 'WRITE', bytes: event.bytes }] : [],
          );
      });
    }),
    RUNS,
  );
});

test('a frame deadline is pending exactly while a frame is', () => {
  fc.assert(
    fc.property(inputs, scripts<typeof sessionMachine>(events), (given, script) => {
      perform(sessionMachine, given, script, ({ played }) => {
        const timers = [...played.timers.values()].filter(({ event }) => event.type === 'FRAME_TIMEOUT');
        if (reads(played)) expect(timers).toHaveLength(played.snapshot.context.framePending ? 1 : 0);
        else if (played.snapshot.status === 'active') expect(timers).toEqual([]);
      });
    }),
    RUNS,
  );
});

test('whoever asked for no fact is told none of PEER_END and DRAIN while it is connected', () => {
  fc.assert(
    fc.property(inputs, scripts<typeof sessionMachine>(events), (given, script) => {
      perform(sessionMachine, given, script, ({ played, before }) => {
        for (const command of played.lastCommands) {
          if (command.type !== 'FACT') continue;
          if (command.fact.type === 'PEER_END') expect(given.facts).toContain('PEER_END');
          if (command.fact.type === 'DRAIN' && reads(before!)) expect(given.facts).toContain('DRAIN');
        }
      });
    }),
    RUNS,
  );
});
