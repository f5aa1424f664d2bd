/**
 * One connection, from the moment it is ours until nothing of it is left.
 *
 * - It starts in `accepted`; a client's session is sent CONNECT first and goes on in `connected.flowing`. (The alternative,
 *   a start chosen by the input, needs an `always`, and a state that is left by `always` never shows.)
 * - Three facts that every live state shares are context, not regions, because a region would multiply the values that
 *   users match: `held` (the protocol asked for no further frame), `inputFull` (bytes wait here up to the high-water mark) and
 *   `outputFull` (bytes wait for the kernel). Reading is paused while one of the last two holds.
 * - The whole-frame deadline outlives changes of state, so it is a delayed FRAME_TIMEOUT, not an `after`.
 * - Ignored on purpose wherever a table does not list them: SEND, END and the marks once we are closing (nothing can be
 *   written any more), WRITE (the runtime makes FLOWING of it), a second PEER_END, FLUSHED that answers an earlier FLUSH.
 */
import { assign, cancel, emit, raise, setup, type SnapshotFrom } from 'xstate';
import type { CloseOption, Fact, FactType, SocketCommand, SocketEvent, StopRequest } from './events.js';

export interface SessionInput {
  /** Waits in a row without a READ that end the session; 0 turns it off. */
  readonly waitTimeoutCountMax: number;
  /** Flush and the peer's FIN together, in ms; then RST. Also bounds a session that stays half-closed. */
  readonly closeTimeoutMs: number;
  /** The kernel took nothing for so long while the output is congested, in ms. */
  readonly sendTimeoutMs: number;
  /** From the first byte of a frame to its last, in ms. */
  readonly frameTimeoutMs: number;
  /** Bytes read and dropped after our FIN before the peer is reset. */
  readonly discardedBytesMax: number;
  /** Facts that the protocol chart asked for. */
  readonly facts: readonly FactType[];
}

export interface SessionContext extends SessionInput {
  waitTimeoutCount: number;
  held: boolean;
  inputFull: boolean;
  outputFull: boolean;
  /** An unfinished frame is pending, and its deadline runs. */
  framePending: boolean;
  /** Looks in a row at a congested output that found nothing taken by the kernel. */
  stallCount: number;
  /** Bytes that the kernel had taken at the last look. */
  bytesSent: number;
  discardedBytes: number;
  reason: string | undefined;
  /** How it was asked to end, or ends by itself. */
  option: CloseOption | undefined;
  closedBy: 'fin' | 'rst' | undefined;
}

export type SessionEvent =
  | SocketEvent
  | StopRequest
  | { readonly type: 'SEND'; readonly bytes: Uint8Array }
  | { readonly type: 'END' }
  | { readonly type: 'DRAIN' }
  | { readonly type: 'CONGESTED' | 'FLOWING' | 'INPUT_FULL' | 'INPUT_LOW' | 'HELD' | 'RELEASED' }
  | { readonly type: 'FRAME_STARTED' | 'FRAME_ENDED' | 'FRAME_TIMEOUT' | 'INPUT_DONE' }
  | { readonly type: 'SET_WAITS'; readonly count: number }
  | { readonly type: 'MEASURED'; readonly bytesSent: number; readonly queuedBytes: number };

export type SessionCommand =
  | SocketCommand
  /** Take these bytes, if any, and decode as long as `decodes` allows. Always the last command of a transition. */
  | { readonly type: 'DECODE'; readonly bytes?: Uint8Array }
  /** No more bytes will come: decode what is queued, tell the codec once, and answer INPUT_DONE when all is answered. */
  | { readonly type: 'DECODE_END' }
  | { readonly type: 'FACT'; readonly fact: Fact }
  /** How many bytes has the kernel taken so far, and how many wait for it? Answered by MEASURED. */
  | { readonly type: 'MEASURE' };

/** Looks at a stalled output within one send timeout: the timeout is late by at most one of them. */
const LOOKS_PER_SEND_TIMEOUT = 6;

