/** A session's story as the page tells it, from recordings that real servers made on the simulated network. */
import { assign, setup } from 'xstate';
import { describe, expect, test } from 'vitest';
import { defineProtocol, type AnyProtocol } from '../../src/index.js';
import { lines, type LineMessage } from '../../src/codec/index.js';
import { createFeed } from '../../src/inspect/create-feed.js';
import type { RecordingLine } from '../../src/inspect/feed.js';
import { readChart } from '../../src/inspect/drawing/chart.js';
import { readRecording } from '../../src/inspect/recording-text.js';
import { createWorld } from '../../src/testing/index.js';
import { sessionMachine } from '../../machines/session.js';
import chat from '../../examples/chat/index.js';
import media from '../../examples/media-control/index.js';
import { placeOf, placeText, type StateValue } from '../../visualizer/src/session/places.js';
import { bytesOf, partOf, plainText, samePlain } from '../../visualizer/src/session/plain.js';
import { rowsOf } from '../../visualizer/src/session/rows.js';
import { entryAt, extendStory, liveStory, pointAt, readStory, type Story } from '../../visualizer/src/session/story.js';
import { inferTaken } from '../../visualizer/src/session/taken.js';

const sessionChart = readChart(sessionMachine);
const mediaChart = readChart(media.machine);

interface Played {
  readonly text: string;
  readonly story: Story;
}

/** Five errors, with silence before the last: the server closes. */
async function tooManyErrors(payloads = false): Promise<Played> {
  return played(media, payloads, (peer, advance) => {
    peer.send({ type: 'HELLO', version: 1 });
    advance(100);
    for (let n = 0; n < 5; n += 1) {
      peer.send({ type: 'STREAM_STOP', kind: 1 });
      advance(n === 3 ? 4_000 : 100);
    }
    advance(100);
  });
}

type Send = { send(message: { type: string; [field: string]: unknown }): void; write(text: string): void };

async function played(
  protocol: AnyProtocol,
  payloads: boolean,
  play: (peer: Send, advance: (ms: number) => void) => void,
): Promise<Played> {
  const world = createWorld();
  const server = await world.server(protocol);
  const peer = world.peer(server);
  world.runUntil(() => server.sessions.size > 0);
  const recording = [...server.sessions][0]!.record({ payloads });
  play(peer as never, (ms) => world.advanceBy(ms));
  const text = recording.text();
  await world.end();
  return { text, story: readStory(text) };
}

/** What the recording says itself: the state after each entry, by a reading of its own. */
function recordedStates(text: string): { transport: StateValue | undefined; protocol: StateValue | undefined }[] {
  let now: { transport: StateValue | undefined; protocol: StateValue | undefined } = { transport: undefined, protocol: undefined }; // prettier-ignore
  return readRecording(text).entries.map((entry) => {
    if (entry.kind === 'checkpoint' && entry.charts)
      now = { transport: entry.charts.transport.value as StateValue, protocol: entry.charts.protocol.value as StateValue }; // prettier-ignore
    if (entry.kind === 'step' && entry.state !== undefined) now = { ...now, [entry.chart]: entry.state as StateValue };
    return now;
  });
}

/** Without what newer recordings have: as a file of the first version is. */
function asOldFile(text: string): string {
  return text
    .split('\n')
    .map((line) => {
      if (line === '') return '';
      const rest = JSON.parse(line) as Record<string, unknown>;
      delete rest['drawings'];
      if (rest['kind'] === 'step') delete rest['context'];
      return JSON.stringify(rest);
    })
    .join('\n');
}

