/** Recordings of whole sessions, on a simulated network, played again: by the same charts and codecs, and by others. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from 'vitest';
import { emit, fromPromise, type AnyStateMachine } from 'xstate';
import { readRecording, replayRecording, type Recording, type ReplayResult } from 'wirechart/testing';
import type { ByteQueue } from '../../src/codec/byte-queue.js';
import { lines } from '../../src/codec/lines.js';
import { RecordingError } from '../../src/inspect/recording-error.js';
import { defineProtocol, type AnyProtocol } from '../../src/session/protocol.js';
import type { TcpServerOptions } from '../../src/server.js';
import { createWorld, type World } from '../../src/testing/world.js';
import chat from '../../examples/chat/index.js';
import media from '../../examples/media-control/index.js';
import { brokenLines, labProtocol, says } from '../session/lab.js';
import { settled } from '../session/process-errors.js';
import { start } from '../session/start.js';

let root: string;
beforeAll(() => (root = mkdtempSync(join(tmpdir(), 'wirechart-replay-'))));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Records every session of a server that `script` keeps busy. @returns the files' texts, by session */
async function record(
  protocol: AnyProtocol,
  script: (world: World, peers: readonly ReturnType<World['peer']>[]) => void | Promise<void>,
  {
    seed = 1,
    peers = 1,
    ...options
  }: { seed?: number; peers?: number } & Partial<TcpServerOptions['record'] & object> = {},
): Promise<string[]> {
  const folder = mkdtempSync(join(root, 'seed-'));
  const world = createWorld({
    seed,
    latencyMs: 3,
    jitterMs: 4,
    splitRate: 0.3,
    mergeRate: 0.3,
    timersPerSessionMax: 1_000,
  });
  const server = await world.server(protocol, { record: { folder, when: 'always', ...options } });
  const all = Array.from({ length: peers }, () => world.peer(server));
  await script(world, all);
  await world.end();
  await server.stop();
  return readdirSync(folder)
    .sort()
    .map((file) => readFileSync(join(folder, file), 'utf8'));
}

const MEDIA = [
  { type: 'HELLO', version: 1 },
  { type: 'PING', payload: Uint8Array.of(1, 2, 3) },
  { type: 'QOS_ENABLE', enabled: true },
  { type: 'STREAM_START', kind: 1, bitsPerSecond: 64_000, framesPerSecond: 50 },
  { type: 'STREAM_START', kind: 2, bitsPerSecond: 900_000, framesPerSecond: 25 },
  { type: 'STREAM_STOP', kind: 1 },
  { type: 'STATS' },
  // These end a session, and are said less often.
  { type: 'HELLO', version: 2 },
  { type: 'BYE' },
  { type: 'ABORT' },
];
const CHAT = ['nick ann', 'nick bob', 'join lobby', 'say hello', 'who', 'nonsense', 'join garden'];

/** What a peer does at random: messages, halves of messages, rubbish, silence, an end of any kind. */
function misbehave(
  world: World,
  peers: readonly ReturnType<World['peer']>[],
  say: (peer: ReturnType<World['peer']>, n: number) => void,
): void {
  const { chance } = world;
  for (let turn = 0; turn < 60; turn += 1) {
    for (const peer of peers) {
      const drawn = chance.below(100);
      if (drawn < 50) say(peer, chance.below(1_000));
      else if (drawn < 54) peer.pause();
      else if (drawn < 60) peer.resume();
      else if (drawn < 62) peer.write(Uint8Array.of(0, 0, 0));
      else if (drawn < 63) peer.end();
      else if (drawn < 64) peer.reset();
    }
    world.advanceBy(1 + chance.below(120));
  }
}

