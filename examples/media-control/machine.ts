/**
 * One session of media-control. `control` judges the peer's commands and passes what concerns a stream on to its region; `audio`
 * and `video` stream; `qos` and `output` say what a congested peer leads to. So a session *streams* when
 * `matches({ open: { audio: 'streaming' } })`, or the same of video, and no third place could say something else.
 *
 * When frames are due (the hard choice): a chart reads no clock, and a timer is always a little late. Were each frame's timer set
 * by the frame before it, that lateness would add up with every frame (240 a second are 4 ms apart). So many frames are planned
 * at once, each at its own moment, and lateness adds up once a plan. A plan is twice as long as the one before, 8 to 256
 * frames: planning costs about what sending does, also for a peer that starts and stops, or pauses, all the time.
 * A late frame is sent late and none is skipped. Given up: up to 256 timers a stream, and making up for a plan that began late.
 *
 * - QoS off: a congested stream pauses at the first frame that is due, and goes on with that frame. Nothing is skipped.
 * - QoS on: audio is sent all the same (beyond the session's cap the framework ends it: `slow reader`). Video frames wait, the
 *   oldest are given up when there are too many, and those that are left follow as soon as the output flows.
 *
 * Ignored on purpose: CONGESTED and FLOWING where a table does not list them. No state has a deadline of its own: a silent peer
 * is counted in waits by the session, and a congested output is bounded by its send timeout.
 */
import { and, assign, emit, enqueueActions, not, raise, setup, stateIn } from 'xstate';
import type { ProtocolCommand, TcpInfo } from 'wirechart';
import type { Fact } from 'wirechart/machines';
import { COMMANDS, ERRORS, type MediaAnswer, type MediaMessage } from './codec.js';
import { fits, frameOf, heldMax, momentMs, NO_TRACK, started, withDropped, withHeld, withHeldSent } from './track.js';
import { withLongerPlan, withNewPlan, withSent, type Kind, type Rate, type Track } from './track.js';

/** Errors in a row that end a session. */
const ERRORS_MAX = 5;

export interface MediaContext {
  readonly session: number;
  readonly errorCount: number;
  readonly audio: Track;
  readonly video: Track;
}

type Refused = { type: 'REFUSED'; code: number; command: number; text: string };

export type MediaEvent =
  | MediaMessage
  | Extract<Fact, { type: 'CONGESTED' | 'FLOWING' }>
  /** Answers READ_TCP_INFO. */
  | { type: 'TCP_INFO'; tcpInfo: TcpInfo | undefined }
  /** From `control` to the other regions. */
  | (Rate & { type: 'START_AUDIO' | 'START_VIDEO'; command: number })
  | { type: 'STOP_AUDIO' | 'STOP_VIDEO'; command: number }
  | { type: 'SET_QOS'; enabled: boolean }
  | Refused
  /** A frame is due. */
  | { type: 'AUDIO_DUE' | 'VIDEO_DUE' };

export type MediaCommand = ProtocolCommand<MediaAnswer, { type: 'READ_TCP_INFO' }>;

type Of<T extends MediaEvent['type']> = Extract<MediaEvent, { type: T }>;

const send = (message: MediaAnswer) => ({ type: 'SEND' as const, message });
const DUE = { audio: 'AUDIO_DUE', video: 'VIDEO_DUE' } as const;
const TEXTS = {
  unknownCommand: 'unknown command',
  version: 'this server speaks version 1',
  wrongState: 'not in this state',
  badPayload: 'a frame of this rate is too large',
};