const session = setup({
  types: {} as { input: SessionInput; context: SessionContext; events: SessionEvent; emitted: SessionCommand },
  guards: {
    isLastWait: ({ context: c, event }) =>
      isCountingWaits(c) &&
      c.waitTimeoutCountMax > 0 &&
      c.waitTimeoutCount + (event as Waited).waits >= c.waitTimeoutCountMax,
    isCountingWaits: ({ context }) => isCountingWaits(context),
    isForce: ({ event }) => (event as StopRequest).option === 'force',
    hasWaited: ({ context }) => context.waitTimeoutCount > 0,
    isInputFull: ({ context }) => context.inputFull,
    isOutputFull: ({ context }) => context.outputFull,
    isReset: ({ event }) => ['ECONNRESET', 'EPIPE'].includes((event as Failed).code),
    isFlushed: ({ event }) => (event as Measured).queuedBytes === 0,
    isSocketClosed: ({ context }) => context.closedBy !== undefined,
    isTimedOut: ({ event }) => (event as Failed).code === 'ETIMEDOUT',
    isStalled: ({ context: c, event }) => (event as Measured).bytesSent === c.bytesSent,
    isLastStall: ({ context: c, event }) =>
      (event as Measured).bytesSent === c.bytesSent && c.stallCount + 1 >= LOOKS_PER_SEND_TIMEOUT,
    hasAskedForPeerEnd: ({ context }) => context.facts.includes('PEER_END'),
    hasAskedForDrain: ({ context }) => context.facts.includes('DRAIN'),
    hasDiscardedTooMuch: ({ context: c, event }) =>
      c.discardedBytes + (event as Read).bytes.byteLength > c.discardedBytesMax,
  },
  actions: {
    write: emit(({ event }) => ({ type: 'WRITE', bytes: (event as Sent).bytes })),
    flush: emit({ type: 'FLUSH' }),
    sendFin: emit({ type: 'SEND_FIN' }),
    sendRst: emit({ type: 'SEND_RST' }),
    pause: emit({ type: 'PAUSE' }),
    resume: emit({ type: 'RESUME' }),
    decode: emit(({ event }) => ({ type: 'DECODE', bytes: (event as Read).bytes })),
    decodeOn: emit({ type: 'DECODE' }),
    decodeEnd: emit({ type: 'DECODE_END' }),
    measure: emit({ type: 'MEASURE' }),
    tell: emit(({ event }) => ({ type: 'FACT', fact: event as Fact })),
    tellPeerEnd: emit({ type: 'FACT', fact: { type: 'PEER_END' } }),
    resetWaits: assign({ waitTimeoutCount: 0 }),
    countWaits: assign({
      waitTimeoutCount: ({ context, event }) => context.waitTimeoutCount + (event as Waited).waits,
    }),
    /** However many waits came at once: the count at the end is the same. */
    countLastWait: assign({ waitTimeoutCount: ({ context }) => context.waitTimeoutCountMax }),
    setWaits: assign({ waitTimeoutCountMax: ({ event }) => (event as { count: number }).count, waitTimeoutCount: 0 }),
    hold: assign({ held: true, framePending: false, waitTimeoutCount: 0 }),
    release: assign({ held: false, waitTimeoutCount: 0 }),
    fillInput: assign({ inputFull: true, waitTimeoutCount: 0 }),
    lowerInput: assign({ inputFull: false, waitTimeoutCount: 0 }),
    fillOutput: assign({ outputFull: true, framePending: false, waitTimeoutCount: 0, stallCount: 0, bytesSent: -1 }),
    lowerOutput: assign({ outputFull: false, waitTimeoutCount: 0 }),
    startFrame: assign({ framePending: true }),
    endFrame: assign({ framePending: false }),
    armFrameTimeout: raise({ type: 'FRAME_TIMEOUT' }, { id: 'frame', delay: 'frameTimeout' }),
    disarmFrameTimeout: cancel('frame'),
    startLooks: assign({ stallCount: 0, bytesSent: -1 }),
    noteProgress: assign({ bytesSent: ({ event }) => (event as Measured).bytesSent, stallCount: 0 }),
    noteStall: assign({ stallCount: ({ context }) => context.stallCount + 1 }),
    /** Nothing decodes it any more; reading goes on so that the peer's FIN is seen and unread bytes do not turn our FIN into an RST. */
    discard: () => {},
    discardAfterFin: assign({
      discardedBytes: ({ context: c, event }) => c.discardedBytes + (event as Read).bytes.byteLength,
    }),
    noteRequest: assign({
      reason: ({ context, event }) => context.reason ?? (event as StopRequest).reason,
      option: ({ event }) => (event as StopRequest).option,
    }),
    noteReason: assign({ reason: ({ context }, reason: string) => context.reason ?? reason }),
    noteClose: assign({
      closedBy: ({ context, event }) => context.closedBy ?? ((event as Closed).byReset ? 'rst' : 'fin'),
      reason: ({ context, event }) => context.reason ?? ((event as Closed).byReset ? 'peer reset' : 'peer closed'),
    }),
    noteSocketClosed: assign({
      closedBy: ({ context, event }) => context.closedBy ?? ((event as Closed).byReset ? 'rst' : 'fin'),
      reason: ({ context, event }) => context.reason ?? ((event as Closed).byReset ? 'peer reset' : undefined),
    }),
    noteGraceful: assign({ option: ({ context }) => context.option ?? 'graceful' }),
    noteForce: assign({
      option: ({ context }) => context.option ?? 'force',
      closedBy: ({ context }) => context.closedBy ?? 'rst',
    }),
  },
  delays: {
    closeTimeout: ({ context }) => context.closeTimeoutMs,
    frameTimeout: ({ context }) => context.frameTimeoutMs,
    sendLookTimeout: ({ context }) => context.sendTimeoutMs / LOOKS_PER_SEND_TIMEOUT,
  },
});

