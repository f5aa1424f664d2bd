/** The chart of media-control: as tables, without an actor; and its frames on virtual time. */
import { describe, expect, test } from 'vitest';
import { createActor, initialTransition, transition } from 'xstate';
import { clockFrom, VirtualTime } from 'wirechart/time';
import { mediaControlMachine, type MediaCommand, type MediaEvent } from '../../examples/media-control/machine.js';

const SESSION = { session: 7 };
const MIB = 1024 * 1024;

type Snapshot = ReturnType<typeof mediaControlMachine.getInitialSnapshot>;

interface Played {
  readonly snapshot: Snapshot;
  readonly commands: MediaCommand[];
}

/** The chart after `events`, and what it emitted for the last one. */
function play(...events: readonly MediaEvent[]): Played {
  return events.reduce(next, { snapshot: initialTransition(mediaControlMachine, SESSION)[0], commands: [] });
}

function next({ snapshot }: { snapshot: Snapshot }, event: MediaEvent): Played {
  const [after, actions] = transition(mediaControlMachine, snapshot, event);
  const emitted = actions.filter(({ type }) => (type as string) === 'xstate.emit');
  return {
    snapshot: after,
    commands: emitted.map(({ params }) => (params as unknown as { event: MediaCommand }).event),
  };
}

const sent = (commands: readonly MediaCommand[]) =>
  commands.flatMap((command) => (command.type === 'SEND' ? [command.message] : []));
const data = (commands: readonly MediaCommand[]) =>
  sent(commands).flatMap((message) => (message.type === 'STREAM_DATA' ? [message] : []));
const sequences = (commands: readonly MediaCommand[]) => data(commands).map(({ sequence }) => sequence);

const HELLO: MediaEvent = { type: 'HELLO', version: 1 };
const PING: MediaEvent = { type: 'PING', payload: Uint8Array.of(1, 2) };
const UNKNOWN: MediaEvent = { type: 'UNKNOWN_COMMAND', command: 99, payload: new Uint8Array() };
const INVALID: MediaEvent = { type: 'INVALID_PAYLOAD', command: 2, reason: 'why' };
const qos = (enabled: boolean): MediaEvent => ({ type: 'QOS_ENABLE', enabled });
const start = (kind: 1 | 2, bitsPerSecond = 80_000, framesPerSecond = 10): MediaEvent => ({
  type: 'STREAM_START',
  kind,
  bitsPerSecond,
  framesPerSecond,
});
const stop = (kind: 1 | 2): MediaEvent => ({ type: 'STREAM_STOP', kind });
const due = (kind: 1 | 2): MediaEvent => ({ type: kind === 1 ? 'AUDIO_DUE' : 'VIDEO_DUE' });
const CONGESTED: MediaEvent = { type: 'CONGESTED' };
const FLOWING: MediaEvent = { type: 'FLOWING' };
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

const error = (code: number, command: number) => [
  { type: 'SEND', message: { type: 'ERROR', code, command, text: expect.any(String) as string } },
];
const answer = (type: string, rest: object = {}) => [{ type: 'SEND', message: { type, ...rest } }];
const close = (option: string, reason?: string) => ({ type: 'CLOSE', option, ...(reason !== undefined && { reason }) });

const STATES = {
  greeting: { events: [], value: { control: 'greeting', audio: 'idle', video: 'idle' } },
  ready: { events: [HELLO], value: { control: 'ready', audio: 'idle', video: 'idle' } },
  'streaming audio': { events: [HELLO, start(1)], value: { audio: { streaming: 'playing' }, video: 'idle' } },
  'streaming video': { events: [HELLO, start(2)], value: { audio: 'idle', video: { streaming: 'playing' } } },
  'streaming both': {
    events: [HELLO, start(1), start(2)],
    value: { audio: { streaming: 'playing' }, video: { streaming: 'playing' } },
  },
} as const;
type StateName = keyof typeof STATES;

test.each(Object.entries(STATES))('%s is reached, with QoS off and the output flowing', (_, { events, value }) => {
  const { snapshot } = play(...events);
  expect(snapshot.value).toMatchObject({ open: { ...value, qos: 'off', output: 'flowing' } });
});

