/** What a feed says of the sessions of a server, compared at every change with what the sessions say themselves. */
import { createMachine, raise, type StateValue } from 'xstate';
import { describe, expect, test } from 'vitest';
import chat from '../../examples/chat/index.js';
import echo from '../../examples/echo/index.js';
import media from '../../examples/media-control/index.js';
import { lines } from '../../src/codec/lines.js';
import { createFeed } from '../../src/inspect/create-feed.js';
import type { Chart } from '../../src/inspect/drawing/chart.js';
import type { Feed, FeedChange, FeedSession, Place, SessionChart } from '../../src/inspect/feed.js';
import { createTcpServer, type TcpServer } from '../../src/server.js';
import { defineProtocol, type AnyProtocol } from '../../src/session/protocol.js';
import type { Session } from '../../src/session/session.js';
import { createWorld, type World } from '../../src/testing/world.js';
import type { ScriptedPeer } from '../../src/explore/peer.js';
import { left, nothingIsLeft, says, labProtocol } from '../session/lab.js';
import { FakeLayer } from '../session/fake-layer.js';
import { start } from '../session/start.js';
import { VirtualTime } from '../../src/time/virtual-time.js';

const CHARTS: readonly SessionChart[] = ['session', 'protocol'];

/** Paths of all active states, from a snapshot's own value. */
function pathsOf(value: StateValue, above = ''): string[] {
  if (typeof value === 'string') return [`${above}${value}`];
  return Object.entries(value).flatMap(([key, inner]) => [
    `${above}${key}`,
    ...(inner === undefined ? [] : pathsOf(inner, `${above}${key}.`)),
  ]);
}

function placeOf({ states }: Chart, value: StateValue): number[] {
  return pathsOf(value)
    .map((path) => states.findIndex((state) => state.path === path))
    .sort((a, b) => a - b);
}

const valueOf = (session: Session, chart: SessionChart): StateValue =>
  chart === 'session' ? session.transportState : session.protocolSnapshot.value;

const pathsIn = (feed: Feed, chart: SessionChart, place: Place): string[] =>
  place.map((state) => feed.charts[chart].states[state]!.path);

/** By the sessions' own snapshots. */
function expectedCounts(feed: Feed, server: TcpServer, chart: SessionChart): number[] {
  const counts = feed.charts[chart].states.map(() => 0);
  for (const session of server.sessions) {
    counts[0]! += 1;
    for (const state of placeOf(feed.charts[chart], valueOf(session, chart))) counts[state]! += 1;
  }
  return counts;
}

function check(feed: Feed, server: TcpServer): void {
  expect(feed.size).toBe(server.sessions.size);
  for (const chart of CHARTS) {
    expect([...feed.population(chart).counts]).toEqual(expectedCounts(feed, server, chart));
  }
  expect([...feed.sessions()].map(({ id }) => id)).toEqual([...server.sessions].map(({ id }) => id));
  for (const session of feed.sessions()) {
    const own = server.sessions.get(session.id)!;
    for (const chart of CHARTS) expect(session[chart]).toEqual(placeOf(feed.charts[chart], valueOf(own, chart)));
  }
}

/** A chart in which much can happen: regions, levels, a transition to itself, a history, an end. */
const wanderer = defineProtocol({
  name: 'wanderer',
  codecs: { lines: () => lines() },
  initialCodec: 'lines',
  machine: createMachine({
    id: 'wanderer',
    initial: 'home',
    on: { LINE: [] },
    states: {
      home: {
        on: {
          LINE: [
            { guard: says_('out'), target: 'out' },
            { guard: says_('back'), target: 'out.before' },
          ],
        },
      },
      out: {
        initial: 'near',
        on: {
          LINE: [
            { guard: says_('home'), target: 'home' },
            { guard: says_('both'), target: 'both' },
            { guard: says_('again'), target: 'out', reenter: true },
            { guard: says_('die'), target: 'dead' },
          ],
        },
        states: {
          before: { type: 'history' },
          near: { after: { 30: 'far' }, on: { LINE: { guard: says_('far'), target: 'far' } } },
          far: { initial: 'lost', states: { lost: { on: { FOUND: 'found' }, after: { 20: 'found' } }, found: {} } },
        },
      },
      both: {
        type: 'parallel',
        on: { LINE: { guard: says_('out'), target: 'out' } },
        states: {
          legs: {
            initial: 'still',
            states: {
              still: { on: { LINE: { guard: says_('walk'), target: 'moving', actions: raise({ type: 'SING' }) } } },
              moving: { after: { 25: 'still' } },
            },
          },
          voice: {
            initial: 'silent',
            states: {
              silent: { on: { SING: 'singing' } },
              singing: { on: { LINE: { guard: says_('hush'), target: 'silent' } } },
            },
          },
        },
      },
      dead: { type: 'final' },
    },
  } as never),
} as never) as AnyProtocol;