/** What every state that reads has in common. `closing`: where its graceful end begins; our FIN is sent once. */
// prettier-ignore
const whileReading = (closing: '#session.closing' | '#session.closing.finWait') => ({
  WAIT_TIMEOUT: [{ target: closing, actions: ['countLastWait', { type: 'noteReason', params: 'wait timeout' }], guard: 'isLastWait' },
                 { actions: ['countWaits', 'tell'], guard: 'isCountingWaits' }],
  HELD:          { actions: ['hold', 'disarmFrameTimeout'] },
  RELEASED:      { actions: ['release', 'decodeOn'] },
  INPUT_FULL:    { actions: ['fillInput', 'pause'] },
  INPUT_LOW:     { actions: ['lowerInput', 'resume'] },
  FRAME_STARTED: { actions: ['startFrame', 'disarmFrameTimeout', 'armFrameTimeout'] },
  FRAME_ENDED:   { actions: ['endFrame', 'disarmFrameTimeout'] },
  FRAME_TIMEOUT: { target: closing, actions: { type: 'noteReason', params: 'frame timeout' } },
  DRAIN:        [{ actions: 'tell', guard: 'hasAskedForDrain' },
                 { target: closing, actions: { type: 'noteReason', params: 'draining' } }],
  STOP:         [{ target: '#session.reset', actions: 'noteRequest', guard: 'isForce' },
                 { target: closing, actions: 'noteRequest' }],
} as const);