const setUp = setup({
  types: {} as {
    input: { session: number };
    context: MediaContext;
    events: MediaEvent;
    emitted: MediaCommand;
  },
  guards: {
    isOurVersion: ({ event }) => (event as Of<'HELLO'>).version === 1,
    isEnabled: ({ event }) => (event as Of<'SET_QOS'>).enabled,
    isTooLarge: ({ event }) => !fits(event as Of<'STREAM_START'>),
    isLastError: ({ context }) => context.errorCount + 1 >= ERRORS_MAX,
    isHeldUp: and([stateIn({ open: { output: 'congested' } }), stateIn({ open: { qos: 'off' } })]),
    isLossy: and([stateIn({ open: { output: 'congested' } }), stateIn({ open: { qos: 'on' } })]),
    hasRoom: ({ context: { video } }) => video.held.length < heldMax(video),
  },
  actions: {
    answer: emit((_, type: 'QOS_OK' | 'START_OK' | 'BYE_OK') => send({ type })),
    answerHello: emit(({ context }) => send({ type: 'HELLO_OK', session: context.session })),
    answerPing: emit(({ event }) => send({ type: 'PONG', payload: (event as Of<'PING'>).payload })),
    answerStats: emit(({ context: { audio, video }, event }) => {
      const { tcpInfo = null } = event as Of<'TCP_INFO'>;
      return send({ type: 'STATS_OK', json: JSON.stringify({ audio: audio.totals, video: video.totals, tcpInfo }) });
    }),
    answerStop: emit(({ context }, kind: Kind) => {
      const { framesSent, framesDropped } = context[kind];
      return send({ type: 'STOP_OK', framesSent, framesDropped });
    }),
    answerVersion: emit(({ event }) => send({ ...refused(event, 'version'), type: 'ERROR' })),
    answerError: emit(({ event }) => send({ ...(event as Refused), type: 'ERROR' })),
    refuse: raise(({ event }, error: keyof typeof ERRORS) => refused(event, error)),
    countError: assign({ errorCount: ({ context }) => context.errorCount + 1 }),
    forgetErrors: assign({ errorCount: 0 }),
    readTcpInfo: emit({ type: 'READ_TCP_INFO' }),
    passStart: raise(({ event }) => {
      const { kind, bitsPerSecond, framesPerSecond } = event as Of<'STREAM_START'>;
      const type = kind === 1 ? 'START_AUDIO' : 'START_VIDEO';
      return { type, command: COMMANDS.STREAM_START, bitsPerSecond, framesPerSecond } as const;
    }),
    passStop: raise(({ event }) => {
      const type = (event as Of<'STREAM_STOP'>).kind === 1 ? 'STOP_AUDIO' : 'STOP_VIDEO';
      return { type, command: COMMANDS.STREAM_STOP } as const;
    }),
    passQos: raise(({ event }) => ({ type: 'SET_QOS', enabled: (event as Of<'QOS_ENABLE'>).enabled }) as const),
    begin: assign(({ context, event }, kind: Kind) => ({ [kind]: started(context[kind], event as Rate) })),
    /** The first frame now, the others each at its own moment. */
    plan: enqueueActions(({ context, enqueue }, kind: Kind) => {
      enqueue.raise({ type: DUE[kind] });
      for (let n = 1; n < context[kind].planned; n += 1) {
        enqueue.raise({ type: DUE[kind] }, { id: `${kind}.${n}`, delay: momentMs(context[kind], n) });
      }
    }),
    cancelPlan: enqueueActions(({ context, enqueue }, kind: Kind) => {
      for (let n = 1; n < context[kind].planned; n += 1) enqueue.cancel(`${kind}.${n}`);
    }),
    planLonger: assign(({ context }, kind: Kind) => ({ [kind]: withLongerPlan(context[kind]) })),
    planAnew: assign(({ context }, kind: Kind) => ({ [kind]: withNewPlan(context[kind]) })),
    sendFrame: emit(({ context }, kind: Kind) => send(frameOf(kind, context[kind], context[kind].sequence))),
    countFrame: assign(({ context }, kind: Kind) => ({ [kind]: withSent(context[kind]) })),
    holdFrame: assign({ video: ({ context }) => withHeld(context.video) }),
    dropOldestFrame: assign({ video: ({ context }) => withDropped(context.video, 1) }),
    dropHeldFrames: assign({ video: ({ context }) => withDropped(context.video, context.video.held.length) }),
    sendHeldFrames: enqueueActions(({ context: { video }, enqueue }) => {
      for (const sequence of video.held) enqueue.emit(send(frameOf('video', video, sequence)));
      enqueue.assign({ video: withHeldSent(video) });
    }),
    close: emit({ type: 'CLOSE', option: 'graceful' }),
    closeForErrors: emit({ type: 'CLOSE', option: 'graceful', reason: 'too many errors' }),
    reset: emit({ type: 'CLOSE', option: 'force' }),
  },
  delays: {
    audioPlan: ({ context }) => momentMs(context.audio, context.audio.planned),
    videoPlan: ({ context }) => momentMs(context.video, context.video.planned),
  },
});

const refuse = (error: keyof typeof ERRORS) => ({ type: 'refuse', params: error }) as const;
const answer = (type: 'QOS_OK' | 'START_OK' | 'BYE_OK') => ({ type: 'answer', params: type }) as const;
const audio = <T extends string>(type: T) => ({ type, params: 'audio' }) as const;
const video = <T extends string>(type: T) => ({ type, params: 'video' }) as const;

