/**
 * Looks after what sessions leave behind: every `sweepIntervalMs`, at the server's start, and at an accept when a sweep is due
 * (a timer that is late because the process was busy must not postpone it further).
 *
 * A sweep is cut into slices so that a long queue does not stall the event loop; between two slices sockets have their turn.
 * What a slice does is the runtime's: see `src/session/sweeper.ts`. Ignored on purpose: SWEEP and ACCEPT while sweeping.
 */
import { assign, emit, setup, type SnapshotFrom } from 'xstate';

export interface GcSweeperInput {
  readonly sweepIntervalMs: number;
  /** Most entries that one slice looks at. */
  readonly sliceMax: number;
  /** Between two slices, in ms. */
  readonly slicePauseMs: number;
}

export interface GcSweeperContext extends GcSweeperInput {
  /** When the last sweep began, by the runtime's clock, in ms. */
  sweptAtMs: number;
  sweepCount: number;
  /** Since the server was made: records of closed sessions let go, sockets that had to be forced, entries without a socket. */
  freedCount: number;
  forcedCount: number;
  leakedCount: number;
}

export type GcSweeperEvent =
  | { readonly type: 'SWEEP' | 'ACCEPT'; readonly nowMs: number }
  | {
      readonly type: 'SLICE_DONE';
      readonly freed: number;
      readonly forced: number;
      readonly leaked: number;
      readonly remaining: number;
    }
  | { readonly type: 'STOP' };

export type GcSweeperCommand =
  /** Sweep at most `max` entries and answer SLICE_DONE. `first`: a new sweep, so look at everything anew. */
  { readonly type: 'SWEEP_SLICE'; readonly max: number; readonly first: boolean };

type SliceDone = Extract<GcSweeperEvent, { type: 'SLICE_DONE' }>;

export const gcSweeperMachine = setup({
  types: {} as { input: GcSweeperInput; context: GcSweeperContext; events: GcSweeperEvent; emitted: GcSweeperCommand },
  guards: {
    isDue: ({ context, event }) => (event as { nowMs: number }).nowMs - context.sweptAtMs >= context.sweepIntervalMs,
    hasRemaining: ({ event }) => (event as SliceDone).remaining > 0,
  },
  actions: {
    sweepFirst: emit(({ context }) => ({ type: 'SWEEP_SLICE', max: context.sliceMax, first: true })),
    sweepNext: emit(({ context }) => ({ type: 'SWEEP_SLICE', max: context.sliceMax, first: false })),
    noteSweep: assign({
      sweptAtMs: ({ context, event }) => ('nowMs' in event ? event.nowMs : context.sweptAtMs + context.sweepIntervalMs),
      sweepCount: ({ context }) => context.sweepCount + 1,
    }),
    count: assign({
      freedCount: ({ context, event }) => context.freedCount + (event as SliceDone).freed,
      forcedCount: ({ context, event }) => context.forcedCount + (event as SliceDone).forced,
      leakedCount: ({ context, event }) => context.leakedCount + (event as SliceDone).leaked,
    }),
  },
  delays: {
    sweepTimeout: ({ context }) => context.sweepIntervalMs,
    slicePause: ({ context }) => context.slicePauseMs,
  },
}).createMachine({
  id: 'gcSweeper',
  // XState's `transition()` first makes an actor without input: no delay is known then, and the states would follow each other for ever.
  options: { maxIterations: 10 },
  context: ({ input }) => ({
    ...input,
    sweptAtMs: 0,
    sweepCount: 0,
    freedCount: 0,
    forcedCount: 0,
    leakedCount: 0,
  }),
  initial: 'idle',
  // prettier-ignore
  on: {
    STOP:           '.stopped',
  },
  // prettier-ignore
  states: {
    idle: {
      after: { sweepTimeout: { target: 'sweeping', actions: ['noteSweep', 'sweepFirst'] } },
      on: {
        SWEEP:      { target: 'sweeping', actions: ['noteSweep', 'sweepFirst'] },
        ACCEPT:     { target: 'sweeping', actions: ['noteSweep', 'sweepFirst'], guard: 'isDue' },
      },
    },
    sweeping: {
      after: { slicePause: { target: 'sweeping', reenter: true, actions: 'sweepNext' } },
      on: {
        SLICE_DONE: [{ actions: 'count', guard: 'hasRemaining' },
                     { target: 'idle', actions: 'count' }],
      },
    },
    stopped: { type: 'final' },
  },
});

export type GcSweeperSnapshot = SnapshotFrom<typeof gcSweeperMachine>;
