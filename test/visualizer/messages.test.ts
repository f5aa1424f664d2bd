/** What a page is told, message by message. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import chat from '../../examples/chat/index.js';
import echo from '../../examples/echo/index.js';
import { LIMITS, WALL, type SortKey } from '../../src/inspect/visualizer/messages.js';
import { createTcpServer, type TcpServer } from '../../src/server.js';
import type { World } from '../../src/testing/world.js';
import { tableView, type TestPage } from './page.js';
import { ShownWorld } from './shown-world.js';

let shown: ShownWorld;
let world: World;
let server: TcpServer;

beforeEach(async () => {
  shown = await ShownWorld.begin();
  ({ world, server } = shown);
});
afterEach(() => shown.end());

async function open(): Promise<TestPage> {
  await shown.show();
  return shown.open();
}

const connectPeers = (count: number) => shown.connect(count);

const frame = (...bytes: number[]) => ({ type: 'FRAME', payload: Uint8Array.from(bytes) });

/** Numbers of states by their paths. */
async function numberOf(page: TestPage, chart: string, path: string): Promise<number> {
  const { charts } = await page.told('hello');
  const number = charts[chart]!.states.findIndex((state) => state.path === path);
  expect(number).toBeGreaterThanOrEqual(0);
  return number;
}

const pairsOf = (pairs: readonly number[]) =>
  new Map(Array.from({ length: pairs.length / 2 }, (_, n) => [pairs[2 * n]!, pairs[2 * n + 1]!]));

test('hello says what there is to see: sources with their charts, each chart once, and what may be done', async () => {
  const second = await world.server(echo);
  const room = await world.server(chat);
  await shown.show({ control: true, payloads: true }, [server, second, room]);
  const page = await shown.open();
  const hello = await page.told('hello');
  expect(hello).toMatchObject({ version: 1, viewer: 1, control: true, payloads: true, limits: LIMITS });
  expect(hello.package).toMatch(/^\d+\.\d+\.\d+/);
  expect(hello.sources.map(({ name }) => name)).toEqual(['echo', 'echo-2', 'chat']);
  const [first, , third] = hello.sources;
  expect(first!.charts).toEqual(hello.sources[1]!.charts);
  expect(first!.charts.session).toBe(third!.charts.session);
  expect(Object.keys(third!.charts.shared)).toEqual(Object.keys(chat.shared!));
  const used = hello.sources.flatMap(({ charts: { shared, ...charts } }) => [
    ...Object.values(charts),
    ...Object.values(shared),
  ]);
  expect(Object.keys(hello.charts).sort()).toEqual([...new Set(used)].sort());
  expect((await (await shown.open()).told('hello')).viewer).toBe(2);
});

test('with recordings alone there is no source', async () => {
  await shown.show({}, []);
  const { sources, charts } = await (await shown.open()).told('hello');
  expect([sources, charts]).toEqual([[], {}]);
});

test('a server that begins to listen later is told with its address, and what is sampled before counts too', async () => {
  const late = createTcpServer(echo);
  await shown.show({}, late);
  const page = await shown.open();
  expect((await page.told('hello')).sources).toMatchObject([{ name: 'echo', address: null }]);
  world.advanceBy(1_000);
  await late.start();
  world.advanceBy(1_000);
  const { port } = late.address()!;
  expect((await page.told('sources')).sources).toMatchObject([{ name: 'echo', address: `127.0.0.1:${port}` }]);
  page.send({ type: 'subscribe', topic: 'overview', source: 'echo' });
  expect((await page.told('samples')).samples).toHaveLength(2);
  await late.stop();
});