describe('every command in every state', () => {
  const IN_ALL = Object.keys(STATES) as StateName[];
  const HELD = IN_ALL.filter((state) => state !== 'greeting');
  const isStreaming = (state: StateName, kind: 1 | 2) =>
    state === 'streaming both' || state === (kind === 1 ? 'streaming audio' : 'streaming video');
  const stopped = { framesSent: 1, framesDropped: 0 };

  const rows: { in: readonly StateName[]; name: string; event: MediaEvent; commands: unknown[]; ends?: true }[] = [
    { in: ['greeting'], name: 'HELLO is answered with the id', event: HELLO, commands: answer('HELLO_OK', SESSION) },
    {
      in: ['greeting'],
      name: 'HELLO of version 2 is error 2 and a graceful close',
      event: { type: 'HELLO', version: 2 },
      commands: [...error(2, 1), close('graceful')],
      ends: true,
    },
    { in: HELD, name: 'a second HELLO is error 3', event: HELLO, commands: error(3, 1) },
    { in: HELD, name: 'QOS_ENABLE is answered empty', event: qos(true), commands: answer('QOS_OK') },
    { in: ['greeting'], name: 'QOS_ENABLE is error 3', event: qos(true), commands: error(3, 2) },
    { in: ['greeting'], name: 'STREAM_START is error 3', event: start(1), commands: error(3, 3) },
    { in: ['greeting'], name: 'STREAM_STOP is error 3', event: stop(2), commands: error(3, 4) },
    ...([1, 2] as const).flatMap((kind) => [
      {
        in: HELD.filter((state) => !isStreaming(state, kind)),
        name: `STREAM_START of kind ${kind} is answered empty, then with frame 0`,
        event: start(kind),
        commands: [
          ...answer('START_OK'),
          ...answer('STREAM_DATA', {
            kind,
            sequence: 0,
            microseconds: 0n,
            bytes: expect.any(Uint8Array) as Uint8Array,
          }),
        ],
      },
      {
        in: IN_ALL.filter((state) => isStreaming(state, kind)),
        name: `a second STREAM_START of kind ${kind} is error 3`,
        event: start(kind),
        commands: error(3, 3),
      },
      {
        in: HELD.filter((state) => !isStreaming(state, kind)),
        name: `STREAM_STOP of kind ${kind} is error 3`,
        event: stop(kind),
        commands: error(3, 4),
      },
      {
        in: IN_ALL.filter((state) => isStreaming(state, kind)),
        name: `STREAM_STOP of kind ${kind} is answered with 1 frame sent and 0 dropped`,
        event: stop(kind),
        commands: answer('STOP_OK', stopped),
      },
    ]),
    { in: IN_ALL, name: 'STATS asks for TcpInfo', event: { type: 'STATS' }, commands: [{ type: 'READ_TCP_INFO' }] },
    {
      in: IN_ALL,
      name: 'PING is answered with its 2 bytes',
      event: PING,
      commands: answer('PONG', { payload: Uint8Array.of(1, 2) }),
    },
    {
      in: IN_ALL,
      name: 'BYE is answered empty, then closes gracefully',
      event: { type: 'BYE' },
      commands: [...answer('BYE_OK'), close('graceful')],
      ends: true,
    },
    {
      in: IN_ALL,
      name: 'ABORT closes by force, unanswered',
      event: { type: 'ABORT' },
      commands: [close('force')],
      ends: true,
    },
    { in: IN_ALL, name: 'an unknown command 99 is error 1', event: UNKNOWN, commands: error(1, 99) },
    { in: IN_ALL, name: 'a bad payload of command 2 is error 4', event: INVALID, commands: error(4, 2) },
  ];

  test.each(rows.flatMap((row) => row.in.map((state) => ({ ...row, state }))))(
    'in $state: $name',
    ({ state, event, commands, ends }) => {
      const before = play(...STATES[state].events);
      const after = next(before, event);
      expect(after.commands).toEqual(commands);
      expect(after.snapshot.status).toBe(ends ? 'done' : 'active');
    },
  );

  test('STATS is answered with what the kernel told, and with null when it told nothing', () => {
    const zero = { bytes: 0, frames: 0, drops: 0 };
    const json = (tcpInfo: object | null) => JSON.stringify({ audio: zero, video: zero, tcpInfo });
    const info = { state: 'ESTABLISHED', rttMicroseconds: 9 } as const;
    expect(play({ type: 'TCP_INFO', tcpInfo: info }).commands).toEqual(answer('STATS_OK', { json: json(info) }));
    expect(play({ type: 'TCP_INFO', tcpInfo: undefined }).commands).toEqual(answer('STATS_OK', { json: json(null) }));
  });
});