function says_(text: string) {
  return ({ event }: { event: { text?: string } }) => event.text === text;
}

const WORDS: Readonly<Record<string, readonly string[]>> = {
  wanderer: ['out', 'back', 'home', 'both', 'again', 'far', 'walk', 'hush', 'die', 'nothing'],
  chat: ['nick ann', 'nick bob', 'nick eve', 'join lobby', 'join attic', 'say hello', 'who', 'quit', 'what'],
};

/** Peers that come, talk, are silent, go, and vanish, as the world's chance has it. */
function someoneActs(world: World, server: Awaited<ReturnType<World['server']>>, peers: ScriptedPeer[]): void {
  const { chance } = world;
  const peer = peers.length > 0 ? peers[chance.below(peers.length)] : undefined;
  const words = WORDS[server.protocol.name];
  switch (chance.below(10)) {
    case 0:
    case 1:
      peers.push(world.peer(server, { codec: false }));
      return;
    case 2:
      peer?.end();
      return;
    case 3:
      if (chance.below(3) === 0) peer?.reset();
      return;
    case 4:
      if (chance.below(3) === 0 && peer) [...server.sessions][chance.below(server.sessions.size)]?.close('graceful');
      return;
    default:
      if (words) peer?.write(`${words[chance.below(words.length)]!}\n`);
      else peer?.write(MEDIA[chance.below(MEDIA.length)]!);
  }
}

const command = (number: number, payload: readonly number[] = []): Uint8Array => {
  const bytes = new Uint8Array(8 + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, number);
  view.setUint32(4, payload.length);
  bytes.set(payload, 8);
  return bytes;
};
const MEDIA = media.samples ? mediaMessages() : [command(1)];

function mediaMessages(): Uint8Array[] {
  const codec = (media.codecs as Record<string, () => { peer?: () => { encode(message: unknown): Uint8Array } }>)[
    media.initialCodec
  ]!();
  const encode = (message: unknown) => codec.peer!().encode(message);
  return [
    encode({ type: 'HELLO', version: 1 }),
    encode({ type: 'STREAM_START', kind: 1, bitsPerSecond: 64_000, framesPerSecond: 50 }),
    encode({ type: 'STREAM_STOP', kind: 1 }),
    encode({ type: 'QOS_ENABLE', enabled: true }),
    encode({ type: 'BYE' }),
    command(99),
  ];
}

describe.each(
  [wanderer, chat, media, echo].map((protocol) => ({ name: protocol.name, protocol: protocol as AnyProtocol })),
)('sessions of $name that come, go and move as chance has it', ({ protocol }) => {
  test.each([1, 2, 3, 4])('seed %i: at every change the counts are those of the sessions themselves', async (seed) => {
    const world = createWorld({ seed, latencyMs: 2, jitterMs: 1 });
    const server = await world.server(protocol, { waitTimeoutCountMax: 20, closeTimeoutMs: 300 });
    const peers: ScriptedPeer[] = [];
    for (let n = 0; n < 5; n += 1) {
      someoneActs(world, server, peers);
      world.advanceBy(5);
    }
    const feed = createFeed(server);
    check(feed, server);
    const entered = { session: new Map<number, number>(), protocol: new Map<number, number>() };
    const known = new Map<number, Record<SessionChart, Place>>(
      [...feed.sessions()].map(({ number, session, protocol }) => [number, { session, protocol }]),
    );
    let changes = 0;
    feed.changes.subscribe(({ type, session }) => {
      changes += 1;
      check(feed, server);
      const before = known.get(session.number);
      expect(before === undefined).toBe(type === 'added');
      for (const chart of CHARTS) {
        const news = [0, ...session[chart]].filter(
          (state) => !before || (state !== 0 && !before[chart].includes(state)),
        );
        for (const state of news) entered[chart].set(state, (entered[chart].get(state) ?? 0) + 1);
      }
      known.set(session.number, { session: session.session, protocol: session.protocol });
      if (type === 'removed') known.delete(session.number);
    });
    for (let n = 0; n < 250; n += 1) {
      someoneActs(world, server, peers);
      world.advanceBy(world.chance.below(40));
      check(feed, server);
      if (n % 100 === 99) {
        const stopped = server.stop({ option: n > 150 ? 'force' : 'graceful', deadlineMs: 200 });
        await world.advanceByAsync(1_000);
        await stopped;
        check(feed, server);
        expect(feed.size).toBe(0);
        const started = server.start();
        await world.advanceByAsync(10);
        await started;
      }
    }
    expect(changes).toBeGreaterThan(100);
    for (const chart of CHARTS) {
      const seen = feed.charts[chart].states.map((_, state) => entered[chart].get(state) ?? 0);
      expect([...feed.population(chart).entered]).toEqual(seen);
    }
    feed.end();
    await world.end();
  });
});