describe.each([
  {
    name: 'media-control',
    protocol: media,
    say: (peer: ReturnType<World['peer']>, n: number) => peer.send(MEDIA[n < 975 ? n % 7 : 7 + (n % 3)]!),
  },
  {
    name: 'chat',
    protocol: chat,
    say: (peer: ReturnType<World['peer']>, n: number) => peer.write(`${n < 975 ? CHAT[n % CHAT.length] : 'quit'}\n`),
  },
])('$name', ({ protocol, say }) => {
  const script = (world: World, peers: readonly ReturnType<World['peer']>[]) => misbehave(world, peers, say);

  test.each([
    { ring: 'whole', options: {}, stepsMin: 1_000, cutMin: 0 },
    { ring: 'of 30 entries', options: { entriesMax: 30 }, stepsMin: 300, cutMin: 15 },
    { ring: 'of 4 KiB', options: { bytesMax: 4_096 }, stepsMin: 300, cutMin: 15 },
  ])(
    '12 seeds, 4 peers each, a ring $ring, with and without payloads: every session agrees',
    async ({ options, stepsMin, cutMin }) => {
      let played = 0;
      let cut = 0;
      for (let seed = 1; seed <= 12; seed += 1) {
        const payloads = seed % 2 === 0;
        for (const text of await record(protocol, script, { seed, peers: 4, payloads, ...options })) {
          const recording = readRecording(text);
          const result = replayRecording(recording, protocol);
          expect(result, `seed ${seed}, session ${recording.header.session.id}`).toMatchObject({
            agrees: true,
            changes: [],
          });
          expect(recording).toMatchObject({ isComplete: true, end: { id: recording.header.session.id } });
          played += result.steps;
          if (recording.header.dropped > 0) cut += 1;
        }
      }
      expect(played).toBeGreaterThan(stepsMin);
      expect(cut).toBeGreaterThanOrEqual(cutMin);
    },
  );

  test('the same seed gives the same recording, byte for byte', async () => {
    const [first, second] = [
      await record(protocol, script, { seed: 5, peers: 3 }),
      await record(protocol, script, { seed: 5, peers: 3 }),
    ];
    expect(first).toEqual(second);
  });
});

/** A session of media-control that gets a wrong command five times and streams before. */
let failed: string;
beforeAll(async () => {
  const texts = await record(
    media,
    (world, [peer]) => {
      peer!.send(
        { type: 'HELLO', version: 1 },
        { type: 'STREAM_START', kind: 1, bitsPerSecond: 64_000, framesPerSecond: 50 },
      );
      world.advanceBy(200);
      for (let n = 0; n < 5; n += 1) peer!.send({ type: 'HELLO', version: 1 });
      world.advanceBy(200);
    },
    { payloads: true },
  );
  failed = texts[0]!;
});

/** Media control with another chart: `change` is given a copy of its config. */
function changedMedia(change: (config: any) => void, guards: object = {}): AnyProtocol {
  const machine = media.machine as unknown as AnyStateMachine;
  const config = copyOf(machine.config);
  change(config);
  const Machine = machine.constructor as new (config: unknown, implementations: unknown) => AnyStateMachine;
  const { implementations } = machine;
  const { name, codecs, initialCodec, input, facts, handlers } = media;
  return defineProtocol({
    ...{ name, codecs, initialCodec, input, facts, handlers },
    machine: new Machine(config, { ...implementations, guards: { ...implementations.guards, ...guards } }),
  } as never) as AnyProtocol;
}

function copyOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(copyOf);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, copyOf(inner)]));
}

describe('a chart that has changed', () => {
  test('is named, with the first step that goes another way', () => {
    const protocol = changedMedia((config) => {
      config.states.open.states.control.states.ready.on.HELLO = { actions: 'answerHello' };
    });
    const result = replayRecording(readRecording(failed), protocol);
    expectTypeOf(result).toEqualTypeOf<ReplayResult>();
    expect(result.agrees).toBe(false);
    expect(result.changes).toEqual([
      expect.stringMatching(
        /^protocol chart: state open\.control\.ready: on HELLO had stays refuse\("wrongState"\), now stays answerHello$/,
      ),
    ]);
    expect(result.difference).toMatchObject({
      what: 'protocol command',
      expected: { type: 'SEND', message: { type: 'ERROR', code: 3 } },
      actual: { type: 'SEND', message: { type: 'HELLO_OK', session: 1 } },
    });
    const { difference } = result;
    expect(failed.split('\n')[difference!.line - 1]).toContain(`"n":${difference!.entry},`);
  });

  test('in what this session never met agrees all the same', () => {
    const protocol = changedMedia((config) => {
      config.states.open.on.BYE = { actions: 'close' };
    });
    expect(replayRecording(readRecording(failed), protocol)).toMatchObject({
      agrees: true,
      changes: [expect.stringContaining('state open: on BYE had target closed') as string],
    });
  });

  test('in a guard alone: the guard is named, and the state that it leads to', () => {
    const protocol = changedMedia(() => {}, { isLastError: () => false });
    const result = replayRecording(readRecording(failed), protocol);
    expect(result.changes).toEqual(['protocol chart: the guard isLastError has other code']);
    expect(result.difference).toMatchObject({
      what: 'protocol command',
      expected: { type: 'CLOSE', reason: 'too many errors' },
      actual: undefined,
    });
  });

  test('in its state names: a checkpoint that cannot be restored is a difference, not an exception', async () => {
    const [text] = await record(
      media,
      (world, [peer]) => {
        for (let n = 0; n < 30; n += 1) {
          peer!.send({ type: 'PING', payload: Uint8Array.of(n) });
          world.advanceBy(20);
        }
      },
      { entriesMax: 20 },
    );
    const protocol = labProtocol({ name: 'media-control' });
    expect(replayRecording(readRecording(text!), protocol)).toMatchObject({
      agrees: false,
      difference: { entry: 0, what: 'protocol state' },
    });
  });
});