export const sessionMachine = session.createMachine({
  id: 'session',
  context: ({ input }) => ({
    ...input,
    waitTimeoutCount: 0,
    held: false,
    inputFull: false,
    outputFull: false,
    framePending: false,
    stallCount: 0,
    bytesSent: -1,
    discardedBytes: 0,
    reason: undefined,
    option: undefined,
    closedBy: undefined,
  }),
  initial: 'accepted',
  // prettier-ignore
  on: {
    CLOSE:           { target: '.closed', actions: 'noteClose' },
    ERROR:          [{ target: '.reset',  actions: { type: 'noteReason', params: 'peer reset' }, guard: 'isReset' },
                     { target: '.reset',  actions: { type: 'noteReason', params: 'socket error' } }],
    SET_WAITS:       { actions: 'setWaits' },
  },
  // prettier-ignore
  states: {
    accepted: {
      tags: ['open', 'sending', 'decoding', 'counting'],
      entry: 'resume',
      on: {
        ...whileReading('#session.closing'),
        CONNECT:     { target: 'connected.flowing' },
        READ:        { target: 'connected.flowing',   actions: ['resetWaits', 'decode'] },
        SEND:        { actions: 'write' },
        END:         { target: 'halfClosed.byUs' },
        PEER_END:    { target: 'halfClosed.byPeer' },
        CONGESTED:   { target: 'connected.congested', actions: ['fillOutput', 'disarmFrameTimeout', 'pause', 'tell'] },
      },
    },
    connected: {
      tags: ['open', 'sending', 'counting'],
      initial: 'flowing',
      on: {
        ...whileReading('#session.closing'),
        // Waits are delivered when one matters, so mostly there is nothing to reset.
        READ:       [{ actions: ['resetWaits', 'decode'], guard: 'hasWaited' },
                     { actions: 'decode' }],
        SEND:        { actions: 'write' },
        END:         { target: 'halfClosed.byUs' },
        PEER_END:    { target: 'halfClosed.byPeer' },
      },
      states: {
        flowing: {
          tags: 'decoding',
          on: {
            CONGESTED: { target: 'congested', actions: ['fillOutput', 'disarmFrameTimeout', 'pause', 'tell'] },
          },
        },
        congested: {
          entry: 'measure',
          after: { sendLookTimeout: { target: 'congested', reenter: true } },
          on: {
            MEASURED: [{ target: '#session.reset', actions: { type: 'noteReason', params: 'send timeout' }, guard: 'isLastStall' },
                       { actions: 'noteStall', guard: 'isStalled' },
                       { actions: 'noteProgress' }],
            ERROR:     { target: '#session.reset', actions: { type: 'noteReason', params: 'send timeout' }, guard: 'isTimedOut' },
            INPUT_LOW: { actions: 'lowerInput' }, // paused for the output as well
            END:      [{ target: '#session.halfClosed.byUs', actions: 'lowerOutput', guard: 'isInputFull' },
                       { target: '#session.halfClosed.byUs', actions: ['lowerOutput', 'resume'] }],
            FLOWING:  [{ target: 'flowing', actions: ['lowerOutput', 'tell', 'decodeOn'], guard: 'isInputFull' },
                       { target: 'flowing', actions: ['lowerOutput', 'resume', 'tell', 'decodeOn'] }],
          },
        },
      },
    },
    halfClosed: {
      tags: 'open',
      initial: 'byPeer',
      states: {
        byPeer: {
          tags: 'sending',
          entry: ['disarmFrameTimeout', 'endFrame', 'decodeEnd'],
          initial: 'decoding',
          on: {
            SEND:      { actions: 'write' },
            END:       { target: '#session.closing.closeWait', actions: { type: 'noteReason', params: 'peer closed' } },
            DRAIN:     { actions: 'tell' },
            STOP:     [{ target: '#session.reset',             actions: 'noteRequest', guard: 'isForce' },
                       { target: '#session.closing.closeWait', actions: 'noteRequest' }],
          },
          states: {
            decoding: { // waits for its own handlers, which have deadlines; only a peer that does not read is given one here
              tags: 'decoding',
              after: { closeTimeout: { target: '#session.reset', actions: { type: 'noteReason', params: 'peer closed' }, guard: 'isOutputFull' } },
              on: {
                HELD:       { actions: 'hold' },
                RELEASED:   { actions: ['release', 'decodeEnd'] },
                // What came before the peer's FIN is decoded all the same: no answer congests the output any more, and no byte fills the input.
                END:        { target: '#session.halfClosed.byUs.ended', actions: ['lowerOutput', 'lowerInput', 'resume'] },
                CONGESTED:  { target: 'decoding', reenter: true, actions: ['fillOutput', 'tell'] },
                FLOWING:    { actions: ['lowerOutput', 'tell', 'decodeEnd'] },
                INPUT_DONE: [{ target: 'answered', actions: 'tellPeerEnd', guard: 'hasAskedForPeerEnd' },
                       { target: '#session.closing.closeWait', actions: { type: 'noteReason', params: 'peer closed' } }],
              },
            },
            answered: {
              after: { closeTimeout: { target: '#session.reset', actions: { type: 'noteReason', params: 'peer closed' } } },
              on: {
                CONGESTED:  { actions: ['fillOutput', 'tell'] },
                FLOWING:    { actions: ['lowerOutput', 'tell'] },
              },
            },
          },
        },
        byUs: {
          tags: 'decoding',
          entry: 'sendFin',
          initial: { target: 'sending', actions: ['startLooks', 'measure', 'decodeOn'] }, // decodes what a congested output kept waiting
          on: {
            ...whileReading('#session.closing.finWait'),
            READ:      { actions: ['resetWaits', 'decode'] },
            PEER_END:  { target: '.ended' },
          },
          states: {
            sending: {
              tags: 'counting',
              after: { sendLookTimeout: { target: 'sending', reenter: true, actions: 'measure' } },
              on: {
                MEASURED: [{ target: 'sent', guard: 'isFlushed' },
                       { target: '#session.reset', actions: { type: 'noteReason', params: 'send timeout' }, guard: 'isLastStall' },
                       { actions: 'noteStall', guard: 'isStalled' },
                       { actions: 'noteProgress' }],
                ERROR:  { target: '#session.reset', actions: { type: 'noteReason', params: 'send timeout' }, guard: 'isTimedOut' },
              },
            },
            sent: {
              tags: 'counting',
            },
            ended: { // both FINs are out, so CLOSE comes soon; what came before the peer's FIN is decoded all the same
              tags: 'ended',
              entry: ['disarmFrameTimeout', 'endFrame', 'decodeEnd'],
              after: { closeTimeout: [{ target: '#session.closed', actions: { type: 'noteReason', params: 'peer closed' }, guard: 'isSocketClosed' },
                       { target: '#session.reset', actions: { type: 'noteReason', params: 'peer closed' } }] },
              on: {
                CLOSE:  { actions: 'noteSocketClosed' }, // whatever ends the decoding is the reason
                WAIT_TIMEOUT:  {}, // nothing is read any more that could be late
                FRAME_STARTED: {},
                FRAME_TIMEOUT: {},
                RELEASED: { target: 'ended', reenter: true, actions: 'release' },
                INPUT_DONE: [{ target: '#session.closed', actions: { type: 'noteReason', params: 'peer closed' }, guard: 'isSocketClosed' },
                       { target: '#session.closing.lastAck', actions: { type: 'noteReason', params: 'peer closed' } }],
                DRAIN: [{ actions: 'tell', guard: 'hasAskedForDrain' },
                       { target: '#session.closed', actions: { type: 'noteReason', params: 'draining' }, guard: 'isSocketClosed' },
                       { target: '#session.closing.lastAck', actions: { type: 'noteReason', params: 'draining' } }],
                STOP:  [{ target: '#session.closed', actions: 'noteRequest', guard: 'isSocketClosed' },
                       { target: '#session.reset', actions: 'noteRequest', guard: 'isForce' },
                       { target: '#session.closing.lastAck', actions: 'noteRequest' }],
              },
            },
          },
        },
      },
    },
    closing: {
      entry: ['disarmFrameTimeout', 'noteGraceful', 'resume'],
      after: { closeTimeout: 'reset' },
      initial: 'flushing',
      on: {
        READ:         { actions: 'discard' },
        STOP:         { target: 'reset', actions: 'noteRequest', guard: 'isForce' },
      },
      states: {
        flushing: {
          entry: 'flush',
          on: {
            FLUSHED:  { target: 'finWait', actions: 'sendFin' },
            PEER_END: { target: 'closeWait' },
          },
        },
        finWait: {
          on: {
            READ:    [{ target: '#session.reset', guard: 'hasDiscardedTooMuch' },
                      { actions: 'discardAfterFin' }],
            PEER_END: { target: 'lastAck' },
          },
        },
        closeWait: {
          entry: 'flush',
          on: {
            FLUSHED:  { target: 'lastAck', actions: 'sendFin' },
          },
        },
        lastAck: {},
      },
    },
    reset: {
      entry: ['disarmFrameTimeout', 'noteForce', 'sendRst'],
      after: { closeTimeout: 'closed' },
      on: {
        ERROR: {}, // its own RST may be answered by one
      },
    },
    closed: { type: 'final' },
  },
});