describe('overview', () => {
  test('at once: where the charts are, how many sessions are in which state, and the past second by second', async () => {
    connectPeers(3);
    const page = await open();
    world.advanceBy(2_000);
    page.send({ type: 'subscribe', topic: 'overview', source: 'echo' });
    const overview = await page.told('overview');
    const accepted = await numberOf(page, 'session', 'accepted');
    expect(overview.sessions).toBe(3);
    expect(pairsOf(overview.counts!.session).get(accepted)).toBe(3);
    expect(pairsOf(overview.counts!.session).get(0)).toBe(3);
    expect(overview.places!.owner).toEqual([await numberOf(page, 'serverSocket', 'accepting')]);
    const { samples, totals } = await page.told('samples');
    expect(samples.map(({ sessions }) => sessions)).toEqual([3, 3]);
    expect(samples[1]!.atMs - samples[0]!.atMs).toBe(1_000);
    expect(totals).toMatchObject({ accepted: 3, closed: 0 });
  });

  test('a tick brings what has changed and nothing else; without a change there is one each second, for the clock', async () => {
    const [peer] = connectPeers(2);
    const page = await open();
    page.send({ type: 'subscribe', topic: 'overview', source: 'echo' });
    await page.told('samples');
    world.advanceBy(900);
    await page.settled();
    expect(page.all('overview')).toHaveLength(1);
    world.advanceBy(100);
    const clock = await page.until(() => page.all('overview')[1]);
    expect(Object.keys(clock).sort()).toEqual(['atMs', 'sessions', 'source', 'type']);
    peer!.end();
    world.advanceBy(200);
    const changed = await page.until(() => page.all('overview').find(({ sessions }) => sessions === 1));
    const accepted = await numberOf(page, 'session', 'accepted');
    const all = page.all('overview').slice(2);
    expect(all.flatMap(({ counts }) => (counts ? [pairsOf(counts.session).get(accepted)] : []))).toContain(1);
    expect(changed.places).toBeUndefined();
    const closed = pairsOf(all.flatMap(({ entered }) => entered?.session ?? []));
    expect(closed.get(await numberOf(page, 'session', 'closed'))).toBe(1);
  });

  test('values are current, not increments: after a pause one tick brings the present', async () => {
    const page = await open();
    page.send({ type: 'subscribe', topic: 'overview', source: 'echo' });
    await page.told('samples');
    page.send({ type: 'pause', on: true });
    await page.settled();
    connectPeers(2);
    world.advanceBy(3_000);
    connectPeers(3);
    await page.settled();
    expect(page.all('overview')).toHaveLength(1);
    expect(page.all('samples')).toHaveLength(1);
    page.send({ type: 'pause', on: false });
    await page.settled();
    world.advanceBy(100);
    const overview = await page.until(() => page.all('overview')[1]);
    expect(pairsOf(overview.counts!.session).get(0)).toBe(5);
  });

  test('the past is 120 seconds at most', async () => {
    await shown.show();
    world.advanceBy(130_000);
    const page = await shown.open();
    page.send({ type: 'subscribe', topic: 'overview', source: 'echo' });
    const { samples } = await page.told('samples');
    expect(samples).toHaveLength(120);
    expect(samples.at(-1)!.atMs - samples[0]!.atMs).toBe(119_000);
  });
});