describe('places', () => {
  test('of media-control with its regions and of a chat are at every entry those that the recording says', async () => {
    for (const { text, story } of [
      await tooManyErrors(),
      await played(chat, false, (peer, advance) => {
        peer.write('NICK ann\n');
        advance(50);
        peer.write('SAY hello\nQUIT\n');
        advance(7_000);
      }),
    ]) {
      const states = recordedStates(text);
      expect(states.length).toBeGreaterThan(8);
      states.forEach(({ transport, protocol }, number) => {
        const point = pointAt(story, number);
        expect(point.session.value).toEqual(transport);
        expect(point.protocol.value).toEqual(protocol);
        expect(point.session.place).toEqual(placeOf(story.charts.session!, transport!));
        expect(point.protocol.place).toEqual(placeOf(story.charts.protocol!, protocol!));
      });
      expect(new Set(states.map(({ transport }) => JSON.stringify(transport))).size).toBeGreaterThan(2);
    }
  });

  test('count each active state once, from the outermost on, in the order of the chart', () => {
    const value = { open: { control: 'ready', audio: { streaming: 'playing' }, video: 'idle', qos: 'off', output: 'flowing' } }; // prettier-ignore
    const place = placeOf(mediaChart, value);
    expect(place.map((number) => mediaChart.states[number]!.path)).toEqual([
      'open',
      'open.control',
      'open.control.ready',
      'open.audio',
      'open.audio.streaming',
      'open.audio.streaming.playing',
      'open.video',
      'open.video.idle',
      'open.qos',
      'open.qos.off',
      'open.output',
      'open.output.flowing',
    ]);
    expect(placeText(mediaChart, place)).toBe('open: ready · streaming.playing · idle · off · flowing');
    expect(placeText(sessionChart, placeOf(sessionChart, { closing: 'finWait' }))).toBe('closing.finWait');
  });

  test('that the chart does not have are left out, and a chart without states inside has none', () => {
    expect(placeOf(sessionChart, 'nowhere')).toEqual([]);
    expect(placeOf(sessionChart, { closing: 'nowhere' })).toHaveLength(1);
    expect(placeText(sessionChart, [])).toBe('–');
  });

  test('of a recording without drawings are those of a list of its states', async () => {
    const { text } = await tooManyErrors();
    const story = readStory(asOldFile(text));
    expect(story.hasDrawings).toBe(false);
    const paths = (chart: Story['charts']['session']) => chart!.states.map(({ path }) => path).sort();
    expect(paths(story.charts.session)).toEqual(paths(sessionChart));
    expect(paths(story.charts.protocol)).toEqual(paths(mediaChart));
    recordedStates(text).forEach(({ transport }, number) => {
      const { place } = pointAt(story, number).session;
      const names = place.map((one) => story.charts.session!.states[one]!.path);
      expect(names.sort()).toEqual(placeOf(sessionChart, transport!).map((one) => sessionChart.states[one]!.path).sort()); // prettier-ignore
    });
  });
});

describe('contexts', () => {
  const counting = defineProtocol({
    name: 'counting',
    codecs: { lines: () => lines() },
    initialCodec: 'lines',
    machine: setup({
      types: {} as { context: { count: number; last?: string }; events: LineMessage },
      actions: {
        count: assign(({ context, event }) => ({ count: context.count + 1, last: event.text })),
      },
    }).createMachine({ context: { count: 0 }, on: { LINE: { actions: 'count' } } }),
  });

  test('are after each step what a second checkpoint, or the chart itself, says of them', async () => {
    const { story } = await played(counting, false, (peer, advance) => {
      for (const word of ['one', 'two', 'three']) {
        peer.write(`${word}\n`);
        advance(10);
      }
    });
    const seen = story.entries
      .filter(({ event }) => event === 'LINE')
      .map(({ after: { protocol } }) => [protocol.context, protocol.isContextExact, protocol.changed]);
    expect(seen).toEqual([
      [{ count: 1, last: 'one' }, true, ['count', 'last']],
      [{ count: 2, last: 'two' }, true, ['count', 'last']],
      [{ count: 3, last: 'three' }, true, ['count', 'last']],
    ]);
  });

  test('of a recording that has none but at its checkpoints are said to be no more exact than that', async () => {
    const { text } = await played(counting, false, (peer, advance) => {
      peer.write('one\n');
      advance(10);
    });
    const story = readStory(asOldFile(text));
    expect(pointAt(story, 0).protocol).toMatchObject({ context: { count: 0 }, isContextExact: true });
    const step = story.entries.find(({ event }) => event === 'LINE')!;
    expect(step.after.protocol).toMatchObject({ context: { count: 0 }, isContextExact: false });
  });

  test('lose the keys that a step removed', () => {
    const story = liveStory({ session: sessionChart, protocol: mediaChart }, [
      { kind: 'step', n: 0, atMs: 0, chart: 'protocol', origin: 'start', event: { type: 'xstate.init' }, state: { open: {} }, context: { set: { a: 1, b: 2 } } },
      { kind: 'step', n: 1, atMs: 5, chart: 'protocol', origin: 'message', event: { type: 'PING' }, context: { set: { a: 3 }, removed: ['b'] } },
    ]); // prettier-ignore
    expect(pointAt(story, 0).protocol).toMatchObject({ context: { a: 1, b: 2 }, isContextExact: true });
    expect(pointAt(story, 1).protocol).toMatchObject({ context: { a: 3 }, changed: ['a', 'b'] });
  });
});

