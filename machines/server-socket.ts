/**
 * The socket that is bound and listens.
 *
 * - Node's `listen` does socket, bind and listen in one call, so `opening` is one state; each way it fails is a
 *   transition of its own, since users mend them differently (another port, another address, more rights).
 * - The count of sessions is context, so that whether a connection is admitted is decided here and nowhere else. The number
 *   of sessions of one address comes with the event: a map of addresses, copied at each change, would cost more than a session.
 * - A queued connection's deadline is a delayed QUEUE_TIMEOUT of its own, since each has been waiting for another time.
 * - Ignored on purpose: WAIT_TIMEOUT (a wait without a connection is harmless), START of a server that runs, and ERROR while
 *   accepting (`accept(2)` may fail for one connection: the runtime reports it, the next is taken).
 */
import { assign, cancel, emit, enqueueActions, setup, type SnapshotFrom } from 'xstate';
import type { CloseOption, SocketAddress, SocketCommand, SocketEvent, SocketHandle } from './events.js';

/** What happens to a connection that comes while `maxSessions` are live. */
export type SaturationPolicy = 'refuse' | 'queue' | 'stopListening';

/** All times in ms. */
export interface ServerSocketInput {
  readonly maxSessions: number;
  /** 0: no cap. */
  readonly sessionsPerAddressMax: number;
  readonly atMaxSessions: SaturationPolicy;
  readonly queueMax: number;
  readonly queueTimeoutMs: number;
  /** A connection whose descriptor is not below this saturates the server, and never waits; `Infinity` where the system does not tell. */
  readonly descriptorMax: number;
  readonly descriptorLookMs: number;
  readonly resolveTimeoutMs: number;
  readonly openTimeoutMs: number;
  readonly drainTimeoutMs: number;
  /** After the drain deadline sessions are reset, which takes no longer than this. */
  readonly forceTimeoutMs: number;
  readonly relistenDelayMs: number;
  readonly relistenDelayMaxMs: number;
}

export interface ServerSocketContext extends ServerSocketInput {
  sessions: number;
  listening: boolean;
  /** Accepted, paused, waiting for a place; oldest first. */
  queue: readonly SocketHandle[];
  acceptedCount: number;
  refusedCount: number;
  relistenCount: number;
  /** It has listened with its options since START: from now on sessions may live, so a failure to listen is retried. */
  configured: boolean;
  /** Of the last STOP, if it has one. */
  deadlineMs: number | undefined;
  local: SocketAddress | undefined;
  failure: ServerSocketFailure | undefined;
}

/** Why it could not listen. `code` is the system's, or `RESOLVE_TIMEOUT`, `OPEN_TIMEOUT`. */
export interface ServerSocketFailure {
  readonly code: string;
  readonly message: string;
}

type Accepted = Extract<SocketEvent, { type: 'ACCEPT' }> & { readonly sessionsOfAddress: number };

export type ServerSocketEvent =
  | Exclude<SocketEvent, { type: 'ACCEPT' }>
  | Accepted
  | { readonly type: 'START' | 'SUSPEND' | 'RESUME' | 'SESSION_CLOSED' }
  | { readonly type: 'STOP'; readonly option: CloseOption; readonly deadlineMs?: number | undefined }
  | { readonly type: 'SET_MAX_SESSIONS'; readonly count: number }
  | { readonly type: 'DESCRIPTORS'; readonly used: number }
  | { readonly type: 'QUEUE_TIMEOUT' | 'QUEUE_LEFT'; readonly socket: SocketHandle };

export type RefuseReason =
  'max sessions' | 'sessions per address' | 'no descriptors' | 'not accepting' | 'queue timeout';

