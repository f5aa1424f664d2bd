/** What is told of a session while somebody looks at it: the lines of a recording, one by one, and how it is. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assign, createMachine, emit, raise } from 'xstate';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import chat from '../../examples/chat/index.js';
import media from '../../examples/media-control/index.js';
import { lines } from '../../src/codec/lines.js';
import { createFeed } from '../../src/inspect/create-feed.js';
import type { Feed, RecordingLine, Watch } from '../../src/inspect/feed.js';
import { readRecording } from '../../src/inspect/recording-text.js';
import { defineProtocol, type AnyProtocol } from '../../src/session/protocol.js';
import { createWorld } from '../../src/testing/world.js';
import type { FakeSocket } from '../session/fake-layer.js';
import { labProtocol, says } from '../session/lab.js';
import { start, type Started } from '../session/start.js';

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'wirechart-watch-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** One who looks. */
class Viewer {
  readonly watch: Watch;
  readonly lines: RecordingLine[];
  endings = 0;

  constructor(feed: Feed, id = '1') {
    const told: RecordingLine[] = [];
    this.watch = feed.watch(id, { line: (line) => told.push(line), ended: () => (this.endings += 1) });
    this.lines = told;
  }

  /** What was there and what came, as a file has it. */
  get all(): RecordingLine[] {
    return [...this.watch.lines, ...this.lines];
  }

  get steps(): RecordingLine[] {
    return this.lines.filter(({ kind }) => kind === 'step');
  }
}

/** A line as the file has it: without what a feed adds. */
function asInFile(line: RecordingLine): unknown {
  const added = line.kind === 'header' ? ['kind'] : ['taken'];
  return Object.fromEntries(Object.entries(line).filter(([name]) => !added.includes(name)));
}

const parsed = (text: string): unknown[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);

const asJson = (viewer: Viewer): unknown[] => JSON.parse(JSON.stringify(viewer.all.map(asInFile))) as unknown[];

async function one(protocol: AnyProtocol, options: object = {}): Promise<Started & { peer: FakeSocket; feed: Feed }> {
  const started = await start(protocol, { waitTimeoutCountMax: 0, ...options });
  const feed = createFeed(started.server);
  return { ...started, feed, peer: started.layer.connect() };
}

const counting = labProtocol({
  implementations: {
    actions: {
      count: assign(({ context }: any) => ({ count: context.count + 1 })),
      forget: assign(() => ({ last: undefined })),
      note: assign(({ event }: any) => ({ last: event.text })),
    },
    guards: { isGo: ({ event }: any) => event.text === 'go', isLoop: ({ event }: any) => event.text === 'loop' },
  },
  machine: {
    context: { count: 0, last: undefined, fixed: { list: [1, 2] } },
    initial: 'a',
    states: {
      a: { on: { LINE: [{ guard: 'isGo', target: 'b', actions: 'note' }, { actions: ['count', 'echo'] }] } },
      b: { always: 'c' },
      c: { on: { LINE: [{ guard: 'isLoop', target: 'c', reenter: true }, { target: 'a' }] } },
    },
  },
});