export const mediaControlMachine = setUp.createMachine({
  id: 'mediaControl',
  context: ({ input }) => ({ session: input.session, errorCount: 0, audio: NO_TRACK, video: NO_TRACK }),
  initial: 'open',
  // prettier-ignore
  states: {
    open: {
      type: 'parallel',
      on: {
        PING:            { actions: ['answerPing', 'forgetErrors'] },
        STATS:           { actions: ['readTcpInfo', 'forgetErrors'] },
        TCP_INFO:        { actions: 'answerStats' },
        BYE:             { target: 'closed', actions: [answer('BYE_OK'), 'close'] },
        ABORT:           { target: 'closed', actions: 'reset' },
        UNKNOWN_COMMAND: { actions: refuse('unknownCommand') },
        INVALID_PAYLOAD: { actions: refuse('badPayload') },
        REFUSED:        [{ target: 'closed', actions: ['answerError', 'closeForErrors'], guard: 'isLastError' },
                         { actions: ['answerError', 'countError'] }],
      },
      states: {
        control: {
          initial: 'greeting',
          states: {
            greeting: {
              on: {
                HELLO:       [{ target: 'ready', actions: ['answerHello', 'forgetErrors'], guard: 'isOurVersion' },
                              { target: '#mediaControl.closed', actions: ['answerVersion', 'close'] }],
                QOS_ENABLE:   { actions: refuse('wrongState') },
                STREAM_START: { actions: refuse('wrongState') },
                STREAM_STOP:  { actions: refuse('wrongState') },
              },
            },
            ready: {
              on: {
                HELLO:        { actions: refuse('wrongState') },
                QOS_ENABLE:   { actions: [answer('QOS_OK'), 'forgetErrors', 'passQos'] },
                STREAM_START:[{ actions: refuse('badPayload'), guard: 'isTooLarge' },
                              { actions: 'passStart' }],
                STREAM_STOP:  { actions: 'passStop' },
              },
            },
          },
        },
        audio: {
          initial: 'idle',
          states: {
            idle: {
              on: {
                START_AUDIO:  { target: 'streaming', actions: [answer('START_OK'), 'forgetErrors', audio('begin')] },
                STOP_AUDIO:   { actions: refuse('wrongState') },
              },
            },
            streaming: {
              initial: 'playing',
              on: {
                START_AUDIO:  { actions: refuse('wrongState') },
                STOP_AUDIO:   { target: 'idle', actions: [audio('answerStop'), 'forgetErrors'] },
              },
              states: {
                playing: {
                  entry: audio('plan'),
                  exit: audio('cancelPlan'),
                  after: { audioPlan: { target: 'playing', actions: audio('planLonger'), reenter: true } },
                  on: {
                    AUDIO_DUE: [{ target: 'paused', guard: 'isHeldUp' },
                                { actions: [audio('sendFrame'), audio('countFrame')] }],
                  },
                },
                paused: {
                  on: {
                    FLOWING:  { target: 'playing', actions: audio('planAnew') },
                  },
                },
              },
            },
          },
        },
        video: {
          initial: 'idle',
          states: {
            idle: {
              on: {
                START_VIDEO:  { target: 'streaming', actions: [answer('START_OK'), 'forgetErrors', video('begin')] },
                STOP_VIDEO:   { actions: refuse('wrongState') },
              },
            },
            streaming: {
              initial: 'playing',
              on: {
                START_VIDEO:  { actions: refuse('wrongState') },
                STOP_VIDEO:   { target: 'idle', actions: ['dropHeldFrames', video('answerStop'), 'forgetErrors'] },
              },
              states: {
                playing: {
                  entry: video('plan'),
                  exit: video('cancelPlan'),
                  after: { videoPlan: { target: 'playing', actions: video('planLonger'), reenter: true } },
                  on: {
                    VIDEO_DUE: [{ target: 'paused', guard: 'isHeldUp' },
                                { actions: 'holdFrame', guard: and(['isLossy', 'hasRoom']) },
                                { actions: ['dropOldestFrame', 'holdFrame'], guard: 'isLossy' },
                                { actions: [video('sendFrame'), video('countFrame')] }],
                    FLOWING:    { actions: 'sendHeldFrames' },
                  },
                },
                paused: {
                  on: {
                    FLOWING:    { target: 'playing', actions: ['sendHeldFrames', video('planAnew')] },
                  },
                },
              },
            },
          },
        },
        qos: {
          initial: 'off',
          states: {
            off: {
              on: { SET_QOS: { target: 'on', guard: 'isEnabled' } },
            },
            on: {
              on: { SET_QOS: { target: 'off', guard: not('isEnabled') } },
            },
          },
        },
        output: {
          initial: 'flowing',
          states: {
            flowing: {
              on: { CONGESTED: { target: 'congested' } },
            },
            congested: {
              on: { FLOWING: { target: 'flowing' } },
            },
          },
        },
      },
    },
    /** The session is asked to end, gracefully or not: nothing is sent any more. */
    closed: { type: 'final' },
  },
});

/** What an ERROR will say of a command of the peer. */
function refused(event: MediaEvent, error: keyof typeof ERRORS): Refused {
  const text = event.type === 'INVALID_PAYLOAD' ? event.reason : TEXTS[error];
  const command = 'command' in event ? event.command : COMMANDS[event.type as keyof typeof COMMANDS];
  return { type: 'REFUSED', code: ERRORS[error], command, text };
}