const innermost = (feed: Feed, chart: SessionChart, place: Place) => pathsIn(feed, chart, place).at(-1) ?? '';
const at2 = (feed: Feed, { session, protocol }: FeedSession) =>
  `${innermost(feed, 'session', session)} ${innermost(feed, 'protocol', protocol)}`;

/** Without the list of all states: what a person would say. */
const at = (feed: Feed, id: string) => {
  const { session, protocol } = feed.session(id)!;
  return [pathsIn(feed, 'session', session), pathsIn(feed, 'protocol', protocol)];
};

const byPath = (feed: Feed, chart: SessionChart, numbers: ArrayLike<number>): Record<string, number> =>
  Object.fromEntries(
    feed.charts[chart].states.flatMap(({ path }, state) => (numbers[state] === 0 ? [] : [[path, numbers[state]!]])),
  );

describe('a compound state and regions', () => {
  const protocol = labProtocol({
    machine: {
      initial: 'outer',
      on: { LINE: '.both' },
      states: {
        outer: { initial: 'middle', states: { middle: { initial: 'inner', states: { inner: {} } } } },
        both: {
          type: 'parallel',
          states: { left: { initial: 'a', states: { a: {} } }, right: { initial: 'b', states: { b: {} } } },
        },
      },
    },
  });

  test('three sessions in one innermost state count three times at each level, and the chart itself three times', async () => {
    const { server, layer } = await start(protocol);
    const feed = createFeed(server);
    const peers = [layer.connect(), layer.connect(), layer.connect()];
    const { counts, entered } = feed.population('protocol');
    expect(byPath(feed, 'protocol', counts)).toEqual({ '': 3, outer: 3, 'outer.middle': 3, 'outer.middle.inner': 3 });
    says(peers[0]!, 'x');
    const left = { outer: 2, 'outer.middle': 2, 'outer.middle.inner': 2 };
    const both = { both: 1, 'both.left': 1, 'both.left.a': 1, 'both.right': 1, 'both.right.b': 1 };
    expect(byPath(feed, 'protocol', counts)).toEqual({ '': 3, ...left, ...both });
    expect(byPath(feed, 'protocol', entered)).toMatchObject({ '': 3, outer: 3, both: 1, 'both.right.b': 1 });
  });
});

describe('a session', () => {
  const timed = labProtocol({
    machine: {
      initial: 'young',
      states: {
        young: { after: { 250: 'old' } },
        old: { on: { LINE: 'old', REST: { target: 'old', reenter: true } } },
      },
    },
  });

  test('has the time at which its place was another last, its phases, its bytes, and when its waits will have ended it', async () => {
    const { server, layer, time } = await start(timed);
    const feed = createFeed(server);
    time.advanceBy(1_000);
    const peer = layer.connect();
    const session = feed.session('1')!;
    expect(session).toMatchObject({
      number: 1,
      id: '1',
      startedAtMs: 1_000,
      protocolSinceMs: 1_000,
      sessionSinceMs: 1_000,
      waitTimeoutCountMax: 60,
    });
    expect(session.waitsEndAtMs).toBe(7_000);
    expect(at(feed, '1')).toEqual([['accepted'], ['young']]);
    time.advanceBy(400);
    says(peer, 'hello');
    expect(session).toMatchObject({ protocolSinceMs: 1_250, sessionSinceMs: 1_400, bytesReceived: 6 });
    expect(session.waitsEndAtMs).toBe(7_400);
    expect(at(feed, '1')).toEqual([['connected', 'connected.flowing'], ['old']]);
    time.advanceBy(100);
    server.sessions.get('1')!.close('graceful');
    const names = session.phases.map(([state, atMs]) => [feed.charts.session.states[state]!.path, atMs]);
    expect(names).toEqual([['accepted', 1_000], ['connected', 1_400], ['closing', 1_500], ['closed', 1_500]]); // prettier-ignore
    expect(session.waitsEndAtMs).toBeUndefined();
  });

  test('is found by number and by id, until it has ended; the next one has the next number', async () => {
    const { server, layer, time } = await start(timed);
    const feed = createFeed(server);
    layer.connect();
    layer.connect();
    expect(feed.numbered(2)).toBe(feed.session('2'));
    expect(feed.numbered(2)!.peer).toBe('127.0.0.1:50002');
    feed.closeSession('2', 'force');
    time.advanceBy(10);
    expect([feed.session('2'), feed.numbered(2), feed.size]).toEqual([undefined, undefined, 1]);
    layer.connect();
    expect(feed.numbered(3)).toMatchObject({ id: '3' });
  });

  test('that was there before the feed is counted from then on: ages from the feed, nothing entered', async () => {
    const { server, layer, time } = await start(timed);
    layer.connect();
    time.advanceBy(300);
    const feed = createFeed(server);
    expect(feed.session('1')).toMatchObject({ startedAtMs: 0, protocolSinceMs: 300, sessionSinceMs: 300 });
    const { counts, entered } = feed.population('protocol');
    expect(byPath(feed, 'protocol', counts)).toEqual({ '': 1, old: 1 });
    expect(byPath(feed, 'protocol', entered)).toEqual({});
  });
});