describe('ages', () => {
  const look = async (page: TestPage, count: number) => {
    // Ping by ping: the clock may not run away from the sockets.
    while (page.all('ages').length < count) {
      world.advanceBy(2_000);
      await page.settled();
    }
    return page.all('ages')[count - 1]!;
  };

  test('every 2 s: how long sessions have been in each state, only while somebody has the overview open', async () => {
    connectPeers(1);
    const page = await open();
    world.advanceBy(4_000);
    await page.settled();
    expect(page.all('ages')).toEqual([]);
    page.send({ type: 'subscribe', topic: 'overview', source: 'echo' });
    await page.settled();
    connectPeers(1);
    const ages = await look(page, 1);
    const silent = ages.session.find(({ count }) => count === 2)!;
    expect(silent.state).toBe(await numberOf(page, 'session', 'accepted'));
    expect(silent.oldestMs).toBeGreaterThan(4_000);
    expect(silent.p50Ms).toBeLessThanOrEqual(silent.p99Ms);
    expect(ages.stuck).toEqual([]);
    page.send({ type: 'unsubscribe', topic: 'overview' });
    await page.settled();
    world.advanceBy(4_000);
    await page.settled();
    expect(page.all('ages')).toHaveLength(1);
  });

  test('sessions that are in a state for longer than 10 s are stuck when 99 % of the stays were short, and not before', async () => {
    connectPeers(1);
    const page = await open();
    page.send({ type: 'subscribe', topic: 'overview', source: 'echo' });
    await page.settled();
    await look(page, 1);
    for (let round = 0; round < 5; round += 1) {
      for (const peer of connectPeers(5)) peer.end();
      await look(page, page.all('ages').length + 1);
    }
    // 25 have come and gone; the one that is left has been here for hardly more than 10 s.
    const accepted = await numberOf(page, 'session', 'accepted');
    for (;;) {
      const { session, stuck } = await look(page, page.all('ages').length + 1);
      const { oldestMs } = session.find(({ state }) => state === accepted)!;
      const found = stuck.find(({ chart, state }) => chart === 'session' && state === accepted);
      expect(found !== undefined).toBe(oldestMs > 10_000);
      if (!found) continue;
      expect(found).toMatchObject({ count: 1, oldestMs, limitMs: 10_000 });
      expect(found.usualMs).toBeLessThan(2_500);
      break;
    }
  });

  test('where more than one in ten of all stays is long, staying is what the state is for: nobody is stuck', async () => {
    connectPeers(4);
    const page = await open();
    page.send({ type: 'subscribe', topic: 'overview', source: 'echo' });
    await look(page, 1);
    for (const peer of connectPeers(35)) peer.end();
    for (let n = 2; n < 9; n += 1) expect((await look(page, n)).stuck).toEqual([]);
    // One more that has ended, and the four are a tenth.
    for (const peer of connectPeers(1)) peer.end();
    const { stuck } = await look(page, 9);
    expect(stuck.map(({ count }) => count)).toContain(4);
  });

  test('before 20 stays have ended nothing is called usual, and nobody stuck', async () => {
    connectPeers(1);
    const page = await open();
    page.send({ type: 'subscribe', topic: 'overview', source: 'echo' });
    for (const peer of connectPeers(15)) peer.end();
    for (let n = 1; n < 9; n += 1) expect((await look(page, n)).stuck).toEqual([]);
  });
});

