/**
 * An outgoing client: connects, keeps one session at a time, and comes back after a failure with growing, random delays.
 *
 * - Chance is data: the generator's state is context, seeded through the input, so that a run can be replayed.
 * - Full jitter (a uniform draw from 0 to the doubled delay) because clients that lost the same server must not come back together.
 * - A session that ended as its own protocol wanted (`protocol done`, `protocol asked`) ends the client; the client comes back from
 *   every other end. One that ends fresh and has read nothing counts as a failed attempt: a server that accepts and closes at once
 *   must not be asked again and again without a growing delay.
 * - Ignored on purpose: CONNECT, ERROR or CLOSE of a socket that was given up, START of a client that runs.
 */
import { assign, emit, setup, type SnapshotFrom } from 'xstate';
import type { CloseOption, SocketCommand, SocketEvent } from './events.js';

/** All times in ms. */
export interface ClientInput {
  readonly connectTimeoutMs: number;
  readonly backOffMinMs: number;
  readonly backOffMaxMs: number;
  /** Failures in a row before it gives up; `Infinity`: never. */
  readonly attemptsMax: number;
  /** A session's end after this deadline of STOP is forced. */
  readonly stopTimeoutMs: number;
  readonly seed: number;
}

export interface ClientContext extends ClientInput {
  /** Failures in a row. */
  attempts: number;
  backOffMs: number;
  /** State of the generator, an unsigned 32-bit integer. */
  chance: number;
  connectCount: number;
  /** Of the last STOP, if it has one. */
  deadlineMs: number | undefined;
  failure: ClientFailure | undefined;
}

/** Why the last attempt failed. `code` is the system's, or `CONNECT_TIMEOUT`, `SESSION_CLOSED`. */
export interface ClientFailure {
  readonly code: string;
  readonly message: string;
}

export type ClientEvent =
  | SocketEvent
  | { readonly type: 'START' }
  | { readonly type: 'STOP'; readonly option: CloseOption; readonly deadlineMs?: number | undefined }
  | { readonly type: 'SESSION_CLOSED'; readonly reason: string; readonly wanted: boolean; readonly hasRead: boolean };

export type ClientCommand =
  | SocketCommand
  /** A new socket, and CONNECT it. */
  | { readonly type: 'OPEN' }
  /** Give the socket up that is connecting. */
  | { readonly type: 'ABANDON' }
  /** Make a session of the connected socket. */
  | { readonly type: 'ADMIT' }
  | { readonly type: 'STOP_SESSION'; readonly option: CloseOption };

type Failed = Extract<SocketEvent, { type: 'ERROR' }>;
type SessionClosed = Extract<ClientEvent, { type: 'SESSION_CLOSED' }>;