describe('arrows that were taken', () => {
  test('are inferred for every change of state of a recording, and each leads from where it was to where it is', async () => {
    const { story } = await tooManyErrors();
    const moves = story.entries.filter(({ hasMoved }) => hasMoved);
    expect(moves.length).toBeGreaterThan(4);
    for (const { chart, after, number, event } of moves) {
      const drawing = { session: sessionChart, protocol: mediaChart }[chart!];
      const before = pointAt(story, number - 1)[chart!];
      const taken = inferTaken(drawing, { event: event!, before: before.place, after: after[chart!].place });
      expect(taken.length, `${event} in ${JSON.stringify(before.value)}`).toBeGreaterThan(0);
      for (const id of taken) {
        const { source, targets } = drawing.transitions.find((one) => one.id === id)!;
        const numbers = targets.map((target) => drawing.states.findIndex((state) => state.id === target));
        const from = drawing.states.findIndex((state) => state.id === source);
        expect(from === 0 || before.place.includes(from)).toBe(true);
        for (const target of numbers) expect(after[chart!].place).toContain(target);
      }
    }
  });

  test('of an event that starts a region through another one that was raised are both', () => {
    const off = { video: 'idle', qos: 'off', output: 'flowing' };
    const before = placeOf(mediaChart, { open: { control: 'ready', audio: 'idle', ...off } });
    const after = placeOf(mediaChart, { open: { control: 'ready', audio: { streaming: 'playing' }, ...off } });
    const taken = inferTaken(mediaChart, { event: 'STREAM_START', before, after });
    const labels = taken.map((id) => mediaChart.transitions.find((one) => one.id === id)!.label);
    expect(labels).toEqual(['STREAM_START', 'START_AUDIO']);
  });

  test('are none where two that look different would both explain it', () => {
    const [first] = sessionChart.states[0]!.id.split('.');
    expect(first).toBe('session');
    const place = placeOf(sessionChart, { connected: 'flowing' });
    expect(inferTaken(sessionChart, { event: 'NOT_ONE_OF_ITS', before: place, after: place })).toEqual([]);
  });

  test('are, where they have to be inferred, among those that the charts themselves say they took', async () => {
    const world = createWorld();
    const server = await world.server(media);
    const feed = createFeed(server, { payloads: false });
    const peer = world.peer(server);
    world.runUntil(() => feed.size > 0);
    const told: RecordingLine[] = [];
    feed.watch([...feed.sessions()][0]!.id, { line: (line) => told.push(line), ended: () => {} });
    for (const message of [
      { type: 'HELLO', version: 1 },
      { type: 'STREAM_START', kind: 1, bitsPerSecond: 8_000, framesPerSecond: 5 },
      { type: 'QOS_ENABLE', enabled: true },
      { type: 'STREAM_STOP', kind: 1 },
      ...Array.from({ length: 5 }, () => ({ type: 'STREAM_STOP', kind: 2 })),
    ]) {
      peer.send(message as never);
      world.advanceBy(1_000);
    }
    feed.end();
    await world.end();
    const untold = told.map(({ taken: _, ...line }) => line as RecordingLine);
    const charts = { session: sessionChart, protocol: mediaChart };
    const [said, inferred] = [liveStory(charts, told), liveStory(charts, untold)];
    /** Of transitions that differ in guard and actions alone a recording cannot tell which it was, and one arrow stands for them. */
    const arrowsOf = (ids: readonly string[]) =>
      [...sessionChart.transitions, ...mediaChart.transitions]
        .filter(({ id }) => ids.includes(id))
        .map(({ source, event, targets }) => [source, event, ...targets].join(' '));
    let found = 0;
    for (const { number, chart } of said.entries.filter(({ event }) => event !== undefined)) {
      const guessed = arrowsOf(pointAt(inferred, number)[chart!].taken);
      found += guessed.length;
      expect(arrowsOf(pointAt(said, number)[chart!].taken)).toEqual(expect.arrayContaining(guessed));
    }
    expect(found).toBeGreaterThan(20);
    expect(said.end?.reason).toBe('too many errors');
  });

  test('of a live line are those that it says', () => {
    const story = liveStory({ session: sessionChart, protocol: mediaChart }, [
      { kind: 'step', n: 0, atMs: 0, chart: 'transport', origin: 'session', event: { type: 'READ' }, state: 'accepted', taken: ['session 2'] },
    ]); // prettier-ignore
    expect(pointAt(story, 0).session).toMatchObject({ taken: ['session 2'], takenAt: 0 });
  });
});