describe('table', () => {
  test('the order and the rows that are in view; then rows that have changed, at most 5 times a second', async () => {
    const peers = connectPeers(12);
    const page = await open();
    page.send({ type: 'subscribe', topic: 'table', source: 'echo', view: tableView({ from: 2, count: 5 }) });
    const order = await page.told('order');
    expect(order).toMatchObject({ total: 12, matching: 12, from: 2, ids: ['3', '4', '5', '6', '7'] });
    const { rows } = await page.told('rows');
    expect(rows.map(({ id }) => id)).toEqual(order.ids);
    expect(rows[0]!.peer).toMatch(/^10\.\d+\.\d+\.\d+:\d+$/);
    world.advanceBy(1_000);
    await page.settled();
    expect(page.all('rows')).toHaveLength(1);
    for (let n = 0; n < 10; n += 1) {
      for (const peer of peers) peer.send(frame(n));
      world.advanceBy(100);
    }
    await page.settled();
    const later = page.all('rows').slice(1);
    expect(later.length).toBeGreaterThanOrEqual(4);
    expect(later.length).toBeLessThanOrEqual(5);
    for (const message of later) for (const { id } of message.rows) expect(order.ids).toContain(id);
    expect(later.at(-1)!.rows[0]!.bytesReceived).toBeGreaterThan(rows[0]!.bytesReceived);
    expect(page.all('order')).toHaveLength(1);
  });

  test('a row that scrolls into view is sent, one that was in view already is not sent again', async () => {
    connectPeers(10);
    const page = await open();
    page.send({ type: 'subscribe', topic: 'table', source: 'echo', view: tableView({ from: 0, count: 4 }) });
    await page.told('rows');
    world.advanceBy(100);
    page.send({ type: 'subscribe', topic: 'table', source: 'echo', view: tableView({ from: 2, count: 4 }) });
    const rows = await page.until(() => page.all('rows')[1]);
    expect(rows.rows.map(({ id }) => id)).toEqual(['5', '6']);
    expect(page.all('order')[1]!.ids).toEqual(['3', '4', '5', '6']);
  });

  test('a text is found in id, key and peer, a state also by those inside it, an age by its state', async () => {
    const peers = connectPeers(11);
    const page = await open();
    const matching = async (view: Parameters<typeof tableView>[0]) => {
      const before = page.all('order').length;
      world.advanceBy(100);
      page.send({ type: 'unsubscribe', topic: 'table' });
      page.send({ type: 'subscribe', topic: 'table', source: 'echo', view: tableView(view) });
      return (await page.until(() => page.all('order')[before])).ids;
    };
    expect(await matching({ text: '11' })).toContain('11');
    const { peer } = (await page.told('rows')).rows[0]!;
    expect(await matching({ text: peer })).toEqual(['11']);
    expect(await matching({ text: 'nobody' })).toEqual([]);
    peers[4]!.end();
    world.runUntil(() => server.sessions.size === 10);
    for (const peer of peers.slice(0, 3)) peer.send(frame(1));
    world.advanceBy(10);
    const connected = await numberOf(page, 'session', 'connected');
    const closing = await numberOf(page, 'session', 'closing');
    expect(await matching({ state: { chart: 'session', state: connected } })).toEqual(['1', '2', '3']);
    expect(await matching({ state: { chart: 'session', state: closing } })).toEqual([]);
    world.advanceBy(5_000);
    connectPeers(1);
    expect(await matching({ longerThanMs: 5_000 })).toHaveLength(10);
    expect(await matching({ longerThanMs: 3_600_000 })).toEqual([]);
  });

  test.each<[SortKey, boolean, string]>([
    ['id', false, '1 2 3 10 11'],
    ['id', true, '11 10 3 2 1'],
    ['age', true, '1 2 3 10 11'],
    ['age', false, '11 10 3 2 1'],
    ['received', true, '3 1 2 10 11'],
    ['sent', false, '1 2 10 11 3'],
    ['stateAge', true, '1 2 3 10 11'],
    ['state', false, '1 2 10 11 3'],
    ['waits', false, '1 2 3 10 11'],
  ])('sorted by %s, descending %s: %s; equal ones in the order of arrival', async (sort, descending, expected) => {
    const peers = connectPeers(3);
    world.advanceBy(50);
    peers[2]!.send(frame(1, 2, 3, 4, 5));
    const gone = connectPeers(6);
    for (const peer of gone) peer.end();
    world.runUntil(() => server.sessions.size === 3);
    connectPeers(2);
    world.advanceBy(50);
    const page = await open();
    page.send({ type: 'subscribe', topic: 'table', source: 'echo', view: tableView({ sort, descending }) });
    expect((await page.told('order')).ids.join(' ')).toBe(expected);
  });

  test('addresses are sorted as numbers: .9 before .10, port 80 before port 1 000', async () => {
    for (const host of ['10.9.0.10', '10.9.0.9', '10.10.0.1']) world.peer(server, { host });
    world.runUntil(() => server.sessions.size === 3);
    const page = await open();
    page.send({ type: 'subscribe', topic: 'table', source: 'echo', view: tableView({ sort: 'peer' }) });
    const { rows } = await page.told('rows');
    expect(rows.map(({ peer }) => peer.split(':')[0])).toEqual(['10.9.0.9', '10.9.0.10', '10.10.0.1']);
  });

  test('hold: no row comes, goes or moves, and values go on; without it the order is looked at twice a second', async () => {
    const [first, second] = connectPeers(3);
    const page = await open();
    const view = tableView({ sort: 'received', descending: true, hold: true });
    page.send({ type: 'subscribe', topic: 'table', source: 'echo', view });
    await page.told('rows');
    second!.send(frame(1, 2, 3));
    first!.end();
    connectPeers(1);
    world.advanceBy(2_000);
    await page.settled();
    expect(page.all('order')).toHaveLength(1);
    const later = page.all('rows').slice(1);
    expect(later.flatMap(({ rows }) => rows.map(({ id }) => id))).toContain('2');
    page.send({ type: 'subscribe', topic: 'table', source: 'echo', view: { ...view, hold: false } });
    await page.settled();
    world.advanceBy(500);
    const order = await page.until(() => page.all('order')[1]);
    expect(order).toMatchObject({ total: 3, ids: ['2', '3', '4'] });
  });
});