export const clientMachine = setup({
  types: {} as { input: ClientInput; context: ClientContext; events: ClientEvent; emitted: ClientCommand },
  guards: {
    isLastAttempt: ({ context }) => context.attempts + 1 >= context.attemptsMax,
    isForce: ({ event }) => (event as { option: CloseOption }).option === 'force',
    isWanted: ({ event }) => (event as SessionClosed).wanted,
    isUnread: ({ event }) => !(event as SessionClosed).hasRead,
    isLastUnread: ({ context, event }) =>
      !(event as SessionClosed).hasRead && context.attempts + 1 >= context.attemptsMax,
  },
  actions: {
    open: emit({ type: 'OPEN' }),
    abandon: emit({ type: 'ABANDON' }),
    admit: emit({ type: 'ADMIT' }),
    stopSession: emit({ type: 'STOP_SESSION', option: 'graceful' }),
    forceSession: emit({ type: 'STOP_SESSION', option: 'force' }),
    begin: assign({ attempts: 0, failure: undefined }),
    countConnect: assign({ connectCount: ({ context }) => context.connectCount + 1 }),
    noteFailure: assign({
      attempts: ({ context }) => context.attempts + 1,
      failure: ({ event }) => ({ code: (event as Failed).code, message: (event as Failed).message }),
    }),
    noteTimeout: assign({
      attempts: ({ context }) => context.attempts + 1,
      failure: ({ context }) => ({
        code: 'CONNECT_TIMEOUT',
        message: `not connected within ${context.connectTimeoutMs} ms`,
      }),
    }),
    noteSessionClosed: assign({ attempts: 0, failure: ({ event }) => endOf(event as SessionClosed) }),
    noteUnread: assign({
      attempts: ({ context }) => context.attempts + 1,
      failure: ({ event }) => endOf(event as SessionClosed),
    }),
    drawBackOff: assign(({ context: c }) => {
      const chance = nextChance(c.chance);
      const ceiling = Math.min(c.backOffMaxMs, c.backOffMinMs * 2 ** Math.min(Math.max(0, c.attempts - 1), 30));
      return { chance, backOffMs: (chance / 2 ** 32) * ceiling };
    }),
    setDeadline: assign({ deadlineMs: ({ event }) => (event as { deadlineMs?: number }).deadlineMs }),
  },
  delays: {
    connectTimeout: ({ context }) => context.connectTimeoutMs,
    backOffTimeout: ({ context }) => context.backOffMs,
    /** A session that has lived so long is no failed attempt, whatever it read. */
    settleTimeout: ({ context }) => context.backOffMaxMs,
    stopTimeout: ({ context }) => context.deadlineMs ?? context.stopTimeoutMs,
    /** After RST; the deadline of STOP, which may be 0, does not shorten it. */
    forceTimeout: ({ context }) => context.stopTimeoutMs,
  },
}).createMachine({
  id: 'client',
  context: ({ input }) => ({
    ...input,
    attempts: 0,
    backOffMs: 0,
    chance: input.seed >>> 0,
    connectCount: 0,
    deadlineMs: undefined,
    failure: undefined,
  }),
  initial: 'closed',
  // prettier-ignore
  states: {
    closed: {
      on: {
        START:          { target: 'connecting', actions: 'begin' },
      },
    },
    connecting: {
      entry: 'open',
      after: { connectTimeout: [{ target: 'closed', actions: ['abandon', 'noteTimeout'], guard: 'isLastAttempt' },
                                { target: 'backOff', actions: ['abandon', 'noteTimeout'] }] },
      on: {
        CONNECT:        { target: 'connected', actions: ['countConnect', 'admit'] },
        ERROR:         [{ target: 'closed',  actions: ['abandon', 'noteFailure'], guard: 'isLastAttempt' },
                        { target: 'backOff', actions: ['abandon', 'noteFailure'] }],
        STOP:           { target: 'closed',  actions: 'abandon' },
      },
    },
    connected: {
      initial: 'fresh',
      on: {
        STOP:          [{ target: 'closing.forcing', guard: 'isForce' },
                        { target: 'closing', actions: 'setDeadline' }],
      },
      states: {
        fresh: {
          after: { settleTimeout: { target: 'settled', actions: 'begin' } },
          on: {
            SESSION_CLOSED: [{ target: '#client.closed',  guard: 'isWanted' },
                        { target: '#client.closed',  actions: 'noteUnread', guard: 'isLastUnread' },
                        { target: '#client.backOff', actions: 'noteUnread', guard: 'isUnread' },
                        { target: '#client.backOff', actions: 'noteSessionClosed' }],
          },
        },
        settled: {
          on: {
            SESSION_CLOSED: [{ target: '#client.closed',  guard: 'isWanted' },
                        { target: '#client.backOff', actions: 'noteSessionClosed' }],
          },
        },
      },
    },
    backOff: {
      entry: 'drawBackOff',
      after: { backOffTimeout: 'connecting' },
      on: {
        STOP:           { target: 'closed' },
      },
    },
    closing: {
      initial: 'waiting',
      on: {
        SESSION_CLOSED: { target: 'closed' },
        STOP:           { target: '.forcing', guard: 'isForce' },
      },
      states: {
        waiting: {
          entry: 'stopSession',
          after: { stopTimeout: 'forcing' },
        },
        forcing: {
          entry: 'forceSession',
          after: { forceTimeout: '#client.closed' },
        },
      },
    },
  },
});

export type ClientSnapshot = SnapshotFrom<typeof clientMachine>;

function endOf({ reason }: SessionClosed): ClientFailure {
  return { code: 'SESSION_CLOSED', message: `the session ended: ${reason}` };
}

/** One step of a 32-bit linear congruential generator (multiplier and increment: Numerical Recipes, 3rd edition, 7.1). */
function nextChance(state: number): number {
  return (Math.imul(state, 1664525) + 1013904223) >>> 0;
}