type Read = Extract<SocketEvent, { type: 'READ' }>;
type Waited = Extract<SocketEvent, { type: 'WAIT_TIMEOUT' }>;
type Failed = Extract<SocketEvent, { type: 'ERROR' }>;
type Closed = Extract<SocketEvent, { type: 'CLOSE' }>;
type Sent = Extract<SessionEvent, { type: 'SEND' }>;
type Measured = Extract<SessionEvent, { type: 'MEASURED' }>;

export type SessionSnapshot = SnapshotFrom<typeof sessionMachine>;

function isCountingWaits(context: SessionContext): boolean {
  return !context.held && !context.inputFull && !context.outputFull;
}

/** May the next frame be decoded now? */
export function decodes(snapshot: SessionSnapshot): boolean {
  return !snapshot.context.held && !snapshot.context.outputFull && snapshot.hasTag('decoding');
}

/**
 * The number of waits until one matters: when WAIT_TIMEOUT has to be delivered is the chart's word.
 * @returns `Infinity` when none does: waits are off, or stand still, or the state does not count them.
 */
export function waitsUntilDue(snapshot: SessionSnapshot): number {
  const c = snapshot.context;
  if (!isCountingWaits(c) || !snapshot.hasTag('counting')) return Infinity;
  if (c.facts.includes('WAIT_TIMEOUT')) return 1;
  return c.waitTimeoutCountMax > 0 ? c.waitTimeoutCountMax - c.waitTimeoutCount : Infinity;
}