describe('the lines', () => {
  test('from now on are those that a recording that begins now has in its file, entry by entry, the end included', async () => {
    const { server, peer, feed, time } = await one(counting);
    says(peer, 'before');
    const recording = server.sessions.get('1')!.record({});
    const viewer = new Viewer(feed);
    for (const text of ['one', 'go', 'loop', 'back']) {
      time.advanceBy(30);
      says(peer, text);
    }
    peer.peerEnds();
    time.advanceBy(10);
    expect(asJson(viewer)).toEqual(parsed(recording.text()));
    expect(viewer.endings).toBe(1);
    expect(viewer.lines.at(-1)).toMatchObject({ kind: 'end', record: { reason: 'peer closed' } });
  });

  test('of a session that its server records have its past, and then go on as that recording does', async () => {
    const { server, peer, feed } = await one(counting, { record: { folder } });
    for (const text of ['one', 'go']) says(peer, text);
    const viewer = new Viewer(feed);
    expect(viewer.watch.lines.filter(({ kind }) => kind === 'step').length).toBeGreaterThan(4);
    says(peer, 'loop', 'back');
    const text = server.sessions.get('1')!.record().text();
    expect(asJson(viewer)).toEqual(parsed(text).slice(0, -1));
  });

  test('of a session that is watched as soon as it has come have its start, as the file of the server has it', async () => {
    const { server, layer, time } = await start(counting, { waitTimeoutCountMax: 0, record: { folder } });
    const feed = createFeed(server);
    let viewer: Viewer | undefined;
    feed.changes.subscribe(({ type, session }) => {
      if (type === 'added') viewer = new Viewer(feed, session.id);
    });
    const peer = layer.connect();
    says(peer, 'one', 'go');
    const recording = server.sessions.get('1')!.record();
    peer.peerEnds();
    time.advanceBy(10);
    expect(viewer!.steps[0]).toMatchObject({ origin: 'start', state: 'accepted' });
    expect(asJson(viewer!)).toEqual(parsed(recording.text()));
  });

  test('come as each step closes: the step that a line leads to is told before the call returns', async () => {
    const { peer, feed } = await one(counting);
    const viewer = new Viewer(feed);
    says(peer, 'x');
    const before = viewer.lines.length;
    says(peer, 'go');
    const news = viewer.lines.slice(before);
    expect(news.map(({ kind, chart }) => (kind === 'step' ? `step ${chart as string}` : kind))).toEqual([
      'step transport',
      'received',
      'step protocol',
    ]);
    expect(news.map(({ n }) => n)).toEqual([0, 1, 2].map((n) => n + Number(news[0]!['n'])));
  });

  test('of a step that its own chart causes in the middle of another come after that one, whole', async () => {
    const talking = labProtocol({
      implementations: { actions: { tellSelf: ({ self }: any) => self.send({ type: 'NEXT' }) } },
      machine: {
        initial: 'a',
        states: {
          a: { on: { LINE: { actions: ['tellSelf', 'echo'] }, NEXT: 'b' } },
          b: { entry: { type: 'say', params: 'b' } },
        },
      },
    });
    const { server, peer, feed } = await one(talking);
    const recording = server.sessions.get('1')!.record({});
    const viewer = new Viewer(feed);
    says(peer, 'x');
    const own = viewer.steps.filter(({ chart }) => chart === 'protocol');
    expect(own).toMatchObject([{ event: { type: 'LINE' } }, { event: { type: 'NEXT' }, state: 'b', commands: [{}] }]);
    expect(asJson(viewer)).toEqual(parsed(recording.text()).slice(0, -1));
  });

  test('of steps have the transitions that they took, in order, through states that are left at once', async () => {
    const { peer, feed } = await one(counting);
    const viewer = new Viewer(feed);
    says(peer, 'one', 'go', 'loop');
    const taken = viewer.steps.filter(({ chart }) => chart === 'protocol').map((line) => line['taken']);
    expect(taken).toEqual([['lab.a 1'], ['lab.a 0', 'lab.b 0'], ['lab.c 0']]);
    const ids = new Set(feed.charts.protocol.transitions.map(({ id }) => id));
    for (const id of taken.flat()) expect(ids).toContain(id);
    const ofSession = viewer.steps.filter(({ chart }) => chart === 'transport').flatMap((line) => line['taken']);
    const sessionIds = feed.charts.session.transitions.map(({ id }) => id);
    expect(ofSession).toHaveLength(viewer.steps.filter(({ chart }) => chart === 'transport').length);
    for (const id of ofSession) expect(sessionIds).toContain(id);
  });

  test('of a step have the fields of the context that are another value now, and those that are gone', async () => {
    const { peer, feed } = await one(counting);
    const viewer = new Viewer(feed);
    says(peer, 'one', 'go', 'loop');
    const contexts = viewer.steps.filter(({ chart }) => chart === 'protocol').map((line) => line['context']);
    expect(contexts).toEqual([{ set: { count: 1 }, removed: [] }, { set: { last: 'go' }, removed: [] }, undefined]);
  });

  test('are told to all who look, and whoever comes later is given what the first one was told', async () => {
    const { peer, feed } = await one(counting);
    const first = new Viewer(feed);
    says(peer, 'one');
    const second = new Viewer(feed);
    expect(second.watch.lines).toEqual(first.all);
    says(peer, 'two');
    expect(second.all).toEqual(first.all);
    first.watch.stop();
    first.watch.stop();
    const known = first.lines.length;
    says(peer, 'three');
    expect([first.lines.length, second.lines.length > 4]).toEqual([known, true]);
  });

  test('are bounded: after 3 000 lines of a peer whoever comes has at most 1 000, from a checkpoint on', async () => {
    const { peer, feed } = await one(counting);
    const first = new Viewer(feed);
    for (let n = 0; n < 3_000; n += 1) says(peer, 'one');
    const second = new Viewer(feed);
    const { lines } = second.watch;
    expect(lines.length).toBeLessThan(1_100);
    expect(lines.slice(0, 2).map(({ kind }) => kind)).toEqual(['header', 'checkpoint']);
    expect(lines.at(-1)).toEqual(first.lines.at(-1));
    expect(first.lines.length).toBeGreaterThan(9_000);
  });

  test('hold of one context at most 4 000 parts and 65 536 characters; what is beyond is elided, and the rest is there', async () => {
    const huge = labProtocol({
      machine: {
        context: {
          text: 'x'.repeat(60_000),
          more: 'y'.repeat(60_000),
          many: Array.from({ length: 10_000 }, (_, n) => n),
          n: 1,
        },
      },
    });
    const { feed } = await one(huge);
    const checkpoint = new Viewer(feed).watch.lines[1]!;
    const { protocol } = checkpoint['charts'] as { protocol: { context: Record<string, unknown> } };
    expect(protocol.context['text']).toHaveLength(60_000);
    expect(protocol.context['more']).toEqual({ $elided: 'a text of 60000 characters' });
    expect(JSON.stringify(checkpoint).length).toBeLessThan(400_000);
  });

  test('that a listener throws at end for it alone; it is reported, and the session goes on', async () => {
    const { peer, feed, errors } = await one(counting);
    const told: string[] = [];
    feed.watch('1', {
      line: ({ kind }) => {
        told.push(kind);
        throw new Error('a broken page');
      },
      ended: () => {},
    });
    const viewer = new Viewer(feed);
    says(peer, 'one', 'two');
    expect(told).toHaveLength(1);
    expect(viewer.steps).toHaveLength(4);
    expect(errors.map(({ code, message }) => `${code}: ${message}`)).toEqual([
      'SUBSCRIBER_FAILED: a subscriber threw: a broken page',
    ]);
    expect(peer.written).toBe('one\ntwo\n');
  });

  test('go to 64 watched sessions at most; a second viewer of one of them is always let in', async () => {
    const { feed, layer } = await one(counting);
    for (let n = 1; n < 65; n += 1) layer.connect();
    const viewers = Array.from({ length: 64 }, (_, index) => new Viewer(feed, String(index + 1)));
    expect(() => new Viewer(feed, '65')).toThrow(expect.objectContaining({ code: 'WATCHERS_TOO_MANY' }) as Error);
    new Viewer(feed, '64');
    viewers[0]!.watch.stop();
    expect(new Viewer(feed, '65').watch.lines.length).toBeGreaterThan(1);
  });
});

