/** What a viewer of `@xstate/inspect` is told, and what it may do; with its real receiver: test/inspect-compat. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { assign, sendTo, setup } from 'xstate';
import chat from '../../../examples/chat/index.js';
import knockKnock from '../../../examples/knock-knock/index.js';
import mediaControl from '../../../examples/media-control/index.js';
import { lines, type LineMessage } from '../../../src/codec/index.js';
import { createFeed } from '../../../src/inspect/create-feed.js';
import { createOutlets, type OutletsOptions, type OutletTarget } from '../../../src/inspect/outlets.js';
import type { Outlet, OutletRequest } from '../../../src/inspect/outlets/outlet.js';
import { defineProtocol, type AnyProtocol, type ProtocolCommand } from '../../../src/session/protocol.js';
import { LiveSession } from '../../../src/session/live-session.js';
import type { SessionTap } from '../../../src/session/tap.js';
import { createWorld, readRecording, type World, type WorldTcpServer } from '../../../src/testing/index.js';
import { FakeViewer } from './fake-viewer.js';

let world: World;
const ends: (() => void)[] = [];
beforeEach(() => {
  world = createWorld();
});
afterEach(async () => {
  for (const end of ends.splice(0)) end();
  await world.end(); // nothing is left behind: no tap, no timer
});

interface Shown {
  readonly outlet: Outlet;
  readonly requests: OutletRequest[];
  readonly notes: string[];
  readonly connect: (query?: string) => FakeViewer;
}

function show(targets: readonly Omit<OutletTarget, 'feed'>[], options: Partial<OutletsOptions> = {}): Shown {
  const sources = targets.map((target) => ({ ...target, feed: createFeed(target.target) }));
  const requests: OutletRequest[] = [];
  const notes: string[] = [];
  const outlets = createOutlets({
    sources: () => sources,
    control: false,
    payloads: false,
    nowMs: () => world.time.now(),
    requested: (request) => requests.push(request),
    noted: (text) => notes.push(text),
    ...options,
  });
  const outlet = outlets.find(({ path }) => path === '/xstate4')!;
  ends.push(() => {
    for (const one of outlets) one.stop();
    for (const { feed } of sources) feed.end();
  });
  const connect = (query = '') => {
    const viewer = new FakeViewer();
    outlet.connect(viewer, new URLSearchParams(query));
    viewer.say({ type: 'xstate.inspecting' });
    return viewer;
  };
  return { outlet, requests, notes, connect };
}

async function shown<P extends AnyProtocol>(protocol: P, options: Partial<OutletsOptions> = {}) {
  const server = await world.server(protocol);
  return { server, ...show([{ name: protocol.name, target: server }], options) };
}

function join<P extends AnyProtocol>(server: WorldTcpServer<P>, count = 1) {
  const size = server.sessions.size + count;
  const peers = Array.from({ length: count }, () => world.peer(server));
  world.runUntil(() => server.sessions.size === size);
  return peers;
}

const parse = (text: unknown) =>
  JSON.parse(text as string) as { name: string; value: unknown; event: { type: string } };
const registered = (viewer: FakeViewer) =>
  viewer.sent.filter(({ type }) => type === 'service.register').map(({ sessionId }) => String(sessionId));

describe('a viewer', () => {
  test('is told nothing before it says that it inspects, and then of every chart: those of the server, and two of each session', async () => {
    const { server, outlet } = await shown(chat);
    join(server, 2);
    const viewer = new FakeViewer();
    outlet.connect(viewer, new URLSearchParams());
    expect(viewer.sent).toEqual([]);
    viewer.say({ type: 'xstate.inspecting' });
    expect(viewer.lines()).toEqual([
      'service.register chat/server-socket',
      'service.register chat/sweeper',
      'service.register chat/shared:room',
      'service.register chat/1/session',
      'service.register chat/1/protocol',
      'service.register chat/2/session',
      'service.register chat/2/protocol',
    ]);
  });

  test('is told of them again when it asks again, and of nothing twice afterwards', async () => {
    const { server, connect } = await shown(knockKnock);
    const [peer] = join(server);
    const viewer = connect();
    const first = registered(viewer);
    viewer.sent.length = 0;
    viewer.say({ type: 'xstate.inspecting' });
    expect(registered(viewer)).toEqual(first);
    viewer.sent.length = 0;
    peer!.send({ type: 'LINE', text: "Who's there?" });
    world.advanceBy(10);
    expect(viewer.lines().filter((line) => line.endsWith('protocol'))).toEqual([
      'service.event knock-knock/1/protocol',
      'service.state knock-knock/1/protocol',
    ]);
  });

  test('is told of a state as XState 4 writes it, with the event that led to it before it', async () => {
    const { server, connect } = await shown(knockKnock);
    const [peer] = join(server);
    const viewer = connect();
    viewer.sent.length = 0;
    peer!.send({ type: 'LINE', text: "Who's there?" });
    world.advanceBy(10);
    const [event, state] = viewer.sent.filter(({ sessionId }) => sessionId === 'knock-knock/1/protocol');
    const data = { type: 'LINE', text: "Who's there?" };
    const scxml = { name: 'LINE', data, $$type: 'scxml', type: 'external' };
    expect(JSON.parse(event!['event'] as string)).toEqual(scxml);
    expect(JSON.parse(state!['state'] as string)).toEqual({
      value: 'naming',
      context: {},
      _event: scxml,
      event: data,
      _sessionid: 'knock-knock/1/protocol',
      actions: [],
      activities: {},
      meta: {},
      events: [],
      transitions: [],
      children: {},
      done: false,
      tags: [],
      changed: true,
    });
  });

  test('is told that both charts of a session stop, each after its last state', async () => {
    const { server, connect } = await shown(knockKnock);
    const [peer] = join(server);
    const viewer = connect();
    for (const text of ["Who's there?", 'Boo who?']) {
      peer!.send({ type: 'LINE', text });
      world.advanceBy(10);
    }
    world.runUntil(() => server.sessions.size === 0);
    const states = (id: string) =>
      viewer.sent
        .filter(({ sessionId }) => sessionId === id)
        .map(({ type, state }) =>
          type === 'service.state' ? (JSON.parse(state as string) as { value: unknown; done: boolean }) : type,
        );
    expect(states('knock-knock/1/protocol').slice(-2)).toEqual([
      expect.objectContaining({ value: 'leaving', done: true }),
      'service.stop',
    ]);
    expect(states('knock-knock/1/session').slice(-2)).toEqual([
      expect.objectContaining({ value: 'closed', done: true }),
      'service.stop',
    ]);
  });

  test('is told of sessions that come, from their first event on', async () => {
    const { server, connect } = await shown(knockKnock);
    const viewer = connect();
    viewer.sent.length = 0;
    join(server);
    const own = viewer.sent.filter(({ sessionId }) => sessionId === 'knock-knock/1/protocol');
    expect(own.map(({ type }) => type)).toEqual(['service.register', 'service.event', 'service.state']);
    expect(own[0]).toMatchObject({ parent: 'knock-knock/server-socket', id: 'knock-knock/1/protocol' });
    expect(JSON.parse(own[1]!['event'] as string)).toMatchObject({ name: 'xstate.init' });
  });

  test('is told nothing more when it has gone, and the sessions go on', async () => {
    const { server, connect } = await shown(knockKnock);
    const [peer] = join(server);
    const viewer = connect();
    viewer.close(1000, '');
    viewer.sent.length = 0;
    peer!.send({ type: 'LINE', text: "Who's there?" });
    world.advanceBy(10);
    expect(viewer.sent).toEqual([]);
    expect([...server.sessions][0]!.protocolSnapshot.value).toBe('naming');
  });

  test('that does not read is let go at 8 MB, and nobody else is', async () => {
    const { server, connect } = await shown(knockKnock);
    const [peer] = join(server);
    const [slow, other] = [connect(), connect()];
    slow.sent.length = other.sent.length = 0;
    slow.bufferedAmount = 8 * 1024 * 1024 + 1;
    peer!.send({ type: 'LINE', text: "Who's there?" });
    world.advanceBy(10);
    expect(slow.closed).toEqual({ code: 1013, reason: 'it reads too slowly' });
    expect(slow.sent).toEqual([]);
    expect(other.closed).toBeUndefined();
    expect(other.lines()).toContain('service.state knock-knock/1/protocol');
  });

  test('that is let go while it is told of a session that has come leaves no tap on it', async () => {
    const { server, connect } = await shown(knockKnock);
    const taps: SessionTap[] = [];
    const tap = Reflect.get(LiveSession.prototype, 'tap') as (this: LiveSession, one: SessionTap) => () => void;
    const spy = vi.spyOn(LiveSession.prototype, 'tap').mockImplementation(function (this: LiveSession, one) {
      const off = tap.call(this, one);
      taps.push(one);
      return () => {
        taps.splice(taps.indexOf(one), 1);
        off();
      };
    });
    const slow = connect();
    const send = slow.send.bind(slow);
    // The next one after that is of the session that the server socket has accepted.
    slow.send = (text) => {
      send(text);
      if (slow.lines().includes('service.state knock-knock/server-socket')) slow.bufferedAmount = 8 * 1024 * 1024 + 1;
    };
    join(server);
    spy.mockRestore();
    expect(slow.closed).toEqual({ code: 1013, reason: 'it reads too slowly' });
    // The world has one of its own, of the protocol's chart alone.
    expect(taps.filter(({ transport, protocol }) => transport && protocol)).toHaveLength(0);
  });

  test('is one of four, and a fifth is refused', async () => {
    const { connect } = await shown(knockKnock);
    const [first] = [connect(), connect(), connect(), connect()];
    expect(connect().closed).toEqual({ code: 1013, reason: '4 viewers are here already, which are all that may be' });
    first!.close(1000, '');
    expect(connect().closed).toBeUndefined();
  });

  test('is closed, with the reason, when its query cannot be had', async () => {
    const { connect } = await shown(knockKnock);
    expect(connect('source=ftp').closed).toEqual({ code: 1008, reason: 'source: there is no "ftp"' });
  });

  test('is closed when the visualizer stops, without a word of charts that end', async () => {
    const { server, connect, outlet } = await shown(knockKnock);
    join(server);
    const viewer = connect();
    viewer.sent.length = 0;
    outlet.stop();
    expect(viewer.closed).toMatchObject({ code: 1001 });
    expect(viewer.sent).toEqual([]);
  });
});

describe('the sessions of a viewer', () => {
  const protocols = (viewer: FakeViewer) =>
    registered(viewer)
      .filter((id) => id.endsWith('/protocol'))
      .map((id) => id.split('/')[1]);

  test('are the newest 10, and then those that come', async () => {
    const { server, connect } = await shown(knockKnock);
    join(server, 12);
    const viewer = connect();
    expect(protocols(viewer)).toEqual(['3', '4', '5', '6', '7', '8', '9', '10', '11', '12']);
    join(server);
    expect(protocols(viewer).at(-1)).toBe('13');
  });

  test('are as many as it may follow; it is noted once that others are not shown, however often one ends and another comes', async () => {
    const { server, connect, notes } = await shown(knockKnock);
    const peers = join(server, 2);
    const viewer = connect('max=2');
    expect(notes).toEqual([]);
    join(server, 3);
    expect(protocols(viewer)).toEqual(['1', '2']);
    const note = '/xstate4: a viewer follows 2 sessions, which is all that it may: others are not shown to it';
    expect(notes).toEqual([note]);
    peers[0]!.reset();
    world.runUntil(() => server.sessions.size === 4);
    join(server, 2);
    expect(protocols(viewer)).toEqual(['1', '2', '6']);
    expect(notes).toEqual([note]);
  });

  test('are those that it names, also one that is yet to come', async () => {
    const { server, connect } = await shown(knockKnock);
    join(server, 3);
    const viewer = connect('sessions=2,knock-knock/5');
    join(server, 3);
    expect(protocols(viewer)).toEqual(['2', '5']);
  });

  test('are those that are in a state, and those that come into it', async () => {
    const { server, connect } = await shown(knockKnock);
    const peers = join(server, 2);
    const viewer = connect('state=naming');
    expect(protocols(viewer)).toEqual([]);
    peers[1]!.send({ type: 'LINE', text: "Who's there?" });
    world.advanceBy(10);
    expect(protocols(viewer)).toEqual(['2']);
    expect(protocols(connect('state=naming'))).toEqual(['2']);
    const last = viewer.sent
      .filter(({ sessionId, type }) => type !== 'service.stop' && sessionId === 'knock-knock/2/protocol')
      .at(-1)!;
    expect(JSON.parse(last['state'] as string)).toMatchObject({ value: 'naming' });
  });

  test('are those of the servers that it names, of several', async () => {
    const [one, two] = [await world.server(knockKnock), await world.server(chat)];
    const { connect } = show([
      { name: 'knock-knock', target: one },
      { name: 'chat', target: two },
    ]);
    join(one);
    join(two);
    expect(registered(connect('source=chat')).every((id) => id.startsWith('chat/'))).toBe(true);
    expect(protocols(connect())).toEqual(['1', '1']);
  });
});

describe('the charts that are no session’s', () => {
  test('of a server that starts again: the sweeper before stops, and the one that follows is told of', async () => {
    const { server, connect } = await shown(chat);
    const viewer = connect();
    viewer.sent.length = 0;
    const stopped = server.stop();
    await world.time.settle();
    await stopped;
    const started = server.start();
    await world.time.settle();
    await started;
    const told = viewer.lines();
    expect(told.filter((line) => /(stop|register) /.test(line))).toEqual([
      'service.stop chat/shared:room',
      'service.stop chat/sweeper',
      'service.register chat/sweeper',
      'service.register chat/shared:room',
    ]);
    expect(told.at(-1)).toBe('service.state chat/server-socket');
  });

  test('of a client are one, and its session comes and goes', async () => {
    const server = await world.server(knockKnock);
    const client = world.client(server, knockKnock);
    const { connect } = show([{ name: 'caller', target: client }]);
    const viewer = connect();
    expect(viewer.lines()).toEqual(['service.register caller/client']);
    const started = client.start();
    await world.time.advanceByAsync(100);
    await started;
    expect(viewer.lines()).toContain('service.register caller/1/protocol');
  });
});

describe('what a viewer follows', () => {
  test('is what a recording has of the same session: the same events of both charts, in order, and the same states', async () => {
    const { server, connect } = await shown(mediaControl);
    const [peer] = join(server);
    const viewer = connect();
    const recording = [...server.sessions][0]!.record();
    viewer.sent.length = 0;
    peer!.send({ type: 'HELLO', version: 1 });
    world.advanceBy(20);
    peer!.send({ type: 'STREAM_START', kind: 1, bitsPerSecond: 64_000, framesPerSecond: 50 });
    peer!.send({ type: 'PING', payload: Uint8Array.of(1, 2) });
    world.advanceBy(500);
    peer!.send({ type: 'STREAM_STOP', kind: 1 });
    for (let n = 0; n < 5; n += 1) peer!.send({ type: 'STREAM_STOP', kind: 2 }); // too many errors
    world.runUntil(() => server.sessions.size === 0);

    const { entries } = readRecording(recording.text());
    for (const [chart, name] of [
      ['transport', 'session'],
      ['protocol', 'protocol'],
    ] as const) {
      const steps = entries.flatMap((entry) => (entry.kind === 'step' && entry.chart === chart ? [entry] : []));
      const own = viewer.sent.filter(({ sessionId }) => sessionId === `media-control/1/${name}`);
      const events = own.flatMap(({ type, event }) => (type === 'service.event' ? [parse(event).name] : []));
      expect(events).toEqual(steps.map(({ event }) => (event as { type: string }).type));
      const told = own.flatMap(({ type, state }) => (type === 'service.state' ? [parse(state)] : []));
      expect(told.map(({ event }) => event.type)).toEqual(events);
      const states = steps.map(({ state }) => state);
      for (const [index, { value }] of told.entries())
        if (states[index] !== undefined) expect(value).toEqual(states[index]);
      expect(steps.length, chart).toBeGreaterThan(10);
    }
  });

  test('is each event with what it led to, also of events that a chart sends itself while it processes another', async () => {
    const machine = setup({
      types: {} as { events: LineMessage | { type: 'FIRST' | 'SECOND' }; emitted: ProtocolCommand<LineMessage> },
      actions: {
        sendFirst: sendTo(({ self }) => self, { type: 'FIRST' }),
        sendSecond: sendTo(({ self }) => self, { type: 'SECOND' }),
      },
    }).createMachine({
      id: 'talkative',
      initial: 'a',
      states: {
        a: { on: { LINE: { target: 'b', actions: ['sendFirst', 'sendSecond'] } } },
        b: { on: { FIRST: 'c' } },
        c: { on: { SECOND: 'd' } },
        d: {},
      },
    });
    const protocol = defineProtocol({
      name: 'talkative',
      codecs: { lines: () => lines() },
      initialCodec: 'lines',
      machine,
    });
    const { server, connect } = await shown(protocol);
    const [peer] = join(server);
    const viewer = connect();
    viewer.sent.length = 0;
    peer!.send({ type: 'LINE', text: 'go' });
    world.advanceBy(10);
    const states = viewer.sent.filter(
      ({ type, sessionId }) => type === 'service.state' && sessionId === 'talkative/1/protocol',
    );
    expect(states.map(({ state }) => [parse(state).event.type, parse(state).value])).toEqual([
      ['LINE', 'b'],
      ['FIRST', 'c'],
      ['SECOND', 'd'],
    ]);
  });

  test('goes on when what is sent cannot be written: the viewer is let go, and the session is not', async () => {
    const { server, connect } = await shown(knockKnock);
    const [peer] = join(server);
    const viewer = connect();
    viewer.send = () => {
      throw new Error('broken');
    };
    peer!.send({ type: 'LINE', text: "Who's there?" });
    world.advanceBy(10);
    expect(viewer.closed).toEqual({ code: 1013, reason: 'it cannot be sent to any more' });
    expect([...server.sessions][0]!.protocolSnapshot.value).toBe('naming');
  });
});

describe('an event of a viewer', () => {
  const give = (viewer: FakeViewer, origin: string, data: object) => {
    const event = JSON.stringify({ name: 'X', data, $$type: 'scxml', type: 'external', origin });
    viewer.say({ type: 'xstate.event', event });
  };
  const line = { type: 'LINE', text: "Who's there?" };
  const value = (server: WorldTcpServer) => [...server.sessions][0]!.protocolSnapshot.value;

  test('moves the session, by the origin inside or by the service beside it, and is in the log', async () => {
    const { server, connect, requests } = await shown(knockKnock, { control: true });
    join(server, 2);
    const viewer = connect();
    give(viewer, 'knock-knock/1/protocol', line);
    expect(value(server)).toBe('naming');
    const event = JSON.stringify({ name: 'LINE', data: line, $$type: 'scxml', type: 'external' });
    viewer.say({ type: 'xstate.event', event, service: 'knock-knock/2/protocol' });
    expect([...server.sessions].map((session) => session.protocolSnapshot.value)).toEqual(['naming', 'naming']);
    expect(requests).toEqual(
      ['1', '2'].map((session) => ({
        path: '/xstate4',
        source: 'knock-knock',
        session,
        event: 'LINE',
        outcome: 'done',
        text: '',
      })),
    );
  });

  test.each([
    ['without control', false, 'knock-knock/1/protocol', line, 'control is not allowed'],
    [
      'to the transport’s chart',
      true,
      'knock-knock/1/session',
      { type: 'STOP' },
      'knock-knock/1/session can be looked at, and takes no events',
    ],
    [
      'to the server socket',
      true,
      'knock-knock/server-socket',
      { type: 'STOP' },
      'knock-knock/server-socket can be looked at, and takes no events',
    ],
    [
      'that the chart would not take',
      true,
      'knock-knock/1/protocol',
      { type: 'NEVER' },
      'the chart does not take NEVER now; it would take: LINE',
    ],
    [
      'that is XState’s own',
      true,
      'knock-knock/1/protocol',
      { type: 'xstate.stop' },
      '"xstate.stop" is no type of an event that can be sent',
    ],
    [
      'that is the runtime’s',
      true,
      'knock-knock/1/protocol',
      { type: 'PEER_END' },
      '"PEER_END" is no type of an event that can be sent',
    ],
  ])('%s is refused, changes nothing, and is in the log', async (_name, control, origin, data, text) => {
    const { server, connect, requests } = await shown(knockKnock, { control });
    join(server);
    const viewer = connect();
    viewer.sent.length = 0;
    give(viewer, origin, data);
    expect(requests).toEqual([expect.objectContaining({ outcome: 'refused', event: data.type, text })]);
    expect(value(server)).toBe('knocking');
    expect(viewer.sent).toEqual([]);
  });

  test('is one of 20 messages in a second; those beyond them are not read, which is noted once, and one a second later is', async () => {
    const { server, connect, requests } = await shown(knockKnock, { control: true });
    join(server);
    const viewer = connect(); // which was one message
    for (let n = 0; n < 19; n += 1) give(viewer, 'knock-knock/1/protocol', { type: 'NEVER' });
    expect(requests.map(({ event }) => event)).toEqual(Array.from({ length: 19 }, () => 'NEVER'));
    for (let n = 0; n < 500; n += 1) give(viewer, 'knock-knock/1/protocol', line);
    const text = 'more than 20 messages in a second: what is too much is not read';
    const refused = { path: '/xstate4', source: '', session: '', event: '', outcome: 'refused', text };
    expect(requests.slice(19)).toEqual([refused]);
    expect(value(server)).toBe('knocking');
    world.advanceBy(1_000);
    give(viewer, 'knock-knock/1/protocol', line);
    expect(requests.slice(20)).toMatchObject([{ event: 'LINE', outcome: 'done' }]);
  });

  test('of a flood that does not end is one of 20 each second: for 30 s of it there is one word', async () => {
    let atMs = 0;
    const { server, connect, requests } = await shown(knockKnock, { control: true, nowMs: () => (atMs += 10) });
    join(server);
    const viewer = connect();
    for (let n = 0; n < 3_000; n += 1) give(viewer, 'knock-knock/1/protocol', { type: 'NEVER' });
    const read = requests.filter(({ event }) => event === 'NEVER').length;
    expect(read).toBeGreaterThanOrEqual(600);
    expect(read).toBeLessThanOrEqual(620);
    expect(requests).toHaveLength(read + 1);
  });

  test.each([
    ['asks for all charts', '{"type":"xstate.inspecting"}', 19],
    ['sends what is no JSON', '{', 0],
    ['sends what no viewer sends', '{"type":"weather"}', 0],
  ])('counts as one that %s: 20 are read, and the rest is noted once', async (_name, text, answers) => {
    const { server, connect, requests } = await shown(knockKnock);
    join(server);
    const viewer = connect();
    const charts = viewer.sent.length;
    viewer.sent.length = 0;
    for (let n = 0; n < 500; n += 1) viewer.say(text);
    expect(viewer.sent).toHaveLength(answers * charts);
    expect(requests).toMatchObject([{ outcome: 'refused', event: '' }]);
  });

  test('that is no event at all is ignored, whatever it is', async () => {
    let atMs = 0; // slow enough for all of them to be read
    const { server, connect, requests } = await shown(knockKnock, { control: true, nowMs: () => (atMs += 50) });
    join(server);
    const viewer = connect();
    viewer.sent.length = 0;
    const id = 'knock-knock/1/protocol';
    const parts = fc.oneof(
      fc.string(),
      fc.json(),
      fc
        .record({
          type: fc.constant('xstate.event'),
          event: fc.oneof(fc.string(), fc.json(), fc.integer()),
          service: fc.constantFrom(id, 'x', 3),
        })
        .map((value) => JSON.stringify(value)),
      fc.constantFrom(
        '{"type":"xstate.event"}',
        'null',
        '[]',
        `{"type":"xstate.event","event":"{\\"origin\\":\\"${id}\\",\\"$$type\\":\\"scxml\\",\\"data\\":{\\"type\\":3}}"}`,
      ),
    );
    fc.assert(
      fc.property(parts, (text) => {
        viewer.say(text);
        expect(viewer.closed).toBeUndefined();
      }),
      { numRuns: 500, seed: 5 },
    );
    expect(requests).toEqual([]);
    expect(viewer.sent).toEqual([]);
    expect(value(server)).toBe('knocking');
  });
});

describe('what is secret', () => {
  const machine = setup({
    types: {} as {
      context: { token: string; bytes: Uint8Array };
      events: LineMessage;
      emitted: ProtocolCommand<LineMessage>;
    },
    actions: { keep: assign({ token: ({ event }) => event.text, bytes: ({ event }) => Buffer.from(event.text) }) },
  }).createMachine({
    id: 'secretive',
    context: { token: 'hunter0', bytes: Buffer.from('hunter0') },
    on: { LINE: { actions: 'keep' } },
  });
  const protocol = defineProtocol({
    name: 'secretive',
    codecs: { lines: () => lines() },
    initialCodec: 'lines',
    machine,
    shared: { vault: { machine: setup({}).createMachine({ id: 'vault', context: { token: 'hunter0' } }) } },
    secrets: { LINE: ['text'], context: ['token', 'bytes'] },
  });

  /** Bytes too, and as base64. */
  const found = (viewer: FakeViewer) => {
    const text = JSON.stringify(viewer.sent);
    return ['hunter0', 'hunter2', Buffer.from('hunter2').toString('base64'), '104,117,110'].filter((secret) =>
      text.includes(secret),
    );
  };

  test('is masked in events and contexts, also in those of shared charts, and bytes are counted', async () => {
    const { server, connect } = await shown(protocol);
    const [peer] = join(server);
    const viewer = connect();
    peer!.send({ type: 'LINE', text: 'hunter2' });
    world.advanceBy(10);
    expect(registered(viewer)).toContain('secretive/shared:vault');
    expect(found(viewer)).toEqual([]);
    const [event, state] = viewer.sent.filter(
      ({ sessionId, type }) => type !== 'service.register' && sessionId === 'secretive/1/protocol',
    );
    expect(JSON.parse(event!['event'] as string)).toMatchObject({ data: { type: 'LINE', text: '*******' } });
    expect(JSON.parse(state!['state'] as string)).toMatchObject({
      context: { token: '*******', bytes: { $length: 7 } },
    });
  });

  test('is shown with payloads', async () => {
    const { server, connect } = await shown(protocol, { payloads: true });
    const [peer] = join(server);
    const viewer = connect();
    peer!.send({ type: 'LINE', text: 'hunter2' });
    world.advanceBy(10);
    expect(found(viewer)).toContain('hunter2');
  });
});
