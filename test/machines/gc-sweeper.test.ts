/** The sweeper chart: table, graph walk, and what always holds. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { gcSweeperMachine, type GcSweeperContext, type GcSweeperEvent } from '../../machines/gc-sweeper.js';
import { delayOf, due, play, stateAt, type Due } from '../../src/testing/play.js';
import { perform, scripts } from './scripts.js';
import { walk } from './walk.js';

const input = { sweepIntervalMs: 60_000, sliceMax: 100, slicePauseMs: 1 };
const sweep = (nowMs: number): GcSweeperEvent => ({ type: 'SWEEP', nowMs });
const accept = (nowMs: number): GcSweeperEvent => ({ type: 'ACCEPT', nowMs });
const stop: GcSweeperEvent = { type: 'STOP' };
const done = (remaining: number, freed = 0, forced = 0, leaked = 0): GcSweeperEvent => ({
  type: 'SLICE_DONE',
  freed,
  forced,
  leaked,
  remaining,
});
const FIRST = { type: 'SWEEP_SLICE', max: 100, first: true };
const NEXT = { type: 'SWEEP_SLICE', max: 100, first: false };

interface Row {
  readonly name: string;
  readonly events: readonly (GcSweeperEvent | Due)[];
  readonly state: string;
  readonly last?: readonly unknown[];
  readonly context?: Partial<GcSweeperContext>;
}

test.each<Row>([
  { name: 'it starts idle and sweeps nothing', events: [], state: 'idle', last: [] },
  { name: 'the server’s start sweeps', events: [sweep(5)], state: 'sweeping', last: [FIRST], context: { sweptAtMs: 5, sweepCount: 1 } },
  { name: '60 s after the end of a sweep the next begins', events: [sweep(5), done(0), due('sweepTimeout')], state: 'sweeping', last: [FIRST], context: { sweptAtMs: 60_005, sweepCount: 2 } },
  { name: 'an accept 59 999 ms after the last sweep does nothing', events: [sweep(5), done(0), accept(60_004)], state: 'idle', last: [] },
  { name: 'an accept 60 000 ms after the last sweep, whose timer is late, sweeps', events: [sweep(5), done(0), accept(60_005)], state: 'sweeping', last: [FIRST], context: { sweptAtMs: 60_005, sweepCount: 2 } },
  { name: 'a slice that leaves some waits for the next', events: [sweep(0), done(7)], state: 'sweeping', last: [] },
  { name: 'the next slice goes on where it stopped', events: [sweep(0), done(7), due('slicePause')], state: 'sweeping', last: [NEXT] },
  { name: 'a slice that leaves none ends the sweep', events: [sweep(0), done(7), due('slicePause'), done(0)], state: 'idle', last: [] },
  { name: 'slices add up', events: [sweep(0), done(7, 100, 2, 1), due('slicePause'), done(0, 7, 1, 1)], state: 'idle', context: { freedCount: 107, forcedCount: 3, leakedCount: 2, sweepCount: 1 } },
  { name: 'sweeps add up', events: [sweep(0), done(0, 1), sweep(1), done(0, 2)], state: 'idle', context: { freedCount: 3, sweepCount: 2 } },
  { name: 'SWEEP while it sweeps is ignored', events: [sweep(0), sweep(1)], state: 'sweeping', last: [], context: { sweepCount: 1 } },
  { name: 'ACCEPT while it sweeps is ignored, however late', events: [sweep(0), accept(1e9)], state: 'sweeping', last: [] },
  { name: 'a slice that is never answered is asked for again', events: [sweep(0), due('slicePause')], state: 'sweeping', last: [NEXT] },
  { name: 'an answer while idle is ignored', events: [done(0, 9)], state: 'idle', last: [], context: { freedCount: 0 } },
  { name: 'STOP ends it while idle', events: [stop], state: 'stopped', last: [] },
  { name: 'STOP ends it while it sweeps', events: [sweep(0), done(5), stop], state: 'stopped', last: [] },
])('$name', ({ events, state, last, context }) => {
  const end = play(gcSweeperMachine, input, events);
  expect(stateAt(end, state)).toBe(state);
  if (last) expect(end.lastCommands).toEqual(last);
  if (context) expect(end.snapshot.context).toMatchObject(context);
}); // prettier-ignore

test('it sweeps every sweepIntervalMs, and rests slicePauseMs between two slices', () => {
  expect(delayOf(play(gcSweeperMachine, input), 'sweepTimeout')).toBe(60_000);
  const sweeping = play(gcSweeperMachine, input, [sweep(0), done(5)]);
  expect(delayOf(sweeping, 'slicePause')).toBe(1);
  expect(delayOf(sweeping, 'sweepTimeout')).toBeUndefined();
  expect(play(gcSweeperMachine, input, [sweep(0), stop]).timers.size).toBe(0);
});

describe('walking the graph', () => {
  const found = walk({
    machine: gcSweeperMachine,
    inputs: [input],
    events: [sweep(60_000), accept(59_999), accept(60_000), accept(180_000), done(0), done(1), stop],
    keyOf: ({ context }) => Math.min(context.sweptAtMs, 180_000),
    placesMax: 100,
  });

  test('every state of the sweeper chart is reached, every transition is taken, and nothing throws', () => {
    expect(found.statesMissed).toEqual([]);
    expect(found.transitionsMissed).toEqual([]);
    expect(found.thrown).toEqual([]);
  });

  test('no state of the sweeper is left by `always`, and none is without a deadline', () => {
    expect(found.transient).toEqual([]);
    expect(found.withoutDeadline).toEqual([]);
  });
});

test('every sweep begins with one first slice, and only slices that are next follow it', () => {
  const events = fc.oneof(
    fc.nat({ max: 300_000 }).map(sweep),
    fc.nat({ max: 300_000 }).map(accept),
    fc.constantFrom(done(0, 1), done(3, 1)),
  );
  fc.assert(
    fc.property(scripts<typeof gcSweeperMachine>(events), (script) => {
      const end = perform(gcSweeperMachine, input, script, ({ played, before }) => {
        const begins = before?.state === 'idle' && played.state === 'sweeping';
        expect(played.lastCommands.filter(({ first }) => first)).toHaveLength(begins ? 1 : 0);
        expect(played.lastCommands.length).toBeLessThanOrEqual(1);
      });
      expect(end.commands.filter(({ first }) => first)).toHaveLength(end.snapshot.context.sweepCount);
    }),
    { numRuns: 300 },
  );
});