describe('a live story', () => {
  test('of limited length keeps its last entries, and their numbers and moments', async () => {
    const { text, story: whole } = await tooManyErrors();
    const all = text.trim().split('\n').slice(1).map((line) => JSON.parse(line) as { kind: string }); // prettier-ignore
    let live = liveStory({ session: sessionChart, protocol: mediaChart });
    for (let from = 0; from < all.length; from += 7) live = extendStory(live, all.slice(from, from + 7), 20);
    expect(live.entries).toHaveLength(20);
    expect(live.forgotten).toBe(whole.entries.length - 20);
    expect(live.end?.reason).toBe('too many errors');
    for (const { number } of live.entries) {
      const place = (story: Story) => [pointAt(story, number).session.value, pointAt(story, number).protocol.value];
      expect(place(live)).toEqual(place(whole));
    }
    expect(entryAt(live.entries, live.forgotten - 1)).toBeUndefined();
  });
});

describe('waits of a live story', () => {
  const step = (n: number, event: object, more: object = {}) => ({ kind: 'step', n, atMs: n * 100, chart: 'transport', origin: 'session', event, ...more }); // prettier-ignore
  const wait = (n: number) =>
    step(n, { type: 'WAIT_TIMEOUT', waits: 1 }, { context: { set: { waitTimeoutCount: n } } });
  const begin = [
    step(0, { type: 'xstate.init' }, { state: 'accepted' }),
    step(0, { type: 'READ' }, { state: { connected: 'flowing' }, taken: ['session.accepted 11'] }),
  ];

  test('that follow each other are one entry, so that a thousand of them push nothing out, and each count is there', () => {
    let story = extendStory(liveStory({ session: sessionChart, protocol: mediaChart }), begin, 20);
    for (let n = 1; n <= 1_000; n += 1) story = extendStory(story, [wait(n)], 20);
    expect(story.entries.map(({ event }) => event)).toEqual(['xstate.init', 'READ', 'WAIT_TIMEOUT']);
    expect(story.forgotten).toBe(0);
    expect(pointAt(story, 2).session.context).toEqual({ waitTimeoutCount: 1_000 });
    expect(rowsOf(story, { isAll: false }).at(-1)).toMatchObject({ label: '100.0\u00a0s silent', note: '1000 waits' });
  });

  test('leave the arrow lit that was taken before them', () => {
    const story = liveStory({ session: sessionChart, protocol: mediaChart }, [...begin, wait(1), wait(2)]);
    expect(pointAt(story, 3).session).toMatchObject({ taken: ['session.accepted 11'], takenAt: 1 });
  });

  test('end with the one that changes the state, which is an entry of its own', () => {
    const last = step(
      3,
      { type: 'WAIT_TIMEOUT', waits: 1 },
      { state: { closing: 'flushing' }, taken: ['session.connected 0'] },
    );
    const story = extendStory(
      liveStory({ session: sessionChart, protocol: mediaChart }),
      [...begin, wait(1), wait(2), last],
      20,
    );
    expect(story.entries).toHaveLength(4);
    expect(rowsOf(story, { isAll: false }).at(-1)).toMatchObject({ label: 'WAIT_TIMEOUT', note: 'last wait', state: 'closing.flushing' }); // prettier-ignore
  });
});

describe('a recording as a text', () => {
  test.each([
    ['', 'this is no recording of wirechart'],
    ['{"kind":"step"}', 'this is no recording of wirechart'],
    ['{"format":"wirechart recording","version":2}', 'it is of version 2, and this page reads version 1'],
    ['{"format":"wirechart recording","version":1}\n[1]\n', 'line 2 is no entry of a recording'],
    ['{"format":"wirechart recording","version":1}\n{"kind":"st\n{}', 'line 2 is not JSON'],
  ])('that is %j is refused: %s', (text, message) => {
    expect(() => readStory(text)).toThrow(message);
  });

  test('that was cut off in its last line is read as far as it goes, and is not complete', async () => {
    const { text } = await tooManyErrors();
    const whole = readStory(text);
    const cut = readStory(text.slice(0, text.lastIndexOf('"kind":"end"')));
    expect(whole.isComplete).toBe(true);
    expect(cut.isComplete).toBe(false);
    expect(cut.end).toBeUndefined();
    expect(cut.entries.length).toBe(whole.entries.length - 1);
  });
});