describe('a codec that has changed', () => {
  const decode = (buffer: never) => {
    const message = lines().decode(buffer);
    return message && { ...message, text: message.text.toUpperCase() };
  };
  const encode = ({ text }: { text: string }) => Uint8Array.from(Buffer.from(`${text}!\n`));

  test.each([
    {
      what: 'decoded message',
      broken: { decode },
      expected: { type: 'LINE', text: 'hello' },
      actual: { type: 'LINE', text: 'HELLO' },
    },
    {
      what: 'encoded bytes',
      broken: { encode },
      expected: Uint8Array.from(Buffer.from('hello\n')),
      actual: Uint8Array.from(Buffer.from('hello!\n')),
    },
  ])('shows as another $what', async ({ what, broken, expected, actual }) => {
    const [text] = await record(
      labProtocol(),
      (world, [peer]) => {
        peer!.write('hello\n');
        world.advanceBy(50);
      },
      { payloads: true },
    );
    const protocol = labProtocol({ codecs: { lines: () => brokenLines(broken) } });
    expect(replayRecording(readRecording(text!), protocol).difference).toMatchObject({ what, expected, actual });
  });

  test('its name, is a difference: bytes that nobody decodes agree with nothing', async () => {
    const [text] = await record(
      labProtocol(),
      (world, [peer]) => {
        peer!.write('hello\n');
        world.advanceBy(50);
      },
      { payloads: true },
    );
    const renamed = labProtocol({ codecs: { texts: () => lines() }, initialCodec: 'texts' });
    const result = replayRecording(readRecording(text!), renamed);
    expect(result.agrees).toBe(false);
    expect(result.difference).toMatchObject({ entry: 0, what: 'codec', expected: 'lines', actual: undefined });
  });

  test('and finds a message where none was is a difference as well', async () => {
    const [text] = await record(
      labProtocol(),
      (world, [peer]) => {
        peer!.write('unfinished');
        world.advanceBy(50);
        peer!.write(' line\n');
        world.advanceBy(50);
      },
      { payloads: true },
    );
    const eager = (buffer: ByteQueue) =>
      buffer.byteLength === 0
        ? undefined
        : { type: 'LINE', text: Buffer.from(buffer.take(buffer.byteLength)).toString() };
    const protocol = labProtocol({ codecs: { lines: () => brokenLines({ decode: eager }) } });
    expect(replayRecording(readRecording(text!), protocol).difference).toMatchObject({
      what: 'decoded message',
      expected: undefined,
    });
  });
});