describe('changes', () => {
  test('are told in order: added, moved for each change of place, removed', async () => {
    const { server, layer, time } = await start(chat);
    const feed = createFeed(server);
    const changes: string[] = [];
    const note = ({ type, session }: FeedChange) => changes.push(`${type} ${at2(feed, session)}`);
    const wire = feed.changes.subscribe(note);
    const peer = layer.connect();
    says(peer, 'nick ann');
    peer.peerEnds();
    time.advanceBy(10);
    expect(changes).toEqual([
      'added accepted nameless',
      'moved connected.flowing nameless',
      'moved connected.flowing claimingNick',
      'moved connected.flowing outside',
      'moved halfClosed.byPeer.decoding outside',
      'moved closing.closeWait outside',
      'moved closing.lastAck outside',
      'moved closed outside',
      'removed closed outside',
    ]);
    wire.unsubscribe();
    layer.connect();
    expect(changes).toHaveLength(9);
  });

  test('a session that a subscriber of the registry ends as soon as it is told of it is counted nowhere afterwards', async () => {
    const { server, layer, time } = await start(echo);
    const feed = createFeed(server);
    server.sessions.changes.subscribe(({ type, session }) => type === 'added' && session.close('force'));
    layer.connect();
    time.advanceBy(10);
    expect(server.sessions.size).toBe(0);
    check(feed, server);
  });
});