describe('secrets', () => {
  const secretive = defineProtocol({
    name: 'secretive',
    codecs: { lines: () => lines() },
    initialCodec: 'lines',
    machine: createMachine({
      context: { token: 'initial-secret', deep: { token: 'unnamed' }, type: 'VAULT', pin: 'vault-pin', seen: 0 },
      on: {
        LINE: {
          actions: assign(({ context, event }: any) => ({
            token: event.text,
            pin: event.text,
            seen: context.seen + 1,
          })),
        },
      },
    } as never),
    secrets: { LINE: ['text'], context: ['token'], VAULT: ['pin'] },
    handlers: { VAULT: { run: () => undefined, deadlineMs: 10 } },
  } as never) as AnyProtocol;

  test('are masked in messages, contexts and changes of contexts, and no byte is shown', async () => {
    const { peer, feed } = await one(secretive);
    says(peer, 'hunter2');
    const viewer = new Viewer(feed);
    says(peer, 'swordfish');
    const text = JSON.stringify(viewer.all);
    for (const secret of ['hunter2', 'swordfish', '$bytes']) expect(text).not.toContain(secret);
    const change = viewer.steps.find(({ chart }) => chart === 'protocol')!['context'];
    expect(change).toEqual({ set: { token: '*********', pin: '*********', seen: 2 }, removed: [] });
  });

  test('of a session that the server records with payloads stay masked for a feed without them, its past too', async () => {
    const { peer, feed } = await one(secretive, { record: { folder, payloads: true } });
    says(peer, 'hunter2');
    const viewer = new Viewer(feed);
    says(peer, 'swordfish');
    const text = JSON.stringify(viewer.all);
    for (const secret of ['hunter2', 'swordfish', 'initial-secret', 'vault-pin', '$bytes'])
      expect(text).not.toContain(secret);
    expect(viewer.watch.lines[0]).toMatchObject({ payloads: false, masked: { LINE: ['text'] } });
  });

  /** Takes each line as its key, and as the name of a group; what fits no guard is thrown with all that is known. */
  const keyed = labProtocol({
    secrets: { SET_KEY: ['key'], JOIN: ['group'], context: ['token'] },
    implementations: {
      actions: {
        take: emit(({ event }: any) => ({ type: 'SET_KEY', key: event.text })),
        join: emit(({ event }: any) => ({ type: 'JOIN', group: event.text })),
      },
      guards: {
        isRight: ({ context }: any) => {
          throw new Error(`not ${context.token}`);
        },
      },
    },
    machine: {
      context: { token: 'vault-pin' },
      on: { LINE: { actions: ['take', 'join'] }, TRY: { guard: 'isRight', actions: 'take' } },
    },
  });

  test('are masked where a session is listed and looked at, live and ended, and in what is said of an event that it cannot judge', async () => {
    const { peer, feed, time, server } = await one(keyed);
    says(peer, 'hunter2');
    const viewer = new Viewer(feed);
    const open = createFeed(server, { payloads: true });
    expect([server.sessions.get('1')!.key, open.session('1')!.key]).toEqual(['hunter2', 'hunter2']);
    expect(open.watch('1', { line: () => {}, ended: () => {} }).vitals().groups).toEqual(['hunter2']);
    expect(() => open.sendEvent('1', { type: 'TRY' })).toThrow('vault-pin');

    expect(feed.session('1')!.key).toBe('*******');
    expect(viewer.watch.vitals().groups).toEqual(['*******']);
    expect(() => feed.sendEvent('1', { type: 'TRY' })).toThrow(
      /^a guard cannot judge this TRY: \*+; it would take: LINE, TRY$/,
    );
    feed.closeSession('1', 'force');
    time.advanceBy(10_000);
    expect([feed.recent.at(-1)!.key, open.recent.at(-1)!.key]).toEqual(['*******', 'hunter2']);
  });

  test('and bytes are shown by a feed with payloads', async () => {
    const { server, peer } = await one(secretive);
    const viewer = new Viewer(createFeed(server, { payloads: true }));
    says(peer, 'swordfish');
    const text = JSON.stringify(viewer.all);
    expect(text).toContain('swordfish');
    expect(text).toContain(`{"$bytes":"${Buffer.from('swordfish\n').toString('base64')}"}`);
  });
});