describe('what a chart does besides', () => {
  test('actors that it invokes do not run again: their answers are in the recording', async () => {
    let calls = 0;
    const protocol = labProtocol({
      machine: {
        initial: 'loading',
        states: {
          loading: { invoke: { src: 'load', onDone: { target: 'ready', actions: 'said' } } },
          ready: { on: { LINE: { actions: 'echo' } } },
        },
      },
      implementations: {
        actors: { load: fromPromise(() => Promise.resolve(`loaded ${(calls += 1)}`)) },
        actions: {
          said: emit(({ event }: any) => ({ type: 'SEND', message: { type: 'LINE', text: event.output as string } })),
        },
      },
    });
    const { layer, server } = await start(protocol);
    const peer = layer.connect();
    const recording = [...server.sessions][0]!.record();
    await settled();
    says(peer, 'x');
    const read = readRecording(recording.text());
    expect(replayRecording(read, protocol)).toMatchObject({ agrees: true });
    expect(recording.text()).toContain('"origin":"actor"');
    expect(calls).toBe(1);
  });

  test('a chart that threw throws again; one that does not any more is a difference', async () => {
    const make = (throws: boolean) =>
      labProtocol({
        implementations: {
          guards: {
            isFine: () => {
              if (throws) throw new Error('boom');
              return true;
            },
          },
        },
        machine: { on: { LINE: { guard: 'isFine', actions: 'echo' } } },
      });
    const [text] = await record(make(true), (world, [peer]) => {
      peer!.write('x\n');
      world.advanceBy(50);
    });
    const recording = readRecording(text!);
    expect(recording.entries).toContainEqual(expect.objectContaining({ kind: 'error', code: 'PROTOCOL_FAILED' }));
    expect(replayRecording(recording, make(true))).toMatchObject({ agrees: true });
    expect(replayRecording(recording, make(false)).difference).toMatchObject({
      what: 'protocol failure',
      actual: undefined,
    });
  });
});

describe('a file', () => {
  const line = (n: number) => failed.split('\n')[n]!;
  const withLine = (n: number, text: string) =>
    failed
      .split('\n')
      .map((one, index) => (index === n ? text : one))
      .join('\n');

  test('that was cut off anywhere is read up to there, and agrees as far as it goes', () => {
    const firstEntries = line(0).length + line(1).length + 2;
    for (let length = firstEntries; length < failed.length - 1; length += 997) {
      const recording = readRecording(failed.slice(0, length));
      expectTypeOf(recording).toEqualTypeOf<Recording>();
      expect(recording.isComplete).toBe(false);
      const result = replayRecording(recording, media);
      expect(result.difference).toBeUndefined();
      expect(result.agrees).toBe(result.steps > 0);
      expect(result.notes).toContain('the file was cut off: it was looked at as far as it goes');
    }
  });

  test('without a step agrees with nothing, and a note says so', () => {
    const result = replayRecording(readRecording(`${line(0)}\n${line(1)}\n`), media);
    expect(result).toMatchObject({ agrees: false, steps: 0 });
    expect(result.notes).toContain('nothing was compared: there is no step in it that could be played again');
  });

  test.each([
    ['empty', () => '', 1, 'line 1: this is no recording of wirechart'],
    ['of something else', () => '{"a":1}\n', 1, 'line 1: this is no recording of wirechart'],
    [
      'of a later version',
      () => failed.replace('"version":1', '"version":2'),
      1,
      'line 1: the recording is of version 2, and this package reads version 1',
    ],
    ['without entries', () => `${line(0)}\n`, 2, 'line 2: the first entry is no checkpoint'],
    ['with a broken line', () => withLine(4, '{"kind":'), 5, /^line 5: .*JSON/],
    [
      'with an entry of no kind',
      () => withLine(4, '{"kind":"toString","atMs":1}'),
      5,
      'line 5: there is no entry of kind "toString"',
    ],
    [
      'with a step without an event',
      () => withLine(4, '{"kind":"step","atMs":1,"chart":"protocol"}'),
      5,
      'line 5: an entry of kind step lacks a part of it',
    ],
    [
      'with a value of no kind',
      () => withLine(4, '{"kind":"step","atMs":1,"event":{"$eval":"1"}}'),
      5,
      'line 5: $eval: there is no such kind of value',
    ],
    [
      'with a list so deep that it cannot be walked',
      () => withLine(4, `{"kind":"decoded","atMs":1,"message":${'['.repeat(100_000)}${']'.repeat(100_000)}}`),
      5,
      /^line 5: /,
    ],
    ['with something after its end', () => `${failed}${line(3)}\n`, undefined, /there is more after the last line$/],
  ])('%s is refused, with the line', (_name, text, at, message) => {
    let thrown: unknown;
    try {
      readRecording(text());
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(RecordingError);
    expect((thrown as Error).message).toMatch(message);
    if (at !== undefined) expect((thrown as RecordingError).line).toBe(at);
  });
});