describe('the server as a whole', () => {
  test('has its places over a restart, also of the sweeper and the shared charts', async () => {
    const started = await start(chat);
    const { server, time } = started;
    const feed = createFeed(server);
    const places = () => {
      const { owner, sweeper, shared } = feed.places;
      const path = (chart: Chart, place: Place) => place.map((state) => chart.states[state]!.path);
      const { charts } = feed;
      return [path(charts.owner, owner), path(charts.sweeper!, sweeper), path(charts.shared['room']!, shared['room']!)];
    };
    expect(places()).toEqual([['accepting'], ['idle'], expect.any(Array)]);
    expect(feed.address).toBe('127.0.0.1:7000');
    expect(feed).toMatchObject({ kind: 'server', protocol: 'chat', waitTimeoutMs: 100 });
    const { sweeps } = feed.totals();
    expect(sweeps).toBe(1);
    for (let restart = 1; restart <= 2; restart += 1) {
      const stopped = server.stop();
      await time.runUntilAsync(() => server.state.value === 'closed');
      await stopped;
      expect(places()[0]).toEqual(['closed']);
      await server.start();
      expect(places().slice(0, 2)).toEqual([['accepting'], ['idle']]);
      expect(feed.totals().sweeps).toBe(1 + restart);
    }
    await nothingIsLeft(started);
  });

  test('is known before its first start: closed, without an address, without sessions', () => {
    const time = new VirtualTime();
    const feed = createFeed(createTcpServer(chat, { time, layer: new FakeLayer(time) }));
    expect(feed.charts.owner.states[feed.places.owner[0]!]!.path).toBe('closed');
    expect(feed.places).toMatchObject({ sweeper: [], shared: { room: [] } });
    expect([feed.address, feed.size]).toEqual([undefined, 0]);
    expect(feed.totals()).toEqual({
      accepted: 0, refused: 0, closed: 0, bytesReceived: 0, bytesSent: 0, bytesDropped: 0, reasons: {}, errors: 0, sweeps: 0,
    }); // prettier-ignore
  });

  test('its totals count ended and live sessions, reasons, and errors from the feed on; recent ones are newest last', async () => {
    const { server, layer, time } = await start(labProtocol({ handlers: {} }), { maxSessions: 3 });
    const first = layer.connect();
    says(first, 'hello');
    const feed = createFeed(server);
    const second = layer.connect();
    says(second, 'you');
    layer.connect();
    layer.connect(); // one too many
    first.peerEnds();
    time.advanceBy(6_000);
    expect(feed.totals()).toMatchObject({
      accepted: 3, refused: 1, closed: 3, bytesReceived: 10, bytesSent: 10, errors: 0,
      reasons: { 'peer closed': 1, 'wait timeout': 2 },
    }); // prettier-ignore
    expect(feed.recent.map(({ id, reason, closedBy }) => `${id} ${reason} ${closedBy}`)).toEqual([
      '1 peer closed fin',
      '2 wait timeout fin',
      '3 wait timeout fin',
    ]);
    expect(feed.recent[0]).toMatchObject({
      key: undefined,
      startedAtMs: 0,
      bytesReceived: 6,
      bytesSent: 6,
      option: 'graceful',
    });
  });

  test('an error that is reported while the feed lives is counted', async () => {
    const failing = labProtocol({
      implementations: { guards: { boom: () => { throw new Error('boom'); } } },
      machine: { on: { LINE: { guard: 'boom' } } },
    }); // prettier-ignore
    const { server, layer } = await start(failing);
    says(layer.connect(), 'before');
    const feed = createFeed(server);
    says(layer.connect(), 'x');
    expect(feed.totals().errors).toBe(1);
  });
});

describe('a client', () => {
  test('has its chart, the address it connects to, and its session as any other; comings count as accepted', async () => {
    const world = createWorld();
    const server = await world.server(echo);
    const client = world.client(server, echo);
    const feed = createFeed(client);
    expect(feed).toMatchObject({ kind: 'client', address: '10.0.0.1:7000', size: 0 });
    expect(feed.charts).toMatchObject({ sweeper: undefined, owner: { id: 'client' } });
    const started = client.start();
    await world.advanceByAsync(50);
    await started;
    expect(at(feed, '1')[0]).toEqual(['connected', 'connected.flowing']);
    expect(feed.charts.owner.states[feed.places.owner[0]!]!.path).toBe('connected');
    expect(feed.totals()).toMatchObject({ accepted: 1, refused: 0, sweeps: 0, closed: 0 });
    const stopped = client.stop();
    await world.advanceByAsync(1_000);
    await stopped;
    expect([feed.size, feed.totals().closed, feed.recent.length]).toEqual([0, 1, 1]);
    await world.end();
  });
});