describe('vitals', () => {
  test('say where it is, what it waits for, its timers with their due times, its queues and its counts', async () => {
    const { peer, feed, time } = await one(chat, { waitTimeoutCountMax: 50 });
    const viewer = new Viewer(feed);
    says(peer, 'nick ann');
    time.advanceBy(250);
    peer.read('half a li');
    const { session, protocol } = feed.session('1')!;
    expect(viewer.watch.vitals()).toMatchObject({
      atMs: 250,
      session,
      protocol,
      waits: { max: 50, count: 0, eachMs: 100, endAtMs: 5_250 },
      timers: [{ chart: 'session', label: 'FRAME_TIMEOUT', delayMs: 30_000, dueAtMs: 30_250 }],
      codec: 'chatLines',
      inputBytes: 9,
      queuedBytes: 0,
      pendingHandlers: [],
      groups: [],
      statistics: { bytesReceived: 18, receiveRetries: 2 },
      tcp: null,
      can: ['NOT_UNDERSTOOD', 'NICK', 'ENTER', 'SAY', 'WHO', 'QUIT'],
    });
    time.advanceBy(100);
    expect(viewer.watch.vitals().waits.count).toBe(1);
  });

  test('of a timer that was set before anybody looked have no due time', async () => {
    const { feed } = await one(
      labProtocol({ machine: { initial: 'a', states: { a: { after: { 500: 'b' } }, b: {} } } }),
    );
    expect(new Viewer(feed).watch.vitals().timers).toEqual([
      { chart: 'protocol', label: 'after 500 ms', delayMs: 500, dueAtMs: null },
    ]);
  });

  test('can be asked for after the end', async () => {
    const { peer, feed, time } = await one(chat);
    const viewer = new Viewer(feed);
    peer.peerEnds();
    time.advanceBy(10);
    expect(viewer.endings).toBe(1);
    expect(viewer.watch.vitals()).toMatchObject({ can: [], queuedBytes: 0, waits: { endAtMs: null } });
  });
});

test('a recording that is asked for has what happens from then on, until it is stopped, and replays', async () => {
  const { peer, feed } = await one(counting);
  const recording = feed.recordSession('1');
  says(peer, 'one');
  recording.stop();
  says(peer, 'two');
  const { entries, header } = readRecording(recording.text());
  expect(header).toMatchObject({ payloads: false, session: { id: '1' } });
  expect(
    entries.filter((entry) => entry.kind === 'step').map(({ event }) => (event as { text?: string }).text),
  ).toEqual([undefined, 'one', undefined]);
});