describe('wall', () => {
  const cellsOf = (frame: Buffer) => {
    const count = frame.readUInt32LE(4);
    expect(frame).toHaveLength(WALL.headerBytes + count * WALL.cellBytes);
    const cells = Array.from({ length: count }, (_, n) => WALL.headerBytes + n * WALL.cellBytes);
    return new Map(cells.map((at) => [frame.readUInt32LE(at), frame.readUInt16LE(at + 4)]));
  };

  test('all cells first, then those that have changed, and 65 535 for a session that is gone', async () => {
    const [peer] = connectPeers(3);
    const page = await open();
    page.send({ type: 'subscribe', topic: 'wall', source: 'echo', chart: 'session' });
    await page.settled();
    world.advanceBy(100);
    const all = await page.until(() => page.frames[0]);
    const accepted = await numberOf(page, 'session', 'accepted');
    expect(all[0]).toBe(WALL.all);
    expect([...cellsOf(all)]).toEqual([1, 2, 3].map((number) => [number, accepted]));
    world.advanceBy(500);
    peer!.end();
    connectPeers(1);
    world.advanceBy(100);
    await page.settled();
    const changed = page.frames.slice(1);
    expect(changed.map((frame) => frame[0])).toEqual(changed.map(() => WALL.changed));
    const cells = new Map(changed.flatMap((frame) => [...cellsOf(frame)]));
    expect([...cells].sort()).toEqual([
      [1, WALL.gone],
      [4, accepted],
    ]);
    page.send({ type: 'unsubscribe', topic: 'wall' });
    await page.settled();
    const { length } = page.frames;
    connectPeers(1);
    world.advanceBy(300);
    await page.settled();
    expect(page.frames).toHaveLength(length);
  });

  test('`who` says which session a cell is; of none it says so', async () => {
    connectPeers(2);
    const page = await open();
    page.send({ type: 'who', source: 'echo', number: 2 });
    page.send({ type: 'who', source: 'echo', number: 99 });
    expect((await page.told('who')).row).toMatchObject({ id: '2', protocol: [1] });
    expect((await page.told('who', ({ number }) => number === 99)).row).toBeNull();
  });
});