describe('what somebody asks of a session', () => {
  const asked = labProtocol({
    implementations: {
      guards: {
        isLong: ({ event }: { event: { text: string } }) => event.text.length > 3,
        never: () => false,
      },
    },
    machine: {
      initial: 'open',
      states: {
        open: {
          on: {
            LINE: { actions: 'echo' },
            CLOSE_UP: 'shut',
            LONG: { guard: 'isLong', target: 'shut' },
            NEVER: { guard: 'never', target: 'shut' },
            NOTHING: {},
            PEER_END: 'shut',
            'many.*': 'shut',
          },
          after: { 60_000: 'shut' },
        },
        shut: { on: { OPEN: 'open' } },
      },
    },
    facts: ['PEER_END'],
  });

  test('an event that its chart takes leads it on; what it can take now is told without events of the runtime and of XState', async () => {
    const { server, layer } = await start(asked);
    const feed = createFeed(server);
    layer.connect();
    const watch = feed.watch('1', { line: () => {}, ended: () => {} });
    expect(watch.vitals().can).toEqual(['LINE', 'CLOSE_UP', 'LONG']);
    feed.sendEvent('1', { type: 'LONG', text: 'long enough' });
    expect(at(feed, '1')[1]).toEqual(['shut']);
    expect(watch.vitals().can).toEqual(['LINE', 'OPEN']);
  });

  test.each<[string, { type: string; text?: string }, string, RegExp]>([
    [
      'that no state takes',
      { type: 'OPEN' },
      'EVENT_NOT_TAKEN',
      /does not take OPEN now; it would take: LINE, CLOSE_UP, LONG$/,
    ],
    ['whose guard says no', { type: 'LONG', text: 'no' }, 'EVENT_NOT_TAKEN', /does not take LONG now/],
    ['whose guard throws', { type: 'LONG' }, 'EVENT_NOT_TAKEN', /^a guard cannot judge this LONG: /],
    ['that is ignored on purpose', { type: 'NOTHING' }, 'EVENT_NOT_TAKEN', /does not take NOTHING/],
    ['of the runtime', { type: 'PEER_END' }, 'EVENT_INVALID', /^"PEER_END" is no type/],
    ['of XState', { type: 'xstate.after.60000.lab.open' }, 'EVENT_INVALID', /is no type/],
    ['that is a pattern', { type: '*' }, 'EVENT_INVALID', /is no type/],
    ['without a type', {} as { type: string }, 'EVENT_INVALID', /^undefined is no type/],
    ['whose type is empty', { type: '' }, 'EVENT_INVALID', /is no type/],
  ])('an event %s is refused, and its session goes on', async (_name, event, code, message) => {
    const { server, layer, errors } = await start(asked);
    const feed = createFeed(server);
    layer.connect();
    expect(() => feed.sendEvent('1', event)).toThrow(
      expect.objectContaining({ name: 'FeedError', code, message: expect.stringMatching(message) as string }) as Error,
    );
    expect(at(feed, '1')).toEqual([['accepted'], ['open']]);
    expect(errors).toEqual([]);
  });

  test('a close ends it as it was asked: by FIN, or by RST', async () => {
    const { server, layer, time } = await start(asked);
    const feed = createFeed(server);
    const peers = [layer.connect(), layer.connect()];
    feed.closeSession('1', 'graceful');
    feed.closeSession('2', 'force');
    time.advanceBy(10);
    expect(peers.map(({ types }) => types.at(-1))).toEqual(['SEND_FIN', 'SEND_RST']);
    expect(feed.recent.map(({ option }) => option).sort()).toEqual(['force', 'graceful']);
  });

  test('nothing can be asked of a session that is not there', async () => {
    const { server } = await start(asked);
    const feed = createFeed(server);
    const unknown = expect.objectContaining({ code: 'SESSION_UNKNOWN' }) as Error;
    expect(() => feed.closeSession('9', 'force')).toThrow(unknown);
    expect(() => feed.sendEvent('9', { type: 'LINE' })).toThrow(unknown);
    expect(() => feed.recordSession('9')).toThrow(unknown);
    expect(() => feed.watch('9', { line: () => {}, ended: () => {} })).toThrow(unknown);
  });
});

test('what is no server or client has no feed', () => {
  expect(() => createFeed({})).toThrow(/^expected what createTcpServer or createTcpClient returned/);
});

test('two feeds of one server count the same, and one goes on when the other has ended', async () => {
  const { server, layer } = await start(chat);
  const [one, other] = [createFeed(server), createFeed(server)];
  const peer = layer.connect();
  says(peer, 'nick ann');
  for (const feed of [one, other]) check(feed, server);
  one.end();
  says(peer, 'join lobby');
  check(other, server);
  expect(at(other, '1')[1]).toEqual(['inside']);
  expect([one.size, [...one.population('protocol').counts].every((count) => count === 0)]).toEqual([0, true]);
});

test('a feed that has ended leaves nothing behind: no subscriber, no follower, no tap, no wait of its own', async () => {
  const started = await start(chat);
  const { server, layer, time } = started;
  for (let n = 0; n < 3; n += 1) layer.connect();
  const before = left(started);
  const feed = createFeed(server);
  const told: unknown[] = [];
  feed.changes.subscribe((change) => told.push(change));
  feed.watch('1', { line: (line) => told.push(line), ended: () => told.push('ended') });
  const recording = feed.recordSession('2');
  time.advanceBy(250);
  feed.end();
  feed.end();
  expect(left(started)).toEqual(before);
  expect(server.errors.subscriberCount).toBe(1); // of this test
  const text = recording.text();
  told.length = 0;
  const peer = layer.connect();
  says(peer, 'nick ann');
  server.sessions.get('1')!.dispatch({ type: 'QUIT' });
  server.sessions.get('2')!.dispatch({ type: 'QUIT' });
  time.advanceBy(10);
  expect(told).toEqual([]);
  expect(recording.text()).toBe(text);
  expect([...feed.population('session').counts]).toEqual(feed.charts.session.states.map(() => 0));
  await nothingIsLeft(started);
});