describe('looking changes nothing', () => {
  /**
   * What a session did: each step with its commands and the state that it led to. Waits that led nowhere are left out, as a session that
   * nobody looks at is told of none; how many there were is in its statistics.
   */
  function trace(viewerLines: readonly RecordingLine[]): string[] {
    const states: Record<string, string> = {};
    return viewerLines.flatMap((line) => {
      if (line.kind !== 'step') return [];
      const { chart, event, commands, state, atMs } = line as unknown as Record<string, unknown>;
      const before = states[chart as string];
      const after = state === undefined ? before : (states[chart as string] = JSON.stringify(state));
      if (isWait(line) && before === after) return [];
      return [
        `${String(atMs)} ${String(chart)} ${(event as { type: string }).type} ${JSON.stringify(commands)} ${after}`,
      ];
    });
  }

  const patient = labProtocol({
    implementations: { actions: { patience: raise({ type: 'TIRED' }, { delay: 330, id: 'tired' }) } },
    machine: { initial: 'a', states: { a: { entry: 'patience', on: { TIRED: 'b' } }, b: {} } },
  });

  test.each(Array.from({ length: 40 }, (_, seed) => seed + 1))(
    'seed %i: steps, commands, states, times, statistics and the end are those of a session that nobody looks at',
    async (seed) => {
      const run = async (looks: boolean) => {
        const world = createWorld({ seed, latencyMs: 1 });
        const protocol = [patient, chat, media][seed % 3] as AnyProtocol;
        const waitTimeoutCountMax = seed % 7 === 0 ? 0 : 1 + (seed % 13);
        const server = await world.server(protocol, { waitTimeoutCountMax, closeTimeoutMs: 400 });
        const feed = createFeed(server);
        const peer = world.peer(server, { codec: false });
        world.runUntil(() => server.sessions.size > 0);
        const recording = server.sessions.get('1')!.record({ entriesMax: 100_000, bytesMax: 2 ** 30 });
        let watch: Watch | undefined;
        for (let n = 0; n < 12; n += 1) {
          // The same chances are drawn in both runs.
          const [stopsOrStarts, waits, says] = [world.chance.next(), world.chance.below(700), world.chance.below(6)];
          if (looks && stopsOrStarts < 0.4) {
            watch?.stop();
            watch = undefined;
          } else if (looks && feed.session('1')) watch ??= feed.watch('1', { line: () => {}, ended: () => {} });
          if (says < 4) peer.write(['hello\n', 'ha', 'who\n', '\n'][says]!);
          world.advanceBy(waits);
        }
        world.advanceBy(3_000);
        const { entries, end } = readRecording(recording.text());
        const lines = JSON.parse(JSON.stringify(entries)) as RecordingLine[];
        const result = { trace: trace(lines), end: end && { ...end }, size: server.sessions.size };
        feed.end();
        await world.end();
        return { result, waits: lines.filter((line) => isWait(line)) };
      };
      const [alone, seen] = [await run(false), await run(true)];
      expect(seen.result).toEqual(alone.result);
      expect(seen.waits.length).toBeGreaterThanOrEqual(alone.waits.length);
    },
  );

  const isWait = (line: RecordingLine) => (line['event'] as { type?: string } | undefined)?.type === 'WAIT_TIMEOUT';

  test('while somebody looks each wait of 100 ms is a step of its own; before and after they come at once', async () => {
    const { peer, feed, time, server } = await one(labProtocol(), { waitTimeoutCountMax: 60 });
    says(peer, 'hello');
    const recording = server.sessions.get('1')!.record({});
    time.advanceBy(1_000);
    const viewer = new Viewer(feed);
    time.advanceBy(500);
    viewer.watch.stop();
    time.advanceBy(4_499);
    expect(server.sessions.size).toBe(1);
    time.advanceBy(1);
    const waits = readRecording(recording.text()).entries.flatMap((entry) =>
      entry.kind === 'step' && isWait(entry as never)
        ? [[entry.atMs, (entry.event as unknown as { waits: number }).waits]]
        : [],
    );
    // What has gone by is told at the next wake-up, the first of it by itself: the wheel judges by the moment that was due.
    expect(waits).toEqual([[1_000, 1], [1_000, 9], [1_100, 1], [1_200, 1], [1_300, 1], [1_400, 1], [1_500, 1], [6_000, 45]]); // prettier-ignore
    expect(feed.recent[0]).toMatchObject({ reason: 'wait timeout', endedAtMs: 6_000 });
  });
});