export type ServerSocketCommand =
  | SocketCommand
  /** Make a session of it. */
  | { readonly type: 'ADMIT'; readonly socket: SocketHandle }
  | { readonly type: 'REFUSE'; readonly socket: SocketHandle; readonly reason: RefuseReason }
  | { readonly type: 'DRAIN_SESSIONS' }
  | { readonly type: 'FORCE_SESSIONS' }
  | { readonly type: 'MEASURE_DESCRIPTORS' };

const failsWith =
  (code: string) =>
  ({ event }: { event: ServerSocketEvent }) =>
    (event as ServerSocketFailure).code === code;

export const serverSocketMachine = setup({
  types: {} as {
    input: ServerSocketInput;
    context: ServerSocketContext;
    events: ServerSocketEvent;
    emitted: ServerSocketCommand;
  },
  guards: {
    isAddressInUse: failsWith('EADDRINUSE'),
    isAddressNotAvailable: failsWith('EADDRNOTAVAIL'),
    isAccessDenied: failsWith('EACCES'),
    hasListenedBefore: ({ context }) => context.configured,
    isAddressFull: ({ context: c, event }) =>
      c.sessionsPerAddressMax > 0 && (event as Accepted).sessionsOfAddress >= c.sessionsPerAddressMax,
    isLastDescriptor: ({ context, event }) => isLastDescriptor(context, event),
    isLastPlace: ({ context }) => context.sessions + 1 >= context.maxSessions,
    isFull: ({ context }) => context.sessions >= context.maxSessions,
    isFullThen: ({ context, event }) => context.sessions >= (event as { count: number }).count,
    isFullWithQueueThen: ({ context, event }) =>
      context.sessions + context.queue.length >= (event as { count: number }).count,
    isStillFull: ({ context }) => context.sessions - 1 >= context.maxSessions,
    hasDescriptors: ({ context, event }) => hasDescriptors(context, event),
    hasDescriptorsOnly: ({ context, event }) =>
      hasDescriptors(context, event) && context.sessions >= context.maxSessions,
    hasDescriptorsNotListening: ({ context, event }) => hasDescriptors(context, event) && !context.listening,
    hasQueued: ({ context }) => context.queue.length > 0,
    hasQueuePlace: ({ context: c, event }) =>
      c.atMaxSessions === 'queue' && c.queue.length < c.queueMax && !isLastDescriptor(c, event),
    isQueued: ({ context, event }) => context.queue.includes((event as { socket: SocketHandle }).socket),
    isNotListening: ({ context }) => !context.listening,
    isForce: ({ event }) => (event as { option: CloseOption }).option === 'force',
    isEmpty: ({ context }) => context.sessions === 0,
    isLastSession: ({ context }) => context.sessions <= 1 && !context.listening,
  },
  actions: {
    resolve: emit({ type: 'RESOLVE' }),
    listen: emit({ type: 'LISTEN' }),
    configure: emit({ type: 'CONFIGURE' }),
    stopListening: emit({ type: 'STOP_LISTENING' }),
    drainSessions: emit({ type: 'DRAIN_SESSIONS' }),
    forceSessions: emit({ type: 'FORCE_SESSIONS' }),
    measureDescriptors: emit({ type: 'MEASURE_DESCRIPTORS' }),
    admit: emit(({ event }) => ({ type: 'ADMIT', socket: (event as Accepted).socket })),
    /** The oldest of the queue, as many as there are places. */
    admitQueued: enqueueActions(({ context: c, enqueue }) => {
      const admitted = c.queue.slice(0, Math.max(0, c.maxSessions - c.sessions));
      for (const socket of admitted) {
        enqueue.cancel(queueTimer(socket));
        enqueue.emit({ type: 'ADMIT', socket });
      }
      enqueue.assign({
        queue: c.queue.slice(admitted.length),
        sessions: c.sessions + admitted.length,
        acceptedCount: c.acceptedCount + admitted.length,
      });
    }),
    refuse: emit(({ event }, reason: RefuseReason) => ({ type: 'REFUSE', socket: (event as Accepted).socket, reason })),
    refuseQueued: enqueueActions(({ context, enqueue }) => {
      for (const socket of context.queue) {
        enqueue.cancel(queueTimer(socket));
        enqueue.emit({ type: 'REFUSE', socket, reason: 'not accepting' });
      }
    }),
    stopListeningByPolicy: enqueueActions(({ context, enqueue }) => {
      if (context.atMaxSessions === 'stopListening' && context.listening) enqueue.emit({ type: 'STOP_LISTENING' });
    }),
    armQueueTimeout: enqueueActions(({ context, event, enqueue }) => {
      const { socket } = event as Accepted;
      enqueue.raise({ type: 'QUEUE_TIMEOUT', socket }, { id: queueTimer(socket), delay: context.queueTimeoutMs });
    }),
    disarmQueueTimeout: cancel(({ event }) => queueTimer((event as Accepted).socket)),
    joinQueue: assign({ queue: ({ context, event }) => [...context.queue, (event as Accepted).socket] }),
    leaveQueue: assign({
      queue: ({ context, event }) => context.queue.filter((socket) => socket !== (event as Accepted).socket),
    }),
    emptyQueue: assign({ refusedCount: ({ context }) => context.refusedCount + context.queue.length, queue: [] }),
    countAdmitted: assign({
      sessions: ({ context }) => context.sessions + 1,
      acceptedCount: ({ context }) => context.acceptedCount + 1,
    }),
    countClosed: assign({ sessions: ({ context }) => Math.max(0, context.sessions - 1) }),
    countRefused: assign({ refusedCount: ({ context }) => context.refusedCount + 1 }),
    countRelisten: assign({ relistenCount: ({ context }) => context.relistenCount + 1 }),
    setMaxSessions: assign({ maxSessions: ({ event }) => (event as { count: number }).count }),
    setDeadline: assign({ deadlineMs: ({ event }) => (event as { deadlineMs?: number }).deadlineMs }),
    noteListening: assign({
      listening: true,
      local: ({ event }) => (event as { local: SocketAddress }).local,
    }),
    noteConfigured: assign({ configured: true, relistenCount: 0 }),
    noteStopped: assign({ listening: false }),
    noteFailure: assign({
      failure: ({ event }) => ({
        code: (event as ServerSocketFailure).code,
        message: (event as ServerSocketFailure).message,
      }),
    }),
    noteTimeout: assign({
      failure: (_, code: string) => ({ code, message: `no answer within its deadline (${code})` }),
    }),
    forget: assign({
      local: undefined,
      failure: undefined,
      sessions: 0,
      listening: false,
      configured: false,
      relistenCount: 0,
    }),
  },
  delays: {
    resolveTimeout: ({ context }) => context.resolveTimeoutMs,
    openTimeout: ({ context }) => context.openTimeoutMs,
    descriptorLookTimeout: ({ context }) => context.descriptorLookMs,
    drainTimeout: ({ context }) => context.deadlineMs ?? context.drainTimeoutMs,
    forceTimeout: ({ context }) => context.forceTimeoutMs,
    relistenTimeout: ({ context: c }) =>
      Math.min(c.relistenDelayMaxMs, c.relistenDelayMs * 2 ** Math.min(Math.max(0, c.relistenCount - 1), 30)),
  },
}).createMachine({
  id: 'serverSocket',
  context: ({ input }) => ({
    ...input,
    sessions: 0,
    listening: false,
    queue: [],
    acceptedCount: 0,
    refusedCount: 0,
    relistenCount: 0,
    configured: false,
    deadlineMs: undefined,
    local: undefined,
    failure: undefined,
  }),
  initial: 'closed',
  // prettier-ignore
  on: {
    ACCEPT:            { actions: [{ type: 'refuse', params: 'not accepting' }, 'countRefused'] },
    SESSION_CLOSED:    { actions: 'countClosed' },
    SET_MAX_SESSIONS:  { actions: 'setMaxSessions' },
    STOPPED_LISTENING: { actions: 'noteStopped' },
    STOP:             [{ target: '.draining.forcing', actions: ['refuseQueued', 'emptyQueue', 'setDeadline'], guard: 'isForce' },
                       { target: '.draining',         actions: ['refuseQueued', 'emptyQueue', 'setDeadline'] }],
  },
  // prettier-ignore
  states: {
    closed: {
      on: {
        START:     { target: 'resolving', actions: 'forget' },
        STOP:      {}, // already there
      },
    },
    resolving: {
      entry: 'resolve',
      after: { resolveTimeout: { target: 'closed', actions: { type: 'noteTimeout', params: 'RESOLVE_TIMEOUT' } } },
      on: {
        RESOLVED:  { target: 'opening' },
        ERROR:     { target: 'closed', actions: 'noteFailure' },
        STOP:      { target: 'closed' },
        SUSPEND:   { target: 'suspended' }, // RESUME listens at once: the layer resolves what was not resolved
      },
    },
    opening: {
      entry: 'listen',
      after: { openTimeout: [{ target: 'suspended.retrying', actions: { type: 'noteTimeout', params: 'OPEN_TIMEOUT' }, guard: 'hasListenedBefore' },
                             { target: 'closed', actions: ['stopListening', { type: 'noteTimeout', params: 'OPEN_TIMEOUT' }] }] },
      on: {
        LISTENING: { target: 'configuring', actions: 'noteListening' },
        ERROR:    [{ target: 'suspended.retrying', actions: 'noteFailure', guard: 'hasListenedBefore' },
                   { target: 'closed',             actions: 'noteFailure', guard: 'isAddressInUse' },
                   { target: 'closed',             actions: 'noteFailure', guard: 'isAddressNotAvailable' },
                   { target: 'closed',             actions: 'noteFailure', guard: 'isAccessDenied' },
                   { target: 'closed',             actions: 'noteFailure' }],
        SUSPEND:   { target: 'suspended' },
      },
    },
    configuring: {
      entry: 'configure',
      after: { openTimeout: [{ target: 'suspended.retrying', actions: { type: 'noteTimeout', params: 'OPEN_TIMEOUT' }, guard: 'hasListenedBefore' },
                             { target: 'closed', actions: ['stopListening', { type: 'noteTimeout', params: 'OPEN_TIMEOUT' }] }] },
      on: {
        CONFIGURED: [{ target: 'saturated', actions: 'noteConfigured', guard: 'isFull' },
                   { target: 'accepting',   actions: 'noteConfigured' }],
        ERROR:    [{ target: 'suspended.retrying', actions: 'noteFailure', guard: 'hasListenedBefore' },
                   { target: 'closed', actions: ['stopListening', 'noteFailure'] }],
        SUSPEND:   { target: 'suspended' },
      },
    },
    accepting: {
      on: {
        ACCEPT:   [{ actions: [{ type: 'refuse', params: 'sessions per address' }, 'countRefused'], guard: 'isAddressFull' },
                   { target: 'saturated.byDescriptors', actions: ['countAdmitted', 'admit'],          guard: 'isLastDescriptor' },
                   { target: 'saturated', actions: ['countAdmitted', 'admit'],                        guard: 'isLastPlace' },
                   { actions: ['countAdmitted', 'admit'] }],
        SET_MAX_SESSIONS: [{ target: 'saturated', actions: 'setMaxSessions', guard: 'isFullThen' },
                   { actions: 'setMaxSessions' }],
        STOPPED_LISTENING: { target: 'opening', actions: 'noteStopped' }, // asked for while saturated, but a place was free sooner
        SUSPEND:   { target: 'suspended' },
      },
    },
    saturated: {
      entry: 'stopListeningByPolicy',
      initial: 'bySessions',
      on: {
        ACCEPT:   [{ actions: [{ type: 'refuse', params: 'sessions per address' }, 'countRefused'], guard: 'isAddressFull' },
                   { actions: ['joinQueue', 'armQueueTimeout'],                                     guard: 'hasQueuePlace' },
                   { actions: [{ type: 'refuse', params: 'max sessions' }, 'countRefused'] }],
        QUEUE_TIMEOUT: { actions: ['leaveQueue', { type: 'refuse', params: 'queue timeout' }, 'countRefused'], guard: 'isQueued' },
        QUEUE_LEFT: { actions: ['leaveQueue', 'disarmQueueTimeout'] },
        SUSPEND:   { target: 'suspended', actions: ['refuseQueued', 'emptyQueue'] },
      },
      states: {
        bySessions: {
          on: {
            SESSION_CLOSED: [{ actions: 'countClosed',                      guard: 'isStillFull' },
                   { actions: ['countClosed', 'admitQueued'],               guard: 'hasQueued' },
                   { target: '#serverSocket.opening', actions: 'countClosed',   guard: 'isNotListening' },
                   { target: '#serverSocket.accepting', actions: 'countClosed' }],
            SET_MAX_SESSIONS: [{ actions: ['setMaxSessions', 'admitQueued'], guard: 'isFullWithQueueThen' },
                   { target: '#serverSocket.opening', actions: ['setMaxSessions', 'admitQueued'], guard: 'isNotListening' },
                   { target: '#serverSocket.accepting', actions: ['setMaxSessions', 'admitQueued'] }],
          },
        },
        byDescriptors: {
          entry: 'measureDescriptors',
          after: { descriptorLookTimeout: { target: 'byDescriptors', reenter: true } },
          on: {
            ACCEPT: { actions: [{ type: 'refuse', params: 'no descriptors' }, 'countRefused'] }, // nobody waits here: that takes a descriptor, too
            DESCRIPTORS: [{ target: 'bySessions', guard: 'hasDescriptorsOnly' },
                   { target: '#serverSocket.opening', guard: 'hasDescriptorsNotListening' },
                   { target: '#serverSocket.accepting', guard: 'hasDescriptors' }],
          },
        },
      },
    },
    suspended: {
      entry: 'stopListening',
      initial: 'asked',
      on: {
        RESUME:    { target: 'opening' },
      },
      states: {
        asked: {},
        retrying: {
          entry: 'countRelisten',
          after: { relistenTimeout: '#serverSocket.opening' },
          on: {
            SUSPEND: { target: 'asked' },
          },
        },
      },
    },
    draining: {
      entry: 'stopListening',
      initial: 'waiting',
      on: {
        STOPPED_LISTENING: [{ target: 'closed', actions: 'noteStopped', guard: 'isEmpty' },
                   { actions: 'noteStopped' }],
        SESSION_CLOSED: [{ target: 'closed', actions: 'countClosed', guard: 'isLastSession' },
                   { actions: 'countClosed' }],
        STOP:     [{ target: '.forcing', guard: 'isForce' },
                   {}], // a second one joins the first
      },
      states: {
        waiting: {
          entry: 'drainSessions',
          after: { drainTimeout: 'forcing' },
        },
        forcing: {
          entry: 'forceSessions',
          after: { forceTimeout: '#serverSocket.closed' },
          on: {
            STOP:  {}, // nothing is left to ask for
          },
        },
      },
    },
  },
});

export type ServerSocketSnapshot = SnapshotFrom<typeof serverSocketMachine>;

function queueTimer(socket: SocketHandle): string {
  return `queue.${socket}`;
}

function isLastDescriptor(context: ServerSocketContext, event: ServerSocketEvent): boolean {
  return (event as Accepted).descriptor >= context.descriptorMax;
}

function hasDescriptors(context: ServerSocketContext, event: ServerSocketEvent): boolean {
  return (event as { used: number }).used < context.descriptorMax;
}