describe('errors in a row', () => {
  test('4 errors change nothing, the 5th is answered and ends the session with "too many errors"', () => {
    const four = play(...times(3, UNKNOWN), INVALID);
    expect(four.snapshot.matches({ open: { control: 'greeting' } })).toBe(true);
    expect(four.commands).toEqual(error(4, 2));
    const five = next(four, qos(true));
    expect(five.commands).toEqual([...error(3, 2), close('graceful', 'too many errors')]);
    expect(five.snapshot.value).toBe('closed');
  });

  test.each([
    { name: 'PING', good: PING },
    { name: 'STATS', good: { type: 'STATS' } as const },
    { name: 'QOS_ENABLE', good: qos(false) },
    { name: 'STREAM_START', good: start(2) },
    { name: 'STREAM_STOP', good: stop(1) },
  ])('a good $name between 4 and 4 errors keeps the session', ({ good }) => {
    const { snapshot } = play(HELLO, start(1), ...times(4, UNKNOWN), good, ...times(4, UNKNOWN));
    expect(snapshot.value).toMatchObject({ open: { control: 'ready' } });
  });

  test('HELLO between 4 and 4 errors keeps the session', () => {
    expect(play(...times(4, UNKNOWN), HELLO, ...times(4, HELLO)).snapshot.status).toBe('active');
  });

  test('frames, congestion and flow between 5 errors do not save the session', () => {
    const { snapshot } = play(HELLO, start(1), ...times(4, UNKNOWN), due(1), CONGESTED, FLOWING, UNKNOWN);
    expect(snapshot.value).toBe('closed');
  });
});

describe('frames', () => {
  test('frame 0 to 3 of 7 a second carry floor(bits / 8 / 7) bytes and their exact microseconds', () => {
    const { snapshot, commands } = play(HELLO, start(2, 10_000, 7));
    let at: Played = { snapshot, commands };
    const frames = data(commands);
    for (let n = 1; n < 4; n += 1) frames.push(...data((at = next(at, due(2))).commands));
    expect(frames.map(({ sequence }) => sequence)).toEqual([0, 1, 2, 3]);
    expect(frames.map(({ microseconds }) => microseconds)).toEqual([0n, 142_857n, 285_714n, 428_571n]);
    expect(frames.map(({ bytes }) => bytes.byteLength)).toEqual([178, 178, 178, 178]);
    expect([...frames[3]!.bytes.subarray(0, 3)]).toEqual([3, 4, 5]);
  });

  test.each([
    { bits: 0, fps: 1, bytes: 0 },
    { bits: 7, fps: 1, bytes: 0 },
    { bits: 8 * 240 - 1, fps: 240, bytes: 0 },
    { bits: 8 * 240, fps: 240, bytes: 1 },
    { bits: 8 * (MIB - 13), fps: 1, bytes: MIB - 13 },
    { bits: 8 * (MIB - 13) + 7, fps: 1, bytes: MIB - 13 },
    { bits: 100_000_000, fps: 12, bytes: 1_041_666 },
  ])('$bits bits at $fps frames a second are $bytes bytes a frame', ({ bits, fps, bytes }) => {
    const [frame] = data(play(HELLO, start(2, bits, fps)).commands);
    expect(frame!.bytes.byteLength).toBe(bytes);
  });

  test.each([
    { bits: 8 * (MIB - 12), fps: 1 },
    { bits: 100_000_000, fps: 11 },
    { bits: 100_000_000, fps: 1 },
  ])('$bits bits at $fps frames a second are above 1 MiB a frame: error 4', ({ bits, fps }) => {
    expect(play(HELLO, start(1, bits, fps)).commands).toEqual(error(4, 3));
  });

  test('a stream that starts again counts from 0, the totals of STATS go on', () => {
    const again = play(HELLO, start(1), due(1), due(1), stop(1), start(1));
    expect(sequences(again.commands)).toEqual([0]);
    const { commands } = next(again, { type: 'TCP_INFO', tcpInfo: undefined });
    expect(JSON.parse((sent(commands)[0] as { json: string }).json)).toEqual({
      audio: { bytes: 4_000, frames: 4, drops: 0 },
      video: { bytes: 0, frames: 0, drops: 0 },
      tcpInfo: null,
    });
  });
});