describe('the sequence', () => {
  test('has each message in its direction, FINs, changes of state, silence and the end, and no other step of the transport', async () => {
    const { story } = await tooManyErrors();
    const rows = rowsOf(story, { isAll: false });
    const said = rows.map(({ kind, label }) => `${kind} ${label}`);
    const error = ['in STREAM_STOP', 'out ERROR'];
    expect(said).toEqual([
      'inner checkpoint',
      'inner READ',
      'in HELLO',
      'out HELLO_OK',
      ...error, ...error, ...error, ...error,
      'silence 4.0\u00a0s silent',
      ...error,
      'inner STOP',
      'inner FLUSHED',
      'out FIN',
      'in FIN',
      'inner CLOSE',
      'end ended: too many errors',
    ].slice(1).map((text) => (text === 'inner READ' ? 'in READ' : text))); // prettier-ignore
    expect(rows.find(({ label }) => label === 'FLUSHED')).toMatchObject({ state: 'closing.finWait' });
    expect(rows.map(({ atMs }) => atMs)).toEqual([...rows.map(({ atMs }) => atMs)].sort((a, b) => a - b));
  });

  test('with all steps has a row for each entry but for waits, and keys that are unique', async () => {
    const { story } = await tooManyErrors();
    const rows = rowsOf(story, { isAll: true });
    expect(new Set(rows.map(({ key }) => key)).size).toBe(rows.length);
    expect(new Set(rows.map(({ number }) => number)).size).toBe(story.entries.length);
  });

  test('folds waits that follow each other, however many lines they are, into one row with their number', () => {
    const wait = (n: number) => ({ kind: 'step', n, atMs: n * 100, chart: 'transport', origin: 'session', event: { type: 'WAIT_TIMEOUT', waits: 1 } }); // prettier-ignore
    const start = { kind: 'step', n: 0, atMs: 0, chart: 'transport', origin: 'start', event: { type: 'xstate.init' }, state: 'accepted' }; // prettier-ignore
    let story = liveStory({ session: sessionChart, protocol: mediaChart }, [start, ...[1, 2, 3].map(wait)]);
    expect(rowsOf(story, { isAll: true })).toMatchObject([
      { label: 'start', state: 'accepted' },
      { kind: 'silence', label: '0.3\u00a0s silent', note: '3 waits', from: 1, number: 3 },
    ]);
    story = extendStory(story, [4, 5].map(wait));
    expect(rowsOf(story, { isAll: false }).map(({ label }) => label)).toEqual(['start']);
    story = extendStory(
      story,
      Array.from({ length: 16 }, (_, n) => wait(n + 6)),
    );
    const rows = rowsOf(story, { isAll: false });
    expect(rows).toHaveLength(2);
    expect(rows[1]).toMatchObject({ key: '1silence', note: '21 waits', number: 21 });
  });
});

describe('plain values', () => {
  test('with payloads have their bytes, and without only their number', async () => {
    const sent = (story: Story) => bytesOf(story.entries.find(({ line }) => line.kind === 'received')!.line['bytes']);
    const withBytes = sent((await tooManyErrors(true)).story)!;
    const counted = sent((await tooManyErrors(false)).story)!;
    expect(withBytes.bytes).toBeInstanceOf(Uint8Array);
    expect(withBytes.bytes).toHaveLength(withBytes.length);
    expect(counted).toEqual({ length: withBytes.length, bytes: undefined, isMasked: false });
  });

  test.each([
    [{ type: 'PING', payload: { $length: 4 } }, '{type: "PING", payload: 4 bytes}'],
    [{ $map: [['ann', 1], [{ $number: 'NaN' }, 2]] }, '{ann: 1, NaN: 2}'],
    [{ $$set: 1 }, '{$set: 1}'],
    [{ $set: [1, { $undefined: true }] }, '{0: 1, 1: undefined}'],
    [[{ $bigint: '7' }, { $error: { name: 'TypeError', message: 'no' } }], '[7n, TypeError: "no"]'],
    [{ $object: ['Queue', { size: 2 }] }, '{size: 2}'],
    [{ $date: 0 }, '1970-01-01T00:00:00.000Z'],
    [{ $bytes: '%' }, 'bytes'],
    [{ $date: 1e99 }, 'no date'],
    [{ $elided: 'a part of itself' }, 'not kept: a part of itself'],
  ])('%j reads %s', (value, text) => {
    expect(plainText(value)).toBe(text.replace(/^\{ann/, '{"ann"'));
  }); // prettier-ignore

  test('are the same by what is in them, in any order of their keys', () => {
    expect(samePlain({ a: [1, { b: null }], c: 2 }, { c: 2, a: [1, { b: null }] })).toBe(true);
    expect(samePlain({ a: [] }, { a: {} })).toBe(false);
    expect(samePlain({ a: 1 }, { a: 1, b: undefined })).toBe(false);
    expect(partOf({ a: 1, b: [] })).toMatchObject({ kind: 'branch', summary: '{2}' });
  });
});