describe('session', () => {
  test('what it is and what is known of its past; then its lines of each tick, and its vital signs after them and twice a second', async () => {
    const [peer] = connectPeers(1);
    const page = await open();
    page.send({ type: 'subscribe', topic: 'session', source: 'echo', id: '1' });
    const detail = await page.told('detail');
    expect(detail.row).toMatchObject({ id: '1', bytesReceived: 0 });
    expect(detail.lines.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['header', 'checkpoint']));
    expect(detail.vitals.can).toContain('FRAME');
    peer!.send(frame(1));
    peer!.send(frame(2));
    world.advanceBy(100);
    const { lines } = await page.told('lines');
    const frames = lines.filter(({ kind, chart, event }) => {
      return kind === 'step' && chart === 'protocol' && (event as { type: string }).type === 'FRAME';
    });
    expect(frames).toHaveLength(2);
    expect(frames[0]!['taken']).toEqual(['echo.answering 0']);
    await page.told('vitals', ({ vitals }) => vitals.statistics !== undefined);
    const after = page.all('vitals').length;
    world.advanceBy(1_000);
    await page.settled();
    expect(page.all('vitals').length - after).toBe(2);
  });

  test('without payloads there are no bytes, with them there are', async () => {
    const bytesOf = async (payloads: boolean) => {
      const visualizer = await shown.show({ payloads });
      const page = await shown.open();
      page.send({ type: 'subscribe', topic: 'session', source: 'echo', id: '1' });
      await page.told('detail');
      peer!.send(frame(1, 2, 3));
      world.advanceBy(100);
      const { lines } = await page.told('lines');
      await visualizer.stop();
      return JSON.stringify(lines);
    };
    const [peer] = connectPeers(1);
    // Those that came and went, and those that the codec made a message of: 00 00 00 03 01 02 03, and 01 02 03.
    expect(await bytesOf(false)).not.toMatch(/\$bytes|AAAAAwECAw|AQID/);
    expect(await bytesOf(true)).toMatch(/AAAAAwECAw.*AQID/s);
  });

  test('what is longer than 16 384 bytes in a line comes as its size; what the line is about stays', async () => {
    const [peer] = connectPeers(1);
    await shown.show({ payloads: true });
    const page = await shown.open();
    page.send({ type: 'subscribe', topic: 'session', source: 'echo', id: '1' });
    const { lines: past } = await page.told('detail');
    peer!.send({ type: 'FRAME', payload: new Uint8Array(40_000) });
    world.advanceBy(100);
    const { lines } = await page.told('lines');
    for (const line of [...past, ...lines]) expect(Buffer.byteLength(JSON.stringify(line))).toBeLessThan(16_384);
    const step = lines.find(({ kind, chart }) => kind === 'step' && chart === 'protocol')!;
    expect(step).toMatchObject({
      event: { type: 'FRAME', $elided: expect.stringMatching(/^\d{5} characters$/) as string },
    });
    expect(step['taken']).toEqual(['echo.answering 0']);
  });

  test('its end: the last lines, then that it is gone and how; and of one that there is not, only that', async () => {
    const [peer] = connectPeers(1);
    const page = await open();
    page.send({ type: 'subscribe', topic: 'session', source: 'echo', id: '1' });
    page.send({ type: 'subscribe', topic: 'session', source: 'echo', id: 'nobody' });
    expect((await page.told('gone')).ended).toBeNull();
    peer!.end();
    world.advanceBy(200);
    const gone = await page.told('gone', ({ id }) => id === '1');
    expect(gone.ended).toMatchObject({ id: '1', reason: 'peer closed', closedBy: 'fin' });
    const lines = page.all('lines').flatMap((message) => message.lines);
    expect(lines.at(-1)!.kind).toBe('end');
    expect(page.messages.indexOf(gone)).toBeGreaterThan(page.messages.indexOf(page.all('lines').at(-1)!));
    page.send({ type: 'subscribe', topic: 'session', source: 'echo', id: '1' });
    const again = await page.until(() => page.all('gone')[2]);
    expect(again.ended).toMatchObject({ reason: 'peer closed' });
  });

  test('it ends with the subscription, and with the page', async () => {
    connectPeers(1);
    const page = await open();
    page.send({ type: 'subscribe', topic: 'session', source: 'echo', id: '1' });
    await page.told('detail');
    page.send({ type: 'unsubscribe', topic: 'session', source: 'echo', id: '1' });
    await page.settled();
    world.advanceBy(2_000);
    await page.settled();
    expect(page.all('vitals')).toEqual([]);
  });
});

test('ended: those that have ended and are not swept yet, newest last, once a second when there is a new one', async () => {
  const peers = connectPeers(3);
  const page = await open();
  page.send({ type: 'subscribe', topic: 'ended', source: 'echo' });
  await page.settled();
  world.advanceBy(100);
  expect((await page.told('ended')).sessions).toEqual([]);
  for (const peer of peers.slice(0, 2)) {
    peer.end();
    world.advanceBy(100);
  }
  world.advanceBy(3_000);
  await page.settled();
  expect(page.all('ended')).toHaveLength(2);
  expect(page.all('ended')[1]!.sessions).toMatchObject([
    { id: '1', reason: 'peer closed', closedBy: 'fin' },
    { id: '2', reason: 'peer closed' },
  ]);
});

test('a ping is answered, a source that there is not is an error, and a topic that is not known is ignored', async () => {
  const page = await open();
  page.send({ type: 'subscribe', topic: 'overview', source: 'nobody' });
  page.socket.send('{"type":"subscribe","topic":"weather"}');
  await page.settled();
  expect(page.all('error')).toEqual([{ type: 'error', text: 'there is no nobody' }]);
});