describe('a congested peer with QoS on', () => {
  const congested = [HELLO, qos(true), start(1), start(2), CONGESTED];

  test('audio is sent, video is not', () => {
    const at = play(...congested);
    expect(sequences(next(at, due(1)).commands)).toEqual([1]);
    expect(next(at, due(2)).commands).toEqual([]);
  });

  test('8 video frames wait, and follow in order when the output flows', () => {
    expect(sequences(play(...congested, ...times(8, due(2)), FLOWING).commands)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test('of 11 video frames the 3 oldest are dropped and counted', () => {
    const at = play(...congested, ...times(11, due(2)), FLOWING);
    expect(sequences(at.commands)).toEqual([4, 5, 6, 7, 8, 9, 10, 11]);
    expect(data(at.commands)[0]!.microseconds).toBe(400_000n);
    expect(next(at, stop(2)).commands).toEqual(answer('STOP_OK', { framesSent: 9, framesDropped: 3 }));
    expect(sequences(next(at, due(2)).commands)).toEqual([12]);
    expect(next(at, stop(1)).commands).toEqual(answer('STOP_OK', { framesSent: 1, framesDropped: 0 }));
    expect(at.snapshot.context.video.totals).toEqual({ bytes: 9_000, frames: 9, drops: 3 });
  });

  test('of video frames of 500 000 bytes 2 wait, and of 1 MiB 1: what is let go at once stays near 1 MiB', () => {
    const large = [HELLO, qos(true), start(2, 40_000_000, 10), CONGESTED, ...times(5, due(2)), FLOWING];
    expect(sequences(play(...large).commands)).toEqual([4, 5]);
    const largest = [HELLO, qos(true), start(2, 8 * (MIB - 13), 1), CONGESTED, ...times(5, due(2)), FLOWING];
    expect(sequences(play(...largest).commands)).toEqual([5]);
  });

  test('a stop while 2 frames wait counts them as dropped', () => {
    const { commands } = play(...congested, due(2), due(2), stop(2));
    expect(commands).toEqual(answer('STOP_OK', { framesSent: 1, framesDropped: 2 }));
  });

  test('with nothing held the output that flows again sends nothing', () => {
    expect(play(...congested, FLOWING).commands).toEqual([]);
  });
});

describe('a congested peer with QoS off', () => {
  const congested = [HELLO, start(1), start(2), CONGESTED];

  test('each stream pauses at the first frame that is due', () => {
    const at = play(...congested);
    expect(at.snapshot.value).toMatchObject({ open: { audio: { streaming: 'playing' } } });
    const paused = next(next(at, due(1)), due(2));
    expect(paused.commands).toEqual([]);
    expect(paused.snapshot.value).toMatchObject({
      open: { audio: { streaming: 'paused' }, video: { streaming: 'paused' } },
    });
  });

  test('both go on with that frame: no sequence is missing, nothing is dropped', () => {
    const at = play(...congested, due(1), due(2), FLOWING);
    expect(data(at.commands).map(({ kind, sequence }) => [kind, sequence])).toEqual([
      [1, 1],
      [2, 1],
    ]);
    expect(next(at, stop(2)).commands).toEqual(answer('STOP_OK', { framesSent: 2, framesDropped: 0 }));
  });

  test('an output that flows again before a frame is due sends nothing out of turn', () => {
    const at = play(...congested, FLOWING);
    expect(at.commands).toEqual([]);
    expect(sequences(next(at, due(1)).commands)).toEqual([1]);
  });

  test('a paused stream can be stopped', () => {
    const at = play(...congested, due(1), stop(1));
    expect(at.commands).toEqual(answer('STOP_OK', { framesSent: 1, framesDropped: 0 }));
    expect(next(at, FLOWING).commands).toEqual([]);
  });

  test('QoS that is turned on and off again pauses, too', () => {
    const { snapshot } = play(HELLO, qos(true), qos(true), qos(false), qos(false), start(1), CONGESTED, due(1));
    expect(snapshot.value).toMatchObject({ open: { qos: 'off', audio: { streaming: 'paused' } } });
  });
});

describe('on virtual time', () => {
  /** Edges are looked at 1 microsecond to each side: that is far above what adding fractions of ms may err. */
  const EDGE_MS = 0.001;

  function run(...events: readonly MediaEvent[]) {
    const time = new VirtualTime();
    const actor = createActor(mediaControlMachine, { input: SESSION, clock: clockFrom(time) });
    const frames: { sequence: number; microseconds: bigint; atMs: number }[] = [];
    actor.on('SEND', ({ message }) => {
      if (message.type === 'STREAM_DATA') frames.push({ ...message, atMs: time.now() });
    });
    actor.start();
    for (const event of events) actor.send(event);
    return { time, actor, frames };
  }

  test.each([240, 7, 1])('10 s at %i frames a second: frame n at n / fps seconds, not 1 µs earlier or later', (fps) => {
    const { time, actor, frames } = run(HELLO, start(2, 80_000, fps));
    for (let n = 1; n <= 10 * fps; n += 1) {
      time.advanceTo((n * 1_000) / fps - EDGE_MS);
      expect(frames).toHaveLength(n);
      time.advanceTo((n * 1_000) / fps + EDGE_MS);
      expect(frames).toHaveLength(n + 1);
    }
    expect(frames.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 10 * fps + 1 }, (_, n) => n));
    expect(frames.every(({ microseconds }, n) => microseconds === BigInt(Math.floor((n * 1e6) / fps)))).toBe(true);
    actor.send({ type: 'BYE' });
    expect(time.pendingCount).toBe(0);
  });

  test('an event loop that stalls for 500 ms sends the 5 frames late and skips none', () => {
    const { time, frames } = run(HELLO, start(1));
    time.advanceBy(250);
    expect(frames).toHaveLength(3);
    time.advanceBy(500);
    expect(frames.map(({ sequence }) => sequence)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test('STREAM_STOP and ABORT leave no timer behind', () => {
    const { time, actor, frames } = run(HELLO, start(1, 8_000, 240), start(2, 8_000, 240));
    expect(time.pendingCount).toBe(16);
    actor.send(stop(1));
    expect(time.pendingCount).toBe(8);
    actor.send({ type: 'ABORT' });
    expect(time.pendingCount).toBe(0);
    expect(frames).toHaveLength(2);
  });

  test('frames are planned 8 at first, then 16, and so on up to 256 at once: never more timers than that', () => {
    const { time, frames } = run(HELLO, start(1, 8_000, 240));
    const plans: number[] = [];
    for (let n = 0; n < 1_000; n = frames.length) {
      plans.push(time.pendingCount);
      time.advanceBy((time.pendingCount * 1_000) / 240 + EDGE_MS / 1_000);
    }
    expect(plans).toEqual([8, 16, 32, 64, 128, 256, 256, 256]);
  });

  test('QoS off, 10 frames a second, congested from 50 to 730 ms: frame 1 comes at 730 ms, frame 2 at 830 ms', () => {
    const { time, actor, frames } = run(HELLO, start(1));
    time.advanceBy(50);
    actor.send(CONGESTED);
    time.advanceBy(680);
    expect(time.pendingCount).toBe(0);
    actor.send(FLOWING);
    time.advanceBy(100);
    expect(frames.map(({ atMs }) => atMs)).toEqual([0, 730, 830]);
    expect(frames.map(({ microseconds }) => microseconds)).toEqual([0n, 100_000n, 200_000n]);
  });

  test('QoS off, congested for 40 ms between two frames: the rhythm of 100 ms is kept', () => {
    const { time, actor, frames } = run(HELLO, start(1));
    time.advanceBy(120);
    actor.send(CONGESTED);
    time.advanceBy(40);
    actor.send(FLOWING);
    time.advanceBy(40);
    expect(frames.map(({ atMs }) => atMs)).toEqual([0, 100, 200]);
  });

  test('QoS on, 10 frames a second of each, congested for 2 s: 20 audio frames in time, of 20 video frames 12 are dropped', () => {
    const { time, actor, frames } = run(HELLO, qos(true), start(1), start(2));
    time.advanceBy(50);
    actor.send(CONGESTED);
    frames.length = 0;
    time.advanceBy(2_000);
    expect(frames.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
    frames.length = 0;
    actor.send(FLOWING);
    expect(frames.map(({ sequence }) => sequence)).toEqual([13, 14, 15, 16, 17, 18, 19, 20]);
    expect(actor.getSnapshot().context.video.framesDropped).toBe(12);
  });
});
